// convolution with AVX2 and FMA: tiles of 6 x 16.
#include <immintrin.h>

#include "kernels/convolution/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2,fma")

#define HAPFORGE_REGISTER 8
#include "kernels/convolution/products.h"

namespace hapforge::convolution {

const Kernels avx2_kernels = kKernels;

}  // namespace hapforge::convolution
