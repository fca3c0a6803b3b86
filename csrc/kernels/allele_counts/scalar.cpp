// allele_counts on plain 64-bit words: eight byte counters to a word.
#include <algorithm>

#include "kernels/allele_counts/isa.h"

namespace hapforge::allele_counts {

void count_block_scalar(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                        std::size_t num_words, std::uint32_t* counts) noexcept {
  constexpr std::uint64_t kEveryEighth = 0x0101010101010101;
  for (std::size_t w = 0; w < num_words; ++w) {
    for (std::size_t begin = 0; begin < num_rows; begin += kRowsPerByte) {
      const std::size_t end = std::min(num_rows, begin + kRowsPerByte);
      std::uint64_t bytes[8] = {};  // byte i of bytes[b] counts site 8 i + b
      for (std::size_t r = begin; r < end; ++r) {
        const std::uint64_t word = words[r * stride + w];
        for (unsigned b = 0; b < 8; ++b) bytes[b] += word >> b & kEveryEighth;
      }
      for (unsigned site = 0; site < kBitsPerWord; ++site) {
        counts[w * kBitsPerWord + site] +=
            static_cast<std::uint32_t>(bytes[site % 8] >> (site / 8 * 8) & 0xFF);
      }
    }
  }
}

}  // namespace hapforge::allele_counts
