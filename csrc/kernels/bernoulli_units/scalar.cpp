// bernoulli_units one unit at a time: the definition, written down.
#include <algorithm>

#include "core/bit_matrix_view.h"
#include "kernels/bernoulli_units/isa.h"

namespace hapforge::bernoulli_units {
namespace {

bool to_integer(std::int32_t x, std::int32_t& out) noexcept {
  out = x;
  return true;
}

bool to_integer(float x, std::int32_t& out) noexcept {
  const bool in_range = x >= -2147483648.0F && x < 2147483648.0F;  // false for NaN
  out = in_range ? static_cast<std::int32_t>(x) : 0;
  return in_range && static_cast<float>(out) == x;
}

template <class Field>
bool draw_chain(const Field* field, std::size_t num_units, std::uint32_t chain, const Draw& draw,
                std::uint64_t* words) noexcept {
  const auto key0 = static_cast<std::uint32_t>(draw.seed);
  const auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  bool exact = true;
  std::fill(words, words + words_for_bits(num_units), 0);
  for (std::size_t group = 0; group < num_units; group += kGroup) {
    for (std::uint32_t b = 0; b < 8; ++b) {
      const auto block = static_cast<std::uint32_t>(group / kGroup * 8) + b;
      const philox::Words uniform =
          philox::philox4x32({{block, chain, draw.step, draw.layer}}, key0, key1);
      for (std::uint32_t word = 0; word < 4; ++word) {
        const std::size_t j = group + (word >> 1) * 16 + 2 * b + (word & 1);
        if (j >= num_units) continue;
        std::int32_t x = 0;
        exact &= to_integer(field[j], x);
        const std::uint64_t bit = draw_unit(x, uniform.w[word], draw.fixed_point_bits);
        words[j / kBitsPerWord] |= bit << (j % kBitsPerWord);
      }
    }
  }
  return exact;
}

void draw_int32(const std::int32_t* field, std::size_t num_units, std::uint32_t chain,
                const Draw& draw, std::uint64_t* words) noexcept {
  draw_chain(field, num_units, chain, draw, words);
}

void expand(const std::uint64_t* words, std::size_t num_units, float* units) noexcept {
  for (std::size_t j = 0; j < num_units; ++j) {
    units[j] = static_cast<float>(words[j / kBitsPerWord] >> (j % kBitsPerWord) & 1);
  }
}

}  // namespace

const Kernels scalar_kernels{draw_int32, draw_chain<float>, expand};

}  // namespace hapforge::bernoulli_units
