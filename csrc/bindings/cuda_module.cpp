// hapforge._cuda: a map of the module. It is importable without a driver; only calls need one.
#include "bindings/arrays.h"
#include "core/cuda_device.h"
#include "kernels/allele_counts/cuda.h"

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

}  // namespace
}  // namespace hapforge

PYBIND11_MODULE(_cuda, m, pybind11::mod_gil_not_used()) {
  m.doc() = "Kernels of hapforge on CUDA devices. Private: use hapforge.kernels.";
  m.def("device_count", &hapforge::cuda::device_count,
        "Devices this process can use; 0 where there is no driver.");
  m.def("allele_counts", &hapforge::bind_allele_counts, pybind11::arg("words").noconvert(),
        pybind11::arg("num_sites"));
}
