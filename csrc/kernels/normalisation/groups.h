// normalisation of one group, on the lanes of the ISA of the file that includes it.
//
// Sums are of float lanes within a run and double over runs, so that a channel of many rows is as
// exact as one of few.
#pragma once

#include "core/lanes.h"
#include "kernels/normalisation/isa.h"

namespace hapforge::normalisation {
namespace {

// Asks the second cache for what the next group has where this one has `at`: runs are too short for
// the hardware to foresee the next. (By number: after the last group there may be nothing there.)
[[gnu::always_inline]] inline void ask(const Group& g, const float* values,
                                       std::size_t at) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(values + at);
  __builtin_prefetch(reinterpret_cast<const void*>(address + g.length * sizeof(float)), 0, 2);
}

// Calls body(offset, n) for the group's values, sixteen at a time.
template <class Body>
[[gnu::always_inline]] inline void over(const Group& g, Body body) noexcept {
  for (std::size_t s = 0; s < g.segments; ++s) {
    std::size_t at = g.begin + s * g.stride;
    const std::size_t end = at + g.length;
    for (; at + kLanes <= end; at += kLanes) body(at, kLanes);
    if (at < end) body(at, end - at);
  }
}

// Calls body(offset, n, run) for the group's values, sixteen at a time, and end(run) after each run
// of values, in their order; two runs are gone through together, so that the sums of one need not
// wait for themselves. (A Run's constructor must be written: one that the compiler makes would not
// be for this file's ISA.)
template <class Run, class Body, class End>
[[gnu::always_inline]] inline void over_runs(const Group& g, Body body, End end) noexcept {
  const std::size_t whole = g.length - g.length % kLanes, rest = g.length % kLanes;
  std::size_t s = 0, at = g.begin;
  for (; s + 2 <= g.segments; s += 2, at += 2 * g.stride) {
    Run first, second;
    for (std::size_t l = at; l < at + whole; l += kLanes) {
      body(l, kLanes, first);
      body(l + g.stride, kLanes, second);
    }
    if (rest > 0) {
      body(at + whole, rest, first);
      body(at + whole + g.stride, rest, second);
    }
    end(first);
    end(second);
  }
  for (; s < g.segments; ++s, at += g.stride) {
    Run run;
    for (std::size_t l = at; l < at + whole; l += kLanes) body(l, kLanes, run);
    if (rest > 0) body(at + whole, rest, run);
    end(run);
  }
}

struct OneSum {
  Lanes sum;
  OneSum() noexcept : sum(every(0)) {}
};

struct TwoSums {
  Lanes plain, with_h;
  TwoSums() noexcept : plain(every(0)), with_h(every(0)) {}
};

struct FiveSums {
  Lanes gy, gyh, u, uh, ugy;
  FiveSums() noexcept : gy(every(0)), gyh(every(0)), u(every(0)), uh(every(0)), ugy(every(0)) {}
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
  double values = 0, squares = 0;
  over_runs<OneSum>(
      g,
      [&](std::size_t at, std::size_t n, OneSum& run) HAPFORGE_INLINE {
        ask(g, x, at);
        run.sum = run.sum + load(x + at, n);
      },
      [&](const OneSum& run) HAPFORGE_INLINE { values += static_cast<double>(sum(run.sum)); });
  *mean = static_cast<float>(values / size_of(g));
  const Lanes m = every(*mean);
  over_runs<OneSum>(
      g,
      [&](std::size_t at, std::size_t n, OneSum& run) HAPFORGE_INLINE {
        const Lanes from_mean = first(load(x + at, n) - m, n);
        run.sum = run.sum + from_mean * from_mean;
      },
      [&](const OneSum& run) HAPFORGE_INLINE { squares += static_cast<double>(sum(run.sum)); });
  *variance = static_cast<float>(squares / size_of(g));
  const Unit unit(g, *mean, *variance);
  over(g, [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
    const Lanes y = unit.y(unit.h(load(x + at, n)));
    store(z + at, where_positive(y, y, y * every(kSlope)), n);
  });
}

// With gy = dz/dy gz:  dL/dx = w r (gy - mean(gy) - h mean(gy h)),  r = 1 / sqrt(v + 1e-5).
void backward_group(const Group& g, const float* gz, const float* x, float mean, float variance,
                    float* gx, double* of_scale) noexcept {
  const Unit unit(g, mean, variance);
  double plain = 0, with_h = 0;
  over_runs<TwoSums>(
      g,
      [&](std::size_t at, std::size_t n, TwoSums& run) HAPFORGE_INLINE {
        ask(g, x, at);
        ask(g, gz, at);
        const Lanes h = unit.h(load(x + at, n));
        const Lanes gy = unit.sloped(h, load(gz + at, n));
        run.plain = run.plain + gy;
        run.with_h = run.with_h + gy * h;
      },
      [&](const TwoSums& run) HAPFORGE_INLINE {
        plain += static_cast<double>(sum(run.plain));
        with_h += static_cast<double>(sum(run.with_h));
      });
  of_scale[0] += with_h;
  of_scale[1] += plain;
  const Lanes m1 = every(static_cast<float>(plain / size_of(g)));
  const Lanes m2 = every(static_cast<float>(with_h / size_of(g)));
  const Lanes factor = unit.weight * unit.inverse;
  over(g, [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
    const Lanes h = unit.h(load(x + at, n));
    const Lanes gy = unit.sloped(h, load(gz + at, n));
    store(gx + at, factor * (gy - m1 - h * m2), n);
  });
}

// With the means m1, m2 of gy, gy h, the means n1, n2 of u, u h, and q = mean(u gy) - m1 n1 - m2
// n2:
//   sum(u gx) = n w r q;   its slopes by gy: w r (u - n1 - h n2);   by w: n r q;
//   by x: -w r^2 (n2 (gy - m1) + m2 (u - n1) + (q - 2 m2 n2) h).
void twice_group(const Group& g, const float* u, const float* gz, const float* x, float mean,
                 float variance, float* of_gz, float* of_x, double* of_weight) noexcept {
  const Unit unit(g, mean, variance);
  double of_gy = 0, of_gyh = 0, of_u = 0, of_uh = 0, of_ugy = 0;
  over_runs<FiveSums>(
      g,
      [&](std::size_t at, std::size_t n, FiveSums& run) HAPFORGE_INLINE {
        ask(g, u, at);
        ask(g, x, at);
        ask(g, gz, at);
        const Lanes h = unit.h(load(x + at, n));
        const Lanes gy = unit.sloped(h, load(gz + at, n));
        const Lanes v = load(u + at, n);
        run.gy = run.gy + gy;
        run.gyh = run.gyh + gy * h;
        run.u = run.u + v;
        run.uh = run.uh + v * h;
        run.ugy = run.ugy + v * gy;
      },
      [&](const FiveSums& run) HAPFORGE_INLINE {
        of_gy += static_cast<double>(sum(run.gy));
        of_gyh += static_cast<double>(sum(run.gyh));
        of_u += static_cast<double>(sum(run.u));
        of_uh += static_cast<double>(sum(run.uh));
        of_ugy += static_cast<double>(sum(run.ugy));
      });
  const double size = size_of(g);
  const double mean_gy = of_gy / size, mean_gyh = of_gyh / size;
  const double mean_u = of_u / size, mean_uh = of_uh / size;
  const double q = of_ugy / size - mean_gy * mean_u - mean_gyh * mean_uh;
  *of_weight += size * static_cast<double>(inverse_deviation(variance)) * q;
  const Lanes m1 = every(static_cast<float>(mean_gy)), m2 = every(static_cast<float>(mean_gyh));
  const Lanes n1 = every(static_cast<float>(mean_u)), n2 = every(static_cast<float>(mean_uh));
  const Lanes of_h = every(static_cast<float>(q - 2 * mean_gyh * mean_uh));
  const Lanes factor = unit.weight * unit.inverse;
  const Lanes falling = every(0) - factor * unit.inverse;
  over(g, [&](std::size_t at, std::size_t n) HAPFORGE_INLINE {
    const Lanes h = unit.h(load(x + at, n));
    const Lanes gy = unit.sloped(h, load(gz + at, n));
    const Lanes v = load(u + at, n);
    store(of_gz + at, unit.sloped(h, factor * (v - n1 - h * n2)), n);
    store(of_x + at, falling * (n2 * (gy - m1) + m2 * (v - n1) + of_h * h), n);
  });
}

constexpr Kernels kKernels{forward_group, backward_group, twice_group};

}  // namespace
}  // namespace hapforge::normalisation
