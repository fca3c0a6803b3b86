// functions.h is what cuda.h says. Compiled by .ci/nvcc, part of nothing.
#include <cuda.h>

#include <cstddef>

#include "core/driver/functions.h"

namespace hapforge::driver {
namespace {

template <class... Ours, class... Theirs>
constexpr bool same_parameters(int (*)(Ours...), CUresult (*)(Theirs...)) {
  if constexpr (sizeof...(Ours) == sizeof...(Theirs)) {
    return ((sizeof(Ours) == sizeof(Theirs)) && ...);
  } else {
    return false;
  }
}

#define HAPFORGE_CHECK(name, symbol, parameters)                         \
  static_assert(same_parameters(static_cast<int(*) parameters>(nullptr), \
                                static_cast<decltype(&symbol)>(nullptr)));
HAPFORGE_DRIVER_FUNCTIONS(HAPFORGE_CHECK)

#define HAPFORGE_SAME(theirs, ours) \
  static_assert(offsetof(CUDA_MEMCPY2D, theirs) == offsetof(Copy2D, ours))
HAPFORGE_SAME(srcXInBytes, from.x_bytes);
HAPFORGE_SAME(srcY, from.y);
HAPFORGE_SAME(srcMemoryType, from.memory_type);
HAPFORGE_SAME(srcHost, from.host);
HAPFORGE_SAME(srcDevice, from.device);
HAPFORGE_SAME(srcArray, from.array);
HAPFORGE_SAME(srcPitch, from.pitch);
HAPFORGE_SAME(dstXInBytes, to.x_bytes);
HAPFORGE_SAME(dstMemoryType, to.memory_type);
HAPFORGE_SAME(dstHost, to.host);
HAPFORGE_SAME(dstDevice, to.device);
HAPFORGE_SAME(dstPitch, to.pitch);
HAPFORGE_SAME(WidthInBytes, width_bytes);
HAPFORGE_SAME(Height, height);
static_assert(sizeof(CUDA_MEMCPY2D) == sizeof(Copy2D));

static_assert(kHostMemory == CU_MEMORYTYPE_HOST && kDeviceMemory == CU_MEMORYTYPE_DEVICE);
static_assert(static_cast<int>(kMemoryType) == CU_POINTER_ATTRIBUTE_MEMORY_TYPE);
static_assert(static_cast<int>(kIsManaged) == CU_POINTER_ATTRIBUTE_IS_MANAGED);
static_assert(static_cast<int>(kDeviceOrdinal) == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL);
// The runtime's numbers, which the stand-in takes for the driver's.
static_assert(static_cast<int>(cudaErrorNoDevice) == CUDA_ERROR_NO_DEVICE);
static_assert(static_cast<int>(cudaErrorInvalidDevice) == CUDA_ERROR_INVALID_DEVICE);
static_assert(cudaEventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(cudaStreamNonBlocking == CU_STREAM_NON_BLOCKING);

}  // namespace
}  // namespace hapforge::driver
