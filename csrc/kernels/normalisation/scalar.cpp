// normalisation on what every CPU of the architecture has.
#include "kernels/normalisation/isa.h"

#define HAPFORGE_REGISTER 4
#include "kernels/normalisation/groups.h"

namespace hapforge::normalisation {

const Kernels scalar_kernels = kKernels;

}  // namespace hapforge::normalisation
