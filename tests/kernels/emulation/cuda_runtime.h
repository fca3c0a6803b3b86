// Stands in for CUDA's header: the language and the part of the runtime that hapforge uses, on the
// CPU.
//
// With this folder first on the include path, csrc/**/*.cu compile as C++ and give a `_cuda` module
// that runs without a GPU: host code and kernels as they are, thread after thread. A thread of a
// block is a fiber: barriers, shuffles, shared memory and the warp's matrix instructions work as on
// a device. Blocks run one after another, and so do the launches of a stream. Within a block
// threads take turns in an order that changes from block to block, so that a missing barrier shows
// as a wrong result, and asynchronous copies take place at once in some blocks, in others when they
// are waited for; threads that wait for each other for ever end the process with a message. Device
// memory is the heap: under the address sanitizer a kernel that leaves its buffers is caught.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#define HAPFORGE_EMULATED 1
#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
// Blocks run one after another on one thread.
#define __shared__ static

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint4 {
  unsigned x, y, z, w;
};

inline dim3 threadIdx, blockIdx, blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace emulation {

// A stack to go on with. swapcontext makes a system call each time, which is most of the time here.
class Context {
 public:
#if defined(__x86_64__)
  void start(unsigned char* stack, std::size_t size, void (*entry)()) {
    auto top = reinterpret_cast<std::uintptr_t>(stack + size) / 16 * 16;
    auto* words = reinterpret_cast<std::uintptr_t*>(top);
    *--words = 0;  // no caller
    *--words = reinterpret_cast<std::uintptr_t>(entry);
    for (int i = 0; i < 6; ++i) *--words = 0;  // the registers that a call keeps
    pointer_ = words;
  }
  void switch_to(const Context& other) { swap(&pointer_, other.pointer_); }

 private:
  [[gnu::naked, gnu::noinline]] static void swap(void** /* from */, void* /* to */) {
    asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
  }
  void* pointer_ = nullptr;
#else
  void start(unsigned char* stack, std::size_t size, void (*entry)()) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack;
    context_.uc_stack.ss_size = size;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
  }
  void switch_to(const Context& other) { swapcontext(&context_, &other.context_); }

 private:
  ucontext_t context_{};
#endif
};

[[noreturn]] inline void fail(const char* message) {
  std::fprintf(stderr, "CUDA emulation: %s in block (%u, %u), thread (%u, %u)\n", message,
               blockIdx.x, blockIdx.y, threadIdx.x, threadIdx.y);
  std::abort();
}

// A value per lane, exchanged by one operation of a warp.
struct Warp {
  static constexpr std::size_t kMostBytes = 32;
  struct alignas(16) Slot {
    unsigned char bytes[kMostBytes];
  };
  Slot in[32], out[32];
  unsigned arrived = 0, mask = 0;
  std::uint64_t generation = 0;
  int operation = 0;
};

class Block {
 public:
  static constexpr std::size_t kStackBytes = std::size_t{256} << 10;

  static Block*& current() {
    static Block* block = nullptr;
    return block;
  }

  explicit Block(dim3 shape)
      : shape_(shape), fibers_(std::size_t{shape.x} * shape.y), warps_((fibers_.size() + 31) / 32) {
    for (auto& fiber : fibers_) fiber.stack.reset(new unsigned char[kStackBytes]);
  }

  bool has_shape(dim3 shape) const { return shape.x == shape_.x && shape.y == shape_.y; }

  // body() once in every thread; `turn` decides on their order.
  void run(const std::function<void()>& body, unsigned turn) {
    body_ = &body;
    current() = this;
    live_ = fibers_.size();
    arrived_ = 0;
    for (auto& warp : warps_) warp.arrived = 0;
    copy_late_ = turn / 2 % 2 == 0;
    for (auto& fiber : fibers_) {
      fiber.context.start(fiber.stack.get(), kStackBytes, &Block::entry);
      fiber.done = false;
      fiber.copies.clear();
      fiber.groups.clear();
    }
    while (live_ > 0) {
      progress_ = false;
      for (std::size_t i = 0; i < fibers_.size(); ++i) {
        const std::size_t at = turn % 2 == 0 ? i : fibers_.size() - 1 - i;
        if (fibers_[at].done) continue;
        running_ = at;
        place(at);
        switch_to_fiber(fibers_[at]);
      }
      if (!progress_) fail("threads wait for each other for ever");
    }
    current() = nullptr;
  }

