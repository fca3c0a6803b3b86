// popcount_tile on plain 64-bit words. std::popcount is a bit trick on the x86-64 baseline, which
// has no popcnt instruction, and a short vector sequence on aarch64.
#include <bit>

#include "kernels/popcount_tile/isa.h"

namespace hapforge::popcount_tile {
namespace {

struct Xor {
  static std::uint64_t apply(std::uint64_t a, std::uint64_t b) noexcept { return a ^ b; }
};
struct And {
  static std::uint64_t apply(std::uint64_t a, std::uint64_t b) noexcept { return a & b; }
};

template <class Op>
void tile(const Tile& t) noexcept {
  for (std::size_t i = 0; i < t.rows_a; ++i) {
    for (std::size_t j = 0; j < t.rows_b; ++j) {
      const std::uint64_t* a = t.a + i * t.words;
      const std::uint64_t* b = t.b + j * t.words;
      int count = 0;
      std::uint32_t total = 0;
      for (std::size_t w = 0; w < t.words; ++w) {
        count = std::popcount(Op::apply(a[w], b[w]));
        total += static_cast<std::uint32_t>(count);
      }
      t.out[i * t.out_stride + j] = total;
    }
  }
}

}  // namespace

const Kernels scalar_kernels{tile<Xor>, tile<And>};

}  // namespace hapforge::popcount_tile
