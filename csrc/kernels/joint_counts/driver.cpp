// joint_counts: n11 of pairs and of all pairs, and the matrices of linkage disequilibrium.
#include <algorithm>
#include <cmath>

#include "core/thread_pool.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/joint_counts/moments.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kRows = 64;
constexpr std::size_t kColumns = 96;
constexpr std::size_t kPairsPerTask = 1024;

constexpr std::size_t num_blocks(std::size_t size, std::size_t block) noexcept {
  return (size + block - 1) / block;
}

// Fills a symmetric matrix: write(i, j, count, n11, line) gives its row i at the `count` columns
// from j on.
template <class T, class Write>
void fill_matrix(const Panels& sites, const Kernels& kernels, std::size_t threads, T* out,
                 Write write) {
  const std::size_t size = sites.num_sites();
  parallel_for(num_blocks(size, kRows), threads, [&](std::size_t block, std::size_t) noexcept {
    std::uint32_t n11[kRows * kColumns];
    T values[kRows * kColumns];
    const std::size_t row = block * kRows;
    const std::size_t rows = std::min(kRows, size - row);
    for (std::size_t column = row; column < size; column += kColumns) {
      const std::size_t columns = std::min(kColumns, size - column);
      kernels.counts({sites.panel(row / kPanel), num_blocks(rows, kPanel),
                      sites.panel(column / kPanel), num_blocks(columns, kPanel), sites.words(), n11,
                      kColumns});
      for (std::size_t i = 0; i < rows; ++i) {
        T* line = values + i * kColumns;
        write(row + i, column, columns, n11 + i * kColumns, line);
        std::copy_n(line, columns, out + (row + i) * size + column);
      }
      for (std::size_t j = 0; j < columns; ++j) {
        T* line = out + (column + j) * size + row;
        for (std::size_t i = 0; i < rows; ++i) line[i] = values[i * kColumns + j];
      }
    }
  });
}

double greatest_d(double d, double n, double c_i, double c_j) noexcept {
  return d < 0 ? std::min(c_i * c_j, (n - c_i) * (n - c_j))
               : std::min(c_i * (n - c_j), (n - c_i) * c_j);
}

}  // namespace

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

void matrix(const Panels& sites, std::int64_t* n11, const Kernels& kernels, std::size_t threads) {
  fill_matrix(sites, kernels, threads, n11,
              [](std::size_t, std::size_t, std::size_t count, const std::uint32_t* from,
                 std::int64_t* to) noexcept { std::copy_n(from, count, to); });
}

void ld_matrix(const Panels& sites, Statistic statistic, float* out, const Kernels& kernels,
               std::size_t threads) {
  const auto n = static_cast<double>(sites.num_haplotypes());
  const std::vector<double> carriers = carriers_of(sites, kernels, threads);
  if (statistic == Statistic::d_prime) {
    const double* c = carriers.data();
    fill_matrix(sites, kernels, threads, out,
                [=](std::size_t i, std::size_t j, std::size_t count, const std::uint32_t* n11,
                    float* line) noexcept {
                  for (std::size_t k = 0; k < count; ++k) {
                    const double d = n * static_cast<std::int32_t>(n11[k]) - c[i] * c[j + k];
                    line[k] = static_cast<float>(d / greatest_d(d, n, c[i], c[j + k]));
                  }
                });
    return;
  }
  std::vector<double> weight = inverse_spread(carriers, n);
  if (statistic == Statistic::r) {
    for (double& one : weight) one = std::sqrt(one);
  } else if (statistic == Statistic::d) {
    for (double& one : weight) one = std::isnan(one) ? one : 1 / n;
  }
  const auto scale = statistic == Statistic::r2 ? kernels.scale_squares : kernels.scale;
  fill_matrix(sites, kernels, threads, out,
              [&, scale](std::size_t i, std::size_t j, std::size_t count, const std::uint32_t* n11,
                         float* line) noexcept {
                scale(
                    {n, carriers[i], weight[i], n11, carriers.data() + j, weight.data() + j, count},
                    line);
              });
}

}  // namespace hapforge::joint_counts
