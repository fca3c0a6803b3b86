// joint_counts: r2 by distance, fused: n11 tiles are turned into r2 and binned at once, of one
// cohort or of the same pairs in two.
//
// Positions ascend within a contig, so the partners of a site that fall into one bin are adjacent,
// and both ends of that run move forward from site to site and from tile to tile: nothing is
// searched for, and a bin of a row is a plain loop over adjacent counts.
#include <algorithm>
#include <array>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/joint_counts/moments.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kRows = 64;      // sites that open a pair, per task
constexpr std::size_t kColumns = 504;  // partners per tile; 21 register blocks of 3 panels
constexpr std::size_t kParts = 8;      // of a sum

// Sites that open a pair, all in one cell.
struct Task {
  std::size_t first, rows;  // of first_index
  std::size_t block, cell;
};

// A cohort and what r2 needs to know of its sites.
struct Cohort {
  Cohort(const Panels& panels, const Kernels& kernels, std::size_t threads)
      : sites(panels),
        n(static_cast<double>(panels.num_haplotypes())),
        carriers(carriers_of(panels, kernels, threads)),
        weight(inverse_spread(carriers, n)) {}

  const Panels& sites;
  double n;
  std::vector<double> carriers, weight;
};

// What a thread works in.
struct Scratch {
  std::array<std::vector<std::uint64_t>, 2> rows;  // the task's sites as panels, by cohort
  std::array<std::vector<std::uint32_t>, 2> n11;   // of a tile, by cohort
  std::vector<std::int64_t> starts;
  std::vector<std::size_t> bin;  // of each row: the first that does not end before the tile
  std::vector<double> sums;      // of the partners in one cell: kParts of each sum of each bin
  std::vector<std::int64_t> pairs;
};

