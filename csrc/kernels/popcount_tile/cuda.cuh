// popcount_tile on the device: how many bits each of 128 rows shares with each of 128 others, by
// the tensor cores; the counts stay in the registers of a block's threads, and a kernel says what
// becomes of them.
//
// The Hamming distance of rows a and b is |a| + |b| - 2 |a & b|. A block goes through the bits 512
// at a time: three stages of shared memory, filled by asynchronous copies while the warps multiply.
// Each of the eight warps owns 64 x 32 pairs, each thread 64.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cuda_primitives.cuh"

namespace hapforge::popcount_tile {

inline constexpr std::size_t kStepBytes = 64;  // of a row and a stage

// Rows on the device, each at a multiple of `pitch` bytes, which is one of kStepBytes; zeros behind
// the last bit. num_set: set bits of each row.
struct DeviceRows {
  const unsigned char* bytes = nullptr;
  std::size_t num_rows = 0, pitch = 0;
  const std::uint32_t* num_set = nullptr;
};

// A warp for each row.
struct CountSetBits {
  static constexpr int kThreads = 256;

  DeviceRows rows;
  std::uint32_t* num_set;

  std::size_t blocks() const { return (rows.num_rows + 7) / 8; }

  __device__ void operator()() const {
    const std::size_t row = std::size_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
    if (row >= rows.num_rows) return;
    const auto* words = reinterpret_cast<const std::uint32_t*>(rows.bytes + row * rows.pitch);
    unsigned sum = 0;
    for (std::size_t i = threadIdx.x % 32; i < rows.pitch / 4; i += 32) sum += __popc(words[i]);
    HAPFORGE_UNROLL
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xFFFFFFFF, sum, lanes);
    if (threadIdx.x % 32 == 0) num_set[row] = sum;
  }
};

// Columns as rows: bit r of row c of the result is bit c of row r. A warp turns 32 x 32 bits.
// `turned` is zero, has num_columns rows, and room for num_rows bits in each.
struct TransposeBits {
  static constexpr int kThreads = 256;

  DeviceRows rows;
  std::size_t num_columns;
  unsigned char* turned;
  std::size_t turned_pitch;

  std::size_t column_words() const { return (num_columns + 31) / 32; }
  std::size_t row_words() const { return (rows.num_rows + 31) / 32; }
  std::size_t blocks() const { return (column_words() * row_words() + 7) / 8; }

  __device__ void operator()() const {
    const std::size_t unit = std::size_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
    const std::size_t words = (num_columns + 31) / 32;
    const std::size_t first_row = unit / words * 32, word = unit % words;
    if (first_row >= rows.num_rows) return;
    const std::size_t lane = threadIdx.x % 32, row = first_row + lane;
    const std::uint32_t bits =
        row < rows.num_rows
            ? *reinterpret_cast<const std::uint32_t*>(rows.bytes + row * rows.pitch + 4 * word)
            : 0;
    std::uint32_t column = 0;
    HAPFORGE_UNROLL
    for (unsigned b = 0; b < 32; ++b) {
      const std::uint32_t one = __ballot_sync(0xFFFFFFFF, bits >> b & 1);
      column = lane == b ? one : column;
    }
    const std::size_t to = 32 * word + lane;
    if (to < num_columns) {
      *reinterpret_cast<std::uint32_t*>(turned + to * turned_pitch + first_row / 8) = column;
    }
  }
};

// Rows index[0], index[1], ... of `rows`, one behind the other; 16 bytes a thread.
struct GatherRows {
  static constexpr int kThreads = 256;

  DeviceRows rows;
  const long long* index;
  std::size_t num_index;
  unsigned char* out;

  std::size_t blocks() const { return (num_index * (rows.pitch / 16) + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t unit = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    const std::size_t per_row = rows.pitch / 16, to = unit / per_row, part = unit % per_row;
    if (to >= num_index) return;
    const auto* from = reinterpret_cast<const uint4*>(
        rows.bytes + static_cast<std::size_t>(index[to]) * rows.pitch);
    reinterpret_cast<uint4*>(out + to * rows.pitch)[part] = from[part];
  }
};

// The pairs of a block: rows of `a` by rows of `b`, from a tile's first on.
struct PairTile {
  static constexpr int kThreads = 256;
  static constexpr int kSide = 128;
  static constexpr int kStages = 3;
  static constexpr int kChunks = 4;  // of 16 bytes: a row's part of a stage
  static constexpr int kParts = 4;   // of 16 rows of a, of 8 rows of b: those of a warp

