// gibbs with AVX2: vpshufb looks up 16 chains in a table of 8 int16, the sums of 3 units, at once.
//
// Indices are the byte pairs (2 e, 2 e + 1) of entry e. Sums are int16 for a window of groups; then
// vpmaddwd with (scale, 0) and (0, scale) widens even and odd lanes, which stay apart up to the
// draw. Fields of a unit are [quarter of 16 chains][even, odd][8].
#include <immintrin.h>

#include "kernels/gibbs/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::gibbs {
namespace {

constexpr std::size_t kUnits = 3;
constexpr std::size_t kEntries = 8;
constexpr int kOddUnits = 0xAA;

__m256i broadcast(std::uint64_t value) noexcept {
  return _mm256_set1_epi64x(static_cast<long long>(value));
}

__m256i load(const void* from) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

void store(void* to, __m256i value) noexcept {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

void make_index(const std::uint64_t* bits, std::size_t stride, std::size_t num_groups,
                std::uint16_t* index) noexcept {
  const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                        8192, 16384, static_cast<short>(32768));
  for (std::size_t g = 0; g < num_groups; ++g) {
    const std::uint64_t* row = bits + g * kUnits * stride;
    for (std::size_t c = 0; c < kChains; c += 16) {
      __m256i entry = _mm256_set1_epi16(0x0100);
      for (std::size_t i = 0; i < kUnits; ++i) {
        const auto word = static_cast<short>(row[i * stride] >> c & 0xFFFF);
        const __m256i set = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(word), bit), bit);
        const __m256i value = _mm256_set1_epi16(static_cast<short>(0x0202 << i));
        entry = _mm256_add_epi16(entry, _mm256_and_si256(set, value));
      }
      store(index + g * kChains + c, entry);
    }
  }
}

// Two units, 32 chains.
void accumulate_block(const std::int16_t* tables, const std::uint16_t* index,
                      std::size_t num_groups, std::size_t window, std::int16_t scale,
                      const std::int32_t* bias, std::int32_t* fields) noexcept {
  const __m256i even_scale = _mm256_set1_epi32(static_cast<std::uint16_t>(scale));
  const __m256i odd_scale = _mm256_slli_epi32(even_scale, 16);
  __m256i wide[2][4];
#pragma GCC unroll 2
  for (std::size_t c = 0; c < 2; ++c) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      wide[c][i] =
          bias != nullptr ? _mm256_set1_epi32(bias[c]) : load(fields + c * kChains + i * 8);
    }
  }
  for (std::size_t begin = 0; begin < num_groups; begin += window) {
    const std::size_t end = num_groups - begin < window ? num_groups : begin + window;
    __m256i sum[2][2] = {};
    for (std::size_t g = begin; g < end; ++g) {
      const __m256i low = load(index + g * kChains);
      const __m256i high = load(index + g * kChains + 16);
#pragma GCC unroll 2
      for (std::size_t c = 0; c < 2; ++c) {
        const __m256i table = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(tables + (g * kQuad + c) * kEntries)));
        sum[c][0] = _mm256_add_epi16(sum[c][0], _mm256_shuffle_epi8(table, low));
        sum[c][1] = _mm256_add_epi16(sum[c][1], _mm256_shuffle_epi8(table, high));
      }
    }
#pragma GCC unroll 2
    for (std::size_t c = 0; c < 2; ++c) {
#pragma GCC unroll 2
      for (std::size_t h = 0; h < 2; ++h) {
        __m256i* half = wide[c] + 2 * h;
        half[0] = _mm256_add_epi32(half[0], _mm256_madd_epi16(sum[c][h], even_scale));
        half[1] = _mm256_add_epi32(half[1], _mm256_madd_epi16(sum[c][h], odd_scale));
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t c = 0; c < 2; ++c) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) store(fields + c * kChains + i * 8, wide[c][i]);
  }
}

void accumulate(const std::int16_t* tables, const std::uint16_t* index, std::size_t num_groups,
                std::size_t window, std::int16_t scale, const std::int32_t* bias,
                std::int32_t* fields) noexcept {
  for (std::size_t c = 0; c < kQuad; c += 2) {
    for (std::size_t lane = 0; lane < kChains; lane += 32) {
      accumulate_block(tables + c * kEntries, index + lane, num_groups, window, scale,
                       bias == nullptr ? nullptr : bias + c, fields + c * kChains + lane);
    }
  }
}

