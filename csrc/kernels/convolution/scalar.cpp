// convolution on what every CPU of the architecture has; fused multiply-adds may be calls there.
#include "kernels/convolution/isa.h"

#define HAPFORGE_REGISTER 4
#include "kernels/convolution/products.h"

namespace hapforge::convolution {

const Kernels scalar_kernels = kKernels;

}  // namespace hapforge::convolution
