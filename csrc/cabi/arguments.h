// What every function of the C ABI does with its arguments: check them, once, and turn them into
// the views and kernels that the C++ code takes. A check that fails throws Failure; `guarded` turns
// that, and every other exception, into a status.
#pragma once

#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <string_view>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"
#include "hapforge/hapforge.h"

namespace hapforge::cabi {

struct Failure {
  int status;
};

inline void require(bool condition, int status) {
  if (!condition) throw Failure{status};
}

template <class Body>
int guarded(Body&& body) noexcept {
  try {
    body();
    return HF_OK;
  } catch (const Failure& failure) {
    return failure.status;
  } catch (const std::bad_alloc&) {
    return HF_ERROR_MEMORY;
  } catch (...) {
    return HF_ERROR_INTERNAL;
  }
}

// A number of rows, columns or elements of a list.
inline std::size_t size(std::int64_t n) {
  require(n >= 0, HF_ERROR_SIZE);
  return static_cast<std::size_t>(n);
}

// Counts of rows and columns are 32-bit inside the kernels.
inline std::size_t matrix_size(std::int64_t n) {
  require(n <= std::numeric_limits<std::int32_t>::max(), HF_ERROR_SIZE);
  return size(n);
}

inline std::size_t thread_count(int threads) {
  require(threads >= 1 && threads <= HF_MAX_THREADS, HF_ERROR_THREADS);
  return static_cast<std::size_t>(threads);
}

// Memory of `elements` values: there, and aligned.
template <class T>
T* array(T* pointer, std::size_t elements) {
  if (elements == 0) return pointer;
  require(pointer != nullptr, HF_ERROR_POINTER);
  require(reinterpret_cast<std::uintptr_t>(pointer) % alignof(T) == 0, HF_ERROR_POINTER);
  return pointer;
}

enum class Rows { kAnyStride, kAdjacent };

inline BitMatrixView packed(const std::uint64_t* words, std::int64_t num_rows,
                            std::int64_t num_sites, std::int64_t row_stride, Rows rows) {
  BitMatrixView view{words, matrix_size(num_rows), 0, matrix_size(num_sites)};
  const std::size_t needed = words_for_bits(view.num_sites);
  view.words_per_row = size(row_stride);
  require(view.words_per_row >= needed, HF_ERROR_STRIDE);
  require(rows == Rows::kAnyStride || view.words_per_row == needed, HF_ERROR_STRIDE);
  array(words, view.num_rows * needed);
  if (const std::size_t tail = view.num_sites % kBitsPerWord; tail != 0) {
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < view.num_rows; ++i) last |= view.row(i)[needed - 1];
    require(last >> tail == 0, HF_ERROR_PADDING);
  }
  return view;
}

inline const std::int64_t* indices(const std::int64_t* index, std::size_t count, std::size_t end) {
  array(index, count);
  for (std::size_t i = 0; i < count; ++i) {
    require(index[i] >= 0 && static_cast<std::size_t>(index[i]) < end, HF_ERROR_INDEX);
  }
  return index;
}

// The code of a backend's name; see HF_BACKEND_*.
constexpr int backend_code(std::string_view name) {
  if (name == "scalar") return HF_BACKEND_SCALAR;
  if (name == "avx2") return HF_BACKEND_AVX2;
  if (name == "avx512") return HF_BACKEND_AVX512;
  if (name == "neon") return HF_BACKEND_NEON;
  throw Failure{HF_ERROR_INTERNAL};
}

template <class Kernel>
const Kernel& chosen(std::span<const Implementation<Kernel>> all, int backend) {
  for (const auto& one : all) {
    if (one.supported() && (backend == HF_BACKEND_AUTO || backend == backend_code(one.name))) {
      return one.kernel;
    }
  }
  throw Failure{HF_ERROR_BACKEND};
}

}  // namespace hapforge::cabi
