// normalisation: mean and variance of groups of values taken away, a scale and a shift of every
// channel, a leaky rectifier; with the slopes and the slopes of slopes that training needs.
//
// For a channel with weight w and bias b and a group of n values x with mean m and variance v
// (divided by n):  h = (x - m) / sqrt(v + 1e-5),  y = w h + b,  z = y > 0 ? y : 0.01 y.
#pragma once

#include <cstddef>
#include <span>

#include "core/dispatch.h"

namespace hapforge::normalisation {

inline constexpr float kSlope = 0.01F;
inline constexpr float kEpsilon = 1e-5F;

// Values (rows, channels, length). A group is a channel of all rows ("batch"), or of one row
// ("instance"): channels or rows * channels groups, in the order of memory.
struct Shape {
  std::size_t rows, channels, length;
  bool over_rows;

  std::size_t groups() const noexcept { return over_rows ? channels : rows * channels; }
};

struct Scale {
  const float* weight;  // channels
  const float* bias;
};

struct Statistics {
  float* mean;  // groups
  float* variance;
};

// What a kernel is given of one group: its values are `segments` runs of `length`, `stride` apart.
struct Group {
  std::size_t begin, segments, stride, length;
  float weight, bias;
};

struct Kernels {
  // z and the statistics of x.
  void (*forward)(const Group&, const float* x, float* z, float* mean, float* variance) noexcept;
  // With gz = dL/dz: dL/dx, and what the group adds to dL/dweight and dL/dbias.
  void (*backward)(const Group&, const float* gz, const float* x, float mean, float variance,
                   float* gx, double* of_scale) noexcept;
  // With u = dL/d(what `backward` writes to gx): dL/dgz, dL/dx, and what is added to dL/dweight.
  void (*twice)(const Group&, const float* u, const float* gz, const float* x, float mean,
                float variance, float* of_gz, float* of_x, double* of_weight) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

void forward(const Shape& shape, const Scale& scale, const float* x, float* z, Statistics out,
             const Kernels& kernels) noexcept;

// gweight, gbias: channels values.
void backward(const Shape& shape, const Scale& scale, const float* gz, const float* x,
              Statistics of_x, float* gx, float* gweight, float* gbias, const Kernels& kernels);

void twice(const Shape& shape, const Scale& scale, const float* u, const float* gz, const float* x,
           Statistics of_x, float* of_gz, float* of_x_again, float* of_weight,
           const Kernels& kernels);

}  // namespace hapforge::normalisation
