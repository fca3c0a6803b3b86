// convolution with NEON: tiles of 6 x 16.
#include <arm_neon.h>

#include "kernels/convolution/isa.h"

#define HAPFORGE_REGISTER 4
#include "kernels/convolution/products.h"

namespace hapforge::convolution {

const Kernels neon_kernels = kKernels;

}  // namespace hapforge::convolution
