// bernoulli_units with AVX2: four Philox blocks in 64-bit lanes serve 16 units of a group of 32.
//
// A lane holds a 32-bit value in its low half, what is above is ignored by the 32 x 32 -> 64 bit
// multiplication. Words 0 and 1 of four blocks, interleaved, are the uniforms of 8 neighbouring
// units; words 2 and 3 those of the 8 units that come 16 later. A last group goes through a buffer.
#include <immintrin.h>

#include "core/bit_matrix_view.h"
#include "kernels/bernoulli_units/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::bernoulli_units {
namespace {

constexpr int kOddUnits = 0xAA;

__m256i broadcast(std::uint64_t value) noexcept {
  return _mm256_set1_epi64x(static_cast<long long>(value));
}

struct Uniforms {
  __m256i here, sixteen_later;
};

Uniforms philox(__m256i blocks, std::uint32_t chain, const Draw& draw) noexcept {
  auto key0 = static_cast<std::uint32_t>(draw.seed);
  auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  __m256i c0 = blocks;
  __m256i c1 = broadcast(chain);
  __m256i c2 = broadcast(draw.step);
  __m256i c3 = broadcast(draw.layer);
  for (int round = 0; round < philox::kRounds; ++round) {
    const __m256i product0 = _mm256_mul_epu32(c0, broadcast(philox::kMultiplier0));
    const __m256i product1 = _mm256_mul_epu32(c2, broadcast(philox::kMultiplier1));
    c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product1, 32), c1), broadcast(key0));
    c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product0, 32), c3), broadcast(key1));
    c1 = product1;
    c3 = product0;
    key0 += philox::kWeyl0;
    key1 += philox::kWeyl1;
  }
  return {_mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), kOddUnits),
          _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), kOddUnits)};
}

// decay() of kernel.h on the low halves, plus 2^30.
__m256i one_plus_decay(__m256i magnitude, __m128i shift) noexcept {
  const __m256i z = _mm256_srl_epi64(_mm256_mul_epu32(magnitude, broadcast(kLog2E)), shift);
  __m256i p = broadcast(kExp2[5]);
  for (int i = 4; i >= 0; --i) {
    p = _mm256_sub_epi64(broadcast(kExp2[i]), _mm256_srli_epi64(_mm256_mul_epu32(p, z), 32));
  }
  return _mm256_add_epi64(_mm256_srlv_epi64(p, _mm256_srli_epi64(z, 32)), broadcast(kOne));
}

// draw_unit() of kernel.h for 8 units.
std::uint32_t draw8(__m256i x, __m256i uniform, __m128i shift) noexcept {
  const __m256i magnitude = _mm256_abs_epi32(x);
  const __m256i negative = _mm256_srai_epi32(x, 31);
  const __m256i u = _mm256_xor_si256(uniform, negative);
  const __m256i even = _mm256_mul_epu32(u, one_plus_decay(magnitude, shift));
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(u, 32),
                                       one_plus_decay(_mm256_srli_epi64(magnitude, 32), shift));
  const __m256i top = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, kOddUnits);
  // A product is below 2^63, so its top half is a non-negative int32.
  const __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(1 << 30), top);
  return static_cast<std::uint32_t>(
      _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_xor_si256(below, negative))));
}

__m256i load8(const std::int32_t* field, __m256i&) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(field));
}

// What is too large converts to -2^31, which compares unequal like a fraction or a NaN.
__m256i load8(const float* field, __m256i& inexact) noexcept {
  const __m256 x = _mm256_loadu_ps(field);
  const __m256i whole = _mm256_cvttps_epi32(x);
  const __m256 differs = _mm256_cmp_ps(_mm256_cvtepi32_ps(whole), x, _CMP_NEQ_UQ);
  inexact = _mm256_or_si256(inexact, _mm256_castps_si256(differs));
  return whole;
}

template <class Field>
std::uint64_t draw_group(const Field* field, std::size_t group, std::uint32_t chain,
                         const Draw& draw, __m256i& inexact) noexcept {
  const __m128i shift = _mm_cvtsi32_si128(draw.fixed_point_bits - 1);
  std::uint64_t bits = 0;
  for (unsigned half = 0; half < 2; ++half) {
    const __m256i blocks =
        _mm256_add_epi64(broadcast(group * 8 + half * 4), _mm256_setr_epi64x(0, 1, 2, 3));
    const Uniforms uniform = philox(blocks, chain, draw);
    const Field* x = field + half * 8;
    bits |= std::uint64_t{draw8(load8(x, inexact), uniform.here, shift)} << (half * 8);
    bits |= std::uint64_t{draw8(load8(x + 16, inexact), uniform.sixteen_later, shift)}
            << (half * 8 + 16);
  }
  return bits;
}

template <class Field>
bool draw_chain(const Field* field, std::size_t num_units, std::uint32_t chain, const Draw& draw,
                std::uint64_t* words) noexcept {
  __m256i inexact = _mm256_setzero_si256();
  for (std::size_t j = 0; j < num_units; j += kGroup) {
    std::uint64_t bits = 0;
    if (num_units - j >= kGroup) {
      bits = draw_group(field + j, j / kGroup, chain, draw, inexact);
    } else {
      Field rest[kGroup] = {};
      __builtin_memcpy(rest, field + j, (num_units - j) * sizeof(Field));
      bits = draw_group(rest, j / kGroup, chain, draw, inexact) &
             ((std::uint64_t{1} << (num_units - j)) - 1);
    }
    std::uint64_t& word = words[j / kBitsPerWord];
    word = j % kBitsPerWord == 0 ? bits : word | bits << kGroup;
  }
  return _mm256_testz_si256(inexact, inexact) != 0;
}

void draw_int32(const std::int32_t* field, std::size_t num_units, std::uint32_t chain,
                const Draw& draw, std::uint64_t* words) noexcept {
  draw_chain(field, num_units, chain, draw, words);
}

void expand(const std::uint64_t* words, std::size_t num_units, float* units) noexcept {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  std::size_t j = 0;
  for (; j + 8 <= num_units; j += 8) {
    const auto byte = static_cast<int>(words[j / kBitsPerWord] >> (j % kBitsPerWord) & 0xFF);
    const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(byte), bit), bit);
    _mm256_storeu_ps(units + j, _mm256_and_ps(_mm256_castsi256_ps(set), _mm256_set1_ps(1.0F)));
  }
  for (; j < num_units; ++j) {
    units[j] = static_cast<float>(words[j / kBitsPerWord] >> (j % kBitsPerWord) & 1);
  }
}

}  // namespace

const Kernels avx2_kernels{draw_int32, draw_chain<float>, expand};

}  // namespace hapforge::bernoulli_units
