// What the bindings ask of the CUDA runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace hapforge::cuda {

// A stream's handle as CUDA passes it around: a pointer, or 0 or 1 for the default stream, 2 for
// that of the calling thread.
using StreamHandle = std::uintptr_t;

// Devices this process can use; 0 where there is no driver.
int device_count();

// The device whose memory this is; -1: the host's.
int device_of(const void* data);

// The current device of this thread, and the stream that kernels, copies and memory of its calls
// are ordered by, until the end of the scope. Before the first one: the default stream.
class On {
 public:
  On(int device, StreamHandle stream);
  ~On();
  On(const On&) = delete;
  On& operator=(const On&) = delete;

 private:
  int device_, device_before_;
  StreamHandle stream_before_;
};

int current_device();

// Until what was queued on the current stream is done.
void synchronize();

// What is queued on `later` from now on waits for what has been queued on `earlier`; both are
// streams of the current device.
void order(StreamHandle earlier, StreamHandle later);

// Memory of the current device. When its last owner lets go, it is free for what is queued on the
// current stream from then on.
std::shared_ptr<void> device_memory(std::size_t bytes);

// Between any two places, on the current stream: memory of the host is done with when that is.
void copy(void* to, const void* from, std::size_t bytes);

}  // namespace hapforge::cuda
