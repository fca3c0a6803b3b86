// The implementations of three_point, one per ISA file.
#pragma once

#include "kernels/three_point/kernel.h"

namespace hapforge::three_point {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::three_point
