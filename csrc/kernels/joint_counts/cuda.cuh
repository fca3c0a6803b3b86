// joint_counts on the device: tiles of pairs of sites (popcount_tile/cuda.cuh), written out as n11
// or linkage disequilibrium, or summed by distance. Sites are rows, their set bits the carriers;
// formulas as in kernel.h.
#pragma once

#include "kernels/joint_counts/arguments.h"
#include "kernels/popcount_tile/cuda.cuh"

namespace hapforge::joint_counts {

using popcount_tile::DeviceRows;
using popcount_tile::PairTile;

// out[i * num_sites + j] = value(sites, i, j, n11) of all pairs of sites, each computed once.
template <class Value>
struct MatrixTiles {
  static constexpr int kThreads = PairTile::kThreads;

  DeviceRows sites;
  Value value;
  typename Value::Type* out;

  std::size_t blocks() const { return PairTile::blocks(sites, sites); }

  __device__ void operator()() const {
    __shared__ PairTile::Stages stages;
    const PairTile tile = PairTile::of_block(sites, sites);
    if (tile.first_b < tile.first_a) return;
    PairTile::Counts joint;
    tile.multiply(stages, joint);
    tile.for_each(joint, [&](std::size_t i, std::size_t j, std::uint32_t count) {
      const typename Value::Type found = value(sites, i, j, count);
      out[i * sites.num_rows + j] = out[j * sites.num_rows + i] = found;
    });
  }
};

struct JointCount {
  using Type = long long;
  __device__ Type operator()(const DeviceRows&, std::size_t, std::size_t,
                             std::uint32_t count) const {
    return count;
  }
};
using JointTiles = MatrixTiles<JointCount>;

// n11 of all pairs, on the current stream; both are on the device.
void joint_tiles(const DeviceRows& sites, long long* n11);

// n11[p] of the pairs (pairs[2 p], pairs[2 p + 1]); a warp for each.
struct JointPairs {
  static constexpr int kThreads = 256;

  DeviceRows sites;
  const long long* pairs;
  std::size_t num_pairs;
  long long* n11;

  std::size_t blocks() const { return (num_pairs + 7) / 8; }

  __device__ void operator()() const {
    const std::size_t pair = std::size_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
    if (pair >= num_pairs) return;
    const std::uint32_t *one = row(pairs[2 * pair]), *other = row(pairs[2 * pair + 1]);
    unsigned sum = 0;
    for (std::size_t w = threadIdx.x % 32; w < sites.pitch / 4; w += 32) {
      sum += __popc(one[w] & other[w]);
    }
    HAPFORGE_UNROLL
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xFFFFFFFF, sum, lanes);
    if (threadIdx.x % 32 == 0) n11[pair] = sum;
  }

 private:
  __device__ const std::uint32_t* row(long long site) const {
    return reinterpret_cast<const std::uint32_t*>(sites.bytes +
                                                  static_cast<std::size_t>(site) * sites.pitch);
  }
};

// What a site brings to a statistic: 1 / (c (n - c)) with c carriers, for r its root, for D 1 / n;
// NaN where it is monomorphic.
struct WeighSites {
  static constexpr int kThreads = 256;

  DeviceRows sites;
  Statistic statistic;
  double num_haplotypes;
  double* weight;

  std::size_t blocks() const { return (sites.num_rows + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t site = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (site >= sites.num_rows) return;
    const double n = num_haplotypes, c = sites.num_set[site], spread = c * (n - c);
    const double inverse = statistic == Statistic::d ? 1 / n : 1 / spread;
    const double found = statistic == Statistic::r ? sqrt(inverse) : inverse;
    weight[site] = spread > 0 ? found : nan("");
  }
};

// A statistic of linkage disequilibrium. The products of a difference are whole numbers, below
// 2^53 up to 9e7 haplotypes, so nvcc may contract one of them, and the values are those of the CPU.
struct LinkageDisequilibrium {
  using Type = float;

  Statistic statistic;
  double num_haplotypes;
  const double* weight;  // of each site; not used for D'

  __device__ Type operator()(const DeviceRows& sites, std::size_t i, std::size_t j,
                             std::uint32_t count) const {
    const double n = num_haplotypes, c_i = sites.num_set[i], c_j = sites.num_set[j];
    const double d = n * count - c_i * c_j;
    if (statistic == Statistic::d_prime) {
      const double one = d < 0 ? c_i * c_j : c_i * (n - c_j);
      const double other = d < 0 ? (n - c_i) * (n - c_j) : (n - c_i) * c_j;
      return static_cast<float>(d / (other < one ? other : one));
    }
    const double both = weight[i] * weight[j];
    return static_cast<float>((statistic == Statistic::r2 ? d * d : d) * both);
  }
};
using LdTiles = MatrixTiles<LinkageDisequilibrium>;

// Sums of r2 and numbers of pairs by distance.
//
// r2 is rounded to kUnit, so that sums are whole numbers and the order of additions does not
// matter: a bin's mean is off by at most kUnit / 2. A sum is kept in two halves: sums[2 b] and
// sums[2 b + 1] add up the low 32 bits and the rest of the sums of the blocks.
struct DecayTiles {
  static constexpr int kThreads = PairTile::kThreads;
  static constexpr double kUnit = 1.0 / (1ULL << 40);
  static constexpr unsigned kTable = 2048;  // bins in shared memory; more go straight to the result

