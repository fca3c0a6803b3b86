// The implementations of joint_counts, one per ISA file.
#pragma once

#include "kernels/joint_counts/kernel.h"

namespace hapforge::joint_counts {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

// Words of a site handled at a time, so that the panels of a register block stay in the L1 cache.
inline constexpr std::size_t kChunkWords = 128;

// The end of add_moments: own_sums were made with the weights of the partners alone.
inline void add_weighted(const Run& a, const Run& b, const double (&own_sums)[kMoments][8],
                         double* sums) noexcept {
  const double weight[kMoments] = {a.weight, b.weight, a.weight * a.weight, b.weight * b.weight,
                                   a.weight * b.weight};
  for (std::size_t s = 0; s < kMoments; ++s) {
    for (std::size_t lane = 0; lane < 8; ++lane)
      sums[8 * s + lane] += weight[s] * own_sums[s][lane];
  }
}

}  // namespace hapforge::joint_counts
