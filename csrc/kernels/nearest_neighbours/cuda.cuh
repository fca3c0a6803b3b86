// nearest_neighbours on the device: a tile of pairs, by the tensor cores, whose distances never
// leave the registers.
//
// The distance of rows a and b is |a| + |b| - 2 |a & b|. A block takes 128 queries and 128 targets
// and goes through their bits 512 at a time: three stages of shared memory, filled by asynchronous
// copies while the warps multiply. Each of the eight warps owns 64 x 32 pairs. At the end a pair is
// the number distance << 32 | index, and the least of each row of the tile (and of each column,
// where both of the sets want neighbours) goes to memory by an atomic minimum: the order of blocks
// does not matter. The k-th neighbour is the least pair above the one before it, in another pass.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cuda_primitives.cuh"

namespace hapforge::nearest_neighbours {

using Key = unsigned long long;        // distance << 32 | index
inline constexpr Key kNone = ~Key{0};  // no neighbour yet
inline constexpr std::size_t kStepBytes =
    64;  // of a row and a stage: the pitch is a multiple of it

// Rows on the device, each at a multiple of `pitch` bytes, which is one of kStepBytes; zeros behind
// the last site. num_bits: set bits of each row.
struct DeviceRows {
  const unsigned char* bytes = nullptr;
  std::size_t num_rows = 0, pitch = 0;
  const std::uint32_t* num_bits = nullptr;
};

// One warp for each row: its set bits.
struct CountBits {
  static constexpr int kThreads = 256;

  DeviceRows rows;
  std::uint32_t* num_bits;

  static std::size_t blocks(std::size_t num_rows) { return (num_rows + 7) / 8; }

  __device__ void operator()() const {
    const std::size_t row = std::size_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
    if (row >= rows.num_rows) return;
    const auto* words = reinterpret_cast<const std::uint32_t*>(rows.bytes + row * rows.pitch);
    unsigned sum = 0;
    for (std::size_t i = threadIdx.x % 32; i < rows.pitch / 4; i += 32) sum += __popc(words[i]);
    HAPFORGE_UNROLL
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xFFFFFFFF, sum, lanes);
    if (threadIdx.x % 32 == 0) num_bits[row] = sum;
  }
};

// The nearest target of each query, and the nearest query of each target, above those found before.
struct NearestTiles {
  static constexpr int kThreads = 256;
  static constexpr int kTile = 128;  // queries and targets of a block
  static constexpr int kStages = 3;
  static constexpr int kChunks = 4;                        // of 16 bytes: a row's part of a stage
  static constexpr int kQueryTiles = 4, kTargetTiles = 4;  // of 16 and of 8 rows: those of a warp
  static constexpr std::size_t kBand = 16;  // tiles of queries that share targets in the cache

  DeviceRows queries, targets;
  // Queries and targets are the same rows: each pair i < j is looked at once, for both.
  bool symmetric;
  bool exclude_self;  // a pair (i, i) is none
  // The least key found, at most kNone; null: not wanted. Keys up to `after` do not count; null:
  // all do.
  Key *of_query = nullptr, *of_target = nullptr;
  const Key *after_query = nullptr, *after_target = nullptr;

  __host__ __device__ static std::size_t tiles(std::size_t rows) {
    return (rows + kTile - 1) / kTile;
  }
  std::size_t blocks() const { return tiles(queries.num_rows) * tiles(targets.num_rows); }

  // Where chunk c of row r stands in a stage: so that eight rows at the same c are in all banks.
  __device__ static int place(int row, int chunk) {
    return row * kChunks + (chunk ^ (row >> 1 & (kChunks - 1)));
  }

  __device__ static void copy(uint4* stage, const DeviceRows& rows, std::size_t first,
                              std::size_t byte) {
    for (int i = static_cast<int>(threadIdx.x); i < kTile * kChunks; i += kThreads) {
      const int row = i / kChunks, chunk = i % kChunks;
      // Behind the last row it is taken again; those pairs are left out at the end.
      const std::size_t from = first + row < rows.num_rows ? first + row : rows.num_rows - 1;
      cuda::copy_16_async(stage + place(row, chunk),
                          rows.bytes + from * rows.pitch + byte + std::size_t{16} * chunk);
    }
  }

