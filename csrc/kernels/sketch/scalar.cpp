// sketch on plain 64-bit words.
#include "kernels/sketch/isa.h"

namespace hapforge::sketch {
namespace {

// Hacker's Delight, section 5-1: the x86-64 baseline has no popcnt instruction.
std::uint64_t popcount(std::uint64_t v) noexcept {
  v -= v >> 1 & 0x5555555555555555;
  v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
  return ((v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101 >> 56;
}

void closer(const std::uint64_t* queries, std::size_t num_queries, const std::uint64_t* targets,
            std::size_t words, const std::uint64_t* query_limits,
            const std::uint64_t* target_limits, std::uint64_t* masks) noexcept {
  for (std::size_t q = 0; q < num_queries; ++q) {
    std::uint64_t sum[kTileTargets] = {};
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t word = queries[q * words + w];
      for (std::size_t t = 0; t < kTileTargets; ++t) {
        sum[t] += popcount(word ^ targets[w * kTileTargets + t]);
      }
    }
    std::uint64_t mask = 0;
    for (std::size_t t = 0; t < kTileTargets; ++t) {
      const std::uint64_t limit =
          query_limits[q] > target_limits[t] ? query_limits[q] : target_limits[t];
      mask |= std::uint64_t{sum[t] < limit} << t;
    }
    masks[q] = mask;
  }
}

std::uint32_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t w = 0; w < words; ++w) sum += popcount(a[w] ^ b[w]);
  return static_cast<std::uint32_t>(sum);
}

}  // namespace

const Kernels scalar_kernels{closer, distance, 80};

}  // namespace hapforge::sketch
