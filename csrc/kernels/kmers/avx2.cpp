// kmers with BMI2: pdep deals the bits of a word to the lanes.
#include <immintrin.h>

#include "kernels/kmers/isa.h"

// To the end of the file; nothing below uses a template of the standard library, which baseline
// code might end up sharing.
#pragma GCC target("avx2,bmi2")

#include "kernels/kmers/row_bits.h"

namespace hapforge::kmers {

void spread_bmi2(const BitMatrixView& rows, std::size_t first_bit, Lanes lanes,
                 std::uint64_t* out) noexcept {
  if (lanes.used_bits == lanes.lane_bits) return copy_bits(rows, first_bit, out);
  const std::size_t num_words = words_for_bits(rows.num_sites);
  const std::uint64_t lane = (std::uint64_t{1} << lanes.used_bits) - 1;
  std::uint64_t mask = 0;
  for (unsigned at = 0; at < kBitsPerWord; at += lanes.lane_bits) mask |= lane << at;
  for (std::size_t r = 0; r < rows.num_rows; ++r) {
    const std::uint64_t* row = rows.row(r);
    __builtin_prefetch(row + kAhead * rows.words_per_row + first_bit / kBitsPerWord);
    for (std::size_t w = 0; w < kTileWords; ++w) {
      *out++ = _pdep_u64(bits_from(row, num_words, first_bit + w * lanes.bits_per_word()), mask);
    }
  }
}

const Kernels avx2_kernels{spread_bmi2, nullptr};

}  // namespace hapforge::kmers