  void barrier() {
    progress_ = true;
    const std::uint64_t generation = generation_;
    ++arrived_;
    release_if_all();
    while (generation == generation_) yield();
  }

  // Asynchronous copies of 16 bytes: the running thread's since the last commit are a group.
  void copy(void* to, const void* from) {
    if (!copy_late_) {
      std::memcpy(to, from, 16);
    } else {
      fibers_[running_].copies.push_back({to, from});
    }
  }
  void commit() {
    Fiber& fiber = fibers_[running_];
    fiber.groups.push_back(std::move(fiber.copies));
    fiber.copies.clear();
  }
  // Until at most that many groups are under way, the latest.
  void wait(std::size_t pending) {
    auto& groups = fibers_[running_].groups;
    while (groups.size() > pending) {
      for (const Copy& one : groups.front()) std::memcpy(one.to, one.from, 16);
      groups.pop_front();
    }
  }

  // Gives every lane of `mask` what combine(in, out) makes of the values of all of them.
  template <class In, class Out, class Combine>
  Out exchange(unsigned mask, int operation, const In& value, Combine combine) {
    static_assert(sizeof(In) <= Warp::kMostBytes && sizeof(Out) <= Warp::kMostBytes);
    progress_ = true;
    Warp& warp = warps_[running_ / 32];
    const unsigned lane = running_ % 32;
    if ((mask >> lane & 1) == 0) fail("a lane takes part in an operation that does not name it");
    if (warp.arrived == 0) {
      warp.mask = mask;
      warp.operation = operation;
    } else if (warp.mask != mask || warp.operation != operation) {
      fail("lanes of a warp meet in different operations");
    }
    std::memcpy(warp.in[lane].bytes, &value, sizeof(In));
    warp.arrived |= 1U << lane;
    const std::uint64_t generation = warp.generation;
    if (warp.arrived == mask) {
      In in[32] = {};
      Out out[32] = {};
      for (unsigned i = 0; i < 32; ++i) std::memcpy(&in[i], warp.in[i].bytes, sizeof(In));
      combine(in, out);
      for (unsigned i = 0; i < 32; ++i) std::memcpy(warp.out[i].bytes, &out[i], sizeof(Out));
      warp.arrived = 0;
      ++warp.generation;
    }
    while (generation == warp.generation) yield();
    Out found;
    std::memcpy(&found, warp.out[lane].bytes, sizeof(Out));
    return found;
  }

 private:
  struct Copy {
    void* to;
    const void* from;
  };
  struct Fiber {
    Context context;
    std::unique_ptr<unsigned char[]> stack;
    bool done = false;
    std::vector<Copy> copies;
    std::deque<std::vector<Copy>> groups;
    void* fake_stack = nullptr;
  };

  void place(std::size_t at) const {
    threadIdx = dim3(static_cast<unsigned>(at % shape_.x), static_cast<unsigned>(at / shape_.x), 0);
  }

  void release_if_all() {
    if (arrived_ == live_ && live_ > 0) {
      arrived_ = 0;
      ++generation_;
    }
  }

  static void entry() {
    Block* block = current();
    block->arrive_in_fiber(nullptr);
    (*block->body_)();
    block->progress_ = true;
    block->fibers_[block->running_].done = true;
    --block->live_;
    block->release_if_all();
    block->leave_fiber(true);
  }

  void yield() {
    const std::size_t self = running_;
    leave_fiber(false);
    running_ = self;
  }

#if defined(__SANITIZE_ADDRESS__)
  void switch_to_fiber(Fiber& fiber) {
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, fiber.stack.get(), kStackBytes);
    scheduler_.switch_to(fiber.context);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
  }
  void arrive_in_fiber(void* fake) {
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack_, &scheduler_size_);
  }
  void leave_fiber(bool for_good) {
    Fiber& fiber = fibers_[running_];
    __sanitizer_start_switch_fiber(for_good ? nullptr : &fiber.fake_stack, scheduler_stack_,
                                   scheduler_size_);
    fiber.context.switch_to(scheduler_);
    arrive_in_fiber(fiber.fake_stack);
  }
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_size_ = 0;
#else
  void switch_to_fiber(Fiber& fiber) { scheduler_.switch_to(fiber.context); }
  void arrive_in_fiber(void*) {}
  void leave_fiber(bool) { fibers_[running_].context.switch_to(scheduler_); }
