// allele_counts with AVX2: the bits of half a word are spread over 32 bytes as 0 or -1 and
// subtracted from byte counters, two registers a word; after 255 rows these are added to the uint32
// sums.
#include <immintrin.h>

#include "kernels/allele_counts/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::allele_counts {
namespace {

// Byte i is -1 where bit i is set: its byte is copied to eight places, each of which keeps one bit.
__m256i spread(std::uint32_t bits) noexcept {
  const __m256i source = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                          2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), source);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
}

void add_bytes(__m256i bytes, std::uint32_t* counts) noexcept {
  alignas(32) std::uint8_t each[32];
  _mm256_store_si256(reinterpret_cast<__m256i*>(each), bytes);
  for (int i = 0; i < 32; ++i) counts[i] += each[i];
}

template <int kWords>
void count_words(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                 std::uint32_t* counts) noexcept {
  for (std::size_t begin = 0; begin < num_rows; begin += kRowsPerByte) {
    const std::size_t end = begin + kRowsPerByte < num_rows ? begin + kRowsPerByte : num_rows;
    __m256i low[kWords] = {};
    __m256i high[kWords] = {};
    for (std::size_t r = begin; r < end; ++r) {
      for (int w = 0; w < kWords; ++w) {
        const std::uint64_t word = words[r * stride + static_cast<std::size_t>(w)];
        low[w] = _mm256_sub_epi8(low[w], spread(static_cast<std::uint32_t>(word)));
        high[w] = _mm256_sub_epi8(high[w], spread(static_cast<std::uint32_t>(word >> 32)));
      }
    }
    for (int w = 0; w < kWords; ++w) {
      add_bytes(low[w], counts + 64 * w);
      add_bytes(high[w], counts + 64 * w + 32);
    }
  }
}

}  // namespace

void count_block_avx2(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                      std::size_t num_words, std::uint32_t* counts) noexcept {
  std::size_t w = 0;
  for (; w + 4 <= num_words; w += 4) {
    count_words<4>(words + w, stride, num_rows, counts + w * kBitsPerWord);
  }
  for (; w < num_words; ++w) {
    count_words<1>(words + w, stride, num_rows, counts + w * kBitsPerWord);
  }
}

}  // namespace hapforge::allele_counts
