// popcount_tile with NEON: cnt counts the bits of 16 bytes.
//
// A block of 4 x 4 row pairs keeps its sums as bytes: at most 8 a step, so they are widened every
// 31 steps, before 255 can be passed. An odd last word is loaded into half a vector.
#include <arm_neon.h>

#include "kernels/popcount_tile/isa.h"

namespace hapforge::popcount_tile {
namespace {

constexpr std::size_t kLanes = 2;
constexpr std::size_t kMostSteps = 31;

struct Xor {
  static uint8x16_t apply(uint8x16_t a, uint8x16_t b) noexcept { return veorq_u8(a, b); }
};
struct And {
  static uint8x16_t apply(uint8x16_t a, uint8x16_t b) noexcept { return vandq_u8(a, b); }
};

// The first `count` <= 2 words from `p`, then zeros.
uint8x16_t load(const std::uint64_t* p, std::size_t count) noexcept {
  if (count >= kLanes) return vreinterpretq_u8_u64(vld1q_u64(p));
  return vreinterpretq_u8_u64(vcombine_u64(vld1_u64(p), vdup_n_u64(0)));
}

// Adds the counts over words [begin, end), at most kMostSteps vectors, of kRows x kColumns pairs.
template <class Op, int kRows, int kColumns>
void block(const Tile& t, std::size_t row, std::size_t column, std::size_t begin,
           std::size_t end) noexcept {
  const std::uint64_t* a = t.a + row * t.words;
  const std::uint64_t* b = t.b + column * t.words;
  uint8x16_t sum[kRows][kColumns] = {};
  for (std::size_t w = begin; w < end; w += kLanes) {
    uint8x16_t a_u8x16[kRows];
    for (int r = 0; r < kRows; ++r) {
      a_u8x16[r] = load(a + static_cast<std::size_t>(r) * t.words + w, end - w);
    }
    for (int c = 0; c < kColumns; ++c) {
      const uint8x16_t b_u8x16 = load(b + static_cast<std::size_t>(c) * t.words + w, end - w);
      for (int r = 0; r < kRows; ++r) {
        sum[r][c] = vaddq_u8(sum[r][c], vcntq_u8(Op::apply(a_u8x16[r], b_u8x16)));
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    std::uint32_t* out = t.out + (row + static_cast<std::size_t>(r)) * t.out_stride + column;
    for (int c = 0; c < kColumns; ++c) {
      const std::uint32_t before = begin == 0 ? 0 : out[c];
      out[c] = before + vaddlvq_u8(sum[r][c]);
    }
  }
}

template <class Op, int kRows>
void block_row(const Tile& t, std::size_t row, std::size_t begin, std::size_t end) noexcept {
  std::size_t column = 0;
  for (; column + 4 <= t.rows_b; column += 4) block<Op, kRows, 4>(t, row, column, begin, end);
  for (; column < t.rows_b; ++column) block<Op, kRows, 1>(t, row, column, begin, end);
}

template <class Op>
void tile(const Tile& t) noexcept {
  constexpr std::size_t kWords = kMostSteps * kLanes;
  std::size_t begin = 0;
  do {  // once for rows of no words, to write their zeros
    const std::size_t end = t.words - begin < kWords ? t.words : begin + kWords;
    std::size_t row = 0;
    for (; row + 4 <= t.rows_a; row += 4) block_row<Op, 4>(t, row, begin, end);
    for (; row < t.rows_a; ++row) block_row<Op, 1>(t, row, begin, end);
    begin = end;
  } while (begin < t.words);
}

// Bit j of the result: count[j] < limit[j], of 4.
std::uint64_t mask_of_4(uint32x4_t count, uint32x4_t limit) noexcept {
  const uint32x4_t bit = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcltq_u32(count, limit), bit));
}

void below(const Comparison& c) noexcept {
  for (std::size_t i = 0; i < c.rows; ++i) {
    const std::uint32_t* count = c.count + i * c.stride;
    const std::uint32_t* column_limit = c.column_limit != nullptr ? c.column_limit : count;
    const uint32x4_t row_limit = vdupq_n_u32(c.row_limit[i]);
    std::uint64_t row_mask = 0;
    std::uint64_t column_mask = 0;
    std::size_t j = 0;
    for (; j + 4 <= c.columns; j += 4) {
      const uint32x4_t count_u32x4 = vld1q_u32(count + j);
      row_mask |= mask_of_4(count_u32x4, row_limit) << j;
      column_mask |= mask_of_4(count_u32x4, vld1q_u32(column_limit + j)) << j;
    }
    for (; j < c.columns; ++j) {
      row_mask |= std::uint64_t{count[j] < c.row_limit[i]} << j;
      column_mask |= std::uint64_t{count[j] < column_limit[j]} << j;
    }
    c.row_mask[i] = row_mask;
    c.column_mask[i] = column_mask;
  }
}

}  // namespace

const Kernels neon_kernels{tile<Xor>, tile<And>, below};

}  // namespace hapforge::popcount_tile
