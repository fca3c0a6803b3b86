// pack with NEON: bytes are weighted by their bit and added pairwise, 16 bytes to 16 bits. The last
// bytes of a row go through a buffer of 64.
#include <arm_neon.h>

#include "kernels/pack/isa.h"

namespace hapforge::pack {
namespace {

constexpr std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

std::uint64_t pack_word(const std::uint8_t* dense, uint8x16_t& seen) noexcept {
  const uint8x16_t bit = vld1q_u8(kBits);
  uint8x16_t weighted[4];
  for (int i = 0; i < 4; ++i) {
    const uint8x16_t bytes = vld1q_u8(dense + 16 * i);
    seen = vorrq_u8(seen, bytes);
    weighted[i] = vmulq_u8(bytes, bit);
  }
  // Three rounds of pairwise sums turn 64 bytes into 8.
  const uint8x16_t low = vpaddq_u8(weighted[0], weighted[1]);
  const uint8x16_t high = vpaddq_u8(weighted[2], weighted[3]);
  const uint8x16_t half = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(half, half)), 0);
}

bool pack_row(const std::uint8_t* dense, std::size_t num_sites, std::uint64_t* words) noexcept {
  uint8x16_t seen = vdupq_n_u8(0);
  std::size_t j = 0;
  for (; j + kBitsPerWord <= num_sites; j += kBitsPerWord) {
    words[j / kBitsPerWord] = pack_word(dense + j, seen);
  }
  if (j < num_sites) {
    std::uint8_t rest[kBitsPerWord] = {};
    __builtin_memcpy(rest, dense + j, num_sites - j);
    words[j / kBitsPerWord] = pack_word(rest, seen);
  }
  return vmaxvq_u8(seen) <= 1;
}

void unpack_word(std::uint64_t word, std::uint8_t* dense) noexcept {
  const uint8x16_t bit = vld1q_u8(kBits);
  for (int i = 0; i < 4; ++i) {
    const uint8x16_t bytes =
        vcombine_u8(vdup_n_u8(static_cast<std::uint8_t>(word >> (16 * i))),
                    vdup_n_u8(static_cast<std::uint8_t>(word >> (16 * i + 8))));
    vst1q_u8(dense + 16 * i, vandq_u8(vtstq_u8(bytes, bit), vdupq_n_u8(1)));
  }
}

void unpack_row(const std::uint64_t* words, std::size_t num_sites, std::uint8_t* dense) noexcept {
  std::size_t j = 0;
  for (; j + kBitsPerWord <= num_sites; j += kBitsPerWord) {
    unpack_word(words[j / kBitsPerWord], dense + j);
  }
  if (j < num_sites) {
    std::uint8_t rest[kBitsPerWord];
    unpack_word(words[j / kBitsPerWord], rest);
    __builtin_memcpy(dense + j, rest, num_sites - j);
  }
}

}  // namespace

// The transpose is the scalar one: whole-word swaps, which the compiler already turns into NEON. So
// is the extraction: NEON has no pext.
const Kernels neon_kernels{pack_row, unpack_row, transpose_block_scalar,
                           transpose_tile_by_blocks<transpose_block_scalar>, extract_row_scalar};

}  // namespace hapforge::pack
