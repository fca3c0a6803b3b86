#include <pybind11/stl.h>

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
    nearest_neighbours::search(from, to, k, exclude_self, out_index, out_distance, kernels,
                               threads);
  }
  return py::make_tuple(index, distance);
}

}  // namespace

void register_nearest_neighbours(py::module_& m) {
  m.def("nearest_neighbours", &bind_search, py::arg("queries").noconvert(),
        py::arg("targets").noconvert().none(true), py::arg("num_sites"), py::arg("k"),
        py::arg("exclude_self"), py::arg("backend"), py::arg("threads"));
}

}  // namespace hapforge
