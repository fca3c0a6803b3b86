// three_point on the device. Sites are rows, their set bits the carriers.
#pragma once

#include "kernels/popcount_tile/cuda.cuh"
#include "kernels/three_point/formula.h"

namespace hapforge::three_point {

using popcount_tile::DeviceRows;
using popcount_tile::PairTile;

// c_ijk, with the CPU's arithmetic: whole numbers until the division.
struct Correlation {
  std::uint32_t num_haplotypes;
  bool negate;

  __device__ double operator()(std::uint32_t c_i, std::uint32_t c_j, std::uint32_t c_k,
                               const Counts& count) const {
    return num_haplotypes <= kMostExact
               ? exact_correlation(num_haplotypes, c_i, c_j, c_k, count, negate ? -1 : 1)
               : wide(c_i, c_j, c_k, count);
  }

 private:
  // Rare and long: once in a kernel, not for each of a thread's pairs.
  __device__ HAPFORGE_NOINLINE double wide(std::uint32_t c_i, std::uint32_t c_j, std::uint32_t c_k,
                                           const Counts& count) const {
    return wide_correlation(num_haplotypes, c_i, c_j, c_k, count, negate);
  }
};

// c_ijk of the triplets (triplets[3 t], triplets[3 t + 1], triplets[3 t + 2]); a warp for each.
struct ListedTriplets {
  static constexpr int kThreads = 256;

  DeviceRows sites;
  const long long* triplets;
  std::size_t num_triplets;
  Correlation correlation;
  double* out;

  std::size_t blocks() const { return (num_triplets + 7) / 8; }

  __device__ void operator()() const {
    const std::size_t triplet = std::size_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
    if (triplet >= num_triplets) return;
    std::size_t site[3];
    const std::uint32_t* words[3];
    HAPFORGE_UNROLL
    for (int s = 0; s < 3; ++s) {
      site[s] = static_cast<std::size_t>(triplets[3 * triplet + s]);
      words[s] = reinterpret_cast<const std::uint32_t*>(sites.bytes + site[s] * sites.pitch);
    }
    unsigned sums[4] = {};
    for (std::size_t w = threadIdx.x % 32; w < sites.pitch / 4; w += 32) {
      const std::uint32_t i = words[0][w], j = words[1][w], k = words[2][w];
      sums[0] += __popc(i & j);
      sums[1] += __popc(i & k);
      sums[2] += __popc(j & k);
      sums[3] += __popc(i & j & k);
    }
    HAPFORGE_UNROLL
    for (int s = 0; s < 4; ++s) {
      HAPFORGE_UNROLL
      for (int lanes = 16; lanes > 0; lanes /= 2) {
        sums[s] += __shfl_xor_sync(0xFFFFFFFF, sums[s], lanes);
      }
    }
    if (threadIdx.x % 32 == 0) {
      out[triplet] = correlation(sites.num_set[site[0]], sites.num_set[site[1]],
                                 sites.num_set[site[2]], {sums[0], sums[1], sums[2], sums[3]});
    }
  }
};

// Row r of `out` is row r of `rows` and `mask` in common; 4 bytes a thread.
struct MaskRows {
  static constexpr int kThreads = 256;

  DeviceRows rows;
  const unsigned char* mask;
  unsigned char* out;

  std::size_t blocks() const {
    return (rows.num_rows * (rows.pitch / 4) + kThreads - 1) / kThreads;
  }

  __device__ void operator()() const {
    const std::size_t word = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (word >= rows.num_rows * (rows.pitch / 4)) return;
    reinterpret_cast<std::uint32_t*>(out)[word] =
        reinterpret_cast<const std::uint32_t*>(rows.bytes)[word] &
        reinterpret_cast<const std::uint32_t*>(mask)[word % (rows.pitch / 4)];
  }
};

// All triplets of a block that start with site i: tiles of those behind it. `masked` are these
// sites' bits that site i has, too.
struct TripletTiles {
  static constexpr int kThreads = PairTile::kThreads;

  DeviceRows masked, behind;
  std::size_t i, num_sites;
  const std::uint32_t* carriers;  // of all sites
  const long long* n11;           // of all pairs of sites
  Correlation correlation;
  double* out;

  std::size_t blocks() const { return PairTile::blocks(masked, behind); }

  __device__ void operator()() const {
    __shared__ PairTile::Stages stages;
    const PairTile tile = PairTile::of_block(masked, behind);
    if (tile.first_b < tile.first_a) return;
    PairTile::Counts joint;
    tile.multiply(stages, joint);
    const std::size_t after_i = tetrahedron(num_sites) - tetrahedron(num_sites - i);
    tile.for_each(joint, [&](std::size_t row, std::size_t column, std::uint32_t count) {
      if (row >= column) return;
      const std::size_t j = i + 1 + row, k = i + 1 + column;
      const std::size_t to =
          after_i + triangle(num_sites - i - 1) - triangle(num_sites - j) + (k - j - 1);
      out[to] = correlation(carriers[i], carriers[j], carriers[k],
                            {pair(i, j), pair(i, k), pair(j, k), count});
    });
  }

 private:
  __device__ std::uint32_t pair(std::size_t one, std::size_t other) const {
    return static_cast<std::uint32_t>(n11[one * num_sites + other]);
  }
};

}  // namespace hapforge::three_point
