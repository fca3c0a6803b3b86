// pack with AVX-512: a mask register is a packed word, so 64 bytes and 64 bits are one instruction
// apart. The last bytes of a row are loaded and stored under a mask.
#include <immintrin.h>

#include "kernels/pack/isa.h"

// To the end of the file; nothing below uses a template of the standard library, which baseline
// code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

namespace hapforge::pack {
namespace {

__mmask64 first_bytes(std::size_t count) noexcept {
  return count < 64 ? (std::uint64_t{1} << count) - 1 : ~std::uint64_t{0};
}

bool pack_row(const std::uint8_t* dense, std::size_t num_sites, std::uint64_t* words) noexcept {
  __m512i seen = _mm512_setzero_si512();
  for (std::size_t j = 0; j < num_sites; j += kBitsPerWord) {
    const __m512i bytes = _mm512_maskz_loadu_epi8(first_bytes(num_sites - j), dense + j);
    words[j / kBitsPerWord] = _mm512_test_epi8_mask(bytes, bytes);
    seen = _mm512_or_si512(seen, bytes);
  }
  return _mm512_test_epi8_mask(seen, _mm512_set1_epi8(~1)) == 0;
}

void unpack_row(const std::uint64_t* words, std::size_t num_sites, std::uint8_t* dense) noexcept {
  const __m512i one = _mm512_set1_epi8(1);
  for (std::size_t j = 0; j < num_sites; j += kBitsPerWord) {
    _mm512_mask_storeu_epi8(dense + j, first_bytes(num_sites - j),
                            _mm512_maskz_mov_epi8(words[j / kBitsPerWord], one));
  }
}

// Byte b of eight 64-bit lanes becomes lane b: bytes are sorted within 128-bit groups, then across.
__m512i transpose_bytes(__m512i rows) noexcept {
  const __m512i within =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
  // Group g now has the byte pairs of rows 2 g and 2 g + 1; gather pair b of all groups.
  const __m512i pairs = _mm512_shuffle_epi8(rows, within);
  const __m512i across =
      _mm512_set_epi16(31, 23, 15, 7, 30, 22, 14, 6, 29, 21, 13, 5, 28, 20, 12, 4, 27, 19, 11, 3,
                       26, 18, 10, 2, 25, 17, 9, 1, 24, 16, 8, 0);
  return _mm512_permutexvar_epi16(across, pairs);
}

// Transposes 8 x 8 64-bit lanes: lane b of v[g] becomes lane g of v[b].
void transpose_lanes(__m512i v[8]) noexcept {
  __m512i a[8];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]);
    a[2 * i + 1] = _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]);
  }
  for (int odd = 0; odd < 2; ++odd) {
    const __m512i low02 = _mm512_shuffle_i64x2(a[odd], a[odd + 2], 0x88);
    const __m512i low13 = _mm512_shuffle_i64x2(a[odd], a[odd + 2], 0xDD);
    const __m512i high02 = _mm512_shuffle_i64x2(a[odd + 4], a[odd + 6], 0x88);
    const __m512i high13 = _mm512_shuffle_i64x2(a[odd + 4], a[odd + 6], 0xDD);
    v[odd] = _mm512_shuffle_i64x2(low02, high02, 0x88);
    v[odd + 4] = _mm512_shuffle_i64x2(low02, high02, 0xDD);
    v[odd + 2] = _mm512_shuffle_i64x2(low13, high13, 0x88);
    v[odd + 6] = _mm512_shuffle_i64x2(low13, high13, 0xDD);
  }
}

// Swaps, in each 8 x 8 bits, those that `distance` >= 7 apart stand across the diagonal.
template <int kDistance>
__m512i swap_bits(__m512i v, long long mask) noexcept {
  const __m512i both = _mm512_set1_epi64(mask);
  // (v ^ v >> distance) & mask, and v ^ that ^ that << distance
  const __m512i swap = _mm512_ternarylogic_epi64(v, _mm512_srli_epi64(v, kDistance), both, 0x28);
  return _mm512_ternarylogic_epi64(v, swap, _mm512_slli_epi64(swap, kDistance), 0x96);
}

