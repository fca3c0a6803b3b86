#include <hapforge/hapforge.h>
#include <pybind11/numpy.h>

#include <stdexcept>
#include <vector>

namespace py = pybind11;
using Words = py::array_t<std::uint64_t, py::array::c_style>;

// Pairs of rows that are equal.
std::int64_t count_twins(const Words& words, std::int64_t num_sites, int threads) {
  if (words.ndim() != 2) throw py::value_error("expected (haplotypes, words)");
  std::vector<std::int64_t> pairs_at(static_cast<std::size_t>(num_sites + 1));
  const std::uint64_t* rows = words.data();
  const std::int64_t num_rows = words.shape(0);
  const std::int64_t stride = words.shape(1);
  int status;
  {
    const py::gil_scoped_release unlocked;
    status = hf_hamming_histogram(rows, num_rows, stride, nullptr, 0, 0, num_sites, pairs_at.data(),
                                  HF_BACKEND_AUTO, threads);
  }
  if (status != HF_OK) throw py::value_error(hf_status_message(status));
  return pairs_at[0];
}

PYBIND11_MODULE(_twins, m) {
  m.def("count_twins", &count_twins, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("threads") = 1);
}
