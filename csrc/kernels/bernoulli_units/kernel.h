// bernoulli_units: binary units from their fixed-point fields, the sampling half of a Gibbs step.
//
// Unit j of chain c is 1 with probability sigmoid(x 2^-k), where x is its integer field. The
// uniform is word ((j >> 4) & 1) 2 + (j & 1) of Philox4x32-10 at counter (unit block, chain, step,
// layer) with unit block = (j >> 5) 8 + ((j & 15) >> 1): eight neighbouring blocks hold the words
// of 32 units, in the order in which 64-bit lanes produce them. The comparison is made in integers,
// so every backend and thread count draws the same bits. `draw_unit` below is the definition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/dispatch.h"
#include "core/philox.h"

namespace hapforge::bernoulli_units {

struct Draw {
  std::uint64_t seed;
  std::uint32_t first_chain;
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

// The unit's value, given its field and its uniform word.
HAPFORGE_HOST_DEVICE constexpr bool draw_unit(std::int32_t x, std::uint32_t uniform,
                                              int k) noexcept {
  const bool negative = x < 0;
  const std::uint64_t magnitude =
      static_cast<std::uint64_t>(negative ? -std::int64_t{x} : std::int64_t{x});
  const std::uint64_t u = negative ? std::uint32_t{~uniform} : uniform;
  const bool below = u * (kOne + decay(magnitude, k)) < std::uint64_t{1} << 62;
  return below != negative;
}

// What an ISA provides: one chain, `num_units` fields to words_for_bits(num_units) packed words.
// The float version takes fields that are integers in [-2^31, 2^31) and returns false if one is not
// (the words are then unspecified).
struct Kernels {
  void (*draw_int32)(const std::int32_t* field, std::size_t num_units, std::uint32_t chain,
                     const Draw& draw, std::uint64_t* words) noexcept;
  bool (*draw_float)(const float* field, std::size_t num_units, std::uint32_t chain,
                     const Draw& draw, std::uint64_t* words) noexcept;
  // Packed words to one 0.0 or 1.0 per unit.
  void (*expand)(const std::uint64_t* words, std::size_t num_units, float* units) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

// field: num_chains x num_units, C order. Exactly one of `words` (num_chains x
// words_for_bits(num_units), padding zero) and `units` (num_chains x num_units, 0.0 or 1.0) is
// written, the other is null.
void draw(const std::int32_t* field, std::size_t num_chains, std::size_t num_units,
          const Draw& draw, std::uint64_t* words, float* units, const Kernels& kernels,
          std::size_t threads);

// The same for fields held as float32; false if one is not an integer in [-2^31, 2^31).
bool draw(const float* field, std::size_t num_chains, std::size_t num_units, const Draw& draw,
          std::uint64_t* words, float* units, const Kernels& kernels, std::size_t threads);

}  // namespace hapforge::bernoulli_units
