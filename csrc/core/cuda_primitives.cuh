// What has no name in CUDA C++: asynchronous copies to shared memory, and the warp's matrix
// instructions on bits. The CPU emulation has its own (tests/kernels/emulation/cuda_runtime.h).
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

// UNROLL, before a loop over registers: an array that is not unrolled lives in memory. ROLLED,
// before one that shall not be. NOINLINE: a function that is called, not copied.
#if defined(__CUDACC__)
#define HAPFORGE_UNROLL _Pragma("unroll")
#define HAPFORGE_ROLLED _Pragma("unroll 1")
#define HAPFORGE_NOINLINE __noinline__
#else
#define HAPFORGE_UNROLL
#define HAPFORGE_ROLLED
#define HAPFORGE_NOINLINE
#endif

// Before the name of a kernel that runs a body: its threads get at most 128 registers, so that 512
// of them share a multiprocessor.
#define HAPFORGE_LAUNCH_BOUNDS(Body) __launch_bounds__(Body::kThreads, 512 / Body::kThreads)

#if !defined(HAPFORGE_EMULATED)

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

// The matrix instructions; those of 16 rows are for architectures from 80 on. With g = lane / 4 and
// t = lane % 4, c holds columns 2 t and 2 t + 1 of row g, then of row g + 8.
//
// c += bits in which 8 rows of 128 (a) differ from 8 others (b), c += products of 8 rows of 16 int8
// and 8 columns.
__device__ inline void differing_8x8x128(std::int32_t& c0, std::int32_t& c1, std::uint32_t a,
                                         std::uint32_t b) {
  asm volatile(
      "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.xor.popc {%0, %1}, {%2}, {%3}, {%0, %1};\n"
      : "+r"(c0), "+r"(c1)
      : "r"(a), "r"(b));
}
__device__ inline void products_8x8x16(std::int32_t& c0, std::int32_t& c1, std::uint32_t a,
                                       std::uint32_t b) {
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};\n"
               : "+r"(c0), "+r"(c1)
               : "r"(a), "r"(b));
}
// c += bits that 16 rows of 256 (a) and 8 others (b) share, c += products of 16 rows of 32 int8 and
// 8 columns.
__device__ inline void joint_16x8x256(std::int32_t (&c)[4], const Fragment4& a,
                                      const Fragment2& b) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#endif
}
__device__ inline void products_16x8x32(std::int32_t (&c)[4], const Fragment4& a,
                                        const Fragment2& b) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
#endif
}

#if defined(__CUDA_ARCH__)
#define HAPFORGE_ARCHITECTURE __CUDA_ARCH__
#else
#define HAPFORGE_ARCHITECTURE 0  // the host's half of a compilation
#endif

}  // namespace hapforge::cuda

#endif

namespace hapforge::cuda {

// c += products of 16 rows of 32 int8 (a) and 8 columns (b), modulo 2^32; the layout is that of
// mma.m16n8k32: with g = lane / 4 and t = lane % 4, a holds bytes 4 t to 4 t + 3 of rows g and
// g + 8, then bytes 16 + 4 t and on of both; b bytes 4 t and on, then 16 + 4 t and on, of column g;
// c columns 2 t and 2 t + 1 of row g, then of row g + 8.
__device__ inline void add_products(std::int32_t (&c)[4], const Fragment4& a, const Fragment2& b) {
  if (HAPFORGE_ARCHITECTURE >= 800) {
    products_16x8x32(c, a, b);
  } else {
    HAPFORGE_UNROLL
    for (int i = 0; i < 4; ++i) {  // 16 bytes of each half of the rows, then the next 16
      products_8x8x16(c[i % 2 * 2], c[i % 2 * 2 + 1], a.r[i], b.r[i / 2]);
    }
  }
}

// c += counts of the bits that 16 rows of 256 bits (a) have in common with 8 others (b); the layout
// is that of mma.m16n8k256: with g and t as there, a holds bits 32 t of rows g and g + 8, then bits
// 128 + 32 t of both; b bits 32 t and 128 + 32 t of row g; c as there.
//
// Architecture 100 has no such instruction: ptxas makes one of many. HAPFORGE_INT8_COUNTS takes
// what stands in for it everywhere, to compare.
__device__ inline void add_joint_bits(std::int32_t (&c)[4], const Fragment4& a,
                                      const Fragment2& b) {
#if defined(HAPFORGE_INT8_COUNTS)
  constexpr int kFirstWithout = 800;
#else
  constexpr int kFirstWithout = 1000;
#endif
  if (HAPFORGE_ARCHITECTURE >= kFirstWithout) {
    // Every eighth bit at a time, as bytes; rows and columns have their bits in the same order.
    HAPFORGE_UNROLL
    for (int s = 0; s < 8; ++s) {
      constexpr std::uint32_t kOnes = 0x01010101;
      add_products(
          c, {{a.r[0] >> s & kOnes, a.r[1] >> s & kOnes, a.r[2] >> s & kOnes, a.r[3] >> s & kOnes}},
          {{b.r[0] >> s & kOnes, b.r[1] >> s & kOnes}});
    }
  } else if (HAPFORGE_ARCHITECTURE >= 800) {
    joint_16x8x256(c, a, b);
  } else {
    // There is XOR only, on 8 x 8 x 128: |a & b| = (|a ^ 0| + |0 ^ b| - |a ^ b|) / 2.
    HAPFORGE_UNROLL
    for (int upper = 0; upper < 2; ++upper) {
      std::int32_t twice[2] = {};
      HAPFORGE_UNROLL
      for (int half = 0; half < 2; ++half) {
        const std::uint32_t row = a.r[2 * half + upper];
        std::int32_t neither[2] = {};
        differing_8x8x128(twice[0], twice[1], row, 0);
        differing_8x8x128(twice[0], twice[1], 0, b.r[half]);
        differing_8x8x128(neither[0], neither[1], row, b.r[half]);
        for (int i = 0; i < 2; ++i) twice[i] -= neither[i];
      }
      for (int i = 0; i < 2; ++i) c[2 * upper + i] += twice[i] / 2;
    }
  }
}

}  // namespace hapforge::cuda
