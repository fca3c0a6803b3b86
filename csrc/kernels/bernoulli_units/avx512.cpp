// bernoulli_units with AVX-512: eight Philox blocks in 64-bit lanes serve 32 units.
//
// A lane holds a 32-bit value in its low half, what is above is ignored by the 32 x 32 -> 64 bit
// multiplication. The unit order of the contract makes words 0 and 1 of eight blocks, interleaved,
// the uniforms of 16 neighbouring units; words 2 and 3 those of the next 16.
#include <immintrin.h>

#include "core/bit_matrix_view.h"
#include "kernels/bernoulli_units/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

namespace hapforge::bernoulli_units {
namespace {

constexpr int kXor3 = 0x96;
constexpr __mmask16 kOddUnits = 0xAAAA;

__m512i broadcast(std::uint64_t value) noexcept {
  return _mm512_set1_epi64(static_cast<long long>(value));
}

struct Uniforms {
  __m512i first16, second16;
};

Uniforms philox(__m512i blocks, std::uint32_t chain, const Draw& draw) noexcept {
  auto key0 = static_cast<std::uint32_t>(draw.seed);
  auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  __m512i c0 = blocks;
  __m512i c1 = broadcast(chain);
  __m512i c2 = broadcast(draw.step);
  __m512i c3 = broadcast(draw.layer);
  for (int round = 0; round < philox::kRounds; ++round) {
    const __m512i product0 = _mm512_mul_epu32(c0, broadcast(philox::kMultiplier0));
    const __m512i product1 = _mm512_mul_epu32(c2, broadcast(philox::kMultiplier1));
    c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(product1, 32), c1, broadcast(key0), kXor3);
    c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(product0, 32), c3, broadcast(key1), kXor3);
    c1 = product1;
    c3 = product0;
    key0 += philox::kWeyl0;
    key1 += philox::kWeyl1;
  }
  return {_mm512_mask_blend_epi32(kOddUnits, c0, _mm512_slli_epi64(c1, 32)),
          _mm512_mask_blend_epi32(kOddUnits, c2, _mm512_slli_epi64(c3, 32))};
}

// decay() of kernel.h on the low halves, plus 2^30.
__m512i one_plus_decay(__m512i magnitude, __m128i shift) noexcept {
  const __m512i z = _mm512_srl_epi64(_mm512_mul_epu32(magnitude, broadcast(kLog2E)), shift);
  __m512i p = broadcast(kExp2[5]);
  for (int i = 4; i >= 0; --i) {
    p = _mm512_sub_epi64(broadcast(kExp2[i]), _mm512_srli_epi64(_mm512_mul_epu32(p, z), 32));
  }
  return _mm512_add_epi64(_mm512_srlv_epi64(p, _mm512_srli_epi64(z, 32)), broadcast(kOne));
}

// draw_unit() of kernel.h for 16 units.
std::uint32_t draw16(__m512i x, __m512i uniform, __m128i shift) noexcept {
  const __m512i magnitude = _mm512_abs_epi32(x);
  const __m512i u = _mm512_xor_si512(uniform, _mm512_srai_epi32(x, 31));
  const __m512i even = _mm512_mul_epu32(u, one_plus_decay(magnitude, shift));
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(u, 32),
                                       one_plus_decay(_mm512_srli_epi64(magnitude, 32), shift));
  const __m512i top = _mm512_mask_blend_epi32(kOddUnits, _mm512_srli_epi64(even, 32), odd);
  const __mmask16 below = _mm512_cmplt_epu32_mask(top, _mm512_set1_epi32(1 << 30));
  return static_cast<std::uint32_t>(below ^ _mm512_movepi32_mask(x));
}

__m512i load16(const std::int32_t* field, __mmask16 mask, __mmask16&) noexcept {
  return _mm512_maskz_loadu_epi32(mask, field);
}

// What is too large converts to -2^31, which compares unequal like a fraction or a NaN.
__m512i load16(const float* field, __mmask16 mask, __mmask16& inexact) noexcept {
  const __m512 x = _mm512_maskz_loadu_ps(mask, field);
  const __m512i whole = _mm512_cvttps_epi32(x);
  inexact = static_cast<__mmask16>(inexact |
                                   _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(whole), x, _CMP_NEQ_UQ));
  return whole;
}

__mmask16 first_units(std::size_t begin, std::size_t end) noexcept {
  if (begin >= end) return 0;
  return static_cast<__mmask16>(end - begin < 16 ? (1U << (end - begin)) - 1 : 0xFFFF);
}

template <class Field>
bool draw_chain(const Field* field, std::size_t num_units, std::uint32_t chain, const Draw& draw,
                std::uint64_t* words) noexcept {
  const __m128i shift = _mm_cvtsi32_si128(draw.fixed_point_bits - 1);
  const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
  __mmask16 inexact = 0;
  for (std::size_t j = 0; j < num_units; j += kGroup) {
    const __m512i blocks = _mm512_add_epi64(broadcast(j / kGroup * 8), lane);
    const Uniforms uniform = philox(blocks, chain, draw);
    const __mmask16 first = first_units(j, num_units);
    const __mmask16 second = first_units(j + 16, num_units);
    const __m512i x0 = load16(field + j, first, inexact);
    std::uint64_t bits = draw16(x0, uniform.first16, shift) & first;
    if (second != 0) {
      const __m512i x1 = load16(field + j + 16, second, inexact);
      bits |= std::uint64_t{draw16(x1, uniform.second16, shift) & second} << 16;
    }
    std::uint64_t& word = words[j / kBitsPerWord];
    word = j % kBitsPerWord == 0 ? bits : word | bits << kGroup;
  }
  return inexact == 0;
}

void draw_int32(const std::int32_t* field, std::size_t num_units, std::uint32_t chain,
                const Draw& draw, std::uint64_t* words) noexcept {
  draw_chain(field, num_units, chain, draw, words);
}

void expand(const std::uint64_t* words, std::size_t num_units, float* units) noexcept {
  const __m512 one = _mm512_set1_ps(1.0F);
  for (std::size_t j = 0; j < num_units; j += 16) {
    const auto bits = static_cast<__mmask16>(words[j / kBitsPerWord] >> (j % kBitsPerWord));
    _mm512_mask_storeu_ps(units + j, first_units(j, num_units), _mm512_maskz_mov_ps(bits, one));
  }
}

}  // namespace

const Kernels avx512_kernels{draw_int32, draw_chain<float>, expand};

}  // namespace hapforge::bernoulli_units