#endif

  dim3 shape_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  Context scheduler_;
  const std::function<void()>* body_ = nullptr;
  std::size_t running_ = 0, live_ = 0, arrived_ = 0;
  std::uint64_t generation_ = 0;
  bool progress_ = false, copy_late_ = false;
};

// The architecture whose instructions kernels choose: HAPFORGE_EMULATED_ARCHITECTURE, or 900.
inline int& architecture() {
  static int number = 900;
  return number;
}

// `body` is the kernel's call in one thread.
inline void run_kernel(dim3 grid, dim3 block, const std::function<void()>& body) {
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z != 1 || grid.z != 1) fail("a bad block");
  if (grid.x == 0 || grid.y == 0 || grid.y > 65535) fail("a bad grid");
  const char* number = std::getenv("HAPFORGE_EMULATED_ARCHITECTURE");
  architecture() = number == nullptr ? 900 : std::atoi(number);
  gridDim = grid;
  blockDim = block;
  static std::unique_ptr<Block> kept;  // its stacks serve the next launch
  if (kept == nullptr || !kept->has_shape(block)) kept = std::make_unique<Block>(block);
  Block& fibers = *kept;
  unsigned turn = 0;
  for (unsigned y = 0; y < grid.y; ++y) {
    for (unsigned x = 0; x < grid.x; ++x) {
      blockIdx = dim3(x, y, 0);
      fibers.run(body, turn++);
    }
  }
}

// Streams and memory. What is queued on the default stream, and on every other one of those that are
// made here, happens at once; on any other one not before somebody waits for it. So a wait that is
// missing shows as a wrong result, whichever of two streams it should hold back.
class Device {
 public:
  static constexpr std::uintptr_t kMade = 0x10000;  // handles of streams that are made are above
  static constexpr int kCount = 2;  // two, for what must not be mixed

  static Device& get() {
    static Device one;
    return one;
  }
  static int& current() {
    thread_local int device = 0;
    return device;
  }

  void queue(void* stream, std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    const auto handle = reinterpret_cast<std::uintptr_t>(stream);
    if (handle <= 1 || (handle > kMade && handle % 2 == 1)) {
      work();
    } else {
      Stream& on = streams_[stream];
      on.queued.push_back(std::move(work));
      ++on.given;
    }
  }
  // How much has been queued on a stream until now; and the wait for that much of it.
  std::size_t given(void* stream) {
    const std::lock_guard lock(mutex_);
    return streams_[stream].given;
  }
  void wait(void* stream, std::size_t given) {
    const std::lock_guard lock(mutex_);
    Stream& on = streams_[stream];
    while (on.done < given) {
      const std::function<void()> work = std::move(on.queued.front());
      on.queued.pop_front();
      work();
      ++on.done;
    }
  }
  void wait(void* stream) { wait(stream, given(stream)); }

  // Filled with ones, as device memory holds anything at the start.
  void* allocate(std::size_t size) {
    const std::lock_guard lock(mutex_);
    // What waits to be freed is given out again, as by CUDA, behind that.
    for (auto& [stream, on] : streams_) {
      if (size > free()) wait(stream, on.given);
    }
    void* data = size <= free() ? std::malloc(size) : nullptr;
    if (data != nullptr) {
      std::memset(data, 0xFF, size);
      memory_[static_cast<const char*>(data)] = {size, current()};
      used_ += size;
    }
    return data;
  }
  // HAPFORGE_EMULATED_BYTES makes it a small device.
  std::size_t free() const {
    const char* size = std::getenv("HAPFORGE_EMULATED_BYTES");
    const std::size_t total = size == nullptr ? std::size_t{1} << 30 : std::strtoull(size, nullptr, 10);
    return total > used_ ? total - used_ : 0;
  }
  void release(void* data) {
    const std::lock_guard lock(mutex_);
    const auto found = memory_.find(static_cast<const char*>(data));
    if (found == memory_.end()) fail("memory freed that is not there");
    used_ -= found->second.size;
    memory_.erase(found);
    std::free(data);
  }
  // -1: the host.
  int of(const void* data) {
    const std::lock_guard lock(mutex_);
    const auto* at = static_cast<const char*>(data);
    auto behind = memory_.upper_bound(at);
    if (behind == memory_.begin()) return -1;
    const auto& [begin, block] = *--behind;
    return at < begin + block.size ? block.device : -1;
  }

