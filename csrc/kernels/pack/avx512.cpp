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

// Collects byte b of all 64 rows into one vector; its bit planes are rows 8 b .. 8 b + 7.
void transpose_block(const std::uint64_t in[64], std::uint64_t out[64]) noexcept {
  __m512i v[8];
  for (int g = 0; g < 8; ++g) v[g] = transpose_bytes(_mm512_loadu_si512(in + 8 * g));
  transpose_lanes(v);
  for (int b = 0; b < 8; ++b) {
    for (int bit = 0; bit < 8; ++bit) {
      out[8 * b + bit] = _mm512_test_epi8_mask(v[b], _mm512_set1_epi8(static_cast<char>(1 << bit)));
    }
  }
}

}  // namespace

const Kernels avx512_kernels{pack_row, unpack_row, transpose_block, extract_row_bmi2};

}  // namespace hapforge::pack
