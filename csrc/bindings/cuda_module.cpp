// hapforge._cuda: a map of the module. It is importable without a driver; only calls need one.
#include <pybind11/stl.h>

#include <optional>

#include "bindings/arrays.h"
#include "bindings/joint_counts_arguments.h"
#include "bindings/neighbour_lists.h"
#include "core/cuda_device.h"
#include "kernels/allele_counts/cuda.h"
#include "kernels/hamming/cuda.h"
#include "kernels/joint_counts/cuda.h"
#include "kernels/nearest_neighbours/cuda.h"
#include "kernels/three_point/cuda.h"
#include "kernels/three_point/formula.h"

namespace hapforge {
namespace {

Array<std::int64_t> bind_allele_counts(const Array<std::uint64_t>& words, std::size_t num_sites) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  auto counts = empty<std::int64_t>(num_sites);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  allele_counts::count_cuda(view, out);
  return counts;
}

py::tuple bind_nearest_neighbours(const Array<std::uint64_t>& queries,
                                  const Array<std::uint64_t>& targets, std::size_t num_sites,
                                  std::size_t k, bool exclude_self) {
  const BitMatrixView from = view_of(queries, num_sites, "queries");
  const BitMatrixView to = view_of(targets, num_sites, "targets");
  nearest_neighbours::Found found(from.num_rows, k);
  const nearest_neighbours::Lists out = found.lists(k);
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::search_cuda(from, to, exclude_self, out);
  }
  return found.tuple();
}

Array<std::uint32_t> bind_pairwise_hamming(const Array<std::uint64_t>& a,
                                           const Array<std::uint64_t>& b, std::size_t num_sites) {
  const BitMatrixView view_a = view_of(a, num_sites, "a");
  const BitMatrixView view_b = view_of(b, num_sites, "b");
  auto distance = empty<std::uint32_t>(view_a.num_rows, view_b.num_rows);
  std::uint32_t* out = distance.mutable_data();
  const py::gil_scoped_release unlocked;
  hamming::pairwise_cuda(view_a, view_b, out);
  return distance;
}

Array<std::int64_t> bind_hamming_histogram(const Array<std::uint64_t>& a,
                                           const std::optional<Array<std::uint64_t>>& b,
                                           std::size_t num_sites) {
  const BitMatrixView view_a = view_of(a, num_sites, "a");
  const BitMatrixView view_b = b ? view_of(*b, num_sites, "b") : view_a;
  auto counts = empty<std::int64_t>(num_sites + 1);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  hamming::histogram_cuda(view_a, view_b, !b, out);
  return counts;
}

Array<std::int64_t> bind_joint_counts(const Array<std::uint64_t>& words, std::size_t num_sites) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  auto n11 = empty<std::int64_t>(num_sites, num_sites);
  std::int64_t* out = n11.mutable_data();
  const py::gil_scoped_release unlocked;
  joint_counts::matrix_cuda(view, out);
  return n11;
}

// `sites` has a row per site.
Array<std::int64_t> bind_joint_counts_of_pairs(const Array<std::uint64_t>& sites,
                                               std::size_t num_haplotypes,
                                               const Array<std::int64_t>& pairs) {
  const BitMatrixView view = view_of(sites, num_haplotypes, "sites");
  const std::int64_t* pair_data = checked_data(pairs, 2, "pairs");
  if (pairs.shape(1) != 2) throw py::value_error("pairs: expected two columns");
  check_indices(pairs, view.num_rows, "pairs");
  const std::size_t num_pairs = extent(pairs, 0);
  auto n11 = empty<std::int64_t>(num_pairs);
  std::int64_t* out = n11.mutable_data();
  const py::gil_scoped_release unlocked;
  joint_counts::pairs_cuda(view, pair_data, num_pairs, out);
  return n11;
}

Array<float> bind_ld_matrix(const Array<std::uint64_t>& words, std::size_t num_sites,
                            const std::string& statistic) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const joint_counts::Statistic which = joint_counts::statistic_of(statistic);
  auto values = empty<float>(num_sites, num_sites);
  float* out = values.mutable_data();
  const py::gil_scoped_release unlocked;
  joint_counts::ld_matrix_cuda(view, which, out);
  return values;
}

