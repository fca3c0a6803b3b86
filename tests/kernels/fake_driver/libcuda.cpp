// A libcuda.so.1 for tests of the build without nvcc: the driver's calls that hapforge makes, on
// the CPU emulation (tests/kernels/emulation). It is stricter than a driver: a call without a
// context fails, and so does a copy that takes the host's memory for a device's.
#include <cuda_runtime.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using Device = emulation::Device;
constexpr int kInvalidContext = 201, kInvalidHandle = 400;
constexpr int kFirst = 7;  // a device's handle is not its number

int contexts[Device::kCount];  // a context is the address of one
thread_local int* current = nullptr;

void* pointer(unsigned long long data) { return reinterpret_cast<void*>(data); }

// What cupy.py makes of a kernel.
using Kernel = void (*)(unsigned blocks, unsigned threads, void* stream, const void* body);

struct Side {
  std::size_t x_bytes, y;
  unsigned memory_type;
  void* host;
  unsigned long long device;
  void* array;
  std::size_t pitch;

  // Null: the description is wrong.
  char* data() const {
    if (x_bytes != 0 || y != 0 || array != nullptr) return nullptr;
    void* found = memory_type == 1 ? host : memory_type == 2 ? pointer(device) : nullptr;
    return (Device::get().of(found) < 0) == (memory_type == 1) ? static_cast<char*>(found)
                                                               : nullptr;
  }
};
struct Copy2D {
  Side from, to;
  std::size_t width, height;
};

}  // namespace

EXPORT int cuInit(unsigned flags) { return flags == 0 ? cudaSuccess : cudaErrorInvalidValue; }
EXPORT int cuGetErrorString(int error, const char** text) {
  *text = error == kInvalidContext ? "invalid device context" : "an error of the emulation";
  return cudaSuccess;
}
EXPORT int cuDeviceGetCount(int* count) { return *count = Device::kCount, cudaSuccess; }
EXPORT int cuDeviceGet(int* handle, int number) { return *handle = kFirst + number, cudaSuccess; }
EXPORT int cuDevicePrimaryCtxRetain(int** context, int handle) {
  return *context = contexts + (handle - kFirst), cudaSuccess;
}
EXPORT int cuCtxGetCurrent(int** context) { return *context = current, cudaSuccess; }
EXPORT int cuCtxSetCurrent(int* context) {
  current = context;
  return cudaSetDevice(static_cast<int>(context - contexts));
}
EXPORT int cuCtxGetDevice(int* handle) {
  if (current == nullptr) return kInvalidContext;
  return *handle = kFirst + static_cast<int>(current - contexts), cudaSuccess;
}

EXPORT int cuPointerGetAttributes(unsigned count, const int* wanted, void** found,
                                  unsigned long long data) {
  if (current == nullptr) return kInvalidContext;
  const int device = Device::get().of(pointer(data));
  for (unsigned i = 0; i < count; ++i) {
    int& value = *static_cast<int*>(found[i]);
    if (wanted[i] == 2) value = device < 0 ? 0 : 2;  // memory type
    if (wanted[i] == 8) value = 0;                   // is managed
    if (wanted[i] == 9) value = device < 0 ? -2 : device;
  }
  return cudaSuccess;
}

EXPORT int cuStreamCreate(void** stream, unsigned flags) {
  return current == nullptr ? kInvalidContext : cudaStreamCreateWithFlags(stream, flags);
}
EXPORT int cuStreamDestroy_v2(void* stream) {
  return current == nullptr ? kInvalidContext : cudaStreamDestroy(stream);
}
EXPORT int cuStreamSynchronize(void* stream) {
  return current == nullptr ? kInvalidContext : cudaStreamSynchronize(stream);
}
EXPORT int cuStreamWaitEvent(void* stream, void* event, unsigned flags) {
  return current == nullptr ? kInvalidContext
                            : cudaStreamWaitEvent(stream, static_cast<cudaEvent_t>(event), flags);
}
EXPORT int cuEventCreate(cudaEvent_t* event, unsigned flags) {
  return current == nullptr ? kInvalidContext : cudaEventCreateWithFlags(event, flags);
}
EXPORT int cuEventRecord(cudaEvent_t event, void* stream) {
  return current == nullptr ? kInvalidContext : cudaEventRecord(event, stream);
}
EXPORT int cuEventDestroy_v2(cudaEvent_t event) { return cudaEventDestroy(event); }

EXPORT int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  return current == nullptr ? kInvalidContext : cudaMemGetInfo(free, total);
}
EXPORT int cuMemAllocAsync(unsigned long long* data, std::size_t size, void* stream) {
  if (current == nullptr) return kInvalidContext;
  void* found = nullptr;
  const int status = cudaMallocAsync(&found, size, stream);
  *data = reinterpret_cast<unsigned long long>(found);
  return status;
}
EXPORT int cuMemFreeAsync(unsigned long long data, void* stream) {
  return current == nullptr ? kInvalidContext : cudaFreeAsync(pointer(data), stream);
}
EXPORT int cuMemsetD8Async(unsigned long long to, unsigned char value, std::size_t size,
                           void* stream) {
  return current == nullptr ? kInvalidContext : cudaMemsetAsync(pointer(to), value, size, stream);
}
EXPORT int cuMemcpyAsync(unsigned long long to, unsigned long long from, std::size_t size,
                         void* stream) {
  if (current == nullptr) return kInvalidContext;
  return cudaMemcpyAsync(pointer(to), pointer(from), size, cudaMemcpyDefault, stream);
}
EXPORT int cuMemcpy2DAsync_v2(const Copy2D* copy, void* stream) {
  if (current == nullptr) return kInvalidContext;
  char *to = copy->to.data(), *from = copy->from.data();
  if (to == nullptr || from == nullptr) return cudaErrorInvalidValue;
  return cudaMemcpy2DAsync(to, copy->to.pitch, from, copy->from.pitch, copy->width, copy->height,
                           cudaMemcpyDefault, stream);
}

EXPORT int cuLaunchKernel(void* kernel, unsigned x, unsigned y, unsigned z, unsigned threads,
                          unsigned threads_y, unsigned threads_z, unsigned shared, void* stream,
                          void** arguments, void** extra) {
  if (current == nullptr) return kInvalidContext;
  if (kernel == nullptr) return kInvalidHandle;
  if (y != 1 || z != 1 || threads_y != 1 || threads_z != 1 || shared != 0 || extra != nullptr) {
    return cudaErrorInvalidValue;
  }
  return reinterpret_cast<Kernel>(kernel)(x, threads, stream, arguments[0]), cudaSuccess;
}
