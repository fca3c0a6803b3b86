// What compiles kernels in a build without nvcc.
#pragma once

#include <pybind11/pybind11.h>

namespace hapforge {

// set_compiler(compile): compile(body, size, device) gives the driver's handle of a kernel.
void register_cuda_compiler(pybind11::module_& m);

}  // namespace hapforge
