#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/nearest_set/kernel.h"

namespace hapforge {
namespace {

py::tuple bind_nearest_set(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                           std::size_t num_sites, const std::string& backend, std::size_t threads) {
  const BitMatrixView first = view_of(a, num_sites, "a");
  const BitMatrixView second = view_of(b, num_sites, "b");
  const std::size_t num_rows = first.num_rows + second.num_rows;
  if (num_rows < 2) throw py::value_error("expected two rows or more in all");
  const sketch::Backend with = sketch::backend_named(backend);
  auto distance = empty<std::uint32_t>(num_rows);
  auto sets = empty<std::uint8_t>(num_rows);
  std::uint32_t* out_distance = distance.mutable_data();
  std::uint8_t* out_sets = sets.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    nearest_set::search(first, second, out_distance, out_sets, with, threads);
  }
  return py::make_tuple(distance, sets);
}

}  // namespace

void register_nearest_set(py::module_& m) {
  m.def("nearest_set", &bind_nearest_set, py::arg("a").noconvert(), py::arg("b").noconvert(),
        py::arg("num_sites"), py::arg("backend"), py::arg("threads"));
}

}  // namespace hapforge
