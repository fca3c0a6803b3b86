#include <optional>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/hamming/kernel.h"

#include <pybind11/stl.h>

namespace hapforge {
namespace {

Array<std::uint32_t> bind_pairwise(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                                   std::size_t num_sites, const std::string& backend,
                                   std::size_t threads) {
  const BitMatrixView view_a = view_of(a, num_sites, "a");
  const BitMatrixView view_b = view_of(b, num_sites, "b");
  const auto& kernels = find_backend(popcount_tile::implementations(), backend);
  auto distance = empty<std::uint32_t>(view_a.num_rows, view_b.num_rows);
  std::uint32_t* out = distance.mutable_data();
  const py::gil_scoped_release unlocked;
  hamming::pairwise(view_a, view_b, out, kernels, threads);
  return distance;
}

Array<std::int64_t> bind_histogram(const Array<std::uint64_t>& a,
                                   const std::optional<Array<std::uint64_t>>& b,
                                   std::size_t num_sites, const std::string& backend,
                                   std::size_t threads) {
  const BitMatrixView view_a = view_of(a, num_sites, "a");
  const BitMatrixView view_b = b ? view_of(*b, num_sites, "b") : view_a;
  const auto& kernels = find_backend(popcount_tile::implementations(), backend);
  auto counts = empty<std::int64_t>(num_sites + 1);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  hamming::histogram(view_a, view_b, !b, out, kernels, threads);
  return counts;
}

}  // namespace

void register_hamming(py::module_& m) {
  m.def("pairwise_hamming", &bind_pairwise, py::arg("a").noconvert(), py::arg("b").noconvert(),
        py::arg("num_sites"), py::arg("backend"), py::arg("threads"));
  m.def("hamming_histogram", &bind_histogram, py::arg("a").noconvert(),
        py::arg("b").noconvert().none(true), py::arg("num_sites"), py::arg("backend"),
        py::arg("threads"));
}

}  // namespace hapforge
