// What the stand-in needs of cuda.h, which is not there where it is built; matches_cuda.cu compares
// the two.
#pragma once

#include <cstddef>

namespace hapforge::driver {

using Context = struct OpaqueContext*;
using DevicePointer = unsigned long long;

// CUDA_MEMCPY2D
struct Copy2D {
  struct Side {
    std::size_t x_bytes, y;
    unsigned memory_type;
    const void* host;
    DevicePointer device;
    void* array;
    std::size_t pitch;
  };
  Side from, to;
  std::size_t width_bytes, height;
};

inline constexpr unsigned kHostMemory = 1, kDeviceMemory = 2;
enum PointerAttribute { kMemoryType = 2, kIsManaged = 8, kDeviceOrdinal = 9 };

// F(name here, name in the library, parameters), of CUDA 11.2 and later; each returns an error.
#define HAPFORGE_DRIVER_FUNCTIONS(F)                                                             \
  F(init, cuInit, (unsigned))                                                                    \
  F(get_error_string, cuGetErrorString, (int, const char**))                                     \
  F(device_get_count, cuDeviceGetCount, (int*))                                                  \
  F(device_get, cuDeviceGet, (int*, int))                                                        \
  F(primary_context_retain, cuDevicePrimaryCtxRetain, (Context*, int))                           \
  F(context_get_current, cuCtxGetCurrent, (Context*))                                            \
  F(context_set_current, cuCtxSetCurrent, (Context))                                             \
  F(context_get_device, cuCtxGetDevice, (int*))                                                  \
  F(pointer_get_attributes, cuPointerGetAttributes,                                              \
    (unsigned, PointerAttribute*, void**, DevicePointer))                                        \
  F(stream_create, cuStreamCreate, (void**, unsigned))                                           \
  F(stream_destroy, cuStreamDestroy_v2, (void*))                                                 \
  F(stream_synchronize, cuStreamSynchronize, (void*))                                            \
  F(stream_wait_event, cuStreamWaitEvent, (void*, void*, unsigned))                              \
  F(event_create, cuEventCreate, (void**, unsigned))                                             \
  F(event_record, cuEventRecord, (void*, void*))                                                 \
  F(event_destroy, cuEventDestroy_v2, (void*))                                                   \
  F(memory_info, cuMemGetInfo_v2, (std::size_t*, std::size_t*))                                  \
  F(allocate, cuMemAllocAsync, (DevicePointer*, std::size_t, void*))                             \
  F(free, cuMemFreeAsync, (DevicePointer, void*))                                                \
  F(set_bytes, cuMemsetD8Async, (DevicePointer, unsigned char, std::size_t, void*))              \
  F(copy, cuMemcpyAsync, (DevicePointer, DevicePointer, std::size_t, void*))                     \
  F(copy_2d, cuMemcpy2DAsync_v2, (const Copy2D*, void*))                                         \
  F(launch, cuLaunchKernel,                                                                      \
    (void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, \
     void**))

struct Functions {
#define HAPFORGE_MEMBER(name, symbol, parameters) int(*name) parameters = nullptr;
  HAPFORGE_DRIVER_FUNCTIONS(HAPFORGE_MEMBER)
#undef HAPFORGE_MEMBER
};

}  // namespace hapforge::driver
