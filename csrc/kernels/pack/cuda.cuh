// pack on the device: bytes to bits and back, and the search for bits that should not be set. The
// bit transpose and the gather of rows are in popcount_tile/cuda.cuh.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cuda_primitives.cuh"

namespace hapforge::pack {

using Place = unsigned long long;  // row * num_sites + column
inline constexpr Place kNoPlace = ~Place{0};

// Bytes that are 0 or 1, of any strides, as packed rows. A warp makes 32 32-bit halves of words of
// a row. `halves` has room for whole words; `bad` is the first place of another value.
struct PackBytes {
  static constexpr int kThreads = 256;
  static constexpr std::size_t kSites = 1024;  // of a warp

  const unsigned char* bytes;
  long long row_stride, column_stride;
  std::size_t num_rows, num_sites;
  std::uint32_t* halves;  // halves_per_row a row
  std::size_t halves_per_row;
  Place* bad;

  __host__ __device__ std::size_t warps_per_row() const {
    return (num_sites + kSites - 1) / kSites;
  }
  std::size_t blocks() const { return (num_rows * warps_per_row() + 7) / 8; }

  __device__ void operator()() const {
    const std::size_t unit = std::size_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
    const std::size_t row = unit / warps_per_row(), first = unit % warps_per_row() * kSites;
    if (row >= num_rows) return;
    const unsigned lane = threadIdx.x % 32;
    const unsigned char* from = bytes + static_cast<long long>(row) * row_stride;
    std::uint32_t half = 0;
    for (unsigned h = 0; h < 32; ++h) {
      const std::size_t site = first + 32 * h + lane;
      const unsigned value =
          site < num_sites ? from[static_cast<long long>(site) * column_stride] : 0;
      if (value > 1) atomicMin(bad, Place{row} * num_sites + site);
      const std::uint32_t bits = __ballot_sync(0xFFFFFFFF, value & 1);
      half = lane == h ? bits : half;
    }
    const std::size_t to = first / 32 + lane;
    if (to < halves_per_row) halves[row * halves_per_row + to] = half;
  }
};

// Packed rows as bytes, C order; a thread for each.
struct UnpackBits {
  static constexpr int kThreads = 256;

  const std::uint32_t* halves;
  std::size_t num_rows, num_sites, halves_per_row;
  unsigned char* bytes;

  std::size_t blocks() const { return (num_rows * num_sites + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t to = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (to >= num_rows * num_sites) return;
    const std::size_t row = to / num_sites, site = to % num_sites;
    bytes[to] = halves[row * halves_per_row + site / 32] >> (site % 32) & 1;
  }
};

// The first row with a bit behind its last site; a thread for each.
struct FindPadding {
  static constexpr int kThreads = 256;

  const unsigned long long* words;
  std::size_t num_rows, words_per_row;
  unsigned used;  // bits of the last word, 1 to 63
  Place* bad;

  std::size_t blocks() const { return (num_rows + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t row = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (row >= num_rows) return;
    if (words[(row + 1) * words_per_row - 1] >> used != 0) atomicMin(bad, Place{row});
  }
};

}  // namespace hapforge::pack