  DeviceRows openers, sites;
  // Of each opener: its site, and its partners [begin, end), ascending with the openers.
  const long long *site, *begin, *end;
  const long long* position;  // of each site
  const double* weight;       // of each site: 1 / (c (n - c))
  double num_haplotypes;
  const long long* edges;  // num_bins + 1
  std::size_t num_bins;
  unsigned long long *sums, *num_pairs;

  std::size_t blocks() const { return PairTile::blocks(openers, sites); }

  __device__ void operator()() const {
    __shared__ union {
      PairTile::Stages stages;
      struct {
        unsigned long long sum[kTable];
        unsigned pairs[kTable];
      } table;
    } shared;
    const PairTile tile = PairTile::of_block(openers, sites);
    const std::size_t behind = tile.first_a + PairTile::kSide;
    const std::size_t last = (behind < openers.num_rows ? behind : openers.num_rows) - 1;
    const auto first = static_cast<long long>(tile.first_b);
    if (end[last] <= first || begin[tile.first_a] >= first + PairTile::kSide) return;
    PairTile::Counts joint;
    tile.multiply(shared.stages, joint);

    __syncthreads();  // the stages are free
    const unsigned in_table = num_bins < kTable ? static_cast<unsigned>(num_bins) : kTable;
    for (unsigned b = threadIdx.x; b < in_table; b += kThreads) {
      shared.table.sum[b] = 0;
      shared.table.pairs[b] = 0;
    }
    __syncthreads();
    // Neighbouring pairs share their bin more often than not.
    std::size_t bin = num_bins;
    unsigned long long sum = 0;
    unsigned pairs = 0;
    const auto flush = [&] {
      if (pairs == 0) return;
      if (bin < kTable) {
        atomicAdd(&shared.table.sum[bin], sum);
        atomicAdd(&shared.table.pairs[bin], pairs);
      } else {
        add(bin, sum, pairs);
      }
      sum = 0;
      pairs = 0;
    };
    tile.for_each(joint, [&](std::size_t i, std::size_t j, std::uint32_t count) {
      const auto partner = static_cast<long long>(j);
      if (partner < begin[i] || partner >= end[i]) return;
      const auto own = static_cast<std::size_t>(site[i]);
      const long long distance = position[j] - position[own];
      if (bin == num_bins || distance < edges[bin] || distance >= edges[bin + 1]) {
        flush();
        bin = bin_of(distance);
      }
      const double d =
          num_haplotypes * count - static_cast<double>(sites.num_set[own]) * sites.num_set[j];
      const double both = weight[own] * weight[j];
      const double r2 = d * d * both;
      sum += static_cast<unsigned long long>(r2 / kUnit + 0.5);
      ++pairs;
    });
    flush();
    __syncthreads();
    for (unsigned b = threadIdx.x; b < in_table; b += kThreads) {
      if (shared.table.pairs[b] != 0) add(b, shared.table.sum[b], shared.table.pairs[b]);
    }
  }

 private:
  // The bin of a distance that is in one.
  __device__ std::size_t bin_of(long long distance) const {
    std::size_t low = 0, high = num_bins;  // edges[low] <= distance < edges[high]
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      (edges[middle] <= distance ? low : high) = middle;
    }
    return low;
  }

  __device__ void add(std::size_t bin, unsigned long long sum, unsigned pairs) const {
    atomicAdd(sums + 2 * bin, sum & 0xFFFFFFFF);
    atomicAdd(sums + 2 * bin + 1, sum >> 32);
    atomicAdd(num_pairs + bin, static_cast<unsigned long long>(pairs));
  }
};

// The sums of DecayTiles as numbers.
struct FinishDecay {
  static constexpr int kThreads = 256;

  const unsigned long long* sums;
  std::size_t num_bins;
  double* sum_r2;

  std::size_t blocks() const { return (num_bins + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t b = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (b >= num_bins) return;
    const auto low = static_cast<double>(sums[2 * b]), high = static_cast<double>(sums[2 * b + 1]);
    sum_r2[b] = (high * 4294967296.0 + low) * DecayTiles::kUnit;
  }
};

}  // namespace hapforge::joint_counts
