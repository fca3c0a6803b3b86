// The implementations of popcount_tile, one per ISA file.
#pragma once

#include "kernels/popcount_tile/kernel.h"

namespace hapforge::popcount_tile {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::popcount_tile
