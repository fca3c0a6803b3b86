#include "core/cuda_device.h"

#include "core/cuda_check.cuh"

namespace hapforge::cuda {

int device_count() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver || status == cudaErrorNoDevice) {
    (void)cudaGetLastError();
    return 0;
  }
  check(status, "cudaGetDeviceCount");
  return count;
}

int device_of(const void* data) {
  if (data == nullptr) return -1;
  cudaPointerAttributes attributes;
  check(cudaPointerGetAttributes(&attributes, data), "cudaPointerGetAttributes");
  const bool there =
      attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
  return there ? attributes.device : -1;
}

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

// cudaSetDevice makes a context where there was none: not for a device that nobody works on.
On::On(int device, StreamHandle stream) : device_(device), device_before_(current_device()) {
  if (device != device_before_) check(cudaSetDevice(device), "cudaSetDevice");
  stream_before_ = reinterpret_cast<StreamHandle>(std::exchange(current_stream, to_stream(stream)));
}

On::~On() {
  current_stream = to_stream(stream_before_);
  if (device_before_ != device_) (void)cudaSetDevice(device_before_);
}

void synchronize() { check(cudaStreamSynchronize(current_stream), "cudaStreamSynchronize"); }

void order(StreamHandle earlier, StreamHandle later) {
  if (earlier == later) return;
  cudaEvent_t event;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  cudaError_t status = cudaEventRecord(event, to_stream(earlier));
  if (status == cudaSuccess) status = cudaStreamWaitEvent(to_stream(later), event, 0);
  (void)cudaEventDestroy(event);  // goes when it has happened
  check(status, "cudaStreamWaitEvent");
}

std::shared_ptr<void> device_memory(std::size_t bytes) {
  auto memory = std::make_unique<Buffer<unsigned char>>(bytes);
  const auto release = [device = current_device(), stream = current_stream,
                        owned = memory.get()](void*) noexcept {
    try {
      const On on(device, reinterpret_cast<StreamHandle>(stream));
      delete owned;
    } catch (const std::runtime_error&) {
      // The driver has shut down, and the memory is gone with it.
    }
  };
  return {memory.release()->data(), release};
}

void copy(void* to, const void* from, std::size_t bytes) { copy_bytes(to, from, bytes); }

}  // namespace hapforge::cuda
