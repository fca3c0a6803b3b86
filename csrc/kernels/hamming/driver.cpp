// hamming: the blocked loops over popcount_tile.
#include <algorithm>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/hamming/kernel.h"

namespace hapforge::hamming {
namespace {

constexpr std::size_t kTile = 64;

constexpr std::size_t num_tiles(std::size_t rows) noexcept { return (rows + kTile - 1) / kTile; }

constexpr std::size_t tile_rows(std::size_t rows, std::size_t tile) noexcept {
  return std::min(kTile, rows - tile * kTile);
}

}  // namespace

void pairwise(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* out,
              const popcount_tile::Kernels& kernels, std::size_t threads) {
  parallel_for(num_tiles(a.num_rows), threads, [&](std::size_t ta, std::size_t) noexcept {
    for (std::size_t tb = 0; tb < num_tiles(b.num_rows); ++tb) {
      kernels.differences({a.row(ta * kTile), tile_rows(a.num_rows, ta), b.row(tb * kTile),
                           tile_rows(b.num_rows, tb), a.words_per_row,
                           out + ta * kTile * b.num_rows + tb * kTile, b.num_rows});
    }
  });
}

void histogram(const BitMatrixView& a, const BitMatrixView& b, bool symmetric, std::int64_t* out,
               const popcount_tile::Kernels& kernels, std::size_t threads) {
  const std::size_t tasks = num_tiles(a.num_rows);
  const std::size_t bins = a.num_sites + 1;
  std::vector<std::int64_t> partial(num_slots(tasks, threads) * bins, 0);
  parallel_for(tasks, threads, [&](std::size_t ta, std::size_t slot) noexcept {
    std::uint32_t distance[kTile * kTile];
    std::int64_t* counts = partial.data() + slot * bins;
    for (std::size_t tb = symmetric ? ta : 0; tb < num_tiles(b.num_rows); ++tb) {
      const std::size_t rows_a = tile_rows(a.num_rows, ta);
      const std::size_t rows_b = tile_rows(b.num_rows, tb);
      kernels.differences(
          {a.row(ta * kTile), rows_a, b.row(tb * kTile), rows_b, a.words_per_row, distance, kTile});
      const bool diagonal = symmetric && ta == tb;
      for (std::size_t i = 0; i < rows_a; ++i) {
        for (std::size_t j = diagonal ? i + 1 : 0; j < rows_b; ++j) {
          ++counts[distance[i * kTile + j]];
        }
      }
    }
  });
  std::fill(out, out + bins, 0);
  for (std::size_t k = 0; k < partial.size(); ++k) out[k % bins] += partial[k];
}

}  // namespace hapforge::hamming