  __device__ void operator()() const {
    __shared__ uint4 stages[kStages][2][kTile * kChunks];

    // Bands of query tiles, one target tile after another.
    const std::size_t query_tiles = tiles(queries.num_rows), target_tiles = tiles(targets.num_rows);
    const std::size_t band = blockIdx.x / (kBand * target_tiles);
    const std::size_t height =
        query_tiles - band * kBand < kBand ? query_tiles - band * kBand : kBand;
    const std::size_t within = blockIdx.x - band * kBand * target_tiles;
    const std::size_t query_tile = band * kBand + within % height, target_tile = within / height;
    if (symmetric && target_tile < query_tile) return;
    const std::size_t first_query = query_tile * kTile, first_target = target_tile * kTile;

    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int warp_query = warp / 4 * 64, warp_target = warp % 4 * 32;
    std::int32_t joint[kQueryTiles][kTargetTiles][4] = {};

    const std::size_t steps = queries.pitch / kStepBytes;
    for (std::size_t step = 0; step < kStages - 1; ++step) {
      if (step < steps) fetch(stages[step], first_query, first_target, step);
      cuda::commit_copies();
    }
    for (std::size_t step = 0; step < steps; ++step) {
      cuda::wait_copies<kStages - 2>();
      __syncthreads();  // this step's bits are here, and nobody reads those of the step before
      const std::size_t next = step + kStages - 1;
      if (next < steps) fetch(stages[next % kStages], first_query, first_target, next);
      cuda::commit_copies();
      const uint4* from_queries = stages[step % kStages][0];
      const uint4* from_targets = stages[step % kStages][1];
      HAPFORGE_UNROLL
      for (int half = 0; half < 2; ++half) {  // 256 bits each
        cuda::Fragment4 a[kQueryTiles];
        cuda::Fragment2 b[kTargetTiles];
        HAPFORGE_UNROLL
        for (int m = 0; m < kQueryTiles; ++m) {
          // Matrices: rows 0 to 7, rows 8 to 15, then their other chunk.
          a[m] = cuda::load_matrices(from_queries +
                                     place(warp_query + 16 * m + lane % 16, 2 * half + lane / 16));
        }
        HAPFORGE_UNROLL
        for (int n = 0; n < kTargetTiles; n += 2) {
          // Matrices: both chunks of rows 0 to 7, then of rows 8 to 15.
          const cuda::Fragment4 two = cuda::load_matrices(
              from_targets +
              place(warp_target + 8 * n + lane % 8 + lane / 16 * 8, 2 * half + lane / 8 % 2));
          b[n] = {{two.r[0], two.r[1]}};
          b[n + 1] = {{two.r[2], two.r[3]}};
        }
        HAPFORGE_UNROLL
        for (int m = 0; m < kQueryTiles; ++m) {
          HAPFORGE_UNROLL
          for (int n = 0; n < kTargetTiles; ++n) cuda::add_joint_bits(joint[m][n], a[m], b[n]);
        }
      }
    }
    keep_least(joint, first_query + warp_query, first_target + warp_target, lane);
  }

 private:
  __device__ void fetch(uint4 (*stage)[kTile * kChunks], std::size_t first_query,
                        std::size_t first_target, std::size_t step) const {
    copy(stage[0], queries, first_query, step * kStepBytes);
    copy(stage[1], targets, first_target, step * kStepBytes);
  }

  __device__ static void lower(Key& least, Key key) { least = key < least ? key : least; }

  __device__ static void store_least(Key* at, Key key) {
    if (key < *static_cast<volatile Key*>(at)) atomicMin(at, key);
  }

  __device__ void keep_least(const std::int32_t (&joint)[kQueryTiles][kTargetTiles][4],
                             std::size_t first_query, std::size_t first_target, int lane) const {
    const int g = lane / 4, t = lane % 4;
    HAPFORGE_UNROLL
    for (int m = 0; m < kQueryTiles; ++m) {
      HAPFORGE_UNROLL
      for (int low = 0; low < 2; ++low) {
        const std::size_t query = first_query + 16 * m + 8 * low + g;
        Key least = kNone;
        HAPFORGE_UNROLL
        for (int n = 0; n < kTargetTiles; ++n) {
          HAPFORGE_UNROLL
          for (int odd = 0; odd < 2; ++odd) {
            const std::size_t target = first_target + 8 * n + 2 * t + odd;
            lower(least,
                  key_of(query, target, joint[m][n][2 * low + odd], target, after_query, query));
          }
        }
        HAPFORGE_UNROLL
        for (int lanes = 1; lanes < 4; lanes *= 2) {
          lower(least, __shfl_xor_sync(0xFFFFFFFF, least, lanes));
        }
        if (of_query != nullptr && t == 0 && least != kNone) store_least(of_query + query, least);
      }
    }
    if (of_target == nullptr) return;
    HAPFORGE_UNROLL
    for (int n = 0; n < kTargetTiles; ++n) {
      HAPFORGE_UNROLL
      for (int odd = 0; odd < 2; ++odd) {
        const std::size_t target = first_target + 8 * n + 2 * t + odd;
        Key least = kNone;
        HAPFORGE_UNROLL
        for (int m = 0; m < kQueryTiles; ++m) {
          HAPFORGE_UNROLL
          for (int low = 0; low < 2; ++low) {
            const std::size_t query = first_query + 16 * m + 8 * low + g;
            lower(least,
                  key_of(query, target, joint[m][n][2 * low + odd], query, after_target, target));
          }
        }
        HAPFORGE_UNROLL
        for (int lanes = 4; lanes < 32; lanes *= 2) {
          lower(least, __shfl_xor_sync(0xFFFFFFFF, least, lanes));
        }
        if (g == 0 && least != kNone) store_least(of_target + target, least);
      }
    }
  }

  // What a pair is to `owner`, whose neighbour would be `index`.
  __device__ Key key_of(std::size_t query, std::size_t target, std::int32_t common,
                        std::size_t index, const Key* after, std::size_t owner) const {
    if (query >= queries.num_rows || target >= targets.num_rows) return kNone;
    if (symmetric ? query >= target : exclude_self && query == target) return kNone;
    const std::uint32_t distance =
        queries.num_bits[query] + targets.num_bits[target] - 2 * static_cast<std::uint32_t>(common);
    const Key key = Key{distance} << 32 | index;
    return after == nullptr || key > after[owner] ? key : kNone;
  }
};

}  // namespace hapforge::nearest_neighbours
