// The draw of one binary unit from its fixed-point field, in integers: the definition that every
// backend keeps to, bit for bit.
//
// Unit j of chain c is 1 with probability sigmoid(x 2^-k), where x is its integer field. Its
// uniform is word ((j >> 4) & 1) 2 + (j & 1) of Philox4x32-10 at counter (unit block, chain, step,
// layer) with unit block = (j >> 5) 8 + ((j & 15) >> 1): a block serves the units j, j + 1, j + 16,
// j + 17.
#pragma once

#include <cstdint>

#include "core/philox.h"

namespace hapforge::gibbs {

// What, beside the unit and the chain, the random word of a unit depends on.
struct Draw {
  std::uint64_t seed;
  std::uint32_t step;
  std::uint32_t layer;
  int fixed_point_bits;  // k, 1 to 20
};

// 2^z on (-1, 0], z = -f 2^-32, as a polynomial in f with coefficients in units of 2^-30.
inline constexpr std::uint64_t kOne = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kExp2[6] = {kOne, 744257403, 257891465, 59375086, 9884650, 1014583};
inline constexpr std::uint64_t kLog2E = 3098164009;  // 2^31 / ln 2

// exp(-magnitude 2^-k) in units of 2^-30. magnitude <= 2^31.
HAPFORGE_HOST_DEVICE constexpr std::uint64_t decay(std::uint64_t magnitude, int k) noexcept {
  const std::uint64_t z = magnitude * kLog2E >> (k - 1);
  const std::uint64_t n = z >> 32;
  const std::uint64_t f = z & 0xFFFFFFFF;
  std::uint64_t p = kExp2[5];
  for (int i = 4; i >= 0; --i) p = kExp2[i] - (p * f >> 32);
  return n < 32 ? p >> n : 0;
}

// The unit's value, given its field and its uniform word. (Without the complement marginals would
// be right too, but coupled draws would flip at x = 0.)
HAPFORGE_HOST_DEVICE constexpr bool draw_unit(std::int32_t x, std::uint32_t uniform,
                                              int k) noexcept {
  const bool negative = x < 0;
  const std::uint64_t magnitude =
      static_cast<std::uint64_t>(negative ? -std::int64_t{x} : std::int64_t{x});
  const std::uint64_t u = negative ? std::uint32_t{~uniform} : uniform;
  const bool below = u * (kOne + decay(magnitude, k)) < std::uint64_t{1} << 62;
  return below != negative;
}

}  // namespace hapforge::gibbs
