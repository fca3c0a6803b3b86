// convolution with AVX-512: tiles of 12 x 32.
#include <immintrin.h>

#include "kernels/convolution/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

#define HAPFORGE_REGISTER 16
#include "kernels/convolution/products.h"

namespace hapforge::convolution {

const Kernels avx512_kernels = kKernels;

}  // namespace hapforge::convolution
