// The implementations of convolution, one per ISA file.
#pragma once

#include "kernels/convolution/kernel.h"

namespace hapforge::convolution {

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

// Of a panel: 16 KiB.
inline constexpr std::size_t kPanelFloats = std::size_t{1} << 12;

// What `by_weight` sums, (3, in) for each output, to a multiple of half a tile.
inline std::size_t padded_columns(const Shape& shape, std::size_t columns) noexcept {
  const std::size_t half = columns / 2;
  return (kTaps * shape.in + half - 1) / half * half;
}

// Of a row that `by_weight` turns, with the padding.
inline std::size_t places_turned(const Shape& shape) noexcept {
  return shape.length + 2 * shape.padding;
}

// Rows that `by_weight` turns at a time: 64 K values, or one row.
inline std::size_t rows_turned(const Shape& shape) noexcept {
  const std::size_t rows = (std::size_t{1} << 16) / (shape.in * shape.length);
  return rows < 1 ? 1 : (rows < shape.rows ? rows : shape.rows);
}

}  // namespace hapforge::convolution