  // 48 KiB; free for other use behind multiply() and a barrier.
  struct Stages {
    uint4 chunks[kStages][2][kSide * kChunks];
  };
  using Counts = std::int32_t[kParts][kParts][4];

  DeviceRows a, b;
  std::size_t first_a, first_b;

  __host__ __device__ static std::size_t tiles(std::size_t rows) {
    return (rows + kSide - 1) / kSide;
  }

  // Of a kernel with a block for each tile.
  static std::size_t blocks(const DeviceRows& a, const DeviceRows& b) {
    return tiles(a.num_rows) * tiles(b.num_rows);
  }

  // Tile blockIdx.x of all: bands of 16 tiles of a, which share those of b in the cache.
  __device__ static PairTile of_block(const DeviceRows& a, const DeviceRows& b) {
    constexpr std::size_t kBand = 16;
    const std::size_t a_tiles = tiles(a.num_rows), b_tiles = tiles(b.num_rows);
    const std::size_t band = blockIdx.x / (kBand * b_tiles);
    const std::size_t height = a_tiles - band * kBand < kBand ? a_tiles - band * kBand : kBand;
    const std::size_t within = blockIdx.x - band * kBand * b_tiles;
    return {a, b, (band * kBand + within % height) * kSide, within / height * kSide};
  }

  // joint: bits that each of this thread's pairs shares.
  __device__ void multiply(Stages& stages, Counts& joint) const {
    HAPFORGE_UNROLL
    for (int m = 0; m < kParts; ++m) {
      HAPFORGE_UNROLL
      for (int n = 0; n < kParts; ++n) {
        HAPFORGE_UNROLL
        for (int i = 0; i < 4; ++i) joint[m][n][i] = 0;
      }
    }
    const int lane = static_cast<int>(threadIdx.x) % 32;
    // All of its pairs lie behind the last row: the warp only helps with the copies.
    const bool idle = first_a + warp_a() >= a.num_rows || first_b + warp_b() >= b.num_rows;
    const std::size_t steps = a.pitch / kStepBytes;
    for (std::size_t step = 0; step < kStages - 1; ++step) {
      if (step < steps) fetch(stages, step);
      cuda::commit_copies();
    }
    for (std::size_t step = 0; step < steps; ++step) {
      cuda::wait_copies<kStages - 2>();
      __syncthreads();  // this step's bits are here, and nobody reads those of the step before
      if (step + kStages - 1 < steps) fetch(stages, step + kStages - 1);
      cuda::commit_copies();
      if (idle) continue;
      const uint4* from_a = stages.chunks[step % kStages][0];
      const uint4* from_b = stages.chunks[step % kStages][1];
      HAPFORGE_UNROLL
      for (int half = 0; half < 2; ++half) {  // 256 bits each
        cuda::Fragment4 of_a[kParts];
        cuda::Fragment2 of_b[kParts];
        HAPFORGE_UNROLL
        for (int m = 0; m < kParts; ++m) {
          // Matrices: rows 0 to 7, rows 8 to 15, then their other chunk.
          of_a[m] = cuda::load_matrices(from_a +
                                        place(warp_a() + 16 * m + lane % 16, 2 * half + lane / 16));
        }
        HAPFORGE_UNROLL
        for (int n = 0; n < kParts; n += 2) {
          // Matrices: both chunks of rows 0 to 7, then of rows 8 to 15.
          const cuda::Fragment4 two = cuda::load_matrices(
              from_b + place(warp_b() + 8 * n + lane % 8 + lane / 16 * 8, 2 * half + lane / 8 % 2));
          of_b[n] = {{two.r[0], two.r[1]}};
          of_b[n + 1] = {{two.r[2], two.r[3]}};
        }
        HAPFORGE_UNROLL
        for (int m = 0; m < kParts; ++m) {
          HAPFORGE_UNROLL
          for (int n = 0; n < kParts; ++n) cuda::add_joint_bits(joint[m][n], of_a[m], of_b[n]);
        }
      }
    }
  }

  // Row of a of this thread's counts joint[m][.][i]; it may lie behind the last one.
  __device__ std::size_t row_a(int m, int i) const {
    return first_a + warp_a() + 16 * m + 8 * (i / 2) + threadIdx.x % 32 / 4;
  }
  // Row of b of this thread's counts joint[.][n][i]; it may lie behind the last one.
  __device__ std::size_t row_b(int n, int i) const {
    return first_b + warp_b() + 8 * n + 2 * (threadIdx.x % 4) + i % 2;
  }

