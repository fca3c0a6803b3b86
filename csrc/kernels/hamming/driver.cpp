// hamming: the blocked loops over popcount_tile.
#include <algorithm>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/hamming/kernel.h"

namespace hapforge::hamming {
namespace {

constexpr std::size_t kRows = 192;    // of a in a tile: what stays in L2 beside the columns
constexpr std::size_t kColumns = 64;  // of b in a tile
constexpr std::size_t kBlock = 16;    // rows mirrored at a time: a cache line
constexpr std::size_t kTables = 4;    // histograms, so that equal distances in a row need not wait

constexpr std::size_t num_tiles(std::size_t rows, std::size_t tile) noexcept {
  return (rows + tile - 1) / tile;
}

bool same_rows(const BitMatrixView& a, const BitMatrixView& b) noexcept {
  return a.words == b.words && a.num_rows == b.num_rows;
}

struct Distances {
  std::size_t first_row, rows, first_column, columns;
  const std::uint32_t* at;  // at[i * kColumns + j]
};

// Calls use(distances, slot) for tiles that cover all pairs; with `symmetric`, b is a, all pairs
// i <= j and some others.
template <class Use>
void for_each_tile(const BitMatrixView& a, const BitMatrixView& b, bool symmetric,
                   const popcount_tile::Kernels& kernels, std::size_t threads, Use use) {
  const std::size_t tasks = num_tiles(a.num_rows, kRows);
  std::vector<std::uint32_t> scratch(num_slots(tasks, threads) * kRows * kColumns);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    std::uint32_t* distance = scratch.data() + slot * kRows * kColumns;
    const std::size_t i = task * kRows;
    for (std::size_t j = symmetric ? i : 0; j < b.num_rows; j += kColumns) {
      const std::size_t columns = std::min(kColumns, b.num_rows - j);
      std::size_t rows = std::min(kRows, a.num_rows - i);
      if (symmetric) rows = std::min(rows, j + columns - i);
      kernels.differences({a.row(i), rows, b.row(j), columns, a.words_per_row, distance, kColumns});
      use(Distances{i, rows, j, columns, distance}, slot);
    }
  });
}

// out[j][i] = d[i][j], a few rows at a time, so that what is read stays in the cache.
void mirror(const Distances& d, std::uint32_t* out, std::size_t stride) noexcept {
  for (std::size_t begin = 0; begin < d.rows; begin += kBlock) {
    const std::size_t end = std::min(d.rows, begin + kBlock);
    for (std::size_t j = 0; j < d.columns; ++j) {
      std::uint32_t* column = out + (d.first_column + j) * stride + d.first_row;
      for (std::size_t i = begin; i < end; ++i) column[i] = d.at[i * kColumns + j];
    }
  }
}

}  // namespace

void pairwise(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* out,
              const popcount_tile::Kernels& kernels, std::size_t threads) {
  const bool symmetric = same_rows(a, b);
  const std::size_t stride = b.num_rows;
  for_each_tile(a, b, symmetric, kernels, threads, [=](const Distances& d, std::size_t) noexcept {
    for (std::size_t i = 0; i < d.rows; ++i) {
      std::copy_n(d.at + i * kColumns, d.columns,
                  out + (d.first_row + i) * stride + d.first_column);
    }
    if (symmetric) mirror(d, out, stride);
  });
}

void histogram(const BitMatrixView& a, const BitMatrixView& b, bool symmetric, std::int64_t* out,
               const popcount_tile::Kernels& kernels, std::size_t threads) {
  const std::size_t bins = a.num_sites + 1;
  const std::size_t slots = num_slots(num_tiles(a.num_rows, kRows), threads);
  std::vector<std::int64_t> partial(slots * bins * kTables, 0);
  for_each_tile(
      a, b, symmetric, kernels, threads, [&](const Distances& d, std::size_t slot) noexcept {
        std::int64_t* counts = partial.data() + slot * bins * kTables;
        for (std::size_t i = 0; i < d.rows; ++i) {
          const std::uint32_t* distance = d.at + i * kColumns;
          const std::size_t row = d.first_row + i;
          std::size_t j = symmetric && row >= d.first_column ? row + 1 - d.first_column : 0;
          for (; j < d.columns; ++j) ++counts[distance[j] * kTables + j % kTables];
        }
      });
  std::fill(out, out + bins, 0);
  for (std::size_t k = 0; k < partial.size(); ++k) out[k / kTables % bins] += partial[k];
}

}  // namespace hapforge::hamming
