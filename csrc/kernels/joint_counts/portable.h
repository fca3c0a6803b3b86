// joint_counts: what the compiler does well enough from plain C++ for the scalar and NEON files. It
// is compiled for the baseline ISA: no file with a target region includes it.
#pragma once

#include "kernels/joint_counts/isa.h"

namespace hapforge::joint_counts::portable {

inline double scaled_d(const Run& run, std::size_t j) noexcept {
  return run.n * static_cast<std::int32_t>(run.n11[j]) - run.carriers * run.partner_carriers[j];
}

inline void add_moments(const Run& a, const Run& b, double* sums) noexcept {
  double own_sums[kMoments][8] = {};
  for (std::size_t j = 0; j < a.length; ++j) {
    const double d_a = scaled_d(a, j);
    const double d_b = scaled_d(b, j);
    const double x = d_a * d_a * a.partner_weight[j];
    const double y = d_b * d_b * b.partner_weight[j];
    own_sums[0][j % 8] += x;
    own_sums[1][j % 8] += y;
    own_sums[2][j % 8] += x * x;
    own_sums[3][j % 8] += y * y;
    own_sums[4][j % 8] += x * y;
  }
  add_weighted(a, b, own_sums, sums);
}

template <bool kSquared>
void scale(const Run& run, float* out) noexcept {
  for (std::size_t j = 0; j < run.length; ++j) {
    const double d = scaled_d(run, j);
    out[j] = static_cast<float>((kSquared ? d * d : d) * (run.weight * run.partner_weight[j]));
  }
}

}  // namespace hapforge::joint_counts::portable
