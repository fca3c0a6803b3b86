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

enum DrawLayer : std::uint32_t { kHidden = 0, kVisible = 1, kStart = 2 };

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

// The high half of a product.
HAPFORGE_HOST_DEVICE inline std::uint32_t multiply_high(std::uint32_t a, std::uint32_t b) noexcept {
#if defined(__CUDA_ARCH__)
  return __umulhi(a, b);  // one instruction; of the other form nvcc makes more
#else
  return static_cast<std::uint32_t>(std::uint64_t{a} * b >> 32);
#endif
}

// The next term of that polynomial.
template <int i>
HAPFORGE_HOST_DEVICE inline std::uint32_t exp2_term(std::uint32_t p, std::uint32_t f) noexcept {
  constexpr auto kTerm = static_cast<std::uint32_t>(kExp2[i]);
  return kTerm - multiply_high(p, f);
}

// exp(-magnitude 2^-k) in units of 2^-30.
HAPFORGE_HOST_DEVICE inline std::uint32_t decay(std::uint32_t magnitude, int k) noexcept {
  const std::uint64_t z = magnitude * kLog2E >> (k - 1);
  const auto n = static_cast<std::uint32_t>(z >> 32);
  const auto f = static_cast<std::uint32_t>(z);
  constexpr auto kLast = static_cast<std::uint32_t>(kExp2[5]);
  const std::uint32_t p =
      exp2_term<0>(exp2_term<1>(exp2_term<2>(exp2_term<3>(exp2_term<4>(kLast, f), f), f), f), f);
  return p >> (n < 31 ? n : 31);  // p <= 2^30
}

// The unit's value in bit 30, given its field and its uniform word; other bits are anything.
// (Without the complement marginals would be right too, but coupled draws would flip at x = 0.)
HAPFORGE_HOST_DEVICE inline std::uint32_t draw_bit_30(std::int32_t x, std::uint32_t uniform,
                                                      int k) noexcept {
  const std::uint32_t negative = x < 0 ? 0xFFFFFFFF : 0;
  const std::uint32_t magnitude = (static_cast<std::uint32_t>(x) ^ negative) - negative;
  const std::uint32_t one_plus = static_cast<std::uint32_t>(kOne) + decay(magnitude, k);
  // The product is below 2^63, and the unit 1 where it is below 2^62.
  return ~(multiply_high(uniform ^ negative, one_plus) ^ negative);
}

HAPFORGE_HOST_DEVICE inline std::uint32_t draw_unit(std::int32_t x, std::uint32_t uniform,
                                                    int k) noexcept {
  return draw_bit_30(x, uniform, k) >> 30 & 1;
}

}  // namespace hapforge::gibbs
