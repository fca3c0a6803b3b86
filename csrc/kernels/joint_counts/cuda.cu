// joint_counts on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/joint_counts/cuda.cuh"

#include <algorithm>
#include <vector>

#include "kernels/joint_counts/cuda.h"
#include "kernels/popcount_tile/cuda_rows.cuh"

namespace hapforge::joint_counts {
namespace {

using popcount_tile::Rows;

static_assert(sizeof(long long) == sizeof(std::int64_t));

cuda::Buffer<long long> on_device(const std::int64_t* values, std::size_t size) {
  return {reinterpret_cast<const long long*>(values), size};
}

cuda::Buffer<double> weights_of(const Rows& sites, Statistic statistic, double n) {
  cuda::Buffer<double> weight(sites.view().num_rows);
  const WeighSites weigh{sites.view(), statistic, n, weight.data()};
  cuda::launch("WeighSites", weigh.blocks(), weigh);
  return weight;
}

}  // namespace

void joint_tiles(const DeviceRows& sites, long long* n11) {
  const JointTiles tiles{sites, {}, n11};
  cuda::launch("JointTiles", tiles.blocks(), tiles);
}

void matrix_cuda(const BitMatrixView& haplotypes, std::int64_t* n11) {
  const Rows sites = Rows::transposed(haplotypes);
  const cuda::Result<long long> found(reinterpret_cast<long long*>(n11),
                                      haplotypes.num_sites * haplotypes.num_sites);
  joint_tiles(sites.view(), found.data());
  found.finish();
}

void pairs_cuda(const BitMatrixView& haplotypes, const std::int64_t* pairs, std::size_t num_pairs,
                std::int64_t* n11) {
  const Rows sites = Rows::transposed(haplotypes);
  const cuda::Buffer<long long> wanted = on_device(pairs, 2 * num_pairs);
  const cuda::Result<long long> found(reinterpret_cast<long long*>(n11), num_pairs);
  const JointPairs joint{sites.view(), wanted.data(), num_pairs, found.data()};
  cuda::launch("JointPairs", joint.blocks(), joint);
  found.finish();
}

void ld_matrix_cuda(const BitMatrixView& haplotypes, Statistic statistic, float* out) {
  const auto n = static_cast<double>(haplotypes.num_rows);
  const Rows sites = Rows::transposed(haplotypes);
  const cuda::Buffer<double> weights = weights_of(sites, statistic, n);
  const cuda::Result<float> found(out, haplotypes.num_sites * haplotypes.num_sites);
  const LdTiles tiles{sites.view(), {statistic, n, weights.data()}, found.data()};
  cuda::launch("LdTiles", tiles.blocks(), tiles);
  found.finish();
}

void ld_decay_cuda(const BitMatrixView& haplotypes, const BinnedPairs& in, double* sum_r2,
                   std::int64_t* num_pairs) {
  const std::size_t num_sites = haplotypes.num_sites;
  std::vector<long long> begin(in.num_first), end(in.num_first);
  for (std::size_t i = 0; i < in.num_first; ++i) {
    const std::int64_t site = in.first_index[i];
    const std::int64_t* last = in.position + in.contig_end[site];
    const auto partner_from = [&](std::int64_t distance) {
      return std::partition_point(
                 in.position + site + 1, last,
                 [&](std::int64_t p) { return p - in.position[site] < distance; }) -
             in.position;
    };
    begin[i] = partner_from(in.edges[0]);
    end[i] = partner_from(in.edges[in.num_bins]);
  }

  const auto n = static_cast<double>(haplotypes.num_rows);
  const Rows sites = Rows::transposed(haplotypes);
  const cuda::Buffer<double> weights = weights_of(sites, Statistic::r2, n);
  const cuda::Buffer<long long> first = on_device(in.first_index, in.num_first);
  const cuda::Buffer<long long> begins(begin.data(), in.num_first), ends(end.data(), in.num_first);
  const cuda::Buffer<long long> positions = on_device(in.position, num_sites);
  const cuda::Buffer<long long> edges = on_device(in.edges, in.num_bins + 1);
  const cuda::Buffer<unsigned char> openers(in.num_first * sites.view().pitch);
  const popcount_tile::GatherRows gather{sites.view(), first.data(), in.num_first, openers.data()};
  cuda::launch("GatherRows", gather.blocks(), gather);

  cuda::Buffer<unsigned long long> sums(2 * in.num_bins), counts(in.num_bins);
  sums.fill(0);
  counts.fill(0);
  const DecayTiles tiles{{openers.data(), in.num_first, sites.view().pitch, nullptr},
                         sites.view(),
                         first.data(),
                         begins.data(),
                         ends.data(),
                         positions.data(),
                         weights.data(),
                         n,
                         edges.data(),
                         in.num_bins,
                         sums.data(),
                         counts.data()};
  cuda::launch("DecayTiles", tiles.blocks(), tiles);
  const cuda::Result<double> found(sum_r2, in.num_bins);
  const FinishDecay finish{sums.data(), in.num_bins, found.data()};
  cuda::launch("FinishDecay", finish.blocks(), finish);
  found.finish();
  counts.copy_to(reinterpret_cast<unsigned long long*>(num_pairs));
  cuda::synchronize();  // `begin` and `end` go now
}

}  // namespace hapforge::joint_counts
