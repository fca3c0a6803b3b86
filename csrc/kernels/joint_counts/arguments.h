// What joint_counts is asked for, on the CPU and on a device.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hapforge::joint_counts {

enum class Statistic { r2, r, d, d_prime };

// The pairs (i, j) of sites that are binned by distance: i in first_index, j > i on the same
// contig. Sites of a contig are adjacent, positions ascending there.
struct BinnedPairs {
  const std::int64_t* position;     // per site
  const std::int64_t* contig_end;   // per site: one past the last site of its contig
  const std::int64_t* first_index;  // sites that open a pair, ascending
  std::size_t num_first;
  const std::int64_t* edges;  // num_bins + 1, strictly ascending; bin b is [edges[b], edges[b + 1])
  std::size_t num_bins;
};

}  // namespace hapforge::joint_counts
