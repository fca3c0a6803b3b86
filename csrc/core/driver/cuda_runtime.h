// Stands in for CUDA's header in a build without nvcc: host code is C++ on the driver
// (libcuda.so.1), and kernels are compiled by NVRTC when they are launched first.
//
// With this folder first on the include path, csrc/**/*.cu compile as C++. The language of a device
// is only declared, since nothing of it runs here. Of the runtime there is what hapforge uses, with
// the meaning that it has in CUDA's; without a driver every call is cudaErrorInsufficientDriver.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <typeinfo>

// ---- the language
#define __device__
#define __host__
#define __shared__ static

struct uint3 {
  unsigned x, y, z;
};
struct uint4 {
  unsigned x, y, z, w;
};
extern const uint3 threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads();
void __syncwarp(unsigned mask = 0xFFFFFFFF);
unsigned __ballot_sync(unsigned mask, int predicate);
int __popc(unsigned x);
std::size_t __cvta_generic_to_shared(const void* pointer);
std::size_t __cvta_generic_to_global(const void* pointer);
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes);
template <class T>
T atomicAdd(T* to, T value);
template <class T>
T atomicMin(T* to, T value);
template <class T>
T atomicMax(T* to, T value);

// ---- the runtime
using cudaError_t = int;  // of a driver's call, too: both have the same numbers
using cudaStream_t = void*;
using cudaEvent_t = void*;
inline constexpr cudaError_t cudaSuccess = 0, cudaErrorInvalidValue = 1,
                             cudaErrorInsufficientDriver = 35, cudaErrorNoDevice = 100,
                             cudaErrorInvalidDevice = 101;
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaMemoryType {
  cudaMemoryTypeUnregistered,
  cudaMemoryTypeHost,
  cudaMemoryTypeDevice,
  cudaMemoryTypeManaged
};
struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
};
inline constexpr unsigned cudaEventDisableTiming = 2, cudaStreamNonBlocking = 1;

const char* cudaGetErrorString(cudaError_t error);
inline cudaError_t cudaGetLastError() { return cudaSuccess; }  // every call has returned its own

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventDestroy(cudaEvent_t event);

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaMallocAsync(void** data, std::size_t size, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t size, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream);

// ---- kernels
namespace hapforge::driver {

// The driver's handle of the kernel of a body, given the C++ name and the size of its type, for the
// device whose context is current.
using Compiler = std::function<std::uintptr_t(const char* body, std::size_t size, int device)>;

void set_compiler(Compiler compiler);

// What run<Body><<<blocks, threads, 0, stream>>>(body) does.
cudaError_t launch(const std::type_info& type, std::size_t size, const void* body, unsigned blocks,
                   unsigned threads, cudaStream_t stream);

}  // namespace hapforge::driver
