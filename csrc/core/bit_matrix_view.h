// The one shape every kernel reads: rows of packed bits that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hapforge {

inline constexpr std::size_t kBitsPerWord = 64;

constexpr std::size_t words_for_bits(std::size_t bits) noexcept {
  return (bits + kBitsPerWord - 1) / kBitsPerWord;
}

// Bit j of a row is bit j % 64 of word j / 64; bits past `num_sites` are zero. `words_per_row` is
// the distance between rows: words_for_bits(num_sites), or more where a kernel says so.
struct BitMatrixView {
  const std::uint64_t* words = nullptr;
  std::size_t num_rows = 0;
  std::size_t words_per_row = 0;
  std::size_t num_sites = 0;

  const std::uint64_t* row(std::size_t i) const noexcept { return words + i * words_per_row; }
};

}  // namespace hapforge
