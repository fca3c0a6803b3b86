// What both modules check of joint_counts' arguments.
#pragma once

#include <string>

#include "bindings/arrays.h"
#include "kernels/joint_counts/arguments.h"

namespace hapforge::joint_counts {

inline Statistic statistic_of(const std::string& name) {
  if (name == "r2") return Statistic::r2;
  if (name == "r") return Statistic::r;
  if (name == "D") return Statistic::d;
  if (name == "D_prime") return Statistic::d_prime;
  throw py::value_error("statistic: expected r2, r, D or D_prime, found '" + name + "'");
}

// The order that ld_decay relies on; without it a bin would be no run of adjacent sites.
inline void check_decay_order(const Array<std::int64_t>& position,
                              const Array<std::int64_t>& contig_end,
                              const Array<std::int64_t>& first_index,
                              const Array<std::int64_t>& edges) {
  const std::int64_t* pos = position.data();
  const std::int64_t* end = contig_end.data();
  const py::ssize_t size = position.size();
  for (py::ssize_t i = 0; i < size; ++i) {
    const bool last = end[i] == i + 1;
    if (end[i] <= i || end[i] > size || (!last && (end[i + 1] != end[i] || pos[i + 1] < pos[i]))) {
      throw py::value_error("position, contig_end: expected ascending positions in whole contigs");
    }
  }
  check_indices(first_index, static_cast<std::size_t>(size), "first_index");
  for (py::ssize_t i = 1; i < first_index.size(); ++i) {
    if (first_index.data()[i] <= first_index.data()[i - 1]) {
      throw py::value_error("first_index: expected strictly ascending rows");
    }
  }
  for (py::ssize_t b = 0; b + 1 < edges.size(); ++b) {
    if (edges.data()[b] < 0 || edges.data()[b + 1] <= edges.data()[b]) {
      throw py::value_error("edges: expected strictly ascending distances from 0 up");
    }
  }
}

inline BinnedPairs binned_pairs(const Array<std::int64_t>& position,
                                const Array<std::int64_t>& contig_end,
                                const Array<std::int64_t>& first_index,
                                const Array<std::int64_t>& edges, std::size_t num_sites) {
  const BinnedPairs pairs{checked_data(position, 1, "position"),
                          checked_data(contig_end, 1, "contig_end"),
                          checked_data(first_index, 1, "first_index"),
                          extent(first_index, 0),
                          checked_data(edges, 1, "edges"),
                          extent(edges, 0) - 1};
  if (extent(position, 0) != num_sites || extent(contig_end, 0) != num_sites ||
      extent(edges, 0) < 2) {
    throw py::value_error("expected one position and contig end per site and at least two edges");
  }
  check_indices(first_index, num_sites, "first_index");
  check_decay_order(position, contig_end, first_index, edges);
  return pairs;
}

}  // namespace hapforge::joint_counts
