// The implementations of bernoulli_units, one per ISA file.
#pragma once

#include "kernels/bernoulli_units/kernel.h"

namespace hapforge::bernoulli_units {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

inline constexpr std::size_t kGroup = 32;  // units that eight neighbouring Philox blocks serve

}  // namespace hapforge::bernoulli_units