  // visit(i, j, count) for every pair of this thread, row by row of a; what to_distances() left
  // are distances. Its code stands for a quarter of them: the counts go round in their registers.
  template <class Visit>
  __device__ void for_each(Counts& joint, Visit visit) const {
    HAPFORGE_ROLLED
    for (int m = 0; m < kParts; ++m) {
      HAPFORGE_UNROLL
      for (int low = 0; low < 2; ++low) {
        HAPFORGE_UNROLL
        for (int n = 0; n < kParts; ++n) {
          HAPFORGE_UNROLL
          for (int odd = 0; odd < 2; ++odd) {
            const int i = 2 * low + odd;
            const std::size_t row = row_a(m, i), column = row_b(n, i);
            if (row < a.num_rows && column < b.num_rows) {
              visit(row, column, static_cast<std::uint32_t>(joint[0][n][i]));
            }
          }
        }
      }
      HAPFORGE_UNROLL
      for (int n = 0; n < kParts; ++n) {
        HAPFORGE_UNROLL
        for (int i = 0; i < 4; ++i) {
          const std::int32_t first = joint[0][n][i];
          HAPFORGE_UNROLL
          for (int next = 1; next < kParts; ++next) joint[next - 1][n][i] = joint[next][n][i];
          joint[kParts - 1][n][i] = first;
        }
      }
    }
  }

  // Counts become Hamming distances, those of pairs behind the last row anything.
  __device__ void to_distances(Counts& joint) const {
    std::uint32_t of_b[kParts][2];
    HAPFORGE_UNROLL
    for (int n = 0; n < kParts; ++n) {
      HAPFORGE_UNROLL
      for (int odd = 0; odd < 2; ++odd) of_b[n][odd] = set_bits(b, row_b(n, odd));
    }
    HAPFORGE_UNROLL
    for (int m = 0; m < kParts; ++m) {
      HAPFORGE_UNROLL
      for (int low = 0; low < 2; ++low) {
        const std::uint32_t of_a = set_bits(a, row_a(m, 2 * low));
        HAPFORGE_UNROLL
        for (int n = 0; n < kParts; ++n) {
          HAPFORGE_UNROLL
          for (int odd = 0; odd < 2; ++odd) {
            std::int32_t& pair = joint[m][n][2 * low + odd];
            const std::uint32_t both = of_a + of_b[n][odd];
            pair = static_cast<std::int32_t>(both - 2 * static_cast<std::uint32_t>(pair));
          }
        }
      }
    }
  }

 private:
  __device__ static std::uint32_t set_bits(const DeviceRows& rows, std::size_t row) {
    return row < rows.num_rows ? rows.num_set[row] : 0;
  }

  __device__ static int warp_a() { return static_cast<int>(threadIdx.x) / 128 * 64; }
  __device__ static int warp_b() { return static_cast<int>(threadIdx.x) / 32 % 4 * 32; }

  // Where chunk c of row r stands in a stage: so that eight rows at the same c are in all banks.
  __device__ static int place(int row, int chunk) {
    return row * kChunks + (chunk ^ (row >> 1 & (kChunks - 1)));
  }

  __device__ void fetch(Stages& stages, std::size_t step) const {
    uint4(*stage)[kSide * kChunks] = stages.chunks[step % kStages];
    copy(stage[0], a, first_a, step * kStepBytes);
    copy(stage[1], b, first_b, step * kStepBytes);
  }

  __device__ static void copy(uint4* to, const DeviceRows& rows, std::size_t first,
                              std::size_t byte) {
    HAPFORGE_UNROLL
    for (int part = 0; part < kSide * kChunks / kThreads; ++part) {
      const int i = part * kThreads + static_cast<int>(threadIdx.x);
      const int row = i / kChunks, chunk = i % kChunks;
      // Behind the last row it is taken again; nobody asks for those pairs.
      const std::size_t from = first + row < rows.num_rows ? first + row : rows.num_rows - 1;
      cuda::copy_16_async(to + place(row, chunk),
                          rows.bytes + from * rows.pitch + byte + std::size_t{16} * chunk);
    }
  }
};

}  // namespace hapforge::popcount_tile
