// normalisation with AVX2 and FMA: two registers hold the sixteen lanes.
#include <immintrin.h>

#include "kernels/normalisation/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2,fma")

#define HAPFORGE_REGISTER 8
#include "kernels/normalisation/groups.h"

namespace hapforge::normalisation {

const Kernels avx2_kernels = kKernels;

}  // namespace hapforge::normalisation
