// gibbs with AVX-512 BW: vpermw looks up 32 chains in a table of 32 sums, that is 5 units, at once.
//
// A look-up and its addition make 160 multiply-adds in two instructions; 8-bit dot products, with
// two digits a weight, make 32 an instruction. Sums are int16 for a window of groups; then vpmaddwd
// with (scale, 0) and (0, scale) widens even and odd lanes, which stay apart up to the draw.
// Fields of a unit are [half of 32 chains][even, odd][16].
#include <immintrin.h>

#include "kernels/gibbs/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,bmi2")

namespace hapforge::gibbs {
namespace {

constexpr std::size_t kUnits = 5;
constexpr std::size_t kEntries = 32;
constexpr int kXor3 = 0x96;
constexpr __mmask16 kOddUnits = 0xAAAA;

__m512i broadcast(std::uint64_t value) noexcept {
  return _mm512_set1_epi64(static_cast<long long>(value));
}

// Control of a byte shuffle: entry e of a table takes int16 choice[(e >> shift) & mask] of the
// seeds, zero where that is -1.
struct Control {
  alignas(64) signed char byte[64];
  constexpr Control(int shift, int mask, const int (&choice)[4]) : byte{} {
    for (int e = 0; e < 32; ++e) {
      const int from = choice[(e >> shift) & mask];
      byte[2 * e] = static_cast<signed char>(from < 0 ? -1 : 2 * from);
      byte[2 * e + 1] = static_cast<signed char>(from < 0 ? -1 : 2 * from + 1);
    }
  }
};
constexpr Control kUnits01(0, 3, {-1, 0, 1, 2});
constexpr Control kUnits23(2, 3, {-1, 3, 4, 5});
constexpr Control kUnit4(4, 1, {-1, 6, -1, -1});

void expand(const std::int16_t* seeds, std::size_t num_tables, std::int16_t* tables) noexcept {
  const __m512i units01 = _mm512_load_si512(kUnits01.byte);
  const __m512i units23 = _mm512_load_si512(kUnits23.byte);
  const __m512i unit4 = _mm512_load_si512(kUnit4.byte);
  for (std::size_t t = 0; t < num_tables; ++t) {
    const __m512i seed = _mm512_broadcast_i32x4(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(seeds + t * kSeeds)));
    const __m512i lower =
        _mm512_add_epi16(_mm512_shuffle_epi8(seed, units01), _mm512_shuffle_epi8(seed, units23));
    _mm512_storeu_si512(tables + t * kEntries,
                        _mm512_add_epi16(lower, _mm512_shuffle_epi8(seed, unit4)));
  }
}

void make_index(const std::uint64_t* bits, std::size_t stride, std::size_t num_groups,
                std::uint16_t* index) noexcept {
  for (std::size_t g = 0; g < num_groups; ++g) {
    const std::uint64_t* row = bits + g * kUnits * stride;
    __m512i low = _mm512_setzero_si512();
    __m512i high = low;
    for (unsigned i = 0; i < kUnits; ++i) {
      const __m512i value = _mm512_set1_epi16(static_cast<short>(1 << i));
      const std::uint64_t word = row[i * stride];
      low = _mm512_mask_add_epi16(low, static_cast<__mmask32>(word), low, value);
      high = _mm512_mask_add_epi16(high, static_cast<__mmask32>(word >> 32), high, value);
    }
    _mm512_storeu_si512(index + g * kChains, low);
    _mm512_storeu_si512(index + g * kChains + 32, high);
  }
}

void accumulate(const std::int16_t* tables, const std::uint16_t* index, std::size_t num_groups,
                std::size_t window, std::int16_t scale, const std::int32_t* bias,
                std::int32_t* fields) noexcept {
  const __m512i even_scale = _mm512_set1_epi32(static_cast<std::uint16_t>(scale));
  const __m512i odd_scale = _mm512_slli_epi32(even_scale, 16);
  __m512i wide[kQuad][2][2];
#pragma GCC unroll 4
  for (std::size_t c = 0; c < kQuad; ++c) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      wide[c][i / 2][i % 2] = bias != nullptr ? _mm512_set1_epi32(bias[c])
                                              : _mm512_loadu_si512(fields + c * kChains + i * 16);
    }
  }
  for (std::size_t begin = 0; begin < num_groups; begin += window) {
    const std::size_t end = num_groups - begin < window ? num_groups : begin + window;
    __m512i sum[kQuad][2] = {};
#pragma GCC unroll 2
    for (std::size_t g = begin; g < end; ++g) {
      const __m512i low = _mm512_loadu_si512(index + g * kChains);
      const __m512i high = _mm512_loadu_si512(index + g * kChains + 32);
#pragma GCC unroll 4
      for (std::size_t c = 0; c < kQuad; ++c) {
        __m512i table = _mm512_loadu_si512(tables + (g * kQuad + c) * kEntries);
        asm("" : "+v"(table));  // or it is loaded twice, and loads are what there are most of
        sum[c][0] = _mm512_add_epi16(sum[c][0], _mm512_permutexvar_epi16(low, table));
        sum[c][1] = _mm512_add_epi16(sum[c][1], _mm512_permutexvar_epi16(high, table));
      }
    }
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kQuad; ++c) {
#pragma GCC unroll 2
      for (std::size_t h = 0; h < 2; ++h) {
        wide[c][h][0] = _mm512_add_epi32(wide[c][h][0], _mm512_madd_epi16(sum[c][h], even_scale));
        wide[c][h][1] = _mm512_add_epi32(wide[c][h][1], _mm512_madd_epi16(sum[c][h], odd_scale));
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t c = 0; c < kQuad; ++c) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      _mm512_storeu_si512(fields + c * kChains + i * 16, wide[c][i / 2][i % 2]);
    }
  }
}

