// sketch with NEON: a lane is a target; cnt counts the bits of 16 bytes, kept as byte sums, at most
// 8 a word, which are widened every 31 words, before 255 can be passed.
#include <arm_neon.h>

#include "kernels/sketch/isa.h"

namespace hapforge::sketch {
namespace {

constexpr std::size_t kLanes = 2;
constexpr std::size_t kGroup = 16;  // vectors whose sums are in registers
constexpr std::size_t kMostSteps = 31;

uint64x2_t widen(uint8x16_t bytes) noexcept { return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(bytes))); }

// The comparison of one query with the targets of kGroup vectors.
std::uint64_t group_mask(const std::uint64_t* query, const std::uint64_t* targets,
                         std::size_t words, std::uint64_t query_limit,
                         const std::uint64_t* target_limits) noexcept {
  uint64x2_t total[kGroup] = {};
  for (std::size_t begin = 0; begin < words; begin += kMostSteps) {
    const std::size_t end = words - begin < kMostSteps ? words : begin + kMostSteps;
    uint8x16_t bytes[kGroup] = {};
    for (std::size_t w = begin; w < end; ++w) {
      const uint64x2_t word = vdupq_n_u64(query[w]);
      for (std::size_t v = 0; v < kGroup; ++v) {
        const uint64x2_t target = vld1q_u64(targets + w * kTileTargets + v * kLanes);
        bytes[v] = vaddq_u8(bytes[v], vcntq_u8(vreinterpretq_u8_u64(veorq_u64(word, target))));
      }
    }
    for (std::size_t v = 0; v < kGroup; ++v) total[v] = vaddq_u64(total[v], widen(bytes[v]));
  }
  const uint64x2_t limit = vdupq_n_u64(query_limit);
  std::uint64_t mask = 0;
  for (std::size_t v = 0; v < kGroup; ++v) {
    const uint64x2_t theirs = vld1q_u64(target_limits + v * kLanes);
    const uint64x2_t closer = vorrq_u64(vcltq_u64(total[v], limit), vcltq_u64(total[v], theirs));
    mask |= ((vgetq_lane_u64(closer, 0) & 1) | (vgetq_lane_u64(closer, 1) & 2)) << v * kLanes;
  }
  return mask;
}

void closer(const std::uint64_t* queries, std::size_t num_queries, const std::uint64_t* targets,
            std::size_t words, const std::uint64_t* query_limits,
            const std::uint64_t* target_limits, std::uint64_t* masks) noexcept {
  for (std::size_t q = 0; q < num_queries; ++q) {
    std::uint64_t mask = 0;
    for (std::size_t t = 0; t < kTileTargets; t += kGroup * kLanes) {
      mask |=
          group_mask(queries + q * words, targets + t, words, query_limits[q], target_limits + t)
          << t;
    }
    masks[q] = mask;
  }
}

std::uint32_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) noexcept {
  uint64x2_t total = vdupq_n_u64(0);
  std::size_t w = 0;
  for (; w + kLanes <= words; w += kLanes) {
    const uint64x2_t differ = veorq_u64(vld1q_u64(a + w), vld1q_u64(b + w));
    total = vaddq_u64(total, widen(vcntq_u8(vreinterpretq_u8_u64(differ))));
  }
  std::uint64_t sum = vaddvq_u64(total);
  if (w < words) sum += vaddlv_u8(vcnt_u8(vcreate_u8(a[w] ^ b[w])));
  return static_cast<std::uint32_t>(sum);
}

}  // namespace

const Kernels neon_kernels{closer, distance, 130};

}  // namespace hapforge::sketch
