// popcount_tile on plain 64-bit words. The x86-64 baseline has no popcnt instruction, so bits are
// counted within bytes, eight at a time (Hacker's Delight, section 5-1), and the byte sums, at most
// 8 a word, are added up every 31 words, before 255 can be passed.
#include "kernels/popcount_tile/isa.h"

namespace hapforge::popcount_tile {
namespace {

constexpr std::size_t kMostSteps = 31;

struct Xor {
  static std::uint64_t apply(std::uint64_t a, std::uint64_t b) noexcept { return a ^ b; }
};
struct And {
  static std::uint64_t apply(std::uint64_t a, std::uint64_t b) noexcept { return a & b; }
};

// Set bits of each byte of v.
std::uint64_t count_bytes(std::uint64_t v) noexcept {
  v -= v >> 1 & 0x5555555555555555;
  v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
  return (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F;
}

std::uint32_t sum_bytes(std::uint64_t v) noexcept {
  const std::uint64_t pairs = (v & 0x00FF00FF00FF00FF) + (v >> 8 & 0x00FF00FF00FF00FF);
  return static_cast<std::uint32_t>(pairs * 0x0001000100010001 >> 48);
}

template <class Op>
std::uint32_t count(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) noexcept {
  std::uint32_t total = 0;
  for (std::size_t begin = 0; begin < words; begin += kMostSteps) {
    const std::size_t end = words - begin < kMostSteps ? words : begin + kMostSteps;
    std::uint64_t bytes = 0;
    for (std::size_t w = begin; w < end; ++w) bytes += count_bytes(Op::apply(a[w], b[w]));
    total += sum_bytes(bytes);
  }
  return total;
}

template <class Op>
void tile(const Tile& t) noexcept {
  for (std::size_t i = 0; i < t.rows_a; ++i) {
    for (std::size_t j = 0; j < t.rows_b; ++j) {
      t.out[i * t.out_stride + j] = count<Op>(t.a + i * t.words, t.b + j * t.words, t.words);
    }
  }
}

void below(const Comparison& c) noexcept {
  for (std::size_t i = 0; i < c.rows; ++i) {
    const std::uint32_t* count = c.count + i * c.stride;
    std::uint64_t mask = 0;
    for (std::size_t j = 0; j < c.columns; ++j) {
      mask |= std::uint64_t{count[j] < c.row_limit[i]} << j;
    }
    c.row_mask[i] = mask;
    if (c.column_limit == nullptr) continue;
    mask = 0;
    for (std::size_t j = 0; j < c.columns; ++j) {
      mask |= std::uint64_t{count[j] < c.column_limit[j]} << j;
    }
    c.column_mask[i] = mask;
  }
}

}  // namespace

const Kernels scalar_kernels{tile<Xor>, tile<And>, below};

}  // namespace hapforge::popcount_tile
