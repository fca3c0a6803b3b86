#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/allele_counts/kernel.h"

namespace hapforge {
namespace {

Array<std::int64_t> bind_count(const Array<std::uint64_t>& words, std::size_t num_sites,
                               const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const auto kernel = find_backend(allele_counts::implementations(), backend);
  auto counts = empty<std::int64_t>(num_sites);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  allele_counts::count(view, out, kernel, threads);
  return counts;
}

}  // namespace

void register_allele_counts(py::module_& m) {
  m.def("allele_counts", &bind_count, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("backend"), py::arg("threads"));
}

}  // namespace hapforge
