// normalisation with AVX-512: a register holds the sixteen lanes.
#include <immintrin.h>

#include "kernels/normalisation/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

#define HAPFORGE_REGISTER 16
#include "kernels/normalisation/groups.h"

namespace hapforge::normalisation {

const Kernels avx512_kernels = kKernels;

}  // namespace hapforge::normalisation
