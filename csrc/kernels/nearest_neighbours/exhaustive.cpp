// Tasks are tiles of row blocks, given out in ascending order, and each thread has candidates of
// its own for every row, merged at the end: neither few queries nor pairs that serve two rows leave
// a thread idle or waiting. Within a thread the candidates of a row arrive by ascending index, as a
// column of earlier blocks first and as a row from its own block on, so only a smaller distance
// can enter a list, and ties need no care.
#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/nearest_neighbours/exhaustive.h"

namespace hapforge::nearest_neighbours::exhaustive {
namespace {

constexpr std::size_t kBlock = 192;  // most rows of a tile on either side: two blocks fit L2
constexpr std::size_t kColumns = popcount_tile::kMaskBits;  // compared with limits at a time
constexpr std::size_t kRowsPerMerge = 256;
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

constexpr std::size_t num_blocks(std::size_t rows) noexcept { return (rows + kBlock - 1) / kBlock; }

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

// One thread's candidates of the rows of a matrix: a heap for each, and the distance to get below.
struct Candidates {
  std::uint64_t* heap;
  std::uint32_t* limit;
  std::size_t k;

  void add(std::size_t row, std::uint32_t distance, std::size_t index) const noexcept {
    if (distance >= limit[row]) return;
    offer(heap + row * k, k, candidate(distance, index));
    limit[row] = static_cast<std::uint32_t>(heap[row * k] >> 32);
  }
};

// The candidates of every thread, and the lists they end in.
class Table {
 public:
  Table(std::size_t num_rows, std::size_t k, std::size_t slots)
      : num_rows_(num_rows),
        k_(k),
        slots_(slots),
        heaps_(slots * num_rows * k, kNone),
        limits_(slots * num_rows, static_cast<std::uint32_t>(kNone >> 32)) {}

  Candidates of(std::size_t slot) noexcept {
    return {heaps_.data() + slot * num_rows_ * k_, limits_.data() + slot * num_rows_, k_};
  }

  void merge_into(const Lists& out, std::size_t threads) noexcept {
    const std::size_t tasks = (num_rows_ + kRowsPerMerge - 1) / kRowsPerMerge;
    parallel_for(tasks, threads, [&](std::size_t task, std::size_t) noexcept {
      const std::size_t end = std::min(num_rows_, (task + 1) * kRowsPerMerge);
      for (std::size_t row = task * kRowsPerMerge; row < end; ++row) {
        std::uint64_t* best = heaps_.data() + row * k_;
        for (std::size_t slot = 1; slot < slots_; ++slot) {
          const std::uint64_t* more = best + slot * num_rows_ * k_;
          for (std::size_t r = 0; r < k_; ++r) offer(best, k_, more[r]);
        }
        std::sort_heap(best, best + k_);
        for (std::size_t r = 0; r < k_; ++r) {
          out.index[row * k_ + r] = static_cast<std::int64_t>(best[r] & 0xFFFFFFFF);
          out.distance[row * k_ + r] = static_cast<std::uint32_t>(best[r] >> 32);
        }
      }
    });
  }

