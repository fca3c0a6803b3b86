#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/joint_counts_arguments.h"
#include "bindings/register.h"
#include "kernels/joint_counts/kernel.h"

namespace hapforge {
namespace {

using joint_counts::Panels;
using joint_counts::Statistic;

Panels panels_of(const BitMatrixView& haplotypes, const std::string& backend, std::size_t threads) {
  return Panels::of_haplotypes(haplotypes, find_backend(pack::implementations(), backend), threads);
}

// `words` has a row per haplotype.
Array<std::int64_t> bind_joint_counts(const Array<std::uint64_t>& words, std::size_t num_sites,
                                      const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const auto& kernels = find_backend(joint_counts::implementations(), backend);
  auto n11 = empty<std::int64_t>(num_sites, num_sites);
  std::int64_t* out = n11.mutable_data();
  const py::gil_scoped_release unlocked;
  joint_counts::matrix(panels_of(view, backend, threads), out, kernels, threads);
  return n11;
}

// `sites` has a row per site.
Array<std::int64_t> bind_joint_counts_of_pairs(const Array<std::uint64_t>& sites,
                                               std::size_t num_haplotypes,
                                               const Array<std::int64_t>& pairs,
                                               const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(sites, num_haplotypes, "sites");
  const auto& kernels = find_backend(popcount_tile::implementations(), backend);
  const std::int64_t* pair_data = index_table(pairs, 2, view.num_rows, "pairs");
  const std::size_t num_pairs = extent(pairs, 0);
  auto n11 = empty<std::int64_t>(num_pairs);
  std::int64_t* out = n11.mutable_data();
  const py::gil_scoped_release unlocked;
  joint_counts::pairs(view, pair_data, num_pairs, out, kernels, threads);
  return n11;
}

Array<float> bind_ld_matrix(const Array<std::uint64_t>& words, std::size_t num_sites,
                            const std::string& statistic, const std::string& backend,
                            std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const auto& kernels = find_backend(joint_counts::implementations(), backend);
  const Statistic which = joint_counts::statistic_of(statistic);
  auto values = empty<float>(num_sites, num_sites);
  float* out = values.mutable_data();
  const py::gil_scoped_release unlocked;
  joint_counts::ld_matrix(panels_of(view, backend, threads), which, out, kernels, threads);
  return values;
}

py::tuple bind_ld_decay(const Array<std::uint64_t>& words, std::size_t num_sites,
                        const Array<std::int64_t>& position, const Array<std::int64_t>& contig_end,
                        const Array<std::int64_t>& first_index, const Array<std::int64_t>& edges,
                        const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const auto& kernels = find_backend(joint_counts::implementations(), backend);
  const auto pairs =
      joint_counts::binned_pairs(position, contig_end, first_index, edges, num_sites);
  auto sum_r2 = empty<double>(pairs.num_bins);
  auto num_pairs = empty<std::int64_t>(pairs.num_bins);
  double* out_sum = sum_r2.mutable_data();
  std::int64_t* out_pairs = num_pairs.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    joint_counts::ld_decay(panels_of(view, backend, threads), pairs, out_sum, out_pairs, kernels,
                           threads);
  }
  return py::make_tuple(sum_r2, num_pairs);
}

std::size_t checked_ends(const Array<std::int64_t>& ends, std::size_t num_sites, const char* name) {
  const std::int64_t* end = checked_data(ends, 1, name);
  const std::size_t size = extent(ends, 0);
  if (size == 0 || end[0] < 0 || !std::is_sorted(end, end + size) ||
      end[size - 1] != static_cast<std::int64_t>(num_sites)) {
    throw py::value_error(std::string(name) +
                          ": expected ascending ends, the last the number of sites");
  }
  return size;
}

// `a` and `b` have a row per haplotype.
py::tuple bind_compare_ld(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                          std::size_t num_sites, const Array<std::int64_t>& position,
                          const Array<std::int64_t>& contig_end,
                          const Array<std::int64_t>& first_index, const Array<std::int64_t>& edges,
                          const Array<std::int64_t>& block_end, const Array<std::int64_t>& cell_end,
                          const std::string& backend, std::size_t threads) {
  const BitMatrixView view_a = view_of(a, num_sites, "a");
  const BitMatrixView view_b = view_of(b, num_sites, "b");
  const auto& kernels = find_backend(joint_counts::implementations(), backend);
  const auto pairs =
      joint_counts::binned_pairs(position, contig_end, first_index, edges, num_sites);
  const joint_counts::Partition partition{
      block_end.data(), checked_ends(block_end, num_sites, "block_end"), cell_end.data(),
      checked_ends(cell_end, num_sites, "cell_end")};
  const auto ends_a_cell = [&](std::int64_t end) {
    return std::binary_search(cell_end.data(), cell_end.data() + cell_end.size(), end);
  };
  if (!std::all_of(block_end.data(), block_end.data() + block_end.size(), ends_a_cell)) {
    throw py::value_error("cell_end: expected every end of a block among them");
  }
  const auto blocks = static_cast<py::ssize_t>(partition.num_blocks);
  const auto cells = static_cast<py::ssize_t>(partition.num_cells);
  const auto bins = static_cast<py::ssize_t>(pairs.num_bins);
  Array<double> moments({blocks, blocks, bins, static_cast<py::ssize_t>(joint_counts::kMoments)});
  Array<std::int64_t> num_pairs({blocks, blocks, bins});
  Array<double> cell_sums({cells, cells, py::ssize_t{2}});
  Array<std::int64_t> cell_pairs({cells, cells});
  const joint_counts::MomentSums out{moments.mutable_data(), num_pairs.mutable_data(),
                                     cell_sums.mutable_data(), cell_pairs.mutable_data()};
  {
    const py::gil_scoped_release unlocked;
    joint_counts::compare_ld(panels_of(view_a, backend, threads),
                             panels_of(view_b, backend, threads), pairs, partition, out, kernels,
                             threads);
  }
  return py::make_tuple(moments, num_pairs, cell_sums, cell_pairs);
}

}  // namespace

void register_joint_counts(py::module_& m) {
  m.def("joint_counts", &bind_joint_counts, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("backend"), py::arg("threads"));
  m.def("joint_counts_of_pairs", &bind_joint_counts_of_pairs, py::arg("sites").noconvert(),
        py::arg("num_haplotypes"), py::arg("pairs").noconvert(), py::arg("backend"),
        py::arg("threads"));
  m.def("ld_matrix", &bind_ld_matrix, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("statistic"), py::arg("backend"), py::arg("threads"));
  m.def("ld_decay", &bind_ld_decay, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("position").noconvert(), py::arg("contig_end").noconvert(),
        py::arg("first_index").noconvert(), py::arg("edges").noconvert(), py::arg("backend"),
        py::arg("threads"));
  m.def("compare_ld", &bind_compare_ld, py::arg("a").noconvert(), py::arg("b").noconvert(),
        py::arg("num_sites"), py::arg("position").noconvert(), py::arg("contig_end").noconvert(),
        py::arg("first_index").noconvert(), py::arg("edges").noconvert(),
        py::arg("block_end").noconvert(), py::arg("cell_end").noconvert(), py::arg("backend"),
        py::arg("threads"));
}

}  // namespace hapforge
