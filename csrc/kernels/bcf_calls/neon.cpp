// bcf_calls with NEON: bytes are compared with ALT, the answers weighted by their bit and added
// pairwise, 64 bytes to 64 bits. The last bytes of a row go through a buffer of 64.
#include <arm_neon.h>

#include "kernels/bcf_calls/isa.h"

namespace hapforge::bcf_calls {
namespace {

constexpr std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

std::uint64_t pack_word(const std::uint8_t* calls, uint8x16_t& stray) noexcept {
  const uint8x16_t used = vreinterpretq_u8_u16(vdupq_n_u16(0xFFFE));
  const uint8x16_t ref = vreinterpretq_u8_u16(vdupq_n_u16(0x0302));
  const uint8x16_t bit = vld1q_u8(kBits);
  uint8x16_t weighted[4];
  for (int k = 0; k < 4; ++k) {
    const uint8x16_t change = veorq_u8(vandq_u8(vld1q_u8(calls + 16 * k), used), ref);  // ALT 6
    const uint8x16_t is_alt = vceqq_u8(change, vdupq_n_u8(6));
    stray = vorrq_u8(stray, vbicq_u8(change, is_alt));
    weighted[k] = vandq_u8(is_alt, bit);
  }
  // Three rounds of pairwise sums turn 64 bytes into 8.
  const uint8x16_t low = vpaddq_u8(weighted[0], weighted[1]);
  const uint8x16_t high = vpaddq_u8(weighted[2], weighted[3]);
  const uint8x16_t half = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(half, half)), 0);
}

}  // namespace

bool pack_row_neon(const std::uint8_t* calls, std::size_t num_bytes,
                   std::uint64_t* words) noexcept {
  uint8x16_t stray = vdupq_n_u8(0);
  std::size_t i = 0;
  for (; i + kBitsPerWord <= num_bytes; i += kBitsPerWord) {
    words[i / kBitsPerWord] = pack_word(calls + i, stray);
  }
  if (i < num_bytes) {
    std::uint8_t rest[kBitsPerWord];
    for (std::size_t b = 0; b < kBitsPerWord; ++b) rest[b] = b % 2 == 0 ? 2 : 3;
    __builtin_memcpy(rest, calls + i, num_bytes - i);
    words[i / kBitsPerWord] = pack_word(rest, stray);
  }
  return vmaxvq_u8(stray) == 0;
}

}  // namespace hapforge::bcf_calls
