// Reading rows at any bit. Each file that includes this gets a copy of its own, so that an ISA file
// may include it behind its target region's pragma.
#pragma once

#include "kernels/kmers/kernel.h"

namespace hapforge::kmers {
namespace {

constexpr std::size_t kAhead = 48;  // rows, which may lie a page apart

// 64 bits from `bit` on; past its last word a row reads as zero.
[[gnu::always_inline]] inline std::uint64_t bits_from(const std::uint64_t* row,
                                                      std::size_t num_words,
                                                      std::size_t bit) noexcept {
  const std::size_t word = bit / kBitsPerWord;
  const std::size_t shift = bit % kBitsPerWord;
  const std::uint64_t low = word < num_words ? row[word] >> shift : 0;
  const std::uint64_t next = word + 1 < num_words ? row[word + 1] : 0;
  return low | next << 1 << (kBitsPerWord - 1 - shift);  // no shift by 64
}

// Lanes that are all used: the bits as they stand, whole words where those lie so.
[[maybe_unused]] void copy_bits(const BitMatrixView& rows, std::size_t first_bit,
                                std::uint64_t* out) noexcept {
  const std::size_t first_word = first_bit / kBitsPerWord;
  const std::size_t num_words = words_for_bits(rows.num_sites);
  const bool whole = first_bit % kBitsPerWord == 0 && first_word + kTileWords <= num_words;
  for (std::size_t r = 0; r < rows.num_rows; ++r, out += kTileWords) {
    const std::uint64_t* row = rows.row(r);
    __builtin_prefetch(row + kAhead * rows.words_per_row + first_word);
    if (whole) {
      __builtin_memcpy(out, row + first_word, kTileWords * sizeof(std::uint64_t));
      continue;
    }
    for (std::size_t w = 0; w < kTileWords; ++w) {
      out[w] = bits_from(row, num_words, first_bit + w * kBitsPerWord);
    }
  }
}

}  // namespace
}  // namespace hapforge::kmers
