// pack on plain 64-bit words: eight bytes move at a time through a multiplication.
#include <bit>
#include <cstring>

#include "kernels/pack/isa.h"

namespace hapforge::pack {
namespace {

constexpr std::uint64_t kLowBits = 0x0101010101010101;
// Bytes b0..b7 (0 or 1) times this have b0 + 2 b1 + ... + 128 b7 as their top byte.
constexpr std::uint64_t kGather = 0x0102040810204080;

bool pack_row(const std::uint8_t* dense, std::size_t num_sites, std::uint64_t* words) noexcept {
  std::uint64_t seen = 0;
  for (std::size_t start = 0; start < num_sites; start += kBitsPerWord) {
    std::uint64_t word = 0;
    const std::size_t end = start + kBitsPerWord < num_sites ? start + kBitsPerWord : num_sites;
    for (std::size_t j = start; j < end; j += 8) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, dense + j, end - j < 8 ? end - j : 8);
      seen |= bytes;
      word |= ((bytes & kLowBits) * kGather >> 56) << (j - start);
    }
    words[start / kBitsPerWord] = word;
  }
  return (seen & ~kLowBits) == 0;
}

void unpack_row(const std::uint64_t* words, std::size_t num_sites, std::uint8_t* dense) noexcept {
  for (std::size_t j = 0; j < num_sites; j += 8) {
    const std::uint64_t eight = words[j / kBitsPerWord] >> (j % kBitsPerWord) & 0xFF;
    // Byte i keeps only bit i; adding 0x7F carries into bit 7 where it is set.
    const std::uint64_t spread = eight * kLowBits & 0x8040201008040201;
    const std::uint64_t bytes = ((spread + 0x7F7F7F7F7F7F7F7F) | spread) >> 7 & kLowBits;
    std::memcpy(dense + j, &bytes, num_sites - j < 8 ? num_sites - j : 8);
  }
}

}  // namespace

// Swaps off-diagonal squares of width 32, 16, ... 1 (Hacker's Delight, section 7-3).
void transpose_block_scalar(const std::uint64_t in[64], std::uint64_t out[64]) noexcept {
  std::memcpy(out, in, 64 * sizeof(std::uint64_t));
  std::uint64_t mask = 0x00000000FFFFFFFF;
  for (unsigned width = 32; width != 0; width >>= 1, mask ^= mask << width) {
    for (unsigned base = 0; base < 64; base += 2 * width) {
      for (unsigned r = base; r < base + width; ++r) {
        const std::uint64_t swap = ((out[r] >> width) ^ out[r + width]) & mask;
        out[r] ^= swap << width;
        out[r + width] ^= swap;
      }
    }
  }
}

void extract_row_scalar(const std::uint64_t* row, std::span<const MaskedWord> from,
                        std::uint64_t* out) noexcept {
  std::uint64_t word = 0;
  unsigned filled = 0;
  for (const MaskedWord& one : from) {
    for (std::uint64_t mask = one.mask; mask != 0; mask &= mask - 1) {
      word |= (row[one.word] >> std::countr_zero(mask) & 1) << filled;
      if (++filled < kBitsPerWord) continue;
      *out++ = word;
      word = 0;
      filled = 0;
    }
  }
  if (filled != 0) *out = word;
}

const Kernels scalar_kernels{pack_row, unpack_row, transpose_block_scalar,
                             transpose_tile_by_blocks<transpose_block_scalar>, extract_row_scalar};

}  // namespace hapforge::pack
