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

constexpr std::size_t kRows = 64;      // sites that open a pair, per task
constexpr std::size_t kColumns = 504;  // partners per tile; 21 register blocks of 3 panels
constexpr std::size_t kParts = 8;      // of a sum

// Sites that open a pair, all in one block of sites.
struct Task {
  std::size_t first, rows;  // of first_index
  std::size_t block;
};

// What a thread works in.
struct Scratch {
  std::vector<std::uint64_t> rows;  // the task's sites as panels
  std::vector<std::uint32_t> n11;   // of a tile
  std::vector<std::int64_t> starts;
  std::vector<std::size_t> bin;  // of each row: the first that does not end before the tile
  std::vector<double> sums;      // kParts of each block and bin
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

std::vector<Task> split(const DecayInput& in) {
  std::vector<Task> tasks;
  std::size_t block = 0;
  for (std::size_t first = 0; first < in.num_first;) {
    while (in.block_end[block] <= in.first_index[first]) ++block;
    std::size_t rows = 1;
    while (rows < kRows && first + rows < in.num_first &&
           in.first_index[first + rows] < in.block_end[block]) {
      ++rows;
    }
    tasks.push_back({first, rows, block});
    first += rows;
  }
  return tasks;
}

// The sites of a task, their words side by side, and where the bins of each start.
class Rows {
 public:
  Rows(const Panels& sites, const DecayInput& in, const Task& task, Scratch& scratch) noexcept
      : in_(in), first_(in.first_index + task.first), scratch_(scratch) {
    const std::size_t words = sites.words();
    for (std::size_t i = 0; i < task.rows; ++i) {
      const bool follows = i != 0 && in.contig_end[first_[i]] == in.contig_end[first_[i - 1]];
      bin_starts(in, index(first_[i]), follows ? starts(i - 1) : nullptr, starts(i));
      const std::uint64_t* from = sites.site(index(first_[i]));
      std::uint64_t* to = scratch.rows.data() + i / kPanel * kPanel * words + i % kPanel;
      for (std::size_t w = 0; w < words; ++w) to[w * kPanel] = from[w * kPanel];
    }
    std::fill(scratch.bin.begin(), scratch.bin.end(), 0);
    std::fill(scratch.sums.begin(), scratch.sums.end(), 0.0);
  }

  std::size_t site(std::size_t i) const noexcept { return index(first_[i]); }
  std::int64_t begin(std::size_t i) const noexcept { return starts(i)[0]; }
  std::int64_t end(std::size_t i) const noexcept { return starts(i)[in_.num_bins]; }
  std::int64_t* starts(std::size_t i) const noexcept {
    return scratch_.starts.data() + i * (in_.num_bins + 1);
  }

 private:
  const DecayInput& in_;
  const std::int64_t* first_;
  Scratch& scratch_;
};

constexpr std::int64_t aligned(std::int64_t site) noexcept {
  return site / static_cast<std::int64_t>(kPanel) * static_cast<std::int64_t>(kPanel);
}

}  // namespace

void ld_decay(const Panels& sites, const DecayInput& in, double* sum, std::int64_t* num_pairs,
              const Kernels& kernels, std::size_t threads) {
  const std::size_t bins = in.num_bins;
  const std::size_t cells = in.num_blocks * bins;
  const auto n = static_cast<double>(sites.num_haplotypes());
  const std::vector<double> carriers = carriers_of(sites, kernels, threads);
  const std::vector<double> weight = inverse_spread(carriers, n);
  const std::vector<Task> tasks = split(in);
  std::vector<double> task_sum(tasks.size() * cells, 0.0);
  std::vector<std::int64_t> task_pairs(tasks.size() * cells, 0);
  std::vector<Scratch> all_scratch(num_slots(tasks.size(), threads));
  for (Scratch& scratch : all_scratch) {
    scratch.rows.resize(kRows * sites.words());
    scratch.n11.resize(kRows * kColumns);
    scratch.starts.resize(kRows * (bins + 1));
    scratch.bin.resize(kRows);
    scratch.sums.resize(cells * kParts);
  }

  parallel_for(tasks.size(), threads, [&](std::size_t number, std::size_t slot) noexcept {
    Scratch& scratch = all_scratch[slot];
    const std::size_t num_rows = tasks[number].rows;
    const Rows rows(sites, in, tasks[number], scratch);
    const std::int64_t last = rows.end(num_rows - 1);
    std::size_t first_panel = 0;  // of rows; those whose partners all lie before the tile are done
    std::size_t block = tasks[number].block;  // of the partners
    std::int64_t to = 0;
    for (std::int64_t tile = rows.begin(0); tile < last; tile = to) {
      while (in.block_end[block] <= tile) ++block;
      to = std::min(
          {aligned(tile) + static_cast<std::int64_t>(kColumns), last, in.block_end[block]});
      while (rows.end(std::min(num_rows, (first_panel + 1) * kPanel) - 1) <= tile) ++first_panel;
      const std::size_t first_row = first_panel * kPanel;
      std::size_t row_end = first_row;
      while (row_end < num_rows && rows.begin(row_end) < to) ++row_end;
      if (row_end == first_row) continue;
      const std::int64_t from = aligned(std::max(tile, rows.begin(first_row)));
      kernels.counts({scratch.rows.data() + first_row * sites.words(),
                      (row_end - first_row + kPanel - 1) / kPanel,
                      sites.panel(index(from) / kPanel), (index(to - from) + kPanel - 1) / kPanel,
                      sites.words(), scratch.n11.data(), kColumns});
      double* sums = scratch.sums.data() + block * bins * kParts;
      std::int64_t* pairs = task_pairs.data() + number * cells + block * bins;
      for (std::size_t i = first_row; i < row_end; ++i) {
        const std::int64_t* starts = rows.starts(i);
        const std::size_t site = rows.site(i);
        const std::uint32_t* n11 = scratch.n11.data() + (i - first_row) * kColumns;
        for (std::size_t& b = scratch.bin[i]; b < bins && starts[b] < to; ++b) {
          const std::int64_t begin = std::max(tile, starts[b]);
          const std::int64_t end = std::min(to, starts[b + 1]);
          if (begin < end) {
            kernels.add_squares(
                {n, carriers[site], weight[site], n11 + (begin - from), carriers.data() + begin,
                 weight.data() + begin, index(end - begin)},
                sums + kParts * b);
            pairs[b] += end - begin;
          }
          if (starts[b + 1] > to) break;  // goes on in the next tile
        }
      }
    }
    for (std::size_t k = 0; k < cells; ++k) {
      const double* part = scratch.sums.data() + k * kParts;
      task_sum[number * cells + k] =
          ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    }
  });

  std::fill(sum, sum + in.num_blocks * cells, 0.0);
  std::fill(num_pairs, num_pairs + in.num_blocks * cells, 0);
  for (std::size_t number = 0; number < tasks.size(); ++number) {
    for (std::size_t k = 0; k < cells; ++k) {
      sum[tasks[number].block * cells + k] += task_sum[number * cells + k];
      num_pairs[tasks[number].block * cells + k] += task_pairs[number * cells + k];
    }
  }
}

}  // namespace hapforge::joint_counts
