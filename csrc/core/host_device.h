// Functions that both the CPU and a device call.
#pragma once

#if defined(__CUDACC__)
#define HAPFORGE_HOST_DEVICE __host__ __device__
#else
#define HAPFORGE_HOST_DEVICE
#endif
