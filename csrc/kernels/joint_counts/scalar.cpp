// joint_counts on plain 64-bit words, eight sites side by side. The x86-64 baseline has no popcnt
// instruction, so bits are counted within bytes (Hacker's Delight, section 5-1), and the byte sums,
// at most 8 a word, are added up every 31 words, before 255 can be passed.
#include "kernels/joint_counts/portable.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kMostSteps = 31;

void counts(const Tile& t) noexcept {
  for (std::size_t i = 0; i < t.row_panels * kPanel; ++i) {
    const std::uint64_t* a = t.rows + i / kPanel * kPanel * t.words + i % kPanel;
    for (std::size_t p = 0; p < t.column_panels; ++p) {
      const std::uint64_t* b = t.columns + p * kPanel * t.words;
      std::uint64_t total[kPanel] = {};
      for (std::size_t begin = 0; begin < t.words; begin += kMostSteps) {
        const std::size_t end = t.words - begin < kMostSteps ? t.words : begin + kMostSteps;
        std::uint64_t bytes[kPanel] = {};
        for (std::size_t w = begin; w < end; ++w) {
          for (std::size_t s = 0; s < kPanel; ++s) {
            std::uint64_t v = a[w * kPanel] & b[w * kPanel + s];
            v -= v >> 1 & 0x5555555555555555;
            v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
            bytes[s] += (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F;
          }
        }
        for (std::size_t s = 0; s < kPanel; ++s) {
          std::uint64_t sum =
              (bytes[s] & 0x00FF00FF00FF00FF) + (bytes[s] >> 8 & 0x00FF00FF00FF00FF);
          sum += sum >> 16;
          total[s] += (sum + (sum >> 32)) & 0xFFFF;
        }
      }
      for (std::size_t s = 0; s < kPanel; ++s) {
        t.out[i * t.out_stride + p * kPanel + s] = static_cast<std::uint32_t>(total[s]);
      }
    }
  }
}

void add_squares(const Run& run, double* sums) noexcept {
  double own_sums[8] = {};
  std::size_t j = 0;
  const auto add = [&](std::size_t lane) {
    const double d = portable::scaled_d(run, j + lane);
    own_sums[lane] += d * d * run.partner_weight[j + lane];
  };
  for (; j + 8 <= run.length; j += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) add(lane);
  }
  for (std::size_t lane = 0; j + lane < run.length; ++lane) add(lane);
  for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += run.weight * own_sums[lane];
}

}  // namespace

const Kernels scalar_kernels{counts, add_squares, portable::add_moments, portable::scale<false>,
                             portable::scale<true>};

}  // namespace hapforge::joint_counts