// The four words of one Philox block for eight chains, each in the low half of a 64-bit lane. What
// is above is ignored by the 32 x 32 -> 64 bit multiplication, and shifted out in the end.
struct Words {
  __m512i w[4];
};

// Of the counter only the chain differs between lanes, so half of the first three rounds is scalar.
Words philox(std::uint32_t block, __m512i chains, const Draw& draw) noexcept {
  auto key0 = static_cast<std::uint32_t>(draw.seed);
  auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  const std::uint64_t first0 = std::uint64_t{philox::kMultiplier0} * block;
  const std::uint64_t first1 = std::uint64_t{philox::kMultiplier1} * draw.step;
  const __m512i vector_c0 =
      _mm512_xor_si512(chains, broadcast(static_cast<std::uint32_t>(first1 >> 32) ^ key0));
  const std::uint32_t c2 = static_cast<std::uint32_t>(first0 >> 32) ^ draw.layer ^ key1;
  key0 += philox::kWeyl0;
  key1 += philox::kWeyl1;
  const __m512i product0 = _mm512_mul_epu32(vector_c0, broadcast(philox::kMultiplier0));
  const std::uint64_t second1 = std::uint64_t{philox::kMultiplier1} * c2;
  const std::uint32_t c0 =
      static_cast<std::uint32_t>(second1 >> 32) ^ static_cast<std::uint32_t>(first1) ^ key0;
  const __m512i vector_c2 = _mm512_xor_si512(_mm512_srli_epi64(product0, 32),
                                             broadcast(static_cast<std::uint32_t>(first0) ^ key1));
  key0 += philox::kWeyl0;
  key1 += philox::kWeyl1;
  const std::uint64_t third0 = std::uint64_t{philox::kMultiplier0} * c0;
  const __m512i third1 = _mm512_mul_epu32(vector_c2, broadcast(philox::kMultiplier1));
  __m512i a = _mm512_xor_si512(_mm512_srli_epi64(third1, 32),
                               broadcast(static_cast<std::uint32_t>(second1) ^ key0));
  __m512i b = third1;
  __m512i c =
      _mm512_xor_si512(product0, broadcast(static_cast<std::uint32_t>(third0 >> 32) ^ key1));
  __m512i d = broadcast(static_cast<std::uint32_t>(third0));
  for (int round = 3; round < philox::kRounds; ++round) {
    key0 += philox::kWeyl0;
    key1 += philox::kWeyl1;
    const __m512i p0 = _mm512_mul_epu32(a, broadcast(philox::kMultiplier0));
    const __m512i p1 = _mm512_mul_epu32(c, broadcast(philox::kMultiplier1));
    a = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), b, broadcast(key0), kXor3);
    c = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), d, broadcast(key1), kXor3);
    b = p1;
    d = p0;
  }
  return {{a, b, c, d}};
}

// decay() on the low halves, plus 2^30.
__m512i one_plus_decay(__m512i magnitude, __m128i shift) noexcept {
  const __m512i z = _mm512_srl_epi64(_mm512_mul_epu32(magnitude, broadcast(kLog2E)), shift);
  __m512i p = broadcast(kExp2[5]);
  for (int i = 4; i >= 0; --i) {
    p = _mm512_sub_epi64(broadcast(kExp2[i]), _mm512_srli_epi64(_mm512_mul_epu32(p, z), 32));
  }
  return _mm512_add_epi64(_mm512_srlv_epi64(p, _mm512_srli_epi64(z, 32)), broadcast(kOne));
}

