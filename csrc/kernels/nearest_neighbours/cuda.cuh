// nearest_neighbours on the device: tiles of pairs (popcount_tile/cuda.cuh) whose distances never
// leave the registers.
//
// A pair is the number distance << 32 | index, and the least of each row of a tile (and of each
// column, where both of the sets want neighbours) goes to memory by an atomic minimum: the order of
// blocks does not matter. The k-th neighbour is the least pair above the one before it, in another
// pass.
#pragma once

#include "kernels/popcount_tile/cuda.cuh"

namespace hapforge::nearest_neighbours {

using popcount_tile::DeviceRows;
using popcount_tile::PairTile;

using Key = unsigned long long;        // distance << 32 | index
inline constexpr Key kNone = ~Key{0};  // no neighbour yet

// The nearest target of each query, and the nearest query of each target, above those found before.
struct NearestTiles {
  static constexpr int kThreads = PairTile::kThreads;

  DeviceRows queries, targets;
  std::size_t first_query, first_target;  // what the first of them is in its set
  bool symmetric;     // they are the same rows: each pair i < j is looked at once, for both
  bool exclude_self;  // a pair (i, i) of the sets is none
  // The least key found; null: not wanted. Keys up to `after` do not count; null: all do.
  Key *of_query = nullptr, *of_target = nullptr;
  const Key *after_query = nullptr, *after_target = nullptr;

  std::size_t blocks() const { return PairTile::blocks(queries, targets); }

  __device__ void operator()() const {
    __shared__ PairTile::Stages stages;
    const PairTile tile = PairTile::of_block(queries, targets);
    if (symmetric && tile.first_b < tile.first_a) return;
    PairTile::Counts found;
    tile.multiply(stages, found);
    tile.to_distances(found);
    HAPFORGE_UNROLL
    for (int m = 0; m < PairTile::kParts; ++m) {
      HAPFORGE_UNROLL
      for (int n = 0; n < PairTile::kParts; ++n) {
        HAPFORGE_UNROLL
        for (int i = 0; i < 4; ++i) {
          if (!is_pair(tile.row_a(m, i), tile.row_b(n, i))) found[m][n][i] = -1;  // kNoPair
        }
      }
    }
    if (of_query != nullptr) lower_queries(tile, found);
    if (of_target != nullptr) lower_targets(tile, found);
  }

 private:
  static constexpr std::uint32_t kNoPair = 0xFFFFFFFF;  // for a distance; rows have fewer bits

  // The rows of a tile: those of a thread, then of the four threads that share them.
  __device__ void lower_queries(const PairTile& tile, const PairTile::Counts& distance) const {
    HAPFORGE_UNROLL
    for (int m = 0; m < PairTile::kParts; ++m) {
      HAPFORGE_UNROLL
      for (int low = 0; low < 4; low += 2) {
        const std::size_t query = tile.row_a(m, low);
        const Key from = first_key(after_query, query, queries.num_rows);
        Key least = kNone;
        HAPFORGE_UNROLL
        for (int n = 0; n < PairTile::kParts; ++n) {
          HAPFORGE_UNROLL
          for (int i = low; i < low + 2; ++i) {
            lower(least, key(distance[m][n][i], first_target + tile.row_b(n, i)), from);
          }
        }
        HAPFORGE_UNROLL
        for (int lanes = 1; lanes < 4; lanes *= 2) {
          lower(least, __shfl_xor_sync(0xFFFFFFFF, least, lanes));
        }
        if (threadIdx.x % 4 == 0) store(of_query, query, least);
      }
    }
  }

  // The columns: those of a thread, then of the eight threads that share them.
  __device__ void lower_targets(const PairTile& tile, const PairTile::Counts& distance) const {
    HAPFORGE_UNROLL
    for (int n = 0; n < PairTile::kParts; ++n) {
      HAPFORGE_UNROLL
      for (int odd = 0; odd < 2; ++odd) {
        const std::size_t target = tile.row_b(n, odd);
        const Key from = first_key(after_target, target, targets.num_rows);
        Key least = kNone;
        HAPFORGE_UNROLL
        for (int m = 0; m < PairTile::kParts; ++m) {
          HAPFORGE_UNROLL
          for (int i = odd; i < 4; i += 2) {
            lower(least, key(distance[m][n][i], first_query + tile.row_a(m, i)), from);
          }
        }
        HAPFORGE_UNROLL
        for (int lanes = 4; lanes < 32; lanes *= 2) {
          lower(least, __shfl_xor_sync(0xFFFFFFFF, least, lanes));
        }
        if (threadIdx.x % 32 < 4) store(of_target, target, least);
      }
    }
  }

  __device__ bool is_pair(std::size_t query, std::size_t target) const {
    if (query >= queries.num_rows || target >= targets.num_rows) return false;
    if (symmetric) return query < target;
    return !exclude_self || first_query + query != first_target + target;
  }

  __device__ static Key key(std::int32_t distance, std::size_t index) {
    return Key{static_cast<std::uint32_t>(distance)} << 32 | static_cast<std::uint32_t>(index);
  }

  // The least key that counts for a row.
  __device__ static Key first_key(const Key* after, std::size_t row, std::size_t num_rows) {
    if (after == nullptr || row >= num_rows) return 0;
    const Key before = after[row];
    return before == kNone ? kNone : before + 1;
  }

  __device__ static void lower(Key& least, Key key, Key from = 0) {
    least = key >= from && key < least ? key : least;
  }

  __device__ static void store(Key* least, std::size_t row, Key key) {
    if (key >> 32 == kNoPair) return;
    if (key < *static_cast<volatile Key*>(least + row)) atomicMin(least + row, key);
  }
};

// The neighbours that a pass found, into column `pass` of the lists; a thread for each row.
struct SplitKeys {
  static constexpr int kThreads = 256;

  const Key* key;
  std::size_t num_rows, k, pass;
  long long* index;         // num_rows x k
  std::uint32_t* distance;  // num_rows x k

  std::size_t blocks() const { return (num_rows + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t row = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (row >= num_rows) return;
    index[row * k + pass] = static_cast<long long>(key[row] & 0xFFFFFFFF);
    distance[row * k + pass] = static_cast<std::uint32_t>(key[row] >> 32);
  }
};

}  // namespace hapforge::nearest_neighbours