py::tuple bind_ld_decay(const Array<std::uint64_t>& words, std::size_t num_sites,
                        const Array<std::int64_t>& position, const Array<std::int64_t>& contig_end,
                        const Array<std::int64_t>& first_index, const Array<std::int64_t>& edges) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const auto pairs =
      joint_counts::binned_pairs(position, contig_end, first_index, edges, num_sites);
  auto sum_r2 = empty<double>(pairs.num_bins);
  auto num_pairs = empty<std::int64_t>(pairs.num_bins);
  double* sums = sum_r2.mutable_data();
  std::int64_t* counts = num_pairs.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    joint_counts::ld_decay_cuda(view, pairs, sums, counts);
  }
  return py::make_tuple(sum_r2, num_pairs);
}

// (ab, ba), or with `within` (aa, ab, ba, bb).
py::list bind_joint_nearest_neighbours(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                                       std::size_t num_sites, std::size_t k, bool within) {
  const BitMatrixView first = view_of(a, num_sites, "a");
  const BitMatrixView second = view_of(b, num_sites, "b");
  const std::size_t inside = within ? k : 0;
  nearest_neighbours::Found aa(first.num_rows, inside), ab(first.num_rows, k),
      ba(second.num_rows, k), bb(second.num_rows, inside);
  const nearest_neighbours::JointLists out{aa.lists(inside), ab.lists(k), ba.lists(k),
                                           bb.lists(inside)};
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::joint_cuda(first, second, out);
  }
  py::list found;
  if (within) found.append(aa.tuple());
  found.append(ab.tuple());
  found.append(ba.tuple());
  if (within) found.append(bb.tuple());
  return found;
}

Array<double> bind_three_point(const Array<std::uint64_t>& words, std::size_t num_sites,
                               const Array<std::int64_t>& triplets, bool negate) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const std::int64_t* listed = checked_data(triplets, 2, "triplets");
  if (triplets.shape(1) != 3) throw py::value_error("triplets: expected three columns");
  check_indices(triplets, num_sites, "triplets");
  const std::size_t num_triplets = extent(triplets, 0);
  auto correlations = empty<double>(num_triplets);
  double* out = correlations.mutable_data();
  const py::gil_scoped_release unlocked;
  three_point::triplets_cuda(view, listed, num_triplets, negate, out);
  return correlations;
}

Array<double> bind_three_point_block(const Array<std::uint64_t>& words, std::size_t num_sites,
                                     bool negate) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  if (num_sites > three_point::kMostBlockSites) {
    throw py::value_error("words: expected at most 2^19 sites");
  }
  auto correlations = empty<double>(three_point::block_size(num_sites));
  double* out = correlations.mutable_data();
  const py::gil_scoped_release unlocked;
  three_point::block_cuda(view, negate, out);
  return correlations;
}

}  // namespace
}  // namespace hapforge

PYBIND11_MODULE(_cuda, m, pybind11::mod_gil_not_used()) {
  namespace py = pybind11;
  using namespace hapforge;
  m.doc() = "Kernels of hapforge on CUDA devices. Private: use hapforge.kernels.";
  m.def("device_count", &cuda::device_count,
        "Devices this process can use; 0 where there is no driver.");
  m.def("allele_counts", &bind_allele_counts, py::arg("words").noconvert(), py::arg("num_sites"));
  m.def("pairwise_hamming", &bind_pairwise_hamming, py::arg("a").noconvert(),
        py::arg("b").noconvert(), py::arg("num_sites"));
  m.def("hamming_histogram", &bind_hamming_histogram, py::arg("a").noconvert(),
        py::arg("b").noconvert().none(true), py::arg("num_sites"));
  m.def("joint_counts", &bind_joint_counts, py::arg("words").noconvert(), py::arg("num_sites"));
  m.def("joint_counts_of_pairs", &bind_joint_counts_of_pairs, py::arg("sites").noconvert(),
        py::arg("num_haplotypes"), py::arg("pairs").noconvert());
  m.def("ld_matrix", &bind_ld_matrix, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("statistic"));
  m.def("ld_decay", &bind_ld_decay, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("position").noconvert(), py::arg("contig_end").noconvert(),
        py::arg("first_index").noconvert(), py::arg("edges").noconvert());
  m.def("nearest_neighbours", &bind_nearest_neighbours, py::arg("queries").noconvert(),
        py::arg("targets").noconvert(), py::arg("num_sites"), py::arg("k"),
        py::arg("exclude_self"));
  m.def("joint_nearest_neighbours", &bind_joint_nearest_neighbours, py::arg("a").noconvert(),
        py::arg("b").noconvert(), py::arg("num_sites"), py::arg("k"), py::arg("within"));
  m.def("three_point", &bind_three_point, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("triplets").noconvert(), py::arg("negate"));
  m.def("three_point_block", &bind_three_point_block, py::arg("words").noconvert(),
        py::arg("num_sites"), py::arg("negate"));
}
