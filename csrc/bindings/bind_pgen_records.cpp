#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/pgen_records/kernel.h"

namespace hapforge {
namespace {

// The number of the first damaged record, or that of all records.
std::size_t bind_first_damaged_pgen_record(const Array<std::uint8_t>& data,
                                           const Array<std::int64_t>& length,
                                           const Array<std::uint8_t>& kind,
                                           const Array<std::int64_t>& num_alts,
                                           Array<std::uint8_t>& before) {
  const std::uint8_t* bytes = checked_data(data, 1, "data");
  const pgen_records::Records records{{bytes, extent(data, 0)},
                                      checked_data(length, 1, "length"),
                                      checked_data(kind, 1, "kind"),
                                      checked_data(num_alts, 1, "num_alts"),
                                      extent(length, 0)};
  if (extent(kind, 0) != records.count || extent(num_alts, 0) != records.count) {
    throw py::value_error("kind and num_alts: expected a value for each length");
  }
  std::size_t left = records.data.size();
  for (std::size_t j = 0; j < records.count; ++j) {
    if (records.length[j] < 0 || static_cast<std::size_t>(records.length[j]) > left) {
      throw py::value_error("length: expected lengths that add up to the size of data");
    }
    left -= static_cast<std::size_t>(records.length[j]);
    if (records.num_alts[j] < 0) throw py::value_error("num_alts: expected none below 0");
  }
  if (left) throw py::value_error("length: expected lengths that add up to the size of data");
  checked_data(before, 1, "before");
  for (std::size_t i = 0; i < extent(before, 0); ++i) {
    if (before.data()[i] > 3) throw py::value_error("before: expected categories 0 to 3");
  }
  const std::span<std::uint8_t> categories{before.mutable_data(), extent(before, 0)};
  const py::gil_scoped_release unlocked;
  return pgen_records::first_damaged(records, categories);
}

}  // namespace

void register_pgen_records(py::module_& m) {
  m.def("first_damaged_pgen_record", &bind_first_damaged_pgen_record, py::arg("data").noconvert(),
        py::arg("length").noconvert(), py::arg("kind").noconvert(), py::arg("num_alts").noconvert(),
        py::arg("before").noconvert());
}

}  // namespace hapforge