// draw_unit() for 16 chains; u is complemented where x < 0, and so is the answer.
__mmask16 draw16_exactly(__m512i magnitude, __m512i u, int k) noexcept {
  const __m128i shift = _mm_cvtsi32_si128(k - 1);
  const __m512i even = _mm512_mul_epu32(u, one_plus_decay(magnitude, shift));
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(u, 32),
                                       one_plus_decay(_mm512_srli_epi64(magnitude, 32), shift));
  const __m512i top = _mm512_mask_blend_epi32(kOddUnits, _mm512_srli_epi64(even, 32), odd);
  return _mm512_cmplt_epu32_mask(top, _mm512_set1_epi32(1 << 30));
}

// ln(2)^i / i!
constexpr float kExp2Taylor[] = {1.0F,           6.93147181e-1F, 2.40226507e-1F, 5.55041087e-2F,
                                 9.61812911e-3F, 1.33335581e-3F, 1.54035304e-4F};

// The same, decided in float32 wherever u (1 + exp(-|x| 2^-k)) is clearly off 2^32: its relative
// error is below 2^-20 (rounding of u and of the result 2^-24 each; of |x| 2^-k log2(e), three
// times 2^-24, which counts at most 0.37-fold; the polynomial 2^-23; that of the exact rule 2^-25),
// the margin is 2^-18. One vector in about ten thousand has a unit that is not clear.
__mmask16 draw16(__m512i x, __m512i uniform, __m512 log2e_2k, int k) noexcept {
  const __m512i magnitude = _mm512_abs_epi32(x);
  const __m512i u = _mm512_xor_si512(uniform, _mm512_srai_epi32(x, 31));
  const __m512 t = _mm512_mul_ps(_mm512_cvtepi32_ps(magnitude), log2e_2k);
  const __m512 n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 f = _mm512_sub_ps(n, t);
  __m512 p = _mm512_set1_ps(kExp2Taylor[6]);
  for (int i = 5; i >= 0; --i) p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2Taylor[i]));
  const __m512 decay = _mm512_scalef_ps(p, _mm512_sub_ps(_mm512_setzero_ps(), n));
  const __m512 real_u = _mm512_cvtepu32_ps(u);
  const __m512 product = _mm512_fmadd_ps(real_u, decay, real_u);
  __mmask16 below = _mm512_cmp_ps_mask(product, _mm512_set1_ps(0x1p32F - 0x1p14F), _CMP_LT_OQ);
  const __mmask16 above =
      _mm512_cmp_ps_mask(product, _mm512_set1_ps(0x1p32F + 0x1p14F), _CMP_GT_OQ);
  if (!_kortestc_mask16_u8(below, above)) below = draw16_exactly(magnitude, u, k);
  return static_cast<__mmask16>(below ^ _mm512_movepi32_mask(x));
}

void draw(const std::int32_t* fields, std::uint32_t block, std::uint32_t first_chain,
          const Draw& draw, std::uint64_t bits[kQuad]) noexcept {
  const int k = draw.fixed_point_bits;
  const __m512 log2e_2k =
      _mm512_scalef_ps(_mm512_set1_ps(1.44269504F), _mm512_set1_ps(static_cast<float>(-k)));
  const __m512i every_fourth = _mm512_setr_epi64(0, 4, 8, 12, 16, 20, 24, 28);
  for (std::size_t c = 0; c < kQuad; ++c) bits[c] = 0;
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned odd = 0; odd < 2; ++odd) {
      const __m512i chain =
          _mm512_add_epi64(broadcast(first_chain + half * 32 + odd), every_fourth);
      const Words even_lanes = philox(block, chain, draw);
      const Words odd_lanes = philox(block, _mm512_add_epi64(chain, broadcast(2)), draw);
#pragma GCC unroll 4
      for (std::size_t c = 0; c < kQuad; ++c) {
        const __m512i uniform = _mm512_mask_blend_epi32(kOddUnits, even_lanes.w[c],
                                                        _mm512_slli_epi64(odd_lanes.w[c], 32));
        const __m512i x = _mm512_loadu_si512(fields + c * kChains + half * 32 + odd * 16);
        const __mmask16 mask = draw16(x, uniform, log2e_2k, k);
        bits[c] |= _pdep_u64(mask, 0x55555555U << odd) << (half * 32);
      }
    }
  }
}

void natural_order(const std::int32_t* fields, std::int32_t* out) noexcept {
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  for (std::size_t i = 0; i < kFields; i += 32) {
    const __m512i even = _mm512_loadu_si512(fields + i);
    const __m512i odd = _mm512_loadu_si512(fields + i + 16);
    _mm512_storeu_si512(out + i, _mm512_permutex2var_epi32(even, first, odd));
    _mm512_storeu_si512(out + i + 16, _mm512_permutex2var_epi32(even, second, odd));
  }
}

}  // namespace

const Kernels avx512_kernels{kUnits, kEntries, expand, make_index, accumulate, draw, natural_order};

}  // namespace hapforge::gibbs
