// gibbs with NEON: tbl looks up 8 chains in a table of 8 int16, the sums of 3 units, at once.
//
// Indices are the byte pairs (2 e, 2 e + 1) of entry e. Sums are int16 for a window of groups, then
// widened by smlal with the scale. Lanes keep their order, so that the draw is the scalar one.
#include <arm_neon.h>

#include "kernels/gibbs/isa.h"

namespace hapforge::gibbs {
namespace {

constexpr std::size_t kUnits = 3;
constexpr std::size_t kEntries = 8;

void make_index(const std::uint64_t* bits, std::size_t stride, std::size_t num_groups,
                std::uint16_t* index) noexcept {
  const std::uint16_t bit_of_lane[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint16x8_t bit = vld1q_u16(bit_of_lane);
  for (std::size_t g = 0; g < num_groups; ++g) {
    const std::uint64_t* row = bits + g * kUnits * stride;
    for (std::size_t c = 0; c < kChains; c += 8) {
      uint16x8_t entry = vdupq_n_u16(0x0100);
      for (std::size_t i = 0; i < kUnits; ++i) {
        const auto byte = static_cast<std::uint16_t>(row[i * stride] >> c & 0xFF);
        const uint16x8_t set = vtstq_u16(vdupq_n_u16(byte), bit);
        entry =
            vaddq_u16(entry, vandq_u16(set, vdupq_n_u16(static_cast<std::uint16_t>(0x0202 << i))));
      }
      vst1q_u16(index + g * kChains + c, entry);
    }
  }
}

// Four units, 16 chains.
void accumulate_block(const std::int16_t* tables, const std::uint16_t* index,
                      std::size_t num_groups, std::size_t window, std::int16_t scale,
                      const std::int32_t* bias, std::int32_t* fields) noexcept {
  int32x4_t wide[kQuad][4];
  for (std::size_t c = 0; c < kQuad; ++c) {
    for (std::size_t i = 0; i < 4; ++i) {
      wide[c][i] = bias != nullptr ? vdupq_n_s32(bias[c]) : vld1q_s32(fields + c * kChains + i * 4);
    }
  }
  for (std::size_t begin = 0; begin < num_groups; begin += window) {
    const std::size_t end = num_groups - begin < window ? num_groups : begin + window;
    int16x8_t sum[kQuad][2] = {};
    for (std::size_t g = begin; g < end; ++g) {
      const uint8x16_t low = vreinterpretq_u8_u16(vld1q_u16(index + g * kChains));
      const uint8x16_t high = vreinterpretq_u8_u16(vld1q_u16(index + g * kChains + 8));
      for (std::size_t c = 0; c < kQuad; ++c) {
        const int8x16_t table =
            vreinterpretq_s8_s16(vld1q_s16(tables + (g * kQuad + c) * kEntries));
        sum[c][0] = vaddq_s16(sum[c][0], vreinterpretq_s16_s8(vqtbl1q_s8(table, low)));
        sum[c][1] = vaddq_s16(sum[c][1], vreinterpretq_s16_s8(vqtbl1q_s8(table, high)));
      }
    }
    for (std::size_t c = 0; c < kQuad; ++c) {
      for (std::size_t h = 0; h < 2; ++h) {
        wide[c][2 * h] = vmlal_n_s16(wide[c][2 * h], vget_low_s16(sum[c][h]), scale);
        wide[c][2 * h + 1] = vmlal_n_s16(wide[c][2 * h + 1], vget_high_s16(sum[c][h]), scale);
      }
    }
  }
  for (std::size_t c = 0; c < kQuad; ++c) {
    for (std::size_t i = 0; i < 4; ++i) vst1q_s32(fields + c * kChains + i * 4, wide[c][i]);
  }
}

void accumulate(const std::int16_t* tables, const std::uint16_t* index, std::size_t num_groups,
                std::size_t window, std::int16_t scale, const std::int32_t* bias,
                std::int32_t* fields) noexcept {
  for (std::size_t lane = 0; lane < kChains; lane += 16) {
    accumulate_block(tables, index + lane, num_groups, window, scale, bias, fields + lane);
  }
}

}  // namespace

const Kernels neon_kernels{
    kUnits, kEntries, nullptr, make_index, accumulate, draw_scalar, natural_order_scalar};

}  // namespace hapforge::gibbs
