// kmers on plain 64-bit words: bits are dealt to the lanes one lane after another.
#include "kernels/kmers/isa.h"
#include "kernels/kmers/row_bits.h"

namespace hapforge::kmers {
namespace {

void spread(const BitMatrixView& rows, std::size_t first_bit, Lanes lanes,
            std::uint64_t* out) noexcept {
  if (lanes.used_bits == lanes.lane_bits) return copy_bits(rows, first_bit, out);
  const std::size_t num_words = words_for_bits(rows.num_sites);
  const std::uint64_t low_bits = (std::uint64_t{1} << lanes.used_bits) - 1;
  for (std::size_t r = 0; r < rows.num_rows; ++r) {
    for (std::size_t w = 0; w < kTileWords; ++w) {
      std::uint64_t bits = bits_from(rows.row(r), num_words, first_bit + w * lanes.bits_per_word());
      std::uint64_t word = 0;
      for (unsigned at = 0; at < kBitsPerWord; at += lanes.lane_bits, bits >>= lanes.used_bits) {
        word |= (bits & low_bits) << at;
      }
      *out++ = word;
    }
  }
}

}  // namespace

const Kernels scalar_kernels{spread, nullptr};

}  // namespace hapforge::kmers
