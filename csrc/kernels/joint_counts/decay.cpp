// joint_counts: mean r2 by distance, fused: n11 tiles are turned into r2 and binned at once.
//
// Positions ascend within a contig, so the partners of a site that fall into one bin are adjacent,
// and both ends of that run move forward from site to site. A tile therefore concerns an unbroken
// range of the block's rows, and a bin of a row is a plain loop over adjacent counts.
#include <algorithm>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/joint_counts/r_squared.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kRows = 64;      // sites that open a pair, per block
constexpr std::size_t kColumns = 128;  // partners per tile
constexpr std::size_t kLanes = 8;      // fixed, so that the sum is the same on every ISA

struct Run {
  double n;
  double carriers, spread;  // of the first site
  const std::uint32_t* n11;
  const double* partner_carriers;
  const double* partner_spread;
  std::size_t length;
};

double sum_r2(const Run& run) noexcept {
  double lanes[kLanes] = {};
  std::size_t j = 0;
  for (; j + kLanes <= run.length; j += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] +=
          r_squared(run.n, static_cast<std::int32_t>(run.n11[j + lane]), run.carriers,
                    run.partner_carriers[j + lane], run.spread, run.partner_spread[j + lane]);
    }
  }
  for (; j < run.length; ++j) {
    lanes[j % kLanes] += r_squared(run.n, static_cast<std::int32_t>(run.n11[j]), run.carriers,
                                   run.partner_carriers[j], run.spread, run.partner_spread[j]);
  }
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// starts[b] is the first partner of `site` at distance edges[b] or more, b in [0, num_bins].
void bin_starts(const DecayInput& in, std::int64_t site, std::int64_t* starts) noexcept {
  const std::int64_t* begin = in.position + site + 1;
  const std::int64_t* end = in.position + in.contig_end[site];
  for (std::size_t b = 0; b <= in.num_bins; ++b) {
    begin = std::lower_bound(begin, end, in.position[site] + in.edges[b]);
    starts[b] = begin - in.position;
  }
}

}  // namespace

void ld_decay(const DecayInput& in, double* sum, std::int64_t* num_pairs,
              const popcount_tile::Kernels& kernels, std::size_t threads) {
  const std::size_t blocks = (in.first.num_rows + kRows - 1) / kRows;
  const std::size_t bins = in.num_bins;
  const SiteMoments moments = site_moments(in.sites, kernels, threads);
  const auto n = static_cast<double>(in.sites.num_sites);
  std::vector<double> block_sum(blocks * bins, 0.0);
  std::vector<std::int64_t> block_pairs(blocks * bins, 0);
  std::vector<std::int64_t> starts(num_slots(blocks, threads) * kRows * (bins + 1));

  parallel_for(blocks, threads, [&](std::size_t block, std::size_t slot) noexcept {
    std::uint32_t n11[kRows * kColumns];
    std::int64_t* start = starts.data() + slot * kRows * (bins + 1);
    const std::size_t first_row = block * kRows;
    const std::size_t rows = std::min(kRows, in.first.num_rows - first_row);
    for (std::size_t i = 0; i < rows; ++i) {
      bin_starts(in, in.first_index[first_row + i], start + i * (bins + 1));
      for (std::size_t b = 0; b < bins; ++b) {
        block_pairs[block * bins + b] += start[i * (bins + 1) + b + 1] - start[i * (bins + 1) + b];
      }
    }
    const auto reach_begin = [&](std::size_t i) { return start[i * (bins + 1)]; };
    const auto reach_end = [&](std::size_t i) { return start[i * (bins + 1) + bins]; };

    std::size_t row_begin = 0;  // rows whose partners all lie before the tile are done with
    for (std::int64_t tile = reach_begin(0); tile < reach_end(rows - 1);) {
      while (reach_end(row_begin) <= tile) ++row_begin;
      tile = std::max(tile, reach_begin(row_begin));
      const std::int64_t tile_end =
          std::min(tile + static_cast<std::int64_t>(kColumns), reach_end(rows - 1));
      std::size_t row_end = row_begin;
      while (row_end < rows && reach_begin(row_end) < tile_end) ++row_end;
      const auto column = static_cast<std::size_t>(tile);
      kernels.intersections({in.first.row(first_row + row_begin), row_end - row_begin,
                             in.sites.row(column), static_cast<std::size_t>(tile_end - tile),
                             in.sites.words_per_row, n11, kColumns});
      for (std::size_t i = row_begin; i < row_end; ++i) {
        const auto site = static_cast<std::size_t>(in.first_index[first_row + i]);
        for (std::size_t b = 0; b < bins; ++b) {
          const std::int64_t begin = std::max(tile, start[i * (bins + 1) + b]);
          const std::int64_t end = std::min(tile_end, start[i * (bins + 1) + b + 1]);
          if (begin >= end) continue;
          const auto offset = static_cast<std::size_t>(begin - tile);
          block_sum[block * bins + b] += sum_r2(
              {n, moments.carriers[site], moments.spread[site],
               n11 + (i - row_begin) * kColumns + offset, moments.carriers.data() + column + offset,
               moments.spread.data() + column + offset, static_cast<std::size_t>(end - begin)});
        }
      }
      tile = tile_end;
    }
  });

  std::fill(sum, sum + bins, 0.0);
  std::fill(num_pairs, num_pairs + bins, 0);
  for (std::size_t k = 0; k < blocks * bins; ++k) {
    sum[k % bins] += block_sum[k];
    num_pairs[k % bins] += block_pairs[k];
  }
}

}  // namespace hapforge::joint_counts
