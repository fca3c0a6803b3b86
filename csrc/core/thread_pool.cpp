#include "core/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace hapforge::detail {
namespace {

thread_local bool inside_task = false;

struct Job {
  TaskFunction function;
  void* context;
  std::size_t num_tasks;
  std::size_t max_slots;
  std::atomic<std::size_t> next_task{0};
  std::size_t slots_taken = 1;   // slot 0 is the caller's; guarded by the pool's mutex
  std::size_t helpers_busy = 0;  // guarded by the pool's mutex

  void work(std::size_t slot) noexcept {
    inside_task = true;
    for (;;) {
      const std::size_t task = next_task.fetch_add(1, std::memory_order_relaxed);
      if (task >= num_tasks) break;
      function(context, task, slot);
    }
    inside_task = false;
  }
};

class Pool {
 public:
  void run(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      grow(job.max_slots - 1);
      waiting_.push_back(&job);
    }
    work_ready_.notify_all();
    job.work(0);
    std::unique_lock lock(mutex_);
    std::erase(waiting_, &job);  // nobody joins from here on
    job_done_.wait(lock, [&] { return job.helpers_busy == 0; });
  }

 private:
  // With no thread to be had the caller does all the work: fewer helpers change nothing but time.
  void grow(std::size_t helpers) {
    try {
      for (; num_workers_ < helpers; ++num_workers_) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      return;
    }
  }

  [[noreturn]] void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_ready_.wait(lock, [&] { return !waiting_.empty(); });
      Job& job = *waiting_.front();
      const std::size_t slot = job.slots_taken++;
      ++job.helpers_busy;
      if (job.slots_taken == job.max_slots) std::erase(waiting_, &job);
      lock.unlock();
      job.work(slot);
      lock.lock();
      std::erase(waiting_, &job);  // it has no task left to hand out
      if (--job.helpers_busy == 0) job_done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable job_done_;
  std::deque<Job*> waiting_;
  std::size_t num_workers_ = 0;
};

// Never destroyed: workers sleep in it until the process ends. A forked child has none of the
// parent's threads and perhaps a locked mutex, so it forgets the pool and starts its own.
std::atomic<Pool*> the_pool{nullptr};

void forget_pool_in_child() { the_pool.store(nullptr); }

Pool& pool() {
  static std::once_flag registered;
  std::call_once(registered, [] { pthread_atfork(nullptr, nullptr, forget_pool_in_child); });
  Pool* current = the_pool.load();
  if (current == nullptr) {
    auto fresh = std::make_unique<Pool>();
    if (the_pool.compare_exchange_strong(current, fresh.get())) current = fresh.release();
  }
  return *current;
}

}  // namespace

void run_tasks(std::size_t num_tasks, std::size_t num_threads, TaskFunction function,
               void* context) {
  const std::size_t slots = num_slots(num_tasks, num_threads);
  if (slots == 1 || inside_task) {
    for (std::size_t task = 0; task < num_tasks; ++task) function(context, task, 0);
    return;
  }
  Job job{function, context, num_tasks, slots};
  pool().run(job);
}

}  // namespace hapforge::detail