std::size_t index(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

// starts[b] is the first partner of `site` at distance edges[b] or more, b in [0, num_bins].
// `before` are those of an earlier site of the same contig, or null.
void bin_starts(const BinnedPairs& in, std::size_t site, const std::int64_t* before,
                std::int64_t* starts) noexcept {
  const std::int64_t end = in.contig_end[site];
  std::int64_t at = static_cast<std::int64_t>(site) + 1;
  for (std::size_t b = 0; b <= in.num_bins; ++b) {
    const auto nearer = [&](std::int64_t position) {  // a sum could overflow
      return position - in.position[site] < in.edges[b];
    };
    if (before == nullptr) {
      at = std::partition_point(in.position + at, in.position + end, nearer) - in.position;
    } else {
      at = std::max(at, before[b]);
      while (at < end && nearer(in.position[at])) ++at;
    }
    starts[b] = at;
  }
}

std::vector<Task> split(const BinnedPairs& in, const Partition& partition) {
  std::vector<Task> tasks;
  std::size_t block = 0;
  std::size_t cell = 0;
  for (std::size_t first = 0; first < in.num_first;) {
    while (partition.block_end[block] <= in.first_index[first]) ++block;
    while (partition.cell_end[cell] <= in.first_index[first]) ++cell;
    std::size_t rows = 1;
    while (rows < kRows && first + rows < in.num_first &&
           in.first_index[first + rows] < partition.cell_end[cell]) {
      ++rows;
    }
    tasks.push_back({first, rows, block, cell});
    first += rows;
  }
  return tasks;
}

// The sites of a task, their words side by side, and where the bins of each start.
class Rows {
 public:
  Rows(const BinnedPairs& in, const Task& task, Scratch& scratch) noexcept
      : in_(in), first_(in.first_index + task.first), num_rows_(task.rows), scratch_(scratch) {
    for (std::size_t i = 0; i < num_rows_; ++i) {
      const bool follows = i != 0 && in.contig_end[first_[i]] == in.contig_end[first_[i - 1]];
      bin_starts(in, index(first_[i]), follows ? starts(i - 1) : nullptr, starts(i));
    }
    std::fill(scratch.bin.begin(), scratch.bin.end(), 0);
  }

  void copy(const Panels& sites, std::vector<std::uint64_t>& rows) const noexcept {
    const std::size_t words = sites.words();
    for (std::size_t i = 0; i < num_rows_; ++i) {
      const std::uint64_t* from = sites.site(index(first_[i]));
      std::uint64_t* to = rows.data() + i / kPanel * kPanel * words + i % kPanel;
      for (std::size_t w = 0; w < words; ++w) to[w * kPanel] = from[w * kPanel];
    }
  }

  std::size_t site(std::size_t i) const noexcept { return index(first_[i]); }
  std::int64_t begin(std::size_t i) const noexcept { return starts(i)[0]; }
  std::int64_t end(std::size_t i) const noexcept { return starts(i)[in_.num_bins]; }
  std::int64_t* starts(std::size_t i) const noexcept {
    return scratch_.starts.data() + i * (in_.num_bins + 1);
  }

 private:
  const BinnedPairs& in_;
  const std::int64_t* first_;
  std::size_t num_rows_;
  Scratch& scratch_;
};

constexpr std::int64_t aligned(std::int64_t site) noexcept {
  return site / static_cast<std::int64_t>(kPanel) * static_cast<std::int64_t>(kPanel);
}

// Sums by distance bin, block and cell: of r2 alone in one cohort, kMoments in two.
template <std::size_t kCohorts>
void add_up(const std::array<const Panels*, kCohorts>& panels, const BinnedPairs& in,
            const Partition& partition, const MomentSums& out, const Kernels& kernels,
            std::size_t threads) {
  constexpr std::size_t kSums = kCohorts == 1 ? 1 : kMoments;
  const std::size_t bins = in.num_bins;
  const std::size_t row_of_bins = partition.num_blocks * bins;
  const std::size_t cells = partition.num_cells;
  std::vector<Cohort> cohorts;
  for (const Panels* one : panels) cohorts.emplace_back(*one, kernels, threads);
  const std::vector<Task> tasks = split(in, partition);
  std::vector<double> task_sums(tasks.size() * row_of_bins * kSums, 0.0);
  std::vector<std::int64_t> task_pairs(tasks.size() * row_of_bins, 0);
  std::vector<double> task_cell_sums(tasks.size() * cells * kCohorts, 0.0);
  std::vector<std::int64_t> task_cell_pairs(tasks.size() * cells, 0);
  std::vector<Scratch> all_scratch(num_slots(tasks.size(), threads));
  for (Scratch& scratch : all_scratch) {
    for (std::size_t c = 0; c < kCohorts; ++c) {
      scratch.rows[c].resize(kRows * panels[c]->words());
      scratch.n11[c].resize(kRows * kColumns);
    }
    scratch.starts.resize(kRows * (bins + 1));
    scratch.bin.resize(kRows);
    scratch.sums.resize(bins * kSums * kParts);
    scratch.pairs.resize(bins);
  }

  parallel_for(tasks.size(), threads, [&](std::size_t number, std::size_t slot) noexcept {
    Scratch& scratch = all_scratch[slot];
    const std::size_t num_rows = tasks[number].rows;
    const Rows rows(in, tasks[number], scratch);
    for (std::size_t c = 0; c < kCohorts; ++c) rows.copy(cohorts[c].sites, scratch.rows[c]);
    const std::int64_t last = rows.end(num_rows - 1);
    std::size_t first_panel = 0;  // of rows; those whose partners all lie before the tile are done
    std::size_t block = tasks[number].block;  // of the partners
    std::size_t cell = tasks[number].cell;

    const auto start_cell = [&]() noexcept {
      std::fill(scratch.sums.begin(), scratch.sums.end(), 0.0);
      std::fill(scratch.pairs.begin(), scratch.pairs.end(), 0);
    };
    const auto finish_cell = [&]() noexcept {
      double* cell_sums = task_cell_sums.data() + (number * cells + cell) * kCohorts;
      for (std::size_t b = 0; b < bins; ++b) {
        if (scratch.pairs[b] == 0) continue;
        const std::size_t at = number * row_of_bins + block * bins + b;
        task_pairs[at] += scratch.pairs[b];
        task_cell_pairs[number * cells + cell] += scratch.pairs[b];
        for (std::size_t s = 0; s < kSums; ++s) {
          const double* part = scratch.sums.data() + (b * kSums + s) * kParts;
          const double sum = ((part[0] + part[1]) + (part[2] + part[3])) +
                             ((part[4] + part[5]) + (part[6] + part[7]));
          task_sums[at * kSums + s] += sum;
          if (s < kCohorts) cell_sums[s] += sum;
        }
      }
    };

    start_cell();
    std::int64_t to = 0;
    for (std::int64_t tile = rows.begin(0); tile < last; tile = to) {
      if (partition.cell_end[cell] <= tile) {
        finish_cell();
        while (partition.cell_end[cell] <= tile) ++cell;
        while (partition.block_end[block] <= tile) ++block;
        start_cell();
      }
      to = std::min(
          {aligned(tile) + static_cast<std::int64_t>(kColumns), last, partition.cell_end[cell]});
      while (rows.end(std::min(num_rows, (first_panel + 1) * kPanel) - 1) <= tile) ++first_panel;
      const std::size_t first_row = first_panel * kPanel;
      std::size_t row_end = first_row;
      while (row_end < num_rows && rows.begin(row_end) < to) ++row_end;
      if (row_end == first_row) continue;
      const std::int64_t from = aligned(std::max(tile, rows.begin(first_row)));
      for (std::size_t c = 0; c < kCohorts; ++c) {
        const Panels& sites = cohorts[c].sites;
        kernels.counts({scratch.rows[c].data() + first_row * sites.words(),
                        (row_end - first_row + kPanel - 1) / kPanel,
                        sites.panel(index(from) / kPanel), (index(to - from) + kPanel - 1) / kPanel,
                        sites.words(), scratch.n11[c].data(), kColumns});
      }
      for (std::size_t i = first_row; i < row_end; ++i) {
        const std::int64_t* starts = rows.starts(i);
        for (std::size_t& b = scratch.bin[i]; b < bins && starts[b] < to; ++b) {
          const std::int64_t begin = std::max(tile, starts[b]);
          const std::int64_t end = std::min(to, starts[b + 1]);
          if (begin < end) {
            const auto run = [&](std::size_t c) noexcept {
              const Cohort& cohort = cohorts[c];
              return Run{cohort.n,
                         cohort.carriers[rows.site(i)],
                         cohort.weight[rows.site(i)],
                         scratch.n11[c].data() + (i - first_row) * kColumns + index(begin - from),
                         cohort.carriers.data() + begin,
                         cohort.weight.data() + begin,
                         index(end - begin)};
            };
            double* sums = scratch.sums.data() + b * kSums * kParts;
            if constexpr (kCohorts == 1) {
              kernels.add_squares(run(0), sums);
            } else {
              kernels.add_moments(run(0), run(1), sums);
            }
            scratch.pairs[b] += end - begin;
          }
          if (starts[b + 1] > to) break;  // goes on in the next tile
        }
      }
    }
    finish_cell();
  });

  // Adds a row of each task to that of its block or cell.
  const auto gather = [&](const auto& rows, std::size_t num_rows, std::size_t length,
                          std::size_t Task::* where, auto* to) {
    std::fill(to, to + num_rows * length, 0);
    for (std::size_t number = 0; number < tasks.size(); ++number) {
      auto* line = to + tasks[number].*where * length;
      for (std::size_t k = 0; k < length; ++k) line[k] += rows[number * length + k];
    }
  };
  gather(task_sums, partition.num_blocks, row_of_bins * kSums, &Task::block, out.moments);
  gather(task_pairs, partition.num_blocks, row_of_bins, &Task::block, out.num_pairs);
  gather(task_cell_sums, cells, cells * kCohorts, &Task::cell, out.cell_sums);
  gather(task_cell_pairs, cells, cells, &Task::cell, out.cell_pairs);
}

}  // namespace

void ld_decay(const Panels& sites, const BinnedPairs& pairs, double* sum_r2,
              std::int64_t* num_pairs, const Kernels& kernels, std::size_t threads) {
  const auto end = static_cast<std::int64_t>(sites.num_sites());
  double all_r2 = 0;
  std::int64_t all_pairs = 0;
  add_up<1>({&sites}, pairs, {&end, 1, &end, 1}, {sum_r2, num_pairs, &all_r2, &all_pairs}, kernels,
            threads);
}

void compare_ld(const Panels& a, const Panels& b, const BinnedPairs& pairs,
                const Partition& partition, const MomentSums& out, const Kernels& kernels,
                std::size_t threads) {
  add_up<2>({&a, &b}, pairs, partition, out, kernels, threads);
}

}  // namespace hapforge::joint_counts