 private:
  struct Memory {
    std::size_t size;
    int device;
  };
  std::recursive_mutex mutex_;  // a stream may wait for another
  struct Stream {
    std::deque<std::function<void()>> queued;
    std::size_t given = 0, done = 0;
  };
  std::map<void*, Stream> streams_;
  std::map<const char*, Memory> memory_;
  std::size_t used_ = 0;
};

// What kernel<<<grid, block, 0, stream>>> does.
inline void launch(dim3 grid, dim3 block, void* stream, std::function<void()> body) {
  Device::get().queue(stream, [=] { run_kernel(grid, block, body); });
}

}  // namespace emulation

// ---- the language
inline void __syncthreads() { emulation::Block::current()->barrier(); }

inline void __syncwarp(unsigned mask = 0xFFFFFFFF) {
  emulation::Block::current()->exchange<int, int>(mask, 1, 0, [](const int*, int*) {});
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return emulation::Block::current()->exchange<T, T>(mask, 2, value, [lanes](const T* in, T* out) {
    for (int i = 0; i < 32; ++i) out[i] = in[(i ^ lanes) & 31];
  });
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return emulation::Block::current()->exchange<int, unsigned>(
      mask, 5, predicate, [](const int* in, unsigned* out) {
        unsigned all = 0;
        for (int i = 0; i < 32; ++i) all |= (in[i] != 0 ? 1U : 0U) << i;
        for (int i = 0; i < 32; ++i) out[i] = all;
      });
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }

template <class T>
T atomicAdd(T* to, T value) {
  const T before = *to;
  *to = before + value;
  return before;
}

template <class T>
T atomicMin(T* to, T value) {
  const T before = *to;
  *to = std::min(before, value);
  return before;
}

template <class T>
T atomicMax(T* to, T value) {
  const T before = *to;
  *to = std::max(before, value);
  return before;
}

// ---- the runtime
using cudaError_t = int;
using cudaStream_t = void*;
struct EmulatedEvent {
  void* stream = nullptr;
  std::size_t given = 0;
};
using cudaEvent_t = EmulatedEvent*;
inline constexpr cudaError_t cudaSuccess = 0, cudaErrorInvalidValue = 1,
                             cudaErrorMemoryAllocation = 2, cudaErrorInsufficientDriver = 35,
                             cudaErrorNoDevice = 100, cudaErrorInvalidDevice = 101;
enum cudaMemcpyKind { cudaMemcpyDefault };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeDevice, cudaMemoryTypeManaged };
struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
};
inline constexpr unsigned cudaEventDisableTiming = 2;

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorInvalidDevice ? "invalid device ordinal" : "an error of the emulation";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) {
  return *count = emulation::Device::kCount, cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  return *device = emulation::Device::current(), cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= emulation::Device::kCount) return cudaErrorInvalidDevice;
  return emulation::Device::current() = device, cudaSuccess;
}
inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  const int device = emulation::Device::get().of(data);
  *attributes = {device < 0 ? cudaMemoryTypeUnregistered : cudaMemoryTypeDevice, device};
  return cudaSuccess;
}

inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return *free = *total = emulation::Device::get().free(), cudaSuccess;
}

inline constexpr unsigned cudaStreamNonBlocking = 1;
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  static std::atomic<std::uintptr_t> made = emulation::Device::kMade;
  return *stream = reinterpret_cast<cudaStream_t>(++made), cudaSuccess;
}
// What is queued still happens.
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return emulation::Device::get().wait(stream), cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return emulation::Device::get().wait(stream), cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return *event = new EmulatedEvent, cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return *event = {stream, emulation::Device::get().given(stream)}, cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  auto& device = emulation::Device::get();
  device.queue(stream, [&device, at = *event] { device.wait(at.stream, at.given); });
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }

