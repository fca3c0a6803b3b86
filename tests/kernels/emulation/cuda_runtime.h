// Stands in for CUDA's header: the language and the part of the runtime that hapforge uses, on the
// CPU.
//
// With this folder first on the include path, csrc/**/*.cu compile as C++ and give a `_cuda` module
// that runs without a GPU: host code and kernels as they are, thread after thread. A thread of a
// block is a fiber: barriers, shuffles, shared memory and the warp's matrix instructions work as on
// a device. Blocks run one after another, and so do launches. Within a block threads take turns in
// an order that changes from block to block, so that a missing barrier shows as a wrong result, and
// asynchronous copies take place at once in some blocks, in others when they are waited for;
// threads that wait for each other for ever end the process with a message. Device memory is the
// heap: under the address sanitizer a kernel that leaves its buffers is caught.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
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

// What kernel<<<grid, block>>> does; `body` is the kernel's call in one thread.
inline void launch(dim3 grid, dim3 block, const std::function<void()>& body) {
  const std::size_t threads = std::size_t{block.x} * block.y * block.z;
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (threads == 0 || threads > 1024 || block.z != 1 || grid.z != 1) fail("a bad block");
  if (grid.x == 0 || grid.y == 0 || grid.y > 65535) fail("a bad grid");
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

}  // namespace emulation

// ---- the language
// --------------------------------------------------------------------------------
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

// ---- the runtime
// ---------------------------------------------------------------------------------
using cudaError_t = int;
using cudaStream_t = void*;
inline constexpr cudaError_t cudaSuccess = 0, cudaErrorInvalidValue = 1,
                             cudaErrorMemoryAllocation = 2, cudaErrorInsufficientDriver = 35,
                             cudaErrorNoDevice = 100;
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};

inline const char* cudaGetErrorString(cudaError_t) { return "an error of the emulation"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : cudaErrorInvalidValue;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }

// Filled with ones, as device memory holds anything at the start.
template <class T>
cudaError_t cudaMalloc(T** data, std::size_t size) {
  *data = static_cast<T*>(std::malloc(size));
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  std::memset(static_cast<void*>(*data), 0xFF, size);
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* data) { return std::free(data), cudaSuccess; }
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t size, cudaMemcpyKind) {
  return std::memcpy(to, from, size), cudaSuccess;
}
inline cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from,
                                std::size_t from_pitch, std::size_t width, std::size_t height,
                                cudaMemcpyKind) {
  for (std::size_t i = 0; i < height; ++i) {
    std::memcpy(static_cast<char*>(to) + i * to_pitch,
                static_cast<const char*>(from) + i * from_pitch, width);
  }
  return cudaSuccess;
}
inline cudaError_t cudaMemset(void* to, int value, std::size_t size) {
  return std::memset(to, value, size), cudaSuccess;
}

// ---- the warp's matrix instructions (csrc/core/cuda_primitives.cuh) -----------------------------
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
inline void add_joint_bits(std::int32_t (&c)[4], const Fragment4& a, const Fragment2& b) {
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

}  // namespace hapforge::cuda
