// allele_counts on the device.
//
// A thread owns one 32-bit half of a word column, so neighbouring threads read neighbouring memory,
// and one slice of the rows. Counters are bit-sliced: plane[p] holds bit p of 32 counts, and a row
// is added by a ripple of half adders. 255 rows fit eight planes; then the planes are unpacked into
// 32 sums in registers, which are added to the result at the end.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace hapforge::allele_counts {

inline constexpr int kPlanes = 8;
inline constexpr std::size_t kRowsPerFlush = 255;  // 2^kPlanes - 1: what the planes can hold
inline constexpr int kHalfBits = 32;

// halves: the packed words as num_rows x halves_per_row 32-bit halves (little endian). counts: 32
// per half, zero at the start.
struct CountSites {
  static constexpr int kThreads = 128;
  static constexpr std::size_t kRowsPerSlice = 4 * kRowsPerFlush;  // enough to pay for the atomics

  const std::uint32_t* halves;
  std::size_t num_rows, halves_per_row;
  unsigned long long* counts;

  __host__ __device__ std::size_t blocks_per_slice() const {
    return (halves_per_row + kThreads - 1) / kThreads;
  }
  std::size_t blocks() const {
    return blocks_per_slice() * ((num_rows + kRowsPerSlice - 1) / kRowsPerSlice);
  }

  __device__ void operator()() const {
    const std::size_t half = blockIdx.x % blocks_per_slice() * kThreads + threadIdx.x;
    if (half >= halves_per_row) return;
    const std::size_t first = blockIdx.x / blocks_per_slice() * kRowsPerSlice;
    const std::size_t end = first + kRowsPerSlice < num_rows ? first + kRowsPerSlice : num_rows;

    unsigned sums[kHalfBits] = {};
    for (std::size_t begin = first; begin < end; begin += kRowsPerFlush) {
      const std::size_t stop = begin + kRowsPerFlush < end ? begin + kRowsPerFlush : end;
      std::uint32_t plane[kPlanes] = {};
      for (std::size_t row = begin; row < stop; ++row) {
        std::uint32_t carry = halves[row * halves_per_row + half];
        for (int p = 0; p < kPlanes; ++p) {
          const std::uint32_t sum = plane[p] ^ carry;
          carry &= plane[p];
          plane[p] = sum;
        }
      }
      for (int bit = 0; bit < kHalfBits; ++bit) {
        for (int p = 0; p < kPlanes; ++p) sums[bit] += (plane[p] >> bit & 1U) << p;
      }
    }
    for (int bit = 0; bit < kHalfBits; ++bit) {
      if (sums[bit] != 0) {
        atomicAdd(counts + half * kHalfBits + bit, static_cast<unsigned long long>(sums[bit]));
      }
    }
  }
};

}  // namespace hapforge::allele_counts
