// allele_counts: how many rows have each bit set, the positional population count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"

namespace hapforge::allele_counts {

// Sites a kernel counts at a time: 16 words, two neighbouring cache lines of every row.
inline constexpr std::size_t kBlockWords = 16;
inline constexpr std::size_t kBlockSites = kBlockWords * kBitsPerWord;

// Adds the counts of `num_words` <= kBlockWords words of each of `num_rows` rows to
// counts[0 .. num_words * 64). Inside, byte counters take at most 255 rows before they are added
// up, so they cannot overflow; uint32 sums take any number of rows below 2^32.
using Kernel = void (*)(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                        std::size_t num_words, std::uint32_t* counts) noexcept;

std::span<const Implementation<Kernel>> implementations() noexcept;

// out: m.num_sites counts. Needs fewer than 2^32 rows.
void count(const BitMatrixView& m, std::int64_t* out, Kernel kernel, std::size_t threads);

}  // namespace hapforge::allele_counts
