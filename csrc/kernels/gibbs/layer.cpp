// gibbs: weights in the form that look-ups take, and the exact guard of their int16 sums.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/gibbs/kernel.h"

namespace hapforge::gibbs {
namespace {

// Twice the greatest int16, and one.
constexpr std::int32_t kMost = std::numeric_limits<std::uint16_t>::max();
constexpr std::size_t kMostDigits = 3;
constexpr int kDigitBits = 7;
// What the end of a window costs, in look-ups of a group, about.
constexpr double kWindowEnd = 2;

// Balanced digit `place` of a weight, base 128; the last of `num_digits` takes what is left.
std::int32_t digit_of(std::int32_t weight, std::size_t place, std::size_t num_digits) noexcept {
  constexpr std::int32_t kHalf = 1 << (kDigitBits - 1);
  for (std::size_t p = 0; p < place; ++p) weight = (weight + kHalf) >> kDigitBits;
  if (place + 1 == num_digits) return weight;
  return ((weight + kHalf) & (2 * kHalf - 1)) - kHalf;
}

// One digit of the weights of one quad; zero where a unit, or an in-unit of the last group, does
// not exist.
template <std::size_t kUnits>
struct QuadDigit {
  const std::int32_t* row[kQuad];  // null for a unit that does not exist
  std::size_t num_in;
  std::size_t place = 0, num_digits = 1;

  void group(std::size_t unit, std::size_t g, std::int32_t (&out)[kUnits]) const noexcept {
    const std::size_t begin = g * kUnits;
    const std::size_t count = row[unit] == nullptr ? 0 : std::min(kUnits, num_in - begin);
    if (count == kUnits) {
      for (std::size_t u = 0; u < kUnits; ++u) out[u] = row[unit][begin + u];
    } else {
      for (std::size_t u = 0; u < kUnits; ++u) out[u] = u < count ? row[unit][begin + u] : 0;
    }
    if (num_digits == 1) return;
    for (std::size_t u = 0; u < kUnits; ++u) out[u] = digit_of(out[u], place, num_digits);
  }
};

// Of groups and then of windows: sums of the weights and of their magnitudes. Half of their sum and
// of their difference are the sums of the positive and of the negative weights, between which all
// partial sums are.
struct Sums {
  std::vector<std::int32_t> plain, magnitude;

