// One pool of std::threads for the whole process; no OpenMP (libgomp hangs after a fork).
#pragma once

#include <cstddef>
#include <type_traits>

namespace hapforge {

namespace detail {
using TaskFunction = void (*)(void* context, std::size_t task, std::size_t slot) noexcept;
void run_tasks(std::size_t num_tasks, std::size_t num_threads, TaskFunction function,
               void* context);
}  // namespace detail

// Slots a parallel_for of this size uses: what per-thread scratch must be allocated for.
constexpr std::size_t num_slots(std::size_t num_tasks, std::size_t num_threads) noexcept {
  const std::size_t fewer = num_tasks < num_threads ? num_tasks : num_threads;
  return fewer > 1 ? fewer : 1;
}

// Calls body(task, slot) for every task in [0, num_tasks) on at most `num_threads` threads, the
// caller among them, and returns when all are done. Tasks are handed out one by one in ascending
// order. `slot` < num_slots(num_tasks, num_threads) is fixed for a thread during the call, so it
// indexes scratch memory; a result must not depend on it.
//
// Safe to call from several threads at once, in a child after fork(), and from inside a task (a
// nested call runs inline on slot 0). `body` must be noexcept.
template <class Body>
void parallel_for(std::size_t num_tasks, std::size_t num_threads, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  static_assert(noexcept(body(std::size_t{}, std::size_t{})), "a task must be noexcept");
  detail::run_tasks(
      num_tasks, num_threads,
      [](void* context, std::size_t task, std::size_t slot) noexcept {
        (*static_cast<Plain*>(context))(task, slot);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

}  // namespace hapforge
