// allele_counts with NEON: the bits of a quarter word are spread over 16 bytes as 0 or -1 (tst) and
// subtracted from byte counters, four registers a word; after 255 rows these are added to the
// uint32 sums.
#include <arm_neon.h>

#include "kernels/allele_counts/isa.h"

namespace hapforge::allele_counts {
namespace {

constexpr std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

void count_word(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                std::uint32_t* counts) noexcept {
  const uint8x16_t bit = vld1q_u8(kBits);
  for (std::size_t begin = 0; begin < num_rows; begin += kRowsPerByte) {
    const std::size_t end = begin + kRowsPerByte < num_rows ? begin + kRowsPerByte : num_rows;
    uint8x16_t bytes[4] = {};
    for (std::size_t r = begin; r < end; ++r) {
      const std::uint64_t word = words[r * stride];
      for (int q = 0; q < 4; ++q) {
        const uint8x16_t copies =
            vcombine_u8(vdup_n_u8(static_cast<std::uint8_t>(word >> (16 * q))),
                        vdup_n_u8(static_cast<std::uint8_t>(word >> (16 * q + 8))));
        bytes[q] = vsubq_u8(bytes[q], vtstq_u8(copies, bit));
      }
    }
    for (int q = 0; q < 4; ++q) {
      std::uint8_t each[16];
      vst1q_u8(each, bytes[q]);
      for (int i = 0; i < 16; ++i) counts[16 * q + i] += each[i];
    }
  }
}

}  // namespace

void count_block_neon(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                      std::size_t num_words, std::uint32_t* counts) noexcept {
  for (std::size_t w = 0; w < num_words; ++w) {
    count_word(words + w, stride, num_rows, counts + w * kBitsPerWord);
  }
}

}  // namespace hapforge::allele_counts
