// The implementations of sketch, one per ISA file.
#pragma once

#include "kernels/sketch/kernel.h"

namespace hapforge::sketch {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::sketch