  // Twice the larger of the two in magnitude. 5 weights up to 2^26, and two windows of which each
  // fits, are far from overflow.
  std::int32_t twice_largest(std::size_t g) const noexcept {
    return magnitude[g] + std::abs(plain[g]);
  }
};

// Greatest power of two of groups, up to a chunk, whose aligned windows have sums that fit an int16
// for every unit of the quad; 0 where those of a single group do not.
template <std::size_t kUnits>
std::size_t longest_window(const QuadDigit<kUnits>& weights, Sums& sums) noexcept {
  std::size_t longest = kGroupsPerChunk;
  for (std::size_t i = 0; i < kQuad && longest > 0; ++i) {
    if (weights.row[i] == nullptr) continue;
    std::size_t count = sums.plain.size();
    std::int32_t most = 0;
    for (std::size_t g = 0; g < count; ++g) {
      std::int32_t w[kUnits];
      weights.group(i, g, w);
      std::int32_t plain = 0, magnitude = 0;
      for (const std::int32_t one : w) {
        plain += one;
        magnitude += std::abs(one);
      }
      sums.plain[g] = plain;
      sums.magnitude[g] = magnitude;
      most = std::max(most, sums.twice_largest(g));
    }
    std::size_t window = 0;
    while (most <= kMost) {
      window = window == 0 ? 1 : 2 * window;
      if (window >= longest) break;
      most = 0;
      for (std::size_t g = 0; g < count / 2; ++g) {
        sums.plain[g] = sums.plain[2 * g] + sums.plain[2 * g + 1];
        sums.magnitude[g] = sums.magnitude[2 * g] + sums.magnitude[2 * g + 1];
      }
      if (count % 2 == 1) {
        sums.plain[count / 2] = sums.plain[count - 1];
        sums.magnitude[count / 2] = sums.magnitude[count - 1];
      }
      count = (count + 1) / 2;
      for (std::size_t g = 0; g < count; ++g) most = std::max(most, sums.twice_largest(g));
    }
    longest = std::min(longest, window);
  }
  return longest;
}

// The cheapest number of digits, and their windows.
template <std::size_t kUnits>
void plan(QuadDigit<kUnits> weights, Sums& sums, Layer::Quad& quad) noexcept {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t n = 1; n <= kMostDigits && static_cast<double>(n) < best; ++n) {
    Layer::Quad candidate = quad;
    candidate.num_digits = static_cast<std::uint16_t>(n);
    weights.num_digits = n;
    double cost = 0;
    for (std::size_t p = 0; p < n; ++p) {
      weights.place = p;
      const std::size_t window = longest_window(weights, sums);
      candidate.digits[p] = {0, static_cast<std::uint16_t>(1 << (kDigitBits * p)),
                             static_cast<std::uint16_t>(window)};
      cost += window == 0 ? std::numeric_limits<double>::infinity()
                          : 1 + kWindowEnd / static_cast<double>(window);
    }
    if (cost < best) {
      best = cost;
      quad = candidate;
    }
  }
}

void write_seed(const std::int32_t (&w)[3], std::int16_t* seed) noexcept {
  const std::int32_t sums[kSeeds] = {0,    w[0],        w[1],        w[0] + w[1],
                                     w[2], w[0] + w[2], w[1] + w[2], w[0] + w[1] + w[2]};
  for (std::size_t s = 0; s < kSeeds; ++s) seed[s] = static_cast<std::int16_t>(sums[s]);
}

void write_seed(const std::int32_t (&w)[5], std::int16_t* seed) noexcept {
  const std::int32_t sums[kSeeds] = {w[0], w[1], w[0] + w[1], w[2], w[3], w[2] + w[3], w[4], 0};
  for (std::size_t s = 0; s < kSeeds; ++s) seed[s] = static_cast<std::int16_t>(sums[s]);
}

// Plans all quads, then writes their seeds.
template <std::size_t kUnits>
void prepare(const std::int32_t* weights, std::size_t num_out, std::size_t num_in,
             std::vector<Layer::Quad>& quads, std::vector<std::int16_t>& seeds,
             std::size_t threads) {
  const std::size_t num_groups = (num_in + kUnits - 1) / kUnits;
  const auto quad_weights = [&](std::size_t q) noexcept {
    QuadDigit<kUnits> out{{}, num_in};
    for (std::size_t i = 0; i < kQuad; ++i) {
      const std::size_t unit = unit_of(q, i);
      out.row[i] = unit < num_out ? weights + unit * num_in : nullptr;
    }
    return out;
  };
  const Sums none{std::vector<std::int32_t>(num_groups), std::vector<std::int32_t>(num_groups)};
  std::vector<Sums> sums(num_slots(quads.size(), threads), none);
  parallel_for(quads.size(), threads, [&](std::size_t q, std::size_t slot) noexcept {
    plan(quad_weights(q), sums[slot], quads[q]);
  });
  std::size_t size = 0;
  for (Layer::Quad& quad : quads) {
    for (std::size_t p = 0; p < quad.num_digits; ++p) {
      quad.digits[p].offset = size;
      size += num_groups * kQuad * kSeeds;
    }
  }
  seeds.resize(size);
  parallel_for(quads.size(), threads, [&](std::size_t q, std::size_t) noexcept {
    QuadDigit<kUnits> digit = quad_weights(q);
    digit.num_digits = quads[q].num_digits;
    for (digit.place = 0; digit.place < digit.num_digits; ++digit.place) {
      std::int16_t* seed = seeds.data() + quads[q].digits[digit.place].offset;
      for (std::size_t g = 0; g < num_groups; ++g) {
        for (std::size_t i = 0; i < kQuad; ++i, seed += kSeeds) {
          std::int32_t w[kUnits];
          digit.group(i, g, w);
          write_seed(w, seed);
        }
      }
    }
  });
}

}  // namespace

Layer::Layer(const std::int32_t* weights, const std::int32_t* bias, std::size_t num_out,
             std::size_t num_in, const Kernels& kernels, std::size_t threads)
    : kernels_(&kernels),
      num_in_(num_in),
      num_out_(num_out),
      num_groups_((num_in + kernels.group_units - 1) / kernels.group_units),
      quads_((num_out + kUnitsPerGroup - 1) / kUnitsPerGroup * kQuadsPerGroup) {
  for (std::size_t q = 0; q < quads_.size(); ++q) {
    for (std::size_t i = 0; i < kQuad; ++i) {
      quads_[q].bias[i] = unit_of(q, i) < num_out ? bias[unit_of(q, i)] : 0;
    }
  }
  if (kernels.group_units == 3) {
    prepare<3>(weights, num_out, num_in, quads_, seeds_, threads);
  } else {
    prepare<5>(weights, num_out, num_in, quads_, seeds_, threads);
  }
}

}  // namespace hapforge::gibbs
