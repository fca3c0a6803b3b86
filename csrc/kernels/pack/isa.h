// The implementations of pack, one per ISA file.
#pragma once

#include "kernels/pack/kernel.h"

namespace hapforge::pack {

void transpose_block_scalar(const std::uint64_t in[64], std::uint64_t out[64]) noexcept;

// Rows that transpose_tile asks the memory for in advance: they may lie a page apart.
inline constexpr std::size_t kAhead = 16;

// transpose_tile out of blocks of 64 x 64. The rows are copied side by side first: where they
// stand, they may lie a power of two apart and push each other out of the cache.
template <void (*transpose_block)(const std::uint64_t[64], std::uint64_t[64]) noexcept>
void transpose_tile_by_blocks(const TransposeTile& t) noexcept {
  std::uint64_t in[kLineWords][kBitsPerWord];
  std::uint64_t out[kBitsPerWord];
  for (std::size_t o = 0; o * kBitsPerWord < t.num_rows; ++o) {
    for (std::size_t r = 0; r < kBitsPerWord; ++r) {
      const std::size_t row = o * kBitsPerWord + r;
      __builtin_prefetch(t.words + (row + kAhead) * t.stride);
      for (std::size_t w = 0; w < t.num_words; ++w) {
        in[w][r] = row < t.num_rows ? t.words[row * t.stride + w] : 0;
      }
    }
    for (std::size_t w = 0; w < t.num_words; ++w) {
      transpose_block(in[w], out);
      std::uint64_t* const* columns = t.columns + w * kBitsPerWord;
      for (std::size_t c = 0; c < kBitsPerWord; ++c) {
        if (columns[c] != nullptr) columns[c][o] = out[c];
      }
    }
  }
}

void extract_row_scalar(const std::uint64_t* row, std::span<const MaskedWord> from,
                        std::uint64_t* out) noexcept;
void extract_row_bmi2(const std::uint64_t* row, std::span<const MaskedWord> from,
                      std::uint64_t* out) noexcept;

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::pack