inline cudaError_t cudaMallocAsync(void** data, std::size_t size, cudaStream_t) {
  *data = emulation::Device::get().allocate(size);
  return *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  auto& device = emulation::Device::get();
  if (device.of(data) != emulation::Device::current()) return cudaErrorInvalidValue;
  return device.queue(stream, [&device, data] { device.release(data); }), cudaSuccess;
}
// Memory of the host is read at once, and has what it gets when this returns.
inline cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                                     std::size_t from_pitch, std::size_t width, std::size_t height,
                                     cudaMemcpyKind, cudaStream_t stream) {
  auto& device = emulation::Device::get();
  if (width == 0 || height == 0) return cudaSuccess;
  std::shared_ptr<std::vector<char>> kept;
  if (device.of(from) < 0) {
    const auto* host = static_cast<const char*>(from);
    kept = std::make_shared<std::vector<char>>(host, host + (height - 1) * from_pitch + width);
  }
  device.queue(stream, [=] {
    const char* source = kept ? kept->data() : static_cast<const char*>(from);
    for (std::size_t i = 0; i < height; ++i) {
      std::memcpy(static_cast<char*>(to) + i * to_pitch, source + i * from_pitch, width);
    }
  });
  if (device.of(to) < 0) device.wait(stream);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size,
                                   cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, size, from, size, size, 1, kind, stream);
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t size, cudaStream_t stream) {
  emulation::Device::get().queue(stream, [=] { std::memset(to, value, size); });
  return cudaSuccess;
}

