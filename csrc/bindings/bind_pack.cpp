#include <pybind11/stl.h>

#include <vector>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/pack/kernel.h"

namespace hapforge {
namespace {

// `first_row` is the number of row 0 in the caller's matrix, for the message.
Array<std::uint64_t> bind_pack(const Array<std::uint8_t>& dense, std::size_t first_row,
                               const std::string& backend, std::size_t threads) {
  const std::uint8_t* data = checked_data(dense, 2, "dense");
  const pack::Kernels& kernels = find_backend(pack::implementations(), backend);
  const std::size_t rows = extent(dense, 0);
  const std::size_t sites = extent(dense, 1);
  auto words = empty<std::uint64_t>(rows, words_for_bits(sites));
  std::uint64_t* out = words.mutable_data();
  pack::BadValue bad;
  {
    const py::gil_scoped_release unlocked;
    bad = pack::pack(data, rows, sites, sites, out, kernels, threads);
  }
  if (bad.found) {
    throw py::value_error("expected only 0 and 1, found " + std::to_string(bad.value) + " at row " +
                          std::to_string(first_row + bad.row) + ", column " +
                          std::to_string(bad.column));
  }
  return words;
}

Array<std::uint8_t> bind_unpack(const Array<std::uint64_t>& words, std::size_t num_sites,
                                const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const pack::Kernels& kernels = find_backend(pack::implementations(), backend);
  auto dense = empty<std::uint8_t>(view.num_rows, num_sites);
  std::uint8_t* out = dense.mutable_data();
  const py::gil_scoped_release unlocked;
  pack::unpack(view, out, kernels, threads);
  return dense;
}

Array<std::uint64_t> bind_transpose(const Array<std::uint64_t>& words, std::size_t num_sites,
                                    const std::string& backend, std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const pack::Kernels& kernels = find_backend(pack::implementations(), backend);
  auto transposed = empty<std::uint64_t>(num_sites, words_for_bits(view.num_rows));
  std::uint64_t* out = transposed.mutable_data();
  const py::gil_scoped_release unlocked;
  pack::transpose(view, out, kernels, threads);
  return transposed;
}

Array<std::uint64_t> bind_select_sites(const Array<std::uint64_t>& words, std::size_t num_sites,
                                       const Array<std::int64_t>& index, const std::string& backend,
                                       std::size_t threads) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  const std::int64_t* columns = checked_data(index, 1, "index");
  check_indices(index, num_sites, "index");
  const pack::Kernels& kernels = find_backend(pack::implementations(), backend);
  const std::size_t num_selected = extent(index, 0);
  auto selected = empty<std::uint64_t>(view.num_rows, words_for_bits(num_selected));
  std::uint64_t* out = selected.mutable_data();
  const py::gil_scoped_release unlocked;
  pack::select_sites(view, columns, num_selected, out, kernels, threads);
  return selected;
}

// Rows behind rows; `parts` are packed words with as many rows each, `num_sites` their sites.
Array<std::uint64_t> bind_concat_sites(const std::vector<Array<std::uint64_t>>& parts,
                                       const std::vector<std::size_t>& num_sites,
                                       std::size_t threads) {
  if (parts.empty() || parts.size() != num_sites.size()) {
    throw py::value_error("parts: expected at least one, and a number of sites for each");
  }
  std::vector<BitMatrixView> views;
  std::size_t total = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    views.push_back(view_of(parts[p], num_sites[p], "parts"));
    total += num_sites[p];
    if (views.back().num_rows != views.front().num_rows) {
      throw py::value_error("parts: expected equal numbers of rows");
    }
  }
  auto joined = empty<std::uint64_t>(views.front().num_rows, words_for_bits(total));
  std::uint64_t* out = joined.mutable_data();
  const py::gil_scoped_release unlocked;
  pack::concat_sites(views, out, threads);
  return joined;
}

}  // namespace

void register_pack(py::module_& m) {
  m.def("pack", &bind_pack, py::arg("dense").noconvert(), py::arg("first_row"), py::arg("backend"),
        py::arg("threads"));
  m.def("unpack", &bind_unpack, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("backend"), py::arg("threads"));
  m.def("transpose", &bind_transpose, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("backend"), py::arg("threads"));
  m.def("select_sites", &bind_select_sites, py::arg("words").noconvert(), py::arg("num_sites"),
        py::arg("index").noconvert(), py::arg("backend"), py::arg("threads"));
  m.def("concat_sites", &bind_concat_sites, py::arg("parts").noconvert(), py::arg("num_sites"),
        py::arg("threads"));
}

}  // namespace hapforge
