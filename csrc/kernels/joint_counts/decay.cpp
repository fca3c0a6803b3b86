// joint_counts: mean r2 by distance, fused: n11 tiles are turned into r2 and binned at once.
//
// Positions ascend within a contig, so the partners of a site that fall into one bin are adjacent,
// and both ends of that run move forward from site to site and from tile to tile: nothing is
// searched for, and a bin of a row is a plain loop over adjacent counts.
#include <algorithm>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/joint_counts/moments.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kRows = 64;      // sites that open a pair, per block
constexpr std::size_t kColumns = 504;  // partners per tile; 21 register blocks of 3 panels
constexpr std::size_t kParts = 8;      // of a sum

// What a thread works in.
struct Scratch {
  std::vector<std::uint64_t> rows;  // the block's sites as panels
  std::vector<std::uint32_t> n11;   // of a tile
  std::vector<std::int64_t> starts;
  std::vector<std::size_t> bin;  // of each row: the first that does not end before the tile
};

std::size_t index(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

// starts[b] is the first partner of `site` at distance edges[b] or more, b in [0, num_bins].
// `before` are those of an earlier site of the same contig, or null.
void bin_starts(const DecayInput& in, std::size_t site, const std::int64_t* before,
                std::int64_t* starts) noexcept {
  const std::int64_t end = in.contig_end[site];
  std::int64_t at = static_cast<std::int64_t>(site) + 1;
  for (std::size_t b = 0; b <= in.num_bins; ++b) {
    const std::int64_t position = in.position[site] + in.edges[b];
    if (before == nullptr) {
      at = std::lower_bound(in.position + at, in.position + end, position) - in.position;
    } else {
      at = std::max(at, before[b]);
      while (at < end && in.position[at] < position) ++at;
    }
    starts[b] = at;
  }
}

class Block {
 public:
  Block(const Panels& sites, const DecayInput& in, std::size_t number, Scratch& scratch) noexcept
      : in_(in),
        first_(in.first_index + number * kRows),
        rows_(std::min(kRows, in.num_first - number * kRows)),
        scratch_(scratch) {
    const std::size_t words = sites.words();
    for (std::size_t i = 0; i < rows_; ++i) {
      const bool follows = i != 0 && in.contig_end[first_[i]] == in.contig_end[first_[i - 1]];
      bin_starts(in, index(first_[i]), follows ? starts(i - 1) : nullptr, starts(i));
      const std::uint64_t* from = sites.site(index(first_[i]));
      std::uint64_t* to = scratch.rows.data() + i / kPanel * kPanel * words + i % kPanel;
      for (std::size_t w = 0; w < words; ++w) to[w * kPanel] = from[w * kPanel];
    }
    std::fill(scratch.bin.begin(), scratch.bin.end(), 0);
  }

  std::size_t num_rows() const noexcept { return rows_; }
  std::int64_t site(std::size_t i) const noexcept { return first_[i]; }
  std::int64_t begin(std::size_t i) const noexcept { return starts(i)[0]; }
  std::int64_t end(std::size_t i) const noexcept { return starts(i)[in_.num_bins]; }
  std::int64_t* starts(std::size_t i) const noexcept {
    return scratch_.starts.data() + i * (in_.num_bins + 1);
  }

 private:
  const DecayInput& in_;
  const std::int64_t* first_;
  std::size_t rows_;
  Scratch& scratch_;
};

}  // namespace

void ld_decay(const Panels& sites, const DecayInput& in, double* sum, std::int64_t* num_pairs,
              const Kernels& kernels, std::size_t threads) {
  const std::size_t blocks = (in.num_first + kRows - 1) / kRows;
  const std::size_t bins = in.num_bins;
  const auto n = static_cast<double>(sites.num_haplotypes());
  const std::vector<double> carriers = carriers_of(sites, kernels, threads);
  const std::vector<double> weight = inverse_spread(carriers, n);
  std::vector<double> block_sum(blocks * bins * kParts, 0.0);
  std::vector<std::int64_t> block_pairs(blocks * bins, 0);
  std::vector<Scratch> all_scratch(num_slots(blocks, threads));
  for (Scratch& scratch : all_scratch) {
    scratch.rows.resize(kRows * sites.words());
    scratch.n11.resize(kRows * kColumns);
    scratch.starts.resize(kRows * (bins + 1));
    scratch.bin.resize(kRows);
  }

  parallel_for(blocks, threads, [&](std::size_t number, std::size_t slot) noexcept {
    Scratch& scratch = all_scratch[slot];
    const Block block(sites, in, number, scratch);
    double* sums = block_sum.data() + number * bins * kParts;
    const std::size_t rows = block.num_rows();
    for (std::size_t i = 0; i < rows; ++i) {
      const std::int64_t* starts = block.starts(i);
      for (std::size_t b = 0; b < bins; ++b) {
        block_pairs[number * bins + b] += starts[b + 1] - starts[b];
      }
    }

    constexpr auto kStep = static_cast<std::int64_t>(kColumns);
    constexpr auto kAlign = static_cast<std::int64_t>(kPanel);
    const std::int64_t last = block.end(rows - 1);
    std::size_t first_panel = 0;  // of rows; those whose partners all lie before the tile are done
    for (std::int64_t tile = block.begin(0) / kAlign * kAlign; tile < last; tile += kStep) {
      while (block.end(std::min(rows, (first_panel + 1) * kPanel) - 1) <= tile) ++first_panel;
      const std::int64_t from = std::max(tile, block.begin(first_panel * kPanel) / kAlign * kAlign);
      const std::int64_t to = std::min(tile + kStep, last);
      std::size_t row_end = first_panel * kPanel;
      while (row_end < rows && block.begin(row_end) < to) ++row_end;
      if (row_end == first_panel * kPanel) continue;
      kernels.counts({scratch.rows.data() + first_panel * kPanel * sites.words(),
                      (row_end + kPanel - 1) / kPanel - first_panel,
                      sites.panel(index(from) / kPanel), (index(to - from) + kPanel - 1) / kPanel,
                      sites.words(), scratch.n11.data(), kColumns});
      for (std::size_t i = first_panel * kPanel; i < row_end; ++i) {
        const std::int64_t* starts = block.starts(i);
        const std::size_t site = index(block.site(i));
        const std::uint32_t* n11 = scratch.n11.data() + (i - first_panel * kPanel) * kColumns;
        for (std::size_t& b = scratch.bin[i]; b < bins && starts[b] < to; ++b) {
          const std::int64_t begin = std::max(from, starts[b]);
          const std::int64_t end = std::min(to, starts[b + 1]);
          if (begin < end) {
            kernels.add_squares(
                {n, carriers[site], weight[site], n11 + (begin - from), carriers.data() + begin,
                 weight.data() + begin, index(end - begin)},
                sums + kParts * b);
          }
          if (starts[b + 1] > to) break;  // goes on in the next tile
        }
      }
    }
  });

  std::fill(sum, sum + bins, 0.0);
  std::fill(num_pairs, num_pairs + bins, 0);
  for (std::size_t k = 0; k < blocks * bins; ++k) {
    const double* part = block_sum.data() + k * kParts;
    sum[k % bins] +=
        ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    num_pairs[k % bins] += block_pairs[k];
  }
}

}  // namespace hapforge::joint_counts
