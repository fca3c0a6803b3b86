#include <vector>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/kmers/kernel.h"

namespace hapforge {
namespace {

// `runs`: first site and number of windows of each run of windows.
Array<std::int64_t> bind_kmer_counts(const Array<std::uint64_t>& words, std::size_t num_sites,
                                     unsigned k, const Array<std::int64_t>& runs,
                                     const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const std::int64_t* numbers = checked_data(runs, 2, "runs");
  if (k < 1 || k > kmers::kMostSites) throw py::value_error("k: expected 1 to 16");
  if (runs.shape(1) != 2) throw py::value_error("runs: expected two columns");
  std::vector<kmers::Run> checked;
  std::size_t num_windows = 0;
  for (std::size_t r = 0; r < extent(runs, 0); ++r) {
    const std::int64_t first = numbers[2 * r];
    const std::int64_t windows = numbers[2 * r + 1];
    const auto most = static_cast<std::int64_t>(num_sites);
    if (first < 0 || first > most || windows < 0 || windows > (most - first) / k) {
      throw py::value_error("runs: expected windows inside the rows");
    }
    checked.push_back({static_cast<std::size_t>(first), static_cast<std::size_t>(windows)});
    num_windows += checked.back().num_windows;
  }
  const auto& kernels = find_backend(kmers::implementations(), backend);
  auto counts = empty<std::int64_t>(num_windows, std::size_t{1} << k);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  kmers::count(view, k, checked, out, kernels, threads);
  return counts;
}

}  // namespace

void register_kmers(py::module_& m) {
  m.def("kmer_counts", &bind_kmer_counts, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("k"), py::arg("runs").noconvert(), py::arg("backend"), py::arg("threads"));
}

}  // namespace hapforge
