// What the module asks of the CUDA runtime outside a kernel.
#pragma once

namespace hapforge::cuda {

// Devices this process can use; 0 where there is no driver.
int device_count();

}  // namespace hapforge::cuda
