// Every CUDA call goes through check(), every kernel through launch().
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace hapforge::cuda {

// Throws std::runtime_error (RuntimeError in Python) that names the call and CUDA's own message.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // forget it, or the next launch would report it again
  throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
}

// body() in every thread of the grid, on the default stream of the current device. A body is a
// plain struct of its arguments, whose operator() is __device__.
#if defined(HAPFORGE_EMULATED)
template <int kThreads, class Body>
void launch(const char*, dim3 grid, const Body& body) {
  emulation::launch(grid, dim3(kThreads), body);
}
#else
template <int kThreads, class Body>
__global__ void __launch_bounds__(kThreads) run(const Body body) {
  body();
}

template <int kThreads, class Body>
void launch(const char* kernel, dim3 grid, const Body& body) {
  // clang-format off
  run<kThreads><<<grid, kThreads>>>(body);
  // clang-format on
  check(cudaGetLastError(), kernel);
}
#endif

// Makes `device` current and the previous one again at the end of the scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    check(cudaGetDevice(&previous_), "cudaGetDevice");
    check(cudaSetDevice(device), "cudaSetDevice");
  }
  ~DeviceGuard() { (void)cudaSetDevice(previous_); }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_ = 0;
};

// Device memory for `size` values of T, freed at the end of the scope.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size) {
    if (size > 0) check(cudaMalloc(&data_, size * sizeof(T)), "cudaMalloc");
  }
  ~Buffer() { (void)cudaFree(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() const { return static_cast<T*>(data_); }

 private:
  void* data_ = nullptr;
};

}  // namespace hapforge::cuda
