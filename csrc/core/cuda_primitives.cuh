// What has no name in CUDA C++: asynchronous copies to shared memory, and the warp's matrix
// instructions on bits. The CPU emulation has its own (tests/kernels/emulation/cuda_runtime.h).
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

// UNROLL, before a loop over registers: an array that is not unrolled lives in memory. NOINLINE: a
// function that is called, not copied.
#if defined(HAPFORGE_EMULATED)
#define HAPFORGE_UNROLL
#define HAPFORGE_NOINLINE
#else
#define HAPFORGE_UNROLL _Pragma("unroll")
#define HAPFORGE_NOINLINE __noinline__

namespace hapforge::cuda {

__device__ inline unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// 16 bytes, both sides aligned to 16. Architectures before 80 copy at once.
__device__ inline void copy_16_async(void* shared, const void* global) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(shared_address(shared)),
               "l"(__cvta_generic_to_global(global))
               : "memory");
#else
  *static_cast<uint4*>(shared) = *static_cast<const uint4*>(global);
#endif
}

// The copies of this thread since the last call are one group.
__device__ inline void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

// Waits until at most kPending groups of this thread are under way.
template <int kPending>
__device__ inline void wait_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
#endif
}

struct Fragment4 {
  std::uint32_t r[4];
};
struct Fragment2 {
  std::uint32_t r[2];
};

// Four matrices of eight rows of 16 bytes in shared memory: lanes 8 i to 8 i + 7 name the rows of
// matrix i, lane l gets in r[i] word l % 4 of its row l / 4.
__device__ inline Fragment4 load_matrices(const void* row) {
  Fragment4 f;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3])
               : "r"(shared_address(row))
               : "memory");
  return f;
}

// c += counts of the bits in which eight rows of 128 differ from eight others, for architecture 75.
__device__ inline void add_differing_bits(std::int32_t (&c)[2], std::uint32_t a, std::uint32_t b) {
  asm volatile(
      "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.xor.popc {%0, %1}, {%2}, {%3}, {%0, %1};\n"
      : "+r"(c[0]), "+r"(c[1])
      : "r"(a), "r"(b));
}

// c += counts of the bits that 16 rows of 256 bits (a) have in common with 8 others (b); the layout
// is that of mma.m16n8k256: with g = lane / 4 and t = lane % 4, a holds bits 32 t of rows g and
// g + 8, then bits 128 + 32 t of both; b bits 32 t and 128 + 32 t of row g; c columns 2 t and
// 2 t + 1 of row g, then of row g + 8.
__device__ inline void add_joint_bits(std::int32_t (&c)[4], const Fragment4& a,
                                      const Fragment2& b) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#else
  // There is XOR only, on 8 x 8 x 128: |a & b| = (|a ^ 0| + |0 ^ b| - |a ^ b|) / 2.
  for (int upper = 0; upper < 2; ++upper) {
    std::int32_t twice[2] = {};
    for (int half = 0; half < 2; ++half) {
      const std::uint32_t row = a.r[2 * half + upper];
      std::int32_t neither[2] = {};
      add_differing_bits(twice, row, 0);
      add_differing_bits(twice, 0, b.r[half]);
      add_differing_bits(neither, row, b.r[half]);
      for (int i = 0; i < 2; ++i) twice[i] -= neither[i];
    }
    for (int i = 0; i < 2; ++i) c[2 * upper + i] += twice[i] / 2;
  }
#endif
}

}  // namespace hapforge::cuda

#endif
