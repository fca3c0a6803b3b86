// normalisation with NEON: four registers hold the sixteen lanes.
#include "kernels/normalisation/isa.h"

#define HAPFORGE_REGISTER 4
#include "kernels/normalisation/groups.h"

namespace hapforge::normalisation {

const Kernels neon_kernels = kKernels;

}  // namespace hapforge::normalisation
