// joint_counts with NEON: cnt counts the bits of 16 bytes, a word of two sites.
//
// A block of 4 rows x 8 columns keeps its sums as bytes: at most 8 a step, so they are widened
// every 31 steps, before 255 can be passed.
#include <arm_neon.h>

#include "kernels/joint_counts/portable.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kRows = 4;
constexpr std::size_t kVectors = kPanel / 2;
constexpr std::size_t kMostSteps = 31;

// Adds the counts over words [begin, end), at most kMostSteps, of kRows rows and a panel of
// columns.
void block(const std::uint64_t* a, const std::uint64_t* b, std::size_t begin, std::size_t end,
           std::uint32_t* out, std::size_t stride) noexcept {
  uint8x16_t sum[kRows][kVectors] = {};
  for (std::size_t w = begin * kPanel; w < end * kPanel; w += kPanel) {
    uint8x16_t b_u8x16[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      b_u8x16[v] = vreinterpretq_u8_u64(vld1q_u64(b + w + 2 * v));
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const uint8x16_t a_u8x16 = vreinterpretq_u8_u64(vdupq_n_u64(a[w + r]));
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = vaddq_u8(sum[r][v], vcntq_u8(vandq_u8(a_u8x16, b_u8x16[v])));
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      std::uint32_t* to = out + r * stride + 2 * v;
      const uint32x2_t counts = vmovn_u64(vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(sum[r][v]))));
      vst1_u32(to, begin == 0 ? counts : vadd_u32(counts, vld1_u32(to)));
    }
  }
}

void counts(const Tile& t) noexcept {
  for (std::size_t row = 0; row < t.row_panels * kPanel; row += kRows) {
    const std::uint64_t* a = t.rows + row / kPanel * kPanel * t.words + row % kPanel;
    for (std::size_t p = 0; p < t.column_panels; ++p) {
      const std::uint64_t* b = t.columns + p * kPanel * t.words;
      std::uint32_t* out = t.out + row * t.out_stride + p * kPanel;
      std::size_t begin = 0;
      do {  // once for sites of no words, to write their zeros
        const std::size_t end = t.words - begin < kMostSteps ? t.words : begin + kMostSteps;
        block(a, b, begin, end, out, t.out_stride);
        begin = end;
      } while (begin < t.words);
    }
  }
}

void add_squares(const Run& run, double* sums) noexcept {
  const float64x2_t n = vdupq_n_f64(run.n);
  const float64x2_t own = vdupq_n_f64(run.carriers);
  float64x2_t sum[4] = {vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0), vdupq_n_f64(0)};
  std::size_t j = 0;
  for (; j + 8 <= run.length; j += 8) {
    for (std::size_t v = 0; v < 4; ++v) {
      const std::size_t k = j + 2 * v;
      const float64x2_t n11 = vcvtq_f64_u64(vmovl_u32(vld1_u32(run.n11 + k)));
      const float64x2_t d =
          vsubq_f64(vmulq_f64(n, n11), vmulq_f64(own, vld1q_f64(run.partner_carriers + k)));
      sum[v] = vaddq_f64(sum[v], vmulq_f64(vmulq_f64(d, d), vld1q_f64(run.partner_weight + k)));
    }
  }
  double own_sums[8];
  for (std::size_t v = 0; v < 4; ++v) vst1q_f64(own_sums + 2 * v, sum[v]);
  for (std::size_t lane = 0; j + lane < run.length; ++lane) {
    const double d = portable::scaled_d(run, j + lane);
    own_sums[lane] += d * d * run.partner_weight[j + lane];
  }
  for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += run.weight * own_sums[lane];
}

}  // namespace

const Kernels neon_kernels{counts, add_squares, portable::add_moments, portable::scale<false>,
                           portable::scale<true>};

}  // namespace hapforge::joint_counts
