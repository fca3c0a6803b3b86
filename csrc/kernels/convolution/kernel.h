// convolution: kernel 3 along the rows of (rows, channels, length), its transpose, and the slope by
// its weights. Each is linear in both of its inputs, and the slopes of each are the other two, so
// that derivatives of any order are made of these three.
//
//   y[b, o, j] = sum over i, t of w[o, i, t] x[b, i, j stride + t - padding],  x is 0 outside
//
// Every sum is a chain of fused multiply-adds in one order, hence the same bits on every ISA.
#pragma once

#include <cstddef>
#include <span>

#include "core/dispatch.h"

namespace hapforge::convolution {

inline constexpr std::size_t kTaps = 3;

// x (rows, in, length), w (out, in, 3), y (rows, out, out_length); stride 1 or 2, padding 0 or 1;
// (out_length - 1) stride + 3 = length + 2 padding.
struct Shape {
  std::size_t rows, in, out, length, out_length, stride, padding;
};

struct Kernels {
  std::size_t columns;  // of a tile
  void (*forward)(const Shape&, const float* x, const float* w, float* y, float* scratch) noexcept;
  void (*transposed)(const Shape&, const float* y, const float* w, float* x,
                     float* scratch) noexcept;
  void (*by_weight)(const Shape&, const float* x, const float* y, float* w,
                    float* scratch) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

void forward(const Shape& shape, const float* x, const float* w, float* y, const Kernels& kernels);
// x[b, i, l] = sum over o, t of w[o, i, t] y[b, o, j],  l = j stride + t - padding
void transposed(const Shape& shape, const float* y, const float* w, float* x,
                const Kernels& kernels);
// w[o, i, t] = sum over b, j of y[b, o, j] x[b, i, j stride + t - padding]
void by_weight(const Shape& shape, const float* x, const float* y, float* w,
               const Kernels& kernels);

}  // namespace hapforge::convolution