// The four words of one Philox block for four chains, each in the low half of a 64-bit lane. What
// is above is ignored by the 32 x 32 -> 64 bit multiplication, and left out in the end.
struct Words {
  __m256i w[4];
};

Words philox(std::uint32_t block, __m256i chains, const Draw& draw) noexcept {
  auto key0 = static_cast<std::uint32_t>(draw.seed);
  auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  __m256i c0 = broadcast(block);
  __m256i c1 = chains;
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
  return {{c0, c1, c2, c3}};
}

// decay() on the low halves, plus 2^30.
__m256i one_plus_decay(__m256i magnitude, __m128i shift) noexcept {
  const __m256i z = _mm256_srl_epi64(_mm256_mul_epu32(magnitude, broadcast(kLog2E)), shift);
  __m256i p = broadcast(kExp2[5]);
  for (int i = 4; i >= 0; --i) {
    p = _mm256_sub_epi64(broadcast(kExp2[i]), _mm256_srli_epi64(_mm256_mul_epu32(p, z), 32));
  }
  return _mm256_add_epi64(_mm256_srlv_epi64(p, _mm256_srli_epi64(z, 32)), broadcast(kOne));
}

// draw_unit() for 8 chains: all bits of a lane are the unit's.
__m256i draw8(__m256i x, __m256i uniform, __m128i shift) noexcept {
  const __m256i magnitude = _mm256_abs_epi32(x);
  const __m256i negative = _mm256_srai_epi32(x, 31);
  const __m256i u = _mm256_xor_si256(uniform, negative);
  const __m256i even = _mm256_mul_epu32(u, one_plus_decay(magnitude, shift));
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(u, 32),
                                       one_plus_decay(_mm256_srli_epi64(magnitude, 32), shift));
  const __m256i top = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, kOddUnits);
  // A product is below 2^63, so its top half is a non-negative int32.
  return _mm256_xor_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(1 << 30), top), negative);
}

void draw(const std::int32_t* fields, std::uint32_t block, std::uint32_t first_chain,
          const Draw& draw, std::uint64_t bits[kQuad]) noexcept {
  const __m128i shift = _mm_cvtsi32_si128(draw.fixed_point_bits - 1);
  const __m256i every_fourth = _mm256_setr_epi64x(0, 4, 8, 12);
  __m256i units[kQuad][kChains / 16];  // 16 bits a chain
  for (unsigned quarter = 0; quarter < kChains / 16; ++quarter) {
    __m256i drawn[kQuad][2];
    for (unsigned odd = 0; odd < 2; ++odd) {
      const __m256i chain =
          _mm256_add_epi64(broadcast(first_chain + quarter * 16 + odd), every_fourth);
      const Words even_lanes = philox(block, chain, draw);
      const Words odd_lanes = philox(block, _mm256_add_epi64(chain, broadcast(2)), draw);
      for (std::size_t c = 0; c < kQuad; ++c) {
        const __m256i uniform =
            _mm256_blend_epi32(even_lanes.w[c], _mm256_slli_epi64(odd_lanes.w[c], 32), kOddUnits);
        const __m256i x = load(fields + c * kChains + quarter * 16 + odd * 8);
        drawn[c][odd] = draw8(x, uniform, shift);
      }
    }
    for (std::size_t c = 0; c < kQuad; ++c) {
      units[c][quarter] = _mm256_blend_epi16(drawn[c][0], drawn[c][1], kOddUnits);
    }
  }
  for (std::size_t c = 0; c < kQuad; ++c) {
    bits[c] = 0;
    for (unsigned half = 0; half < 2; ++half) {
      const __m256i bytes = _mm256_permute4x64_epi64(
          _mm256_packs_epi16(units[c][2 * half], units[c][2 * half + 1]), 0xD8);
      bits[c] |= std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes))}
                 << (half * 32);
    }
  }
}

void natural_order(const std::int32_t* fields, std::int32_t* out) noexcept {
  for (std::size_t i = 0; i < kFields; i += 16) {
    const __m256i even = load(fields + i);
    const __m256i odd = load(fields + i + 8);
    const __m256i low = _mm256_unpacklo_epi32(even, odd);
    const __m256i high = _mm256_unpackhi_epi32(even, odd);
    store(out + i, _mm256_permute2x128_si256(low, high, 0x20));
    store(out + i + 8, _mm256_permute2x128_si256(low, high, 0x31));
  }
}

}  // namespace

const Kernels avx2_kernels{kUnits, kEntries, nullptr, make_index, accumulate, draw, natural_order};

}  // namespace hapforge::gibbs
