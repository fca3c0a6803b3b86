// The formula along a row, a plain loop that every ISA file compiles for itself: include it behind
// the target region's pragma. All sums are whole numbers that a double holds exactly.
#pragma once

#include "kernels/three_point/kernel.h"

namespace hapforge::three_point {
namespace {

[[maybe_unused]] void finish_row(const Row& row) noexcept {
  const double n = row.num_haplotypes;
  const double c_i = row.c_i;
  const double c_j = row.c_j;
  const double both = n * row.n_ij - 2 * c_i * c_j;
  const double cube = n * n * n;
  const double sign = row.negate ? -1 : 1;
  const std::uint32_t* __restrict c_k = row.c_k;
  const std::uint32_t* __restrict n_ik = row.n_ik;
  const std::uint32_t* __restrict n_jk = row.n_jk;
  const std::uint32_t* __restrict n_ijk = row.n_ijk;
  double* __restrict out = row.out;
  for (std::size_t k = 0; k < row.size; ++k) {  // counts are below 2^31; int converts faster
    const double pairs = c_j * static_cast<int>(n_ik[k]) + c_i * static_cast<int>(n_jk[k]);
    const double sum = n * n * static_cast<int>(n_ijk[k]) - both * static_cast<int>(c_k[k]);
    out[k] = sign * (sum - n * pairs) / cube + 0.0;  // no negative zero
  }
}

}  // namespace
}  // namespace hapforge::three_point
