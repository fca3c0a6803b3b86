// The thread pool of this module is the one of libhapforge, so that a process has one, whoever
// calls the kernels: Python, numba, or another program's C code.
#include <algorithm>
#include <cstdint>
#include <new>

#include "core/thread_pool.h"
#include "hapforge/hapforge.h"

namespace hapforge::detail {

void run_tasks(std::size_t num_tasks, std::size_t num_threads, TaskFunction function,
               void* context) {
  struct Call {
    TaskFunction function;
    void* context;
  } call{function, context};
  const std::size_t threads = std::clamp<std::size_t>(num_threads, 1, HF_MAX_THREADS);
  const int status = hf_parallel_for(
      static_cast<std::int64_t>(num_tasks), static_cast<int>(threads),
      [](void* opaque, std::int64_t task, std::int64_t slot) {
        const Call& each = *static_cast<Call*>(opaque);
        each.function(each.context, static_cast<std::size_t>(task), static_cast<std::size_t>(slot));
      },
      &call);
  if (status != HF_OK) throw std::bad_alloc();
}

}  // namespace hapforge::detail
