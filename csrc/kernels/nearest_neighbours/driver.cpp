// nearest_neighbours: the blocked search over popcount_tile.
#include <algorithm>
#include <limits>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/nearest_neighbours/kernel.h"

namespace hapforge::nearest_neighbours {
namespace {

constexpr std::size_t kQueries = 64;   // most rows of a tile
constexpr std::size_t kTargets = 128;  // columns of a tile
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

// (distance, index) as one integer, so that the order of candidates is the order of integers.
constexpr std::uint64_t candidate(std::uint32_t distance, std::size_t index) noexcept {
  return std::uint64_t{distance} << 32 | index;
}

// Keeps the k smallest candidates in a max-heap.
void offer(std::uint64_t* heap, std::size_t k, std::uint64_t one) noexcept {
  if (one >= heap[0]) return;
  std::pop_heap(heap, heap + k);
  heap[k - 1] = one;
  std::push_heap(heap, heap + k);
}

// A tile row of distances against the best so far; targets arrive in ascending order, so only a
// smaller distance can enter. The comparison of the whole row first is what vectorises.
void offer_row(std::uint64_t* heap, std::size_t k, const std::uint32_t* distance,
               std::size_t num_targets, std::size_t first_target) noexcept {
  const std::uint32_t nearest = *std::min_element(distance, distance + num_targets);
  if (nearest >= heap[0] >> 32) return;
  for (std::size_t j = 0; j < num_targets; ++j) {
    offer(heap, k, candidate(distance[j], first_target + j));
  }
}

// Fewer rows to a task where there are too few queries to keep all threads busy; a multiple of the
// register blocks' four.
std::size_t queries_per_task(std::size_t num_queries, std::size_t threads) noexcept {
  const std::size_t share = num_queries / std::max<std::size_t>(threads, 1) + 1;
  return std::min(kQueries, (share + 3) / 4 * 4);
}

}  // namespace

void search(const BitMatrixView& queries, const BitMatrixView& targets, std::size_t k,
            bool exclude_self, std::int64_t* index, std::uint32_t* distance,
            const popcount_tile::Kernels& kernels, std::size_t threads) {
  const std::size_t rows_per_task = queries_per_task(queries.num_rows, threads);
  const std::size_t tasks = (queries.num_rows + rows_per_task - 1) / rows_per_task;
  std::vector<std::uint64_t> heaps(num_slots(tasks, threads) * kQueries * k);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    std::uint32_t tile[kQueries * kTargets];
    std::uint64_t* heap = heaps.data() + slot * kQueries * k;
    std::fill(heap, heap + kQueries * k, kNone);
    const std::size_t first = task * rows_per_task;
    const std::size_t rows = std::min(rows_per_task, queries.num_rows - first);
    for (std::size_t t = 0; t < targets.num_rows; t += kTargets) {
      const std::size_t columns = std::min(kTargets, targets.num_rows - t);
      kernels.differences({queries.row(first), rows, targets.row(t), columns, queries.words_per_row,
                           tile, kTargets});
      for (std::size_t i = 0; i < rows; ++i) {
        std::uint32_t* row = tile + i * kTargets;
        const std::size_t self = first + i;
        if (exclude_self && self >= t && self < t + columns) {
          row[self - t] = std::numeric_limits<std::uint32_t>::max();
        }
        offer_row(heap + i * k, k, row, columns, t);
      }
    }
    for (std::size_t i = 0; i < rows; ++i) {
      std::uint64_t* best = heap + i * k;
      std::sort_heap(best, best + k);
      for (std::size_t r = 0; r < k; ++r) {
        index[(first + i) * k + r] = static_cast<std::int64_t>(best[r] & 0xFFFFFFFF);
        distance[(first + i) * k + r] = static_cast<std::uint32_t>(best[r] >> 32);
      }
    }
  });
}

}  // namespace hapforge::nearest_neighbours
