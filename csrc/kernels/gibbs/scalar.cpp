// gibbs one chain at a time: the definition, written down. Groups of 3 units, lanes in their order.
#include <algorithm>

#include "kernels/gibbs/isa.h"

namespace hapforge::gibbs {
namespace {

constexpr std::size_t kUnits = 3;
constexpr std::size_t kEntries = 8;

void make_index(const std::uint64_t* bits, std::size_t stride, std::size_t num_groups,
                std::uint16_t* index) noexcept {
  for (std::size_t g = 0; g < num_groups; ++g) {
    const std::uint64_t* row = bits + g * kUnits * stride;
    for (std::size_t c = 0; c < kChains; ++c) {
      index[g * kChains + c] = static_cast<std::uint16_t>(
          (row[0] >> c & 1) | (row[stride] >> c & 1) << 1 | (row[2 * stride] >> c & 1) << 2);
    }
  }
}

void accumulate(const std::int16_t* tables, const std::uint16_t* index, std::size_t num_groups,
                std::size_t /*window*/, std::int16_t scale, const std::int32_t* bias,
                std::int32_t* fields) noexcept {
  std::int32_t sum[kFields] = {};
  for (std::size_t g = 0; g < num_groups; ++g) {
    for (std::size_t i = 0; i < kQuad; ++i) {
      const std::int16_t* table = tables + (g * kQuad + i) * kEntries;
      for (std::size_t c = 0; c < kChains; ++c)
        sum[i * kChains + c] += table[index[g * kChains + c]];
    }
  }
  for (std::size_t i = 0; i < kFields; ++i) {
    // Modulo 2^32: a digit's part may pass an int32 where the whole field does not.
    const auto before = static_cast<std::uint32_t>(bias == nullptr ? fields[i] : bias[i / kChains]);
    fields[i] = static_cast<std::int32_t>(before + static_cast<std::uint32_t>(scale) *
                                                       static_cast<std::uint32_t>(sum[i]));
  }
}

}  // namespace

void draw_scalar(const std::int32_t* fields, std::uint32_t block, std::uint32_t first_chain,
                 const Draw& draw, std::uint64_t bits[kQuad]) noexcept {
  const auto key0 = static_cast<std::uint32_t>(draw.seed);
  const auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  std::fill(bits, bits + kQuad, 0);
  for (std::uint32_t c = 0; c < kChains; ++c) {
    const philox::Words uniform =
        philox::philox4x32({{block, first_chain + c, draw.step, draw.layer}}, key0, key1);
    for (std::size_t i = 0; i < kQuad; ++i) {
      const std::uint64_t bit =
          draw_unit(fields[i * kChains + c], uniform.w[i], draw.fixed_point_bits);
      bits[i] |= bit << c;
    }
  }
}

void natural_order_scalar(const std::int32_t* fields, std::int32_t* out) noexcept {
  std::copy(fields, fields + kFields, out);
}

const Kernels scalar_kernels{
    kUnits, kEntries, nullptr, make_index, accumulate, draw_scalar, natural_order_scalar};

}  // namespace hapforge::gibbs
