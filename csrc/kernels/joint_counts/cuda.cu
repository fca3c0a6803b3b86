// joint_counts on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/joint_counts/cuda.cuh"

#include <algorithm>
#include <cmath>
#include <limits>
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

// 1 / (c (n - c)) of each site, NaN where it is monomorphic.
std::vector<double> inverse_spread(const Rows& sites, double n) {
  const std::vector<std::uint32_t> carriers = sites.num_set();
  std::vector<double> weight(carriers.size());
  for (std::size_t i = 0; i < weight.size(); ++i) {
    const double c = carriers[i];
    const double spread = c * (n - c);
    weight[i] = spread > 0 ? 1 / spread : std::numeric_limits<double>::quiet_NaN();
  }
  return weight;
}

}  // namespace

void matrix_cuda(const BitMatrixView& haplotypes, std::int64_t* n11) {
  const Rows sites = Rows::transposed(haplotypes);
  const cuda::Buffer<long long> found(haplotypes.num_sites * haplotypes.num_sites);
  const JointTiles tiles{sites.view(), found.data()};
  cuda::launch("JointTiles", tiles.blocks(), tiles);
  found.copy_to_host(reinterpret_cast<long long*>(n11));
}

void pairs_cuda(const BitMatrixView& sites, const std::int64_t* pairs, std::size_t num_pairs,
                std::int64_t* n11) {
  const Rows rows(sites);
  const cuda::Buffer<long long> wanted = on_device(pairs, 2 * num_pairs);
  const cuda::Buffer<long long> found(num_pairs);
  const JointPairs joint{rows.view(), wanted.data(), num_pairs, found.data()};
  cuda::launch("JointPairs", joint.blocks(), joint);
  found.copy_to_host(reinterpret_cast<long long*>(n11));
}

void ld_matrix_cuda(const BitMatrixView& haplotypes, Statistic statistic, float* out) {
  const auto n = static_cast<double>(haplotypes.num_rows);
  const Rows sites = Rows::transposed(haplotypes);
  std::vector<double> weight = inverse_spread(sites, n);
  if (statistic == Statistic::r) {
    for (double& one : weight) one = std::sqrt(one);
  } else if (statistic == Statistic::d) {
    for (double& one : weight) one = std::isnan(one) ? one : 1 / n;
  }
  const cuda::Buffer<double> weights(weight.data(), weight.size());
  const cuda::Buffer<float> found(haplotypes.num_sites * haplotypes.num_sites);
  const LdTiles tiles{sites.view(), statistic, n, weights.data(), found.data()};
  cuda::launch("LdTiles", tiles.blocks(), tiles);
  found.copy_to_host(out);
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
  const std::vector<double> weight = inverse_spread(sites, n);
  const cuda::Buffer<double> weights(weight.data(), num_sites);
  const cuda::Buffer<long long> first = on_device(in.first_index, in.num_first);
  const cuda::Buffer<long long> begins(begin.data(), in.num_first), ends(end.data(), in.num_first);
  const cuda::Buffer<long long> positions = on_device(in.position, num_sites);
  const cuda::Buffer<long long> edges = on_device(in.edges, in.num_bins + 1);
  const cuda::Buffer<unsigned char> openers(in.num_first * sites.view().pitch);
  const GatherRows gather{sites.view(), first.data(), in.num_first, openers.data()};
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
  std::vector<unsigned long long> host(2 * in.num_bins);
  sums.copy_to_host(host.data());
  for (std::size_t b = 0; b < in.num_bins; ++b) {
    const auto low = static_cast<double>(host[2 * b]), high = static_cast<double>(host[2 * b + 1]);
    sum_r2[b] = (high * 4294967296.0 + low) * DecayTiles::kUnit;
  }
  counts.copy_to_host(reinterpret_cast<unsigned long long*>(num_pairs));
}

}  // namespace hapforge::joint_counts