// ---- the warp's matrix instructions (csrc/core/cuda_primitives.cuh)
namespace hapforge::cuda {

inline void copy_16_async(void* shared, const void* global) {
  emulation::Block::current()->copy(shared, global);
}
inline void commit_copies() { emulation::Block::current()->commit(); }
template <int kPending>
void wait_copies() {
  emulation::Block::current()->wait(kPending);
}

struct Fragment4 {
  std::uint32_t r[4];
};
struct Fragment2 {
  std::uint32_t r[2];
};

// Lanes 8 i to 8 i + 7 name the eight rows (16 bytes) of matrix i; lane l gets word l % 4 of row l
// / 4 of each.
inline Fragment4 load_matrices(const void* row) {
  return emulation::Block::current()->exchange<const void*, Fragment4>(
      0xFFFFFFFF, 3, row, [](const void* const* rows, Fragment4* out) {
        for (int lane = 0; lane < 32; ++lane) {
          for (int i = 0; i < 4; ++i) {
            const void* from = rows[8 * i + lane / 4];
            if (reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
              emulation::fail("a row that is not aligned");
            std::memcpy(&out[lane].r[i], static_cast<const char*>(from) + 4 * (lane % 4), 4);
          }
        }
      });
}

// The layout of mma.m16n8k256 (PTX ISA, matrix fragments for .b1): lane l holds, with g = l / 4 and
// t = l % 4, in a bits 32 t of rows g, g + 8 and bits 128 + 32 t of rows g, g + 8; in b bits 32 t
// and 128 + 32 t of column g; in c columns 2 t, 2 t + 1 of row g, then of row g + 8.
inline void joint_16x8x256(std::int32_t (&c)[4], const Fragment4& a, const Fragment2& b) {
  struct In {
    Fragment4 a;
    Fragment2 b;
  };
  struct Out {
    std::int32_t c[4];
  };
  const Out sums = emulation::Block::current()->exchange<In, Out>(
      0xFFFFFFFF, 4, In{a, b}, [](const In* in, Out* out) {
        for (int lane = 0; lane < 32; ++lane) {
          for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            int sum = 0;
            for (int t = 0; t < 4; ++t) {
              const Fragment4& rows = in[4 * (row % 8) + t].a;
              const Fragment2& columns = in[4 * column + t].b;
              sum += __popc(rows.r[row / 8] & columns.r[0]) +
                     __popc(rows.r[2 + row / 8] & columns.r[1]);
            }
            out[lane].c[i] = sum;
          }
        }
      });
  for (int i = 0; i < 4; ++i) c[i] += sums.c[i];
}

// The layout of mma.m16n8k32 (PTX ISA, matrix fragments for .s8): lane l holds, with g = l / 4 and
// t = l % 4, in a bytes 4 t to 4 t + 3 of rows g, g + 8 and bytes 16 + 4 t and on of rows g, g + 8;
// in b bytes 4 t and on and 16 + 4 t and on of column g; in c columns 2 t, 2 t + 1 of row g, then
// of row g + 8.
inline void products_16x8x32(std::int32_t (&c)[4], const Fragment4& a, const Fragment2& b) {
  struct In {
    Fragment4 a;
    Fragment2 b;
  };
  struct Out {
    std::int32_t c[4];
  };
  const Out sums = emulation::Block::current()->exchange<In, Out>(
      0xFFFFFFFF, 6, In{a, b}, [](const In* in, Out* out) {
        std::int8_t rows[16][32], columns[8][32];
        for (int lane = 0; lane < 32; ++lane) {
          const int g = lane / 4, byte = 4 * (lane % 4);
          for (int i = 0; i < 4; ++i) {
            std::memcpy(&rows[g + 8 * (i % 2)][byte + 16 * (i / 2)], &in[lane].a.r[i], 4);
          }
          for (int i = 0; i < 2; ++i) {
            std::memcpy(&columns[g][byte + 16 * i], &in[lane].b.r[i], 4);
          }
        }
        for (int lane = 0; lane < 32; ++lane) {
          for (int i = 0; i < 4; ++i) {
            const std::int8_t* row = rows[lane / 4 + 8 * (i / 2)];
            const std::int8_t* column = columns[2 * (lane % 4) + i % 2];
            int sum = 0;
            for (int k = 0; k < 32; ++k) sum += row[k] * column[k];
            out[lane].c[i] = sum;
          }
        }
      });
  for (int i = 0; i < 4; ++i) {  // modulo 2^32
    c[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(c[i]) +
                                     static_cast<std::uint32_t>(sums.c[i]));
  }
}

// Of m8n8k128 (.b1) and m8n8k16 (.s8), all of whose operands are 32 bits: a of row g, b of column g,
// bits or bytes in the order of the lanes; c columns 2 t and 2 t + 1 of row g.
template <class Combine>
void multiply_8x8(std::int32_t& c0, std::int32_t& c1, std::uint32_t a, std::uint32_t b,
                  int operation, Combine combine) {
  const Fragment2 sums = emulation::Block::current()->exchange<Fragment2, Fragment2>(
      0xFFFFFFFF, operation, {{a, b}}, [&](const Fragment2* in, Fragment2* out) {
        for (int lane = 0; lane < 32; ++lane) {
          for (int i = 0; i < 2; ++i) {
            std::uint32_t sum = 0;
            for (int t = 0; t < 4; ++t) {
              sum += combine(in[lane / 4 * 4 + t].r[0], in[(2 * (lane % 4) + i) * 4 + t].r[1]);
            }
            out[lane].r[i] = sum;
          }
        }
      });
  c0 = static_cast<std::int32_t>(static_cast<std::uint32_t>(c0) + sums.r[0]);
  c1 = static_cast<std::int32_t>(static_cast<std::uint32_t>(c1) + sums.r[1]);
}

inline void differing_8x8x128(std::int32_t& c0, std::int32_t& c1, std::uint32_t a,
                              std::uint32_t b) {
  multiply_8x8(c0, c1, a, b, 7, [](std::uint32_t row, std::uint32_t column) {
    return static_cast<std::uint32_t>(__popc(row ^ column));
  });
}

inline void products_8x8x16(std::int32_t& c0, std::int32_t& c1, std::uint32_t a, std::uint32_t b) {
  multiply_8x8(c0, c1, a, b, 8, [](std::uint32_t row, std::uint32_t column) {
    std::int32_t sum = 0;
    for (int i = 0; i < 32; i += 8) {
      sum += static_cast<std::int8_t>(row >> i) * static_cast<std::int8_t>(column >> i);
    }
    return static_cast<std::uint32_t>(sum);
  });
}

#define HAPFORGE_ARCHITECTURE emulation::architecture()

}  // namespace hapforge::cuda
