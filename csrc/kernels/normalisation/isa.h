// The implementations of normalisation, one per ISA file.
#pragma once

#include "kernels/normalisation/kernel.h"

namespace hapforge::normalisation {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::normalisation