 private:
  std::size_t num_rows_, k_, slots_;
  std::vector<std::uint64_t> heaps_;  // slots x rows x k
  std::vector<std::uint32_t> limits_;
};

// A row block of one matrix against one of another. `columns`: candidates of b's rows, or none.
struct Tile {
  const BitMatrixView& a;
  const BitMatrixView& b;
  std::size_t block_a, block_b;
  bool exclude_self;  // row i of a and row i of b are no pair
  bool among;         // b is a: rows of the diagonal's columns are not offered twice
};

struct Scratch {
  std::uint32_t distance[kBlock * kBlock];
  std::uint64_t row_mask[kBlock];
  std::uint64_t column_mask[kBlock];
};

template <class Offer>
void for_each_bit(std::uint64_t mask, Offer offer_column) noexcept {
  for (; mask != 0; mask &= mask - 1) {
    offer_column(static_cast<std::size_t>(std::countr_zero(mask)));
  }
}

void run_tile(const Tile& t, const Candidates& of_a, const Candidates* of_b, Scratch& s,
              const popcount_tile::Kernels& kernels) noexcept {
  const std::size_t first_a = t.block_a * kBlock;
  const std::size_t end_b = std::min(t.b.num_rows, (t.block_b + 1) * kBlock);
  const bool diagonal = t.among && t.block_a == t.block_b;
  const std::size_t first_b = t.block_b * kBlock;
  const std::size_t all_rows = std::min(t.a.num_rows, first_a + kBlock) - first_a;
  kernels.differences({t.a.row(first_a), all_rows, t.b.row(first_b), end_b - first_b,
                       t.a.words_per_row, s.distance, kBlock});
  for (std::size_t j = first_b; j < end_b; j += kColumns) {
    const std::size_t columns = std::min(kColumns, end_b - j);
    // On the diagonal: rows above these columns, and these themselves.
    const std::size_t end_a = diagonal ? j + columns : first_a + all_rows;
    const std::size_t rows = end_a - first_a;
    const std::uint32_t* distances = s.distance + (j - first_b);
    kernels.below({distances, rows, columns, kBlock, of_a.limit + first_a,
                   of_b ? of_b->limit + j : nullptr, s.row_mask, s.column_mask});
    for (std::size_t i = first_a; i < end_a; ++i) {
      const std::uint32_t* distance = distances + (i - first_a) * kBlock;
      std::uint64_t mask = s.row_mask[i - first_a];
      if (t.exclude_self && i >= j && i < j + columns) mask &= ~(std::uint64_t{1} << (i - j));
      for_each_bit(mask, [&](std::size_t c) noexcept { of_a.add(i, distance[c], j + c); });
      if (of_b == nullptr || (diagonal && i >= j)) continue;
      for_each_bit(s.column_mask[i - first_a],
                   [&](std::size_t c) noexcept { of_b->add(j + c, distance[c], i); });
    }
  }
}

// The tiles of the upper triangle of n x n, row by row: the number of the first one of a row.
constexpr std::size_t triangle_start(std::size_t row, std::size_t n) noexcept {
  return row * n - row * (row - 1) / 2;
}

// The last row of the triangle that starts at or before `task`.
constexpr std::size_t triangle_row(std::size_t task, std::size_t n) noexcept {
  std::size_t low = 0;
  for (std::size_t high = n; high - low > 1;) {
    const std::size_t middle = low + (high - low) / 2;
    (triangle_start(middle, n) <= task ? low : high) = middle;
  }
  return low;
}

void search_among(const BitMatrixView& rows, bool exclude_self, const Lists& out,
                  const popcount_tile::Kernels& kernels, std::size_t threads) {
  const std::size_t blocks = num_blocks(rows.num_rows);
  const std::size_t tasks = blocks * (blocks + 1) / 2;
  const std::size_t slots = num_slots(tasks, threads);
  Table table(rows.num_rows, out.k, slots);
  std::vector<Scratch> scratch(slots);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    const std::size_t row = triangle_row(task, blocks);
    const std::size_t column = row + (task - triangle_start(row, blocks));
    const Candidates candidates = table.of(slot);
    run_tile({rows, rows, row, column, exclude_self, true}, candidates, &candidates, scratch[slot],
             kernels);
  });
  table.merge_into(out, threads);
}

// For each row of a its nearest rows of b, and for each row of b its nearest rows of a.
void mutual(const BitMatrixView& a, const BitMatrixView& b, const Lists& of_a, const Lists& of_b,
            const popcount_tile::Kernels& kernels, std::size_t threads) {
  const std::size_t across = num_blocks(b.num_rows);
  const std::size_t tasks = num_blocks(a.num_rows) * across;
  const std::size_t slots = num_slots(tasks, threads);
  Table table_a(a.num_rows, of_a.k, slots);
  Table table_b(b.num_rows, of_b.k, slots);
  std::vector<Scratch> scratch(slots);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    const Candidates candidates_b = table_b.of(slot);
    run_tile({a, b, task / across, task % across, false, false}, table_a.of(slot), &candidates_b,
             scratch[slot], kernels);
  });
  table_a.merge_into(of_a, threads);
  table_b.merge_into(of_b, threads);
}

}  // namespace

void search(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
            const Lists& out, const popcount_tile::Kernels& kernels, std::size_t threads) {
  if (queries.words == targets.words && queries.num_rows == targets.num_rows) {
    search_among(queries, exclude_self, out, kernels, threads);
    return;
  }
  const std::size_t across = num_blocks(targets.num_rows);
  const std::size_t tasks = num_blocks(queries.num_rows) * across;
  const std::size_t slots = num_slots(tasks, threads);
  Table table(queries.num_rows, out.k, slots);
  std::vector<Scratch> scratch(slots);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    run_tile({queries, targets, task / across, task % across, exclude_self, false}, table.of(slot),
             nullptr, scratch[slot], kernels);
  });
  table.merge_into(out, threads);
}

void joint(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
           const popcount_tile::Kernels& kernels, std::size_t threads) {
  if (out.aa.k > 0) search(a, a, true, out.aa, kernels, threads);
  if (out.bb.k > 0) search(b, b, true, out.bb, kernels, threads);
  if (out.ab.k > 0 && out.ba.k > 0) {
    mutual(a, b, out.ab, out.ba, kernels, threads);
  } else if (out.ab.k > 0) {
    search(a, b, false, out.ab, kernels, threads);
  } else if (out.ba.k > 0) {
    search(b, a, false, out.ba, kernels, threads);
  }
}

}  // namespace hapforge::nearest_neighbours::exhaustive
