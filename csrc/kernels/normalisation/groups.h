// normalisation of one group, on the lanes of the ISA of the file that includes it.
//
// Sums are of float lanes within a run and double over runs, so that a channel of many rows is as
// exact as one of few.
#pragma once

#include "core/lanes.h"
#include "kernels/normalisation/isa.h"

namespace hapforge::normalisation {
namespace {

// Calls body(offset, n) for the group's values, sixteen at a time; `after` at the end of each run.
template <class Body, class After>
[[gnu::always_inline]] inline void over(const Group& g, Body body, After after) noexcept {
  for (std::size_t s = 0; s < g.segments; ++s) {
    std::size_t at = g.begin + s * g.stride;
    const std::size_t end = at + g.length;
    for (; at + kLanes <= end; at += kLanes) body(at, kLanes);
    if (at < end) body(at, end - at);
    after();
  }
}

// A sum over a group. (A constructor that the compiler makes would not be for this file's ISA.)
struct Total {
  Lanes run;
  double all;

  Total() noexcept : run(every(0)), all(0) {}

  [[gnu::always_inline]] inline void end_run() noexcept {
    all += static_cast<double>(sum(run));
    run = every(0);
  }
};

inline float inverse_deviation(float variance) noexcept {
  return 1 / __builtin_sqrtf(variance + kEpsilon);
}

inline double size_of(const Group& g) noexcept {
  return static_cast<double>(g.segments * g.length);
}

// h and the slope of the rectifier, by the same operations wherever they are needed.
struct Unit {
  Lanes mean, inverse, weight, bias;

  Unit(const Group& g, float m, float variance) noexcept
      : mean(every(m)),
        inverse(every(inverse_deviation(variance))),
        weight(every(g.weight)),
        bias(every(g.bias)) {}

  [[gnu::always_inline]] inline Lanes h(const Lanes& x) const noexcept {
    return (x - mean) * inverse;
  }
  [[gnu::always_inline]] inline Lanes y(const Lanes& h) const noexcept { return weight * h + bias; }
  // `value` times the slope.
  [[gnu::always_inline]] inline Lanes sloped(const Lanes& h, const Lanes& value) const noexcept {
    return where_positive(y(h), value, value * every(kSlope));
  }
};

void forward_group(const Group& g, const float* x, float* z, float* mean,
                   float* variance) noexcept {
  Total values;
  over(
      g,
      [&](std::size_t at, std::size_t n)
          HAPFORGE_INLINE { values.run = values.run + load(x + at, n); },
      [&]() HAPFORGE_INLINE { values.end_run(); });
  *mean = static_cast<float>(values.all / size_of(g));
  const Lanes m = every(*mean);
  Total squares;
  over(
      g,
      [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
        const Lanes from_mean = first(load(x + at, n) - m, n);
        squares.run = squares.run + from_mean * from_mean;
      },
      [&]() HAPFORGE_INLINE { squares.end_run(); });
  *variance = static_cast<float>(squares.all / size_of(g));
  const Unit unit(g, *mean, *variance);
  over(
      g,
      [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
        const Lanes y = unit.y(unit.h(load(x + at, n)));
        store(z + at, where_positive(y, y, y * every(kSlope)), n);
      },
      []() HAPFORGE_INLINE {});
}

// With gy = dz/dy gz:  dL/dx = w r (gy - mean(gy) - h mean(gy h)),  r = 1 / sqrt(v + 1e-5).
void backward_group(const Group& g, const float* gz, const float* x, float mean, float variance,
                    float* gx, double* of_scale) noexcept {
  const Unit unit(g, mean, variance);
  Total plain, with_h;
  over(
      g,
      [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
        const Lanes h = unit.h(load(x + at, n));
        const Lanes gy = unit.sloped(h, load(gz + at, n));
        plain.run = plain.run + gy;
        with_h.run = with_h.run + gy * h;
      },
      [&]() HAPFORGE_INLINE {
        plain.end_run();
        with_h.end_run();
      });
  of_scale[0] += with_h.all;
  of_scale[1] += plain.all;
  const Lanes m1 = every(static_cast<float>(plain.all / size_of(g)));
  const Lanes m2 = every(static_cast<float>(with_h.all / size_of(g)));
  const Lanes factor = unit.weight * unit.inverse;
  over(
      g,
      [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
        const Lanes h = unit.h(load(x + at, n));
        const Lanes gy = unit.sloped(h, load(gz + at, n));
        store(gx + at, factor * (gy - m1 - h * m2), n);
      },
      []() HAPFORGE_INLINE {});
}

// With the means m1, m2 of gy, gy h, the means n1, n2 of u, u h, and q = mean(u gy) - m1 n1 - m2
// n2:
//   sum(u gx) = n w r q;   its slopes by gy: w r (u - n1 - h n2);   by w: n r q;
//   by x: -w r^2 (n2 (gy - m1) + m2 (u - n1) + (q - 2 m2 n2) h).
void twice_group(const Group& g, const float* u, const float* gz, const float* x, float mean,
                 float variance, float* of_gz, float* of_x, double* of_weight) noexcept {
  const Unit unit(g, mean, variance);
  Total of_gy, of_gyh, of_u, of_uh, of_ugy;
  over(
      g,
      [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
        const Lanes h = unit.h(load(x + at, n));
        const Lanes gy = unit.sloped(h, load(gz + at, n));
        const Lanes v = load(u + at, n);
        of_gy.run = of_gy.run + gy;
        of_gyh.run = of_gyh.run + gy * h;
        of_u.run = of_u.run + v;
        of_uh.run = of_uh.run + v * h;
        of_ugy.run = of_ugy.run + v * gy;
      },
      [&]() HAPFORGE_INLINE {
        of_gy.end_run();
        of_gyh.end_run();
        of_u.end_run();
        of_uh.end_run();
        of_ugy.end_run();
      });
  const double size = size_of(g);
  const double mean_gy = of_gy.all / size, mean_gyh = of_gyh.all / size;
  const double mean_u = of_u.all / size, mean_uh = of_uh.all / size;
  const double q = of_ugy.all / size - mean_gy * mean_u - mean_gyh * mean_uh;
  *of_weight += size * static_cast<double>(inverse_deviation(variance)) * q;
  const Lanes m1 = every(static_cast<float>(mean_gy)), m2 = every(static_cast<float>(mean_gyh));
  const Lanes n1 = every(static_cast<float>(mean_u)), n2 = every(static_cast<float>(mean_uh));
  const Lanes of_h = every(static_cast<float>(q - 2 * mean_gyh * mean_uh));
  const Lanes factor = unit.weight * unit.inverse;
  const Lanes falling = every(0) - factor * unit.inverse;
  over(
      g,
      [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
        const Lanes h = unit.h(load(x + at, n));
        const Lanes gy = unit.sloped(h, load(gz + at, n));
        const Lanes v = load(u + at, n);
        store(of_gz + at, unit.sloped(h, factor * (v - n1 - h * n2)), n);
        store(of_x + at, falling * (n2 * (gy - m1) + m2 * (v - n1) + of_h * h), n);
      },
      []() HAPFORGE_INLINE {});
}

constexpr Kernels kKernels{forward_group, backward_group, twice_group};

}  // namespace
}  // namespace hapforge::normalisation