// Transposes the 8 x 8 bits of each 64-bit lane (Hacker's Delight, section 7-3).
__m512i transpose_bits(__m512i v) noexcept {
  v = swap_bits<7>(v, 0x00AA00AA00AA00AA);
  v = swap_bits<14>(v, 0x0000CCCC0000CCCC);
  return swap_bits<28>(v, 0x00000000F0F0F0F0);
}

// v[g] holds rows 8 g .. 8 g + 7 of 64 x 64 bits, before and after.
void transpose_words(__m512i v[8]) noexcept {
  for (int g = 0; g < 8; ++g) v[g] = transpose_bits(transpose_bytes(v[g]));
  transpose_lanes(v);  // lane g of v[b]: bytes 8 g + i of the columns 8 b + i
  for (int b = 0; b < 8; ++b) v[b] = transpose_bytes(v[b]);
}

void transpose_block(const std::uint64_t in[64], std::uint64_t out[64]) noexcept {
  __m512i v[8];
  for (int g = 0; g < 8; ++g) v[g] = _mm512_loadu_si512(in + 8 * g);
  transpose_words(v);
  for (int b = 0; b < 8; ++b) _mm512_storeu_si512(out + 8 * b, v[b]);
}

// Lines of rows to the rows' words one behind the other; of each word, blocks of 64 rows to 64
// columns; eight such blocks to lines of columns.
void transpose_tile(const TransposeTile& t) noexcept {
  alignas(64) std::uint64_t by_word[kLineWords][kLineBits + 8];  // not a page apart
  alignas(64) std::uint64_t by_block[kLineWords][kBitsPerWord];
  const auto some_words = static_cast<__mmask8>((1U << t.num_words) - 1);
  const std::size_t blocks = (t.num_rows + kBitsPerWord - 1) / kBitsPerWord;
  __m512i v[8];
  for (std::size_t row = 0; row < blocks * kBitsPerWord; row += 8) {
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint64_t* words = t.words + (row + i) * t.stride;
      __builtin_prefetch(words + kAhead * t.stride);
      v[i] = _mm512_maskz_loadu_epi64(row + i < t.num_rows ? some_words : __mmask8{0}, words);
    }
    transpose_lanes(v);
    for (std::size_t w = 0; w < kLineWords; ++w) _mm512_store_si512(by_word[w] + row, v[w]);
  }
  const auto some_blocks = static_cast<__mmask8>((1U << blocks) - 1);
  for (std::size_t w = 0; w < t.num_words; ++w) {
    for (std::size_t o = 0; o < blocks; ++o) {
      transpose_block(by_word[w] + o * kBitsPerWord, by_block[o]);
    }
    for (std::size_t c = 0; c < kBitsPerWord; c += 8) {
      for (std::size_t o = 0; o < kLineWords; ++o) {
        v[o] = o < blocks ? _mm512_load_si512(by_block[o] + c) : _mm512_setzero_si512();
      }
      transpose_lanes(v);
      std::uint64_t* const* columns = t.columns + w * kBitsPerWord + c;
      for (std::size_t i = 0; i < 8; ++i) {
        if (columns[i] == nullptr) continue;
        if (blocks == kLineWords) {
          _mm512_storeu_si512(columns[i], v[i]);
          __builtin_prefetch(columns[i] + 2 * kLineWords - 1, 1);
        } else {
          _mm512_mask_storeu_epi64(columns[i], some_blocks, v[i]);
        }
      }
    }
  }
}

}  // namespace

const Kernels avx512_kernels{pack_row, unpack_row, transpose_block, transpose_tile,
                             extract_row_bmi2};

}  // namespace hapforge::pack
