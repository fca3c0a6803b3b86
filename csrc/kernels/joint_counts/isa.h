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

}  // namespace hapforge::joint_counts
