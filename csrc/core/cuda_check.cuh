// Every CUDA call goes through check(), every kernel through launch().
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "core/cuda_device.h"
#include "core/cuda_primitives.cuh"

namespace hapforge::cuda {

// Throws std::runtime_error (RuntimeError in Python) that names the call and CUDA's own message.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // forget it, or the next launch would report it again
  throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
}

// What orders kernels, copies and memory of this thread's calls, on its current device; `On`
// (cuda_device.h) sets it.
inline thread_local cudaStream_t current_stream = nullptr;

inline cudaStream_t to_stream(std::uintptr_t handle) {
  return reinterpret_cast<cudaStream_t>(handle);
}

// body() in every thread of that many blocks of Body::kThreads. A body is a plain struct of its
// arguments, whose operator() is __device__.
#if defined(__CUDACC__)
template <class Body>
__global__ void HAPFORGE_LAUNCH_BOUNDS(Body) run(const Body body) {
  body();
}
#endif

template <class Body>
void launch(const char* kernel, std::size_t blocks, const Body& body) {
  // So that its bytes are the same for this compiler and for that of the device.
  static_assert(std::is_trivially_copyable_v<Body> && std::is_standard_layout_v<Body>);
  if (blocks == 0) return;
  if (blocks > 0x7FFFFFFF) throw std::runtime_error(std::string(kernel) + ": too many blocks");
  const auto grid = static_cast<unsigned>(blocks);
#if defined(HAPFORGE_EMULATED)
  emulation::launch(dim3(grid), dim3(Body::kThreads), current_stream, body);
#elif defined(__CUDACC__)
  // clang-format off
  run<<<grid, Body::kThreads, 0, current_stream>>>(body);
  // clang-format on
  check(cudaGetLastError(), kernel);
#else
  check(driver::launch(typeid(Body), sizeof(Body), &body, grid, Body::kThreads, current_stream),
        kernel);
#endif
}

// Bytes of the current device that nobody has.
inline std::size_t free_memory() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}

// Between any two places of the host and of devices; queued, so that memory of the host must stay
// as it is until the stream is waited for.
inline void copy_bytes(void* to, const void* from, std::size_t size) {
  if (size == 0) return;
  check(cudaMemcpyAsync(to, from, size, cudaMemcpyDefault, current_stream), "cudaMemcpyAsync");
}

// Device memory for `size` values of T. It is free again for what is queued on its stream behind
// the end of the scope.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size) : size_(size), stream_(current_stream) {
    if (size > 0) check(cudaMallocAsync(&data_, size * sizeof(T), stream_), "cudaMallocAsync");
  }
  // A copy of values on the host or on a device.
  Buffer(const T* values, std::size_t size) : Buffer(size) {
    copy_bytes(data_, values, size * sizeof(T));
  }
  ~Buffer() {
    if (data_ != nullptr) (void)cudaFreeAsync(data_, stream_);
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        stream_(other.stream_) {}
  Buffer& operator=(Buffer&&) = delete;

  T* data() const { return static_cast<T*>(data_); }
  std::size_t size() const { return size_; }

  // Every byte is `value`.
  void fill(unsigned char value) {
    if (size_ > 0) {
      check(cudaMemsetAsync(data_, value, size_ * sizeof(T), current_stream), "cudaMemsetAsync");
    }
  }
  void copy_from(const Buffer& other) { copy_bytes(data_, other.data_, size_ * sizeof(T)); }
  // To the host or a device.
  void copy_to(T* values) const { copy_bytes(values, data_, size_ * sizeof(T)); }

 private:
  void* data_ = nullptr;
  std::size_t size_;
  cudaStream_t stream_;
};

// Where kernels write `size` results that are wanted at `out`: there, where that is device memory;
// else to a buffer, which finish() copies.
template <class T>
class Result {
 public:
  Result(T* out, std::size_t size)
      : out_(out), there_(device_of(out) >= 0), buffer_(there_ ? 0 : size) {}

  T* data() const { return there_ ? out_ : buffer_.data(); }
  void finish() const {
    if (!there_) buffer_.copy_to(out_);
  }

 private:
  T* out_;
  bool there_;
  Buffer<T> buffer_;
};

}  // namespace hapforge::cuda
