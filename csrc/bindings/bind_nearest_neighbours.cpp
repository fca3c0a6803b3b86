#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/nearest_neighbours/kernel.h"

namespace hapforge {
namespace {

py::tuple bind_search(const Array<std::uint64_t>& queries,
                      const std::optional<Array<std::uint64_t>>& targets, std::size_t num_sites,
                      std::size_t k, bool exclude_self, const std::string& backend,
                      std::size_t threads) {
  const BitMatrixView from = view_of(queries, num_sites, "queries");
  const BitMatrixView to = targets ? view_of(*targets, num_sites, "targets") : from;
  const auto& kernels = find_backend(popcount_tile::implementations(), backend);
  const std::size_t excluded = exclude_self && to.num_rows > 0 ? 1 : 0;
  if (k < 1 || k > to.num_rows - excluded) {
    throw py::value_error("k: expected 1 to " + std::to_string(to.num_rows - excluded) +
                          ", found " + std::to_string(k));
  }
  auto index = empty<std::int64_t>(from.num_rows, k);
  auto distance = empty<std::uint32_t>(from.num_rows, k);
  std::int64_t* out_index = index.mutable_data();
  std::uint32_t* out_distance = distance.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::search(from, to, exclude_self, {k, out_index, out_distance}, kernels,
                               threads);
  }
  return py::make_tuple(index, distance);
}

py::tuple bind_mutual(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                      std::size_t num_sites, std::size_t k, const std::string& backend,
                      std::size_t threads) {
  const BitMatrixView view_a = view_of(a, num_sites, "a");
  const BitMatrixView view_b = view_of(b, num_sites, "b");
  const auto& kernels = find_backend(popcount_tile::implementations(), backend);
  const std::size_t most = std::min(view_a.num_rows, view_b.num_rows);
  if (k < 1 || k > most) {
    throw py::value_error("k: expected 1 to " + std::to_string(most) + ", found " +
                          std::to_string(k));
  }
  auto index_a = empty<std::int64_t>(view_a.num_rows, k);
  auto distance_a = empty<std::uint32_t>(view_a.num_rows, k);
  auto index_b = empty<std::int64_t>(view_b.num_rows, k);
  auto distance_b = empty<std::uint32_t>(view_b.num_rows, k);
  const nearest_neighbours::Lists of_a{k, index_a.mutable_data(), distance_a.mutable_data()};
  const nearest_neighbours::Lists of_b{k, index_b.mutable_data(), distance_b.mutable_data()};
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::mutual(view_a, view_b, of_a, of_b, kernels, threads);
  }
  return py::make_tuple(index_a, distance_a, index_b, distance_b);
}

}  // namespace

void register_nearest_neighbours(py::module_& m) {
  m.def("nearest_neighbours", &bind_search, py::arg("queries").noconvert(),
        py::arg("targets").noconvert().none(true), py::arg("num_sites"), py::arg("k"),
        py::arg("exclude_self"), py::arg("backend"), py::arg("threads"));
  m.def("mutual_nearest_neighbours", &bind_mutual, py::arg("a").noconvert(),
        py::arg("b").noconvert(), py::arg("num_sites"), py::arg("k"), py::arg("backend"),
        py::arg("threads"));
}

}  // namespace hapforge
