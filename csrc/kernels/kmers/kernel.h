// kmers: how often each motif of k sites occurs in each window of k neighbouring sites.
//
// Rows are cut into lanes of 4, 8 or 16 bits that hold as many whole windows as fit. A histogram of
// the lane's values counts its windows together; the counts of one window are marginal sums of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"

namespace hapforge::kmers {

inline constexpr unsigned kMostSites = 16;

// A tile of lanes: at most this many rows, which a byte counts in groups of 16, of kTileWords
// words.
inline constexpr std::size_t kTileRows = 16 * 127;
inline constexpr std::size_t kTileWords = 16;

// A word of 64 / lane_bits lanes takes lanes * used_bits neighbouring bits of a row.
struct Lanes {
  unsigned lane_bits;  // 4, 8 or 16
  unsigned used_bits;  // of each lane, the low ones; the rest is zero
  std::size_t bits_per_word() const noexcept { return kBitsPerWord / lane_bits * used_bits; }
};

// Windows side by side: window w is sites [first_site + w k, first_site + (w + 1) k).
struct Run {
  std::size_t first_site;
  std::size_t num_windows;
};

// What an ISA provides.
struct Kernels {
  // Writes the lanes of the bits from `first_bit` on, kTileWords words for each of `num_rows` rows.
  // Past its last word a row reads as zero.
  void (*spread)(const BitMatrixView& rows, std::size_t first_bit, Lanes lanes,
                 std::uint64_t* out) noexcept;
  // Adds the histograms of the four-bit lanes in the first `num_words` words, rounded up to a
  // multiple of 4, of at most kTileRows rows to counts[16 lane + value]. Null where lanes of a byte
  // are faster.
  void (*count_nibbles)(const std::uint64_t* tile, std::size_t num_rows, std::size_t num_words,
                        std::uint16_t* counts) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

// counts: all windows of the runs, one run after another, by 2^k motifs. The first site of a window
// is the most significant bit of its motif. 1 <= k <= kMostSites; windows lie inside the row. Any
// number of rows. A thread holds 330 KB of scratch.
void count(const BitMatrixView& m, unsigned k, std::span<const Run> runs, std::int64_t* counts,
           const Kernels& kernels, std::size_t threads);

}  // namespace hapforge::kmers
