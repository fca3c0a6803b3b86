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
  bool symmetric;     // they are the same rows: each pair i < j is looked at once, for both
  bool exclude_self;  // a pair (i, i) is none
  // The least key found; null: not wanted. Keys up to `after` do not count; null: all do.
  Key *of_query = nullptr, *of_target = nullptr;
  const Key *after_query = nullptr, *after_target = nullptr;

  std::size_t blocks() const {
    return PairTile::tiles(queries.num_rows) * PairTile::tiles(targets.num_rows);
  }

  __device__ void operator()() const {
    __shared__ PairTile::Stages stages;
    const PairTile tile = PairTile::of_block(queries, targets);
    if (symmetric && tile.first_b < tile.first_a) return;
    PairTile::Counts joint;
    tile.multiply(stages, joint);

    HAPFORGE_UNROLL
    for (int m = 0; m < PairTile::kParts; ++m) {
      HAPFORGE_UNROLL
      for (int low = 0; low < 4; low += 2) {
        const std::size_t query = tile.row_a(m, low);
        Key least = kNone;
        HAPFORGE_UNROLL
        for (int n = 0; n < PairTile::kParts; ++n) {
          HAPFORGE_UNROLL
          for (int i = low; i < low + 2; ++i) {
            const std::size_t target = tile.row_b(n, i);
            lower(least, key(query, target, joint[m][n][i], target, after_query, query));
          }
        }
        HAPFORGE_UNROLL
        for (int lanes = 1; lanes < 4; lanes *= 2) {
          lower(least, __shfl_xor_sync(0xFFFFFFFF, least, lanes));
        }
        if (threadIdx.x % 4 == 0) store(of_query, query, least);
      }
    }
    HAPFORGE_UNROLL
    for (int n = 0; n < PairTile::kParts; ++n) {
      HAPFORGE_UNROLL
      for (int odd = 0; odd < 2; ++odd) {
        const std::size_t target = tile.row_b(n, odd);
        Key least = kNone;
        HAPFORGE_UNROLL
        for (int m = 0; m < PairTile::kParts; ++m) {
          HAPFORGE_UNROLL
          for (int i = odd; i < 4; i += 2) {
            const std::size_t query = tile.row_a(m, i);
            lower(least, key(query, target, joint[m][n][i], query, after_target, target));
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

 private:
  __device__ static void lower(Key& least, Key key) { least = key < least ? key : least; }

  __device__ static void store(Key* least, std::size_t owner, Key key) {
    if (least == nullptr || key == kNone) return;
    if (key < *static_cast<volatile Key*>(least + owner)) atomicMin(least + owner, key);
  }

  // What a pair is to `owner`, whose neighbour would be `index`.
  __device__ Key key(std::size_t query, std::size_t target, std::int32_t common, std::size_t index,
                     const Key* after, std::size_t owner) const {
    if (query >= queries.num_rows || target >= targets.num_rows) return kNone;
    if (symmetric ? query >= target : exclude_self && query == target) return kNone;
    const std::uint32_t distance =
        queries.num_set[query] + targets.num_set[target] - 2 * static_cast<std::uint32_t>(common);
    const Key found = Key{distance} << 32 | index;
    return after == nullptr || found > after[owner] ? found : kNone;
  }
};

}  // namespace hapforge::nearest_neighbours
