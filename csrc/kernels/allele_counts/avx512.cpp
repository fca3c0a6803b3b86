// allele_counts with AVX-512: a word is a mask register, so one masked addition adds 64 sites of a
// row to 64 byte counters. The sixteen words of a block have a counter register each; after 255
// rows these are added to the uint32 sums.
#include <immintrin.h>

#include "kernels/allele_counts/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

namespace hapforge::allele_counts {
namespace {

void add_bytes(__m512i bytes, std::uint32_t* counts) noexcept {
  alignas(64) std::uint8_t each[64];
  _mm512_store_si512(each, bytes);
  for (int part = 0; part < 4; ++part) {
    const __m128i quarter = _mm_load_si128(reinterpret_cast<const __m128i*>(each) + part);
    std::uint32_t* to = counts + 16 * part;
    _mm512_storeu_si512(to,
                        _mm512_add_epi32(_mm512_loadu_si512(to), _mm512_cvtepu8_epi32(quarter)));
  }
}

template <int kWords>
void count_words(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                 std::uint32_t* counts) noexcept {
  const __m512i one = _mm512_set1_epi8(1);
  for (std::size_t begin = 0; begin < num_rows; begin += kRowsPerByte) {
    const std::size_t end = begin + kRowsPerByte < num_rows ? begin + kRowsPerByte : num_rows;
    __m512i bytes[kWords] = {};
    for (std::size_t r = begin; r < end; ++r) {
      const std::uint64_t* row = words + r * stride;
      for (int w = 0; w < kWords; ++w) {
        bytes[w] = _mm512_mask_add_epi8(bytes[w], _cvtu64_mask64(row[w]), bytes[w], one);
      }
    }
    for (int w = 0; w < kWords; ++w) add_bytes(bytes[w], counts + 64 * w);
  }
}

}  // namespace

void count_block_avx512(const std::uint64_t* words, std::size_t stride, std::size_t num_rows,
                        std::size_t num_words, std::uint32_t* counts) noexcept {
  if (num_words == kBlockWords) {
    count_words<kBlockWords>(words, stride, num_rows, counts);
    return;
  }
  for (std::size_t w = 0; w < num_words; ++w) {
    count_words<1>(words + w, stride, num_rows, counts + w * kBitsPerWord);
  }
}

}  // namespace hapforge::allele_counts
