// Every CUDA call goes through check(), every kernel through launch().
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace hapforge::cuda {

// Throws std::runtime_error (RuntimeError in Python) that names the call and CUDA's own message.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // forget it, or the next launch would report it again
  throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
}

// body() in every thread of that many blocks of Body::kThreads, on the default stream of the
// current device. A body is a plain struct of its arguments, whose operator() is __device__. Its
// threads get at most 128 registers, so that 512 of them share a multiprocessor.
#if !defined(HAPFORGE_EMULATED)
template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 512 / Body::kThreads) run(const Body body) {
  body();
}
#endif

template <class Body>
void launch(const char* kernel, std::size_t blocks, const Body& body) {
  if (blocks == 0) return;
  if (blocks > 0x7FFFFFFF) throw std::runtime_error(std::string(kernel) + ": too many blocks");
#if defined(HAPFORGE_EMULATED)
  emulation::launch(dim3(static_cast<unsigned>(blocks)), dim3(Body::kThreads), body);
#else
  // clang-format off
  run<<<static_cast<unsigned>(blocks), Body::kThreads>>>(body);
  // clang-format on
  check(cudaGetLastError(), kernel);
#endif
}

// Device memory for `size` values of T, freed at the end of the scope.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size) : size_(size) {
    if (size > 0) check(cudaMalloc(&data_, size * sizeof(T)), "cudaMalloc");
  }
  // A copy of the host's values.
  Buffer(const T* host, std::size_t size) : Buffer(size) {
    if (size > 0) {
      check(cudaMemcpy(data_, host, size * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
    }
  }
  ~Buffer() { (void)cudaFree(data_); }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&&) = delete;

  T* data() const { return static_cast<T*>(data_); }
  std::size_t size() const { return size_; }

  // Every byte is `value`.
  void fill(unsigned char value) {
    if (size_ > 0) check(cudaMemset(data_, value, size_ * sizeof(T)), "cudaMemset");
  }
  void copy_from(const Buffer& other) {
    if (size_ > 0) {
      check(cudaMemcpy(data_, other.data_, size_ * sizeof(T), cudaMemcpyDeviceToDevice),
            "cudaMemcpy");
    }
  }
  // Waits for the kernels before it.
  void copy_to_host(T* host) const {
    if (size_ > 0) {
      check(cudaMemcpy(host, data_, size_ * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    }
  }

 private:
  void* data_ = nullptr;
  std::size_t size_;
};

}  // namespace hapforge::cuda
