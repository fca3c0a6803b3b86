#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/bcf_calls/kernel.h"

namespace hapforge {
namespace {

// (start, calls, stop, bytes that are whole records, whether what follows is damaged).
py::tuple bind_find_bcf_records(const Array<std::uint8_t>& data) {
  const std::uint8_t* bytes = checked_data(data, 1, "data");
  bcf_calls::Records found;
  {
    const py::gil_scoped_release unlocked;
    found = bcf_calls::find_records({bytes, extent(data, 0)});
  }
  const auto array = [](const std::vector<std::int64_t>& values) {
    return Array<std::int64_t>(static_cast<py::ssize_t>(values.size()), values.data());
  };
  return py::make_tuple(array(found.start), array(found.calls), array(found.stop), found.size,
                        found.damaged);
}

// (words, None), or (words that mean nothing, (row, person) of the first call of another kind).
py::tuple bind_pack_bcf_calls(const Array<std::uint8_t>& data, const Array<std::int64_t>& start,
                              std::size_t num_persons, const std::string& backend) {
  const std::uint8_t* bytes = checked_data(data, 1, "data");
  const std::int64_t* starts = checked_data(start, 1, "start");
  const std::size_t size = extent(data, 0);
  const std::size_t rows = extent(start, 0);
  for (std::size_t j = 0; j < rows; ++j) {
    if (starts[j] < 0 || static_cast<std::size_t>(starts[j]) > size ||
        num_persons > (size - static_cast<std::size_t>(starts[j])) / 2) {
      throw py::index_error("start: " + std::to_string(starts[j]) +
                            " is out of range for calls of " + std::to_string(num_persons) +
                            " persons in " + std::to_string(size) + " bytes");
    }
  }
  const bcf_calls::Kernel kernel = find_backend(bcf_calls::implementations(), backend);
  auto words = empty<std::uint64_t>(rows, words_for_bits(2 * num_persons));
  std::uint64_t* out = words.mutable_data();
  bcf_calls::BadCall bad;
  {
    const py::gil_scoped_release unlocked;
    bad = bcf_calls::pack(bytes, starts, rows, num_persons, out, kernel);
  }
  if (bad.found) return py::make_tuple(words, py::make_tuple(bad.row, bad.person));
  return py::make_tuple(words, py::none());
}

}  // namespace

void register_bcf_calls(py::module_& m) {
  m.def("find_bcf_records", &bind_find_bcf_records, py::arg("data").noconvert());
  m.def("pack_bcf_calls", &bind_pack_bcf_calls, py::arg("data").noconvert(),
        py::arg("start").noconvert(), py::arg("num_persons"), py::arg("backend"));
}

}  // namespace hapforge
