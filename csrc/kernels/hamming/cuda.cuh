// hamming on the device: tiles of pairs (popcount_tile/cuda.cuh), written out or counted by
// distance.
#pragma once

#include "kernels/popcount_tile/cuda.cuh"

namespace hapforge::hamming {

using popcount_tile::DeviceRows;
using popcount_tile::PairTile;

// distances[i * b.num_rows + j]. With `symmetric` b is a, and each pair is computed once.
struct DistanceTiles {
  static constexpr int kThreads = PairTile::kThreads;

  DeviceRows a, b;
  bool symmetric;
  std::uint32_t* distances;

  std::size_t blocks() const { return PairTile::blocks(a, b); }

  __device__ void operator()() const {
    __shared__ PairTile::Stages stages;
    const PairTile tile = PairTile::of_block(a, b);
    if (symmetric && tile.first_b < tile.first_a) return;
    PairTile::Counts joint;
    tile.multiply(stages, joint);
    tile.to_distances(joint);
    tile.for_each(joint, [&](std::size_t i, std::size_t j, std::uint32_t distance) {
      distances[i * b.num_rows + j] = distance;
      if (symmetric) distances[j * b.num_rows + i] = distance;
    });
  }
};

// Adds to histogram[d] the pairs at distance d; with `symmetric` b is a, and only pairs i < j
// count.
//
// A block counts in shared memory the kTable distances from its least one on, and sends what lies
// beyond straight to the result.
struct HistogramTiles {
  static constexpr int kThreads = PairTile::kThreads;
  static constexpr std::uint32_t kTable = 12287;  // and `least`: the 48 KiB of the stages

  DeviceRows a, b;
  bool symmetric;
  unsigned long long* histogram;

  std::size_t blocks() const { return PairTile::blocks(a, b); }

  __device__ void operator()() const {
    __shared__ union {
      PairTile::Stages stages;
      struct {
        unsigned table[kTable], least;
      } count;
    } shared;
    const PairTile tile = PairTile::of_block(a, b);
    if (symmetric && tile.first_b < tile.first_a) return;
    PairTile::Counts joint;
    tile.multiply(shared.stages, joint);
    tile.to_distances(joint);

    __syncthreads();  // the stages are free
    if (threadIdx.x == 0) shared.count.least = 0xFFFFFFFF;
    for (std::uint32_t d = threadIdx.x; d < kTable; d += kThreads) shared.count.table[d] = 0;
    __syncthreads();
    unsigned own = 0xFFFFFFFF;
    tile.for_each(joint, [&](std::size_t i, std::size_t j, std::uint32_t distance) {
      if ((!symmetric || i < j) && distance < own) own = distance;
    });
    atomicMin(&shared.count.least, own);
    __syncthreads();
    const unsigned from = shared.count.least;
    tile.for_each(joint, [&](std::size_t i, std::size_t j, std::uint32_t distance) {
      if (symmetric && i >= j) return;
      if (distance - from < kTable) {
        atomicAdd(&shared.count.table[distance - from], 1U);
      } else {
        atomicAdd(histogram + distance, 1ULL);
      }
    });
    __syncthreads();
    for (std::uint32_t d = threadIdx.x; d < kTable; d += kThreads) {
      if (shared.count.table[d] != 0) {
        atomicAdd(histogram + from + d, static_cast<unsigned long long>(shared.count.table[d]));
      }
    }
  }
};

}  // namespace hapforge::hamming
