// The r2 formula, in one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/bit_matrix_view.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::joint_counts {

// Carriers of each site, and c (n - c), which is zero where the site is monomorphic.
struct SiteMoments {
  std::vector<double> carriers;
  std::vector<double> spread;
};

SiteMoments site_moments(const BitMatrixView& sites, const popcount_tile::Kernels& kernels,
                         std::size_t threads);

// NaN (0 / 0) where either spread is zero.
inline double r_squared(double n, std::int32_t n11, double carriers_i, double carriers_j,
                        double spread_i, double spread_j) noexcept {
  const double d = n * n11 - carriers_i * carriers_j;
  return d * d / (spread_i * spread_j);
}

}  // namespace hapforge::joint_counts
