#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/three_point/kernel.h"

namespace hapforge {
namespace {

Array<double> bind_three_point(const Array<std::uint64_t>& words, std::size_t num_sites,
                               const Array<std::int64_t>& triplets, bool negate,
                               const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const std::int64_t* listed = index_table(triplets, 3, num_sites, "triplets");
  const auto& kernels = find_backend(three_point::implementations(), backend);
  const auto& packing = find_backend(pack::implementations(), backend);
  const std::size_t num_triplets = extent(triplets, 0);
  auto correlations = empty<double>(num_triplets);
  double* out = correlations.mutable_data();
  const py::gil_scoped_release unlocked;
  three_point::triplets(view, listed, num_triplets, negate, out, kernels, packing, threads);
  return correlations;
}

Array<double> bind_three_point_block(const Array<std::uint64_t>& words, std::size_t num_sites,
                                     bool negate, const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  if (num_sites > three_point::kMostBlockSites) {
    throw py::value_error("words: expected at most 2^19 sites");
  }
  const auto& kernels = find_backend(three_point::implementations(), backend);
  const auto& packing = find_backend(pack::implementations(), backend);
  auto correlations = empty<double>(three_point::block_size(num_sites));
  double* out = correlations.mutable_data();
  const py::gil_scoped_release unlocked;
  three_point::block(view, negate, out, kernels, packing, threads);
  return correlations;
}

}  // namespace

void register_three_point(py::module_& m) {
  m.def("three_point", &bind_three_point, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("triplets").noconvert(), py::arg("negate"), py::arg("backend"), py::arg("threads"));
  m.def("three_point_block", &bind_three_point_block, py::arg("words").noconvert(),
        py::arg("num_sites"), py::arg("negate"), py::arg("backend"), py::arg("threads"));
}

}  // namespace hapforge
