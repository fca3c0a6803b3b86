// The implementations of pack, one per ISA file.
#pragma once

#include "kernels/pack/kernel.h"

namespace hapforge::pack {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::pack
