// joint_counts: n11 of pairs and of all pairs, and the r2 matrix.
#include <algorithm>

#include "core/thread_pool.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/joint_counts/r_squared.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kTile = 64;
constexpr std::size_t kPairsPerTask = 1024;

constexpr std::size_t num_blocks(std::size_t size, std::size_t block) noexcept {
  return (size + block - 1) / block;
}

// Calls store(i, j, n11) for every pair of rows, i <= j.
template <class Store>
void for_each_pair(const BitMatrixView& sites, const popcount_tile::Kernels& kernels,
                   std::size_t threads, Store store) {
  const std::size_t tiles = num_blocks(sites.num_rows, kTile);
  parallel_for(tiles, threads, [&](std::size_t ti, std::size_t) noexcept {
    std::uint32_t n11[kTile * kTile];
    const std::size_t rows_i = std::min(kTile, sites.num_rows - ti * kTile);
    for (std::size_t tj = ti; tj < tiles; ++tj) {
      const std::size_t rows_j = std::min(kTile, sites.num_rows - tj * kTile);
      kernels.intersections({sites.row(ti * kTile), rows_i, sites.row(tj * kTile), rows_j,
                             sites.words_per_row, n11, kTile});
      for (std::size_t i = 0; i < rows_i; ++i) {
        for (std::size_t j = ti == tj ? i : 0; j < rows_j; ++j) {
          store(ti * kTile + i, tj * kTile + j, n11[i * kTile + j]);
        }
      }
    }
  });
}

}  // namespace

SiteMoments site_moments(const BitMatrixView& sites, const popcount_tile::Kernels& kernels,
                         std::size_t threads) {
  SiteMoments moments{std::vector<double>(sites.num_rows), std::vector<double>(sites.num_rows)};
  const auto n = static_cast<double>(sites.num_sites);  // bits of a row: haplotypes
  parallel_for(sites.num_rows, threads, [&](std::size_t i, std::size_t) noexcept {
    std::uint32_t count = 0;
    kernels.intersections({sites.row(i), 1, sites.row(i), 1, sites.words_per_row, &count, 1});
    moments.carriers[i] = count;
    moments.spread[i] = count * (n - count);
  });
  return moments;
}

void pairs(const BitMatrixView& sites, const std::int64_t* pairs, std::size_t num_pairs,
           std::int64_t* n11, const popcount_tile::Kernels& kernels, std::size_t threads) {
  parallel_for(num_blocks(num_pairs, kPairsPerTask), threads,
               [&](std::size_t task, std::size_t) noexcept {
                 const std::size_t end = std::min(num_pairs, (task + 1) * kPairsPerTask);
                 for (std::size_t p = task * kPairsPerTask; p < end; ++p) {
                   std::uint32_t count = 0;
                   kernels.intersections({sites.row(static_cast<std::size_t>(pairs[2 * p])), 1,
                                          sites.row(static_cast<std::size_t>(pairs[2 * p + 1])), 1,
                                          sites.words_per_row, &count, 1});
                   n11[p] = count;
                 }
               });
}

void matrix(const BitMatrixView& sites, std::int64_t* n11, const popcount_tile::Kernels& kernels,
            std::size_t threads) {
  const std::size_t size = sites.num_rows;
  for_each_pair(sites, kernels, threads, [=](std::size_t i, std::size_t j, std::uint32_t count) {
    n11[i * size + j] = count;
    n11[j * size + i] = count;
  });
}

void r2_matrix(const BitMatrixView& sites, float* r2, const popcount_tile::Kernels& kernels,
               std::size_t threads) {
  const std::size_t size = sites.num_rows;
  const auto n = static_cast<double>(sites.num_sites);
  const SiteMoments m = site_moments(sites, kernels, threads);
  for_each_pair(sites, kernels, threads, [&](std::size_t i, std::size_t j, std::uint32_t count) {
    const auto value =
        static_cast<float>(r_squared(n, static_cast<std::int32_t>(count), m.carriers[i],
                                     m.carriers[j], m.spread[i], m.spread[j]));
    r2[i * size + j] = value;
    r2[j * size + i] = value;
  });
}

}  // namespace hapforge::joint_counts
