// Checks between NumPy and the kernels: shape, alignment, ranges. Python callers see ValueError.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>
#include <string>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"

namespace hapforge {

namespace py = pybind11;

// C-contiguous arrays of exactly this dtype; bind them with py::arg().noconvert().
template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
const T* checked_data(const Array<T>& array, py::ssize_t ndim, const char* name) {
  if (array.ndim() != ndim) {
    throw py::value_error(std::string(name) + ": expected " + std::to_string(ndim) +
                          " dimension(s), found " + std::to_string(array.ndim()));
  }
  if (reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) != 0) {
    throw py::value_error(std::string(name) + ": expected aligned memory");
  }
  return array.data();
}

inline std::size_t extent(const py::array& array, py::ssize_t axis) {
  return static_cast<std::size_t>(array.shape(axis));
}

// Counts are 32-bit inside the kernels, hence the limits.
inline void check_view(const BitMatrixView& view, const char* name) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  if (view.num_sites > kMost || view.num_rows > kMost) {
    throw py::value_error(std::string(name) + ": expected fewer than 2^31 rows and sites");
  }
  if (view.words_per_row != words_for_bits(view.num_sites)) {
    throw py::value_error(std::string(name) + ": expected " +
                          std::to_string(words_for_bits(view.num_sites)) + " words per row for " +
                          std::to_string(view.num_sites) + " sites, found " +
                          std::to_string(view.words_per_row));
  }
}

// Packed rows and their site count.
inline BitMatrixView view_of(const Array<std::uint64_t>& words, std::size_t num_sites,
                             const char* name) {
  const BitMatrixView view{checked_data(words, 2, name), extent(words, 0), extent(words, 1),
                           num_sites};
  check_view(view, name);
  return view;
}

inline void check_same_sites(const BitMatrixView& a, const BitMatrixView& b) {
  if (a.num_sites != b.num_sites) throw py::value_error("expected equal numbers of sites");
}

template <class T>
Array<T> empty(std::size_t n) {
  return Array<T>(static_cast<py::ssize_t>(n));
}

template <class T>
Array<T> empty(std::size_t n, std::size_t m) {
  return Array<T>({static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(m)});
}

// Every value in [0, size); else IndexError.
inline void check_indices(const Array<std::int64_t>& index, std::size_t size, const char* name) {
  const std::int64_t* data = index.data();
  for (py::ssize_t i = 0; i < index.size(); ++i) {
    if (data[i] < 0 || static_cast<std::uint64_t>(data[i]) >= size) {
      throw py::index_error(std::string(name) + ": " + std::to_string(data[i]) +
                            " is out of range for " + std::to_string(size) + " sites");
    }
  }
}

// Pairs or triplets of indices in [0, size); else IndexError.
inline const std::int64_t* index_table(const Array<std::int64_t>& table, py::ssize_t columns,
                                       std::size_t size, const char* name) {
  const std::int64_t* data = checked_data(table, 2, name);
  if (table.shape(1) != columns) {
    throw py::value_error(std::string(name) + ": expected " + (columns == 2 ? "two" : "three") +
                          " columns");
  }
  check_indices(table, size, name);
  return data;
}

}  // namespace hapforge
