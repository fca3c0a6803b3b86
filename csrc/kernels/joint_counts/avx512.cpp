// joint_counts with AVX-512 VPOPCNTDQ: one instruction counts a word of eight sites.
//
// A block of 8 rows x 3 panels holds 24 sums in registers; a word of a row is broadcast by its
// load, so that only and, popcnt and add use vector ports, three instructions for 512 bits, and the
// lanes are pairs. Lanes are 64-bit and cannot overflow.
#include <immintrin.h>

#include "kernels/joint_counts/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")

namespace hapforge::joint_counts {
namespace {

// Adds the counts over words [begin, end) of a panel of rows and kPanels panels of columns to out.
template <int kPanels>
void block(const std::uint64_t* a, const std::uint64_t* b, const Tile& t, std::uint32_t* out,
           std::size_t begin, std::size_t end) noexcept {
  __m512i sum[kPanel * kPanels] = {};
  for (std::size_t w = begin * kPanel; w < end * kPanel; w += kPanel) {
    __m512i b_u64x8[kPanels];
    for (std::size_t c = 0; c < kPanels; ++c) {
      b_u64x8[c] = _mm512_loadu_si512(b + c * kPanel * t.words + w);
    }
    for (std::size_t r = 0; r < kPanel; ++r) {
      const __m512i a_u64x8 = _mm512_set1_epi64(static_cast<long long>(a[w + r]));
      for (std::size_t c = 0; c < kPanels; ++c) {
        __m512i& s = sum[r * kPanels + c];
        s = _mm512_add_epi64(s, _mm512_popcnt_epi64(_mm512_and_si512(a_u64x8, b_u64x8[c])));
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kPanel; ++r) {
#pragma GCC unroll 3
    for (std::size_t c = 0; c < kPanels; ++c) {
      auto* to = reinterpret_cast<__m256i*>(out + r * t.out_stride + c * kPanel);
      __m256i counts = _mm512_cvtepi64_epi32(sum[r * kPanels + c]);
      if (begin != 0) counts = _mm256_add_epi32(counts, _mm256_loadu_si256(to));
      _mm256_storeu_si256(to, counts);
    }
  }
}

void counts(const Tile& t) noexcept {
  const std::size_t stride = kPanel * t.words;
  std::size_t begin = 0;
  do {  // once for sites of no words, to write their zeros
    const std::size_t end = t.words - begin < kChunkWords ? t.words : begin + kChunkWords;
    for (std::size_t r = 0; r < t.row_panels; ++r) {
      const std::uint64_t* a = t.rows + r * stride;
      std::uint32_t* out = t.out + r * kPanel * t.out_stride;
      std::size_t c = 0;
      for (; c + 3 <= t.column_panels; c += 3) {
        block<3>(a, t.columns + c * stride, t, out + c * kPanel, begin, end);
      }
      for (; c < t.column_panels; ++c) {
        block<1>(a, t.columns + c * stride, t, out + c * kPanel, begin, end);
      }
    }
    begin = end;
  } while (begin < t.words);
}

// n n11 - c c_j of up to eight partners from j on.
[[gnu::always_inline]] inline __m512d scaled_d(const Run& run, std::size_t j,
                                               __mmask8 mask) noexcept {
  const __m512d n11 = _mm512_cvtepu32_pd(_mm256_maskz_loadu_epi32(mask, run.n11 + j));
  const __m512d partner = _mm512_maskz_loadu_pd(mask, run.partner_carriers + j);
  return _mm512_sub_pd(_mm512_mul_pd(_mm512_set1_pd(run.n), n11),
                       _mm512_mul_pd(_mm512_set1_pd(run.carriers), partner));
}

__mmask8 first_lanes(std::size_t count) noexcept {
  return static_cast<__mmask8>(count < 8 ? (1U << count) - 1 : 0xFF);
}

void add_squares(const Run& run, double* sums) noexcept {
  __m512d sum = _mm512_setzero_pd();
  for (std::size_t j = 0; j < run.length; j += 8) {
    const __mmask8 mask = first_lanes(run.length - j);
    const __m512d d = scaled_d(run, j, mask);
    const __m512d weight = _mm512_maskz_loadu_pd(mask, run.partner_weight + j);
    sum = _mm512_add_pd(sum, _mm512_mul_pd(_mm512_mul_pd(d, d), weight));
  }
  const __m512d weighted = _mm512_mul_pd(_mm512_set1_pd(run.weight), sum);
  _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), weighted));
}

void add_moments(const Run& a, const Run& b, double* sums) noexcept {
  __m512d sum[kMoments] = {};
  for (std::size_t j = 0; j < a.length; j += 8) {
    const __mmask8 mask = first_lanes(a.length - j);
    const __m512d d_a = scaled_d(a, j, mask);
    const __m512d d_b = scaled_d(b, j, mask);
    const __m512d x =
        _mm512_mul_pd(_mm512_mul_pd(d_a, d_a), _mm512_maskz_loadu_pd(mask, a.partner_weight + j));
    const __m512d y =
        _mm512_mul_pd(_mm512_mul_pd(d_b, d_b), _mm512_maskz_loadu_pd(mask, b.partner_weight + j));
    sum[0] = _mm512_add_pd(sum[0], x);
    sum[1] = _mm512_add_pd(sum[1], y);
    sum[2] = _mm512_add_pd(sum[2], _mm512_mul_pd(x, x));
    sum[3] = _mm512_add_pd(sum[3], _mm512_mul_pd(y, y));
    sum[4] = _mm512_add_pd(sum[4], _mm512_mul_pd(x, y));
  }
  double own_sums[kMoments][8];
  for (std::size_t s = 0; s < kMoments; ++s) _mm512_storeu_pd(own_sums[s], sum[s]);
  add_weighted(a, b, own_sums, sums);
}

template <bool kSquared>
void scale(const Run& run, float* out) noexcept {
  const __m512d weight = _mm512_set1_pd(run.weight);
  for (std::size_t j = 0; j < run.length; j += 8) {
    const __mmask8 mask = first_lanes(run.length - j);
    const __m512d d = scaled_d(run, j, mask);
    const __m512d both = _mm512_mul_pd(weight, _mm512_maskz_loadu_pd(mask, run.partner_weight + j));
    const __m512d value = _mm512_mul_pd(kSquared ? _mm512_mul_pd(d, d) : d, both);
    _mm256_mask_storeu_ps(out + j, mask, _mm512_cvtpd_ps(value));
  }
}

}  // namespace

const Kernels avx512_kernels{counts, add_squares, add_moments, scale<false>, scale<true>};

}  // namespace hapforge::joint_counts
