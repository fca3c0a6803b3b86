// joint_counts with AVX2, which has no popcount: the counts of four haplotypes of 32 sites are
// looked up at once.
//
// The bits of a row at eight haplotypes choose two tables of 16 (one per half byte) that hold how
// many bits each value shares with them; a shuffle looks 32 columns up. That is 4 instructions for
// 256 bits, half of what counting by shuffle needs. Columns are brought to one byte per site first.
// Counts are bytes, at most 8 a step, so they are widened every 31 steps, before 255 can be passed.
#include <immintrin.h>

#include "kernels/joint_counts/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t kSites = 64;  // columns of a register block: two vectors
constexpr std::size_t kGroup = kSites / kPanel;
constexpr std::size_t kRows = 4;
constexpr std::size_t kWords = 32;  // of the columns at a time: 32 KiB of half bytes
constexpr std::size_t kMostSteps = 31;

// shared[v][h][x]: bits that x has in common with half byte h of v.
struct Tables {
  alignas(32) std::uint8_t shared[256][2][16];
  constexpr Tables() : shared{} {
    for (unsigned v = 0; v < 256; ++v) {
      for (unsigned h = 0; h < 2; ++h) {
        for (unsigned x = 0; x < 16; ++x) {
          const unsigned both = v >> (4 * h) & x;
          shared[v][h][x] = static_cast<std::uint8_t>((both & 1) + (both >> 1 & 1) +
                                                      (both >> 2 & 1) + (both >> 3));
        }
      }
    }
  }
};
constexpr Tables kTables;

// Word `w` of eight sites, two bytes a vector: bytes 2 k of the sites, then bytes 2 k + 1.
[[gnu::always_inline]] inline void transpose_bytes(const std::uint64_t* panel, std::size_t w,
                                                   __m128i (&lines)[4]) noexcept {
  const __m256i pair = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
  const auto* from = reinterpret_cast<const __m256i*>(panel + w * kPanel);
  // Within 128 bits two sites of 8 bytes become 8 pairs: of sites 01 and 23, and of 45 and 67.
  const __m256i low = _mm256_shuffle_epi8(_mm256_loadu_si256(from), pair);
  const __m256i high = _mm256_shuffle_epi8(_mm256_loadu_si256(from + 1), pair);
  const __m128i s01 = _mm256_castsi256_si128(low);
  const __m128i s23 = _mm256_extracti128_si256(low, 1);
  const __m128i s45 = _mm256_castsi256_si128(high);
  const __m128i s67 = _mm256_extracti128_si256(high, 1);
  const __m128i first = _mm_unpacklo_epi16(s01, s23);  // bytes 0 to 3 of sites 0 to 3
  const __m128i second = _mm_unpackhi_epi16(s01, s23);
  const __m128i third = _mm_unpacklo_epi16(s45, s67);  // and of sites 4 to 7
  const __m128i fourth = _mm_unpackhi_epi16(s45, s67);
  lines[0] = _mm_unpacklo_epi32(first, third);
  lines[1] = _mm_unpackhi_epi32(first, third);
  lines[2] = _mm_unpacklo_epi32(second, fourth);
  lines[3] = _mm_unpackhi_epi32(second, fourth);
}

[[gnu::always_inline]] inline void store_halves(std::uint8_t* to, __m128i bytes) noexcept {
  const __m128i half = _mm_set1_epi8(0x0F);
  _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm_and_si128(bytes, half));
  _mm_store_si128(reinterpret_cast<__m128i*>(to + kSites),
                  _mm_and_si128(_mm_srli_epi16(bytes, 4), half));
}

// The half bytes of the columns, low ones first: halves[(2 k + h) * kSites + s] is half h of byte k
// of site s, over words [begin, end) of up to kGroup panels. What stands for sites past the last
// panel means nothing.
void halves_of(const std::uint64_t* columns, std::size_t panels, std::size_t words,
               std::size_t begin, std::size_t end, std::uint8_t* halves) noexcept {
  for (std::size_t p = 0; p < panels; p += 2) {
    const std::uint64_t* one = columns + p * words * kPanel;
    const std::uint64_t* other = p + 1 < panels ? one + words * kPanel : one;
    for (std::size_t w = begin; w < end; ++w) {
      __m128i left[4];
      __m128i right[4];
      transpose_bytes(one, w, left);
      transpose_bytes(other, w, right);
      std::uint8_t* to = halves + (w - begin) * 16 * kSites + p * kPanel;
#pragma GCC unroll 4
      for (std::size_t k = 0; k < 4; ++k) {
        store_halves(to + 4 * k * kSites, _mm_unpacklo_epi64(left[k], right[k]));
        store_halves(to + (4 * k + 2) * kSites, _mm_unpackhi_epi64(left[k], right[k]));
      }
    }
  }
}

// Adds 16 bytes to 16 numbers.
[[gnu::always_inline]] inline void add_widened(__m128i bytes, std::uint32_t* to) noexcept {
  auto* out = reinterpret_cast<__m256i*>(to);
  const __m256i low = _mm256_cvtepu8_epi32(bytes);
  const __m256i high = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
  _mm256_store_si256(out, _mm256_add_epi32(_mm256_load_si256(out), low));
  _mm256_store_si256(out + 1, _mm256_add_epi32(_mm256_load_si256(out + 1), high));
}

// Adds the counts of bytes [begin, end) of kRows rows, at `a`, and 64 columns to out. Byte k of a
// row is byte k % 8 of its word k / 8, and those are a panel apart.
[[gnu::noinline]] void block(const std::uint8_t* a, const std::uint8_t* halves, std::size_t begin,
                             std::size_t end, std::uint32_t (*out)[kSites]) noexcept {
  __m256i sum[kRows][2] = {};
  for (std::size_t k = begin; k < end; ++k) {
    const auto* columns = reinterpret_cast<const __m256i*>(halves + k * 2 * kSites);
    __m256i low[2] = {_mm256_load_si256(columns), _mm256_load_si256(columns + 1)};
    __m256i high[2] = {_mm256_load_si256(columns + 2), _mm256_load_si256(columns + 3)};
    // Loads are what limits: GCC would load these again for every row.
    asm("" : "+x"(low[0]), "+x"(low[1]), "+x"(high[0]), "+x"(high[1]));
    const std::uint8_t* value = a + k / 8 * 8 * kPanel + k % 8;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto* tables = reinterpret_cast<const __m128i*>(kTables.shared[value[r * 8]]);
      const __m256i table_low = _mm256_broadcastsi128_si256(_mm_load_si128(tables));
      sum[r][0] = _mm256_add_epi8(sum[r][0], _mm256_shuffle_epi8(table_low, low[0]));
      sum[r][1] = _mm256_add_epi8(sum[r][1], _mm256_shuffle_epi8(table_low, low[1]));
      const __m256i table_high = _mm256_broadcastsi128_si256(_mm_load_si128(tables + 1));
      sum[r][0] = _mm256_add_epi8(sum[r][0], _mm256_shuffle_epi8(table_high, high[0]));
      sum[r][1] = _mm256_add_epi8(sum[r][1], _mm256_shuffle_epi8(table_high, high[1]));
      asm("" : "+x"(sum[r][0]), "+x"(sum[r][1]));  // keeps each sum in one register
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < 2; ++v) {
      add_widened(_mm256_castsi256_si128(sum[r][v]), out[r] + 32 * v);
      add_widened(_mm256_extracti128_si256(sum[r][v], 1), out[r] + 32 * v + 16);
    }
  }
}

void counts(const Tile& t) noexcept {
  alignas(32) std::uint8_t halves[kWords * 16 * kSites] = {};
  alignas(32) std::uint32_t sum[kRows][kSites];
  for (std::size_t c = 0; c < t.column_panels; c += kGroup) {
    const std::size_t panels = t.column_panels - c < kGroup ? t.column_panels - c : kGroup;
    const std::uint64_t* columns = t.columns + c * kPanel * t.words;
    std::size_t begin = 0;
    do {  // once for sites of no words, to write their zeros
      const std::size_t end = t.words - begin < kWords ? t.words : begin + kWords;
      const std::size_t steps = 8 * (end - begin);
      halves_of(columns, panels, t.words, begin, end, halves);
      for (std::size_t row = 0; row < t.row_panels * kPanel; row += kRows) {
        const auto* a = reinterpret_cast<const std::uint8_t*>(
            t.rows + (row / kPanel * t.words + begin) * kPanel + row % kPanel);
        __builtin_memset(sum, 0, sizeof(sum));
        for (std::size_t k = 0; k < steps; k += kMostSteps) {
          block(a, halves, k, steps - k < kMostSteps ? steps : k + kMostSteps, sum);
        }
        for (std::size_t r = 0; r < kRows; ++r) {
          std::uint32_t* out = t.out + (row + r) * t.out_stride + c * kPanel;
          for (std::size_t s = 0; s < panels * kPanel; ++s) {
            out[s] = (begin == 0 ? 0 : out[s]) + sum[r][s];
          }
        }
      }
      begin = end;
    } while (begin < t.words);
  }
}

// n n11 - c c_j of four partners, and of one.
[[gnu::always_inline]] inline __m256d scaled_d(__m128i n11, __m256d carriers, __m256d n,
                                               __m256d own) noexcept {
  return _mm256_sub_pd(_mm256_mul_pd(n, _mm256_cvtepi32_pd(n11)), _mm256_mul_pd(own, carriers));
}
double scaled_d(const Run& run, std::size_t j) noexcept {
  return run.n * static_cast<std::int32_t>(run.n11[j]) - run.carriers * run.partner_carriers[j];
}

void add_squares(const Run& run, double* sums) noexcept {
  const __m256d n = _mm256_set1_pd(run.n);
  const __m256d own = _mm256_set1_pd(run.carriers);
  __m256d sum[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
  std::size_t j = 0;
  for (; j + 8 <= run.length; j += 8) {
    for (std::size_t h = 0; h < 2; ++h) {
      const std::size_t k = j + 4 * h;
      const __m128i n11 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run.n11 + k));
      const __m256d d = scaled_d(n11, _mm256_loadu_pd(run.partner_carriers + k), n, own);
      const __m256d weight = _mm256_loadu_pd(run.partner_weight + k);
      sum[h] = _mm256_add_pd(sum[h], _mm256_mul_pd(_mm256_mul_pd(d, d), weight));
    }
  }
  alignas(32) double own_sums[8];
  _mm256_store_pd(own_sums, sum[0]);
  _mm256_store_pd(own_sums + 4, sum[1]);
  for (std::size_t lane = 0; j + lane < run.length; ++lane) {
    const double d = scaled_d(run, j + lane);
    own_sums[lane] += d * d * run.partner_weight[j + lane];
  }
  for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += run.weight * own_sums[lane];
}

// d^2 times the weight of four partners.
[[gnu::always_inline]] inline __m256d squares(const Run& run, std::size_t j) noexcept {
  const __m128i n11 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run.n11 + j));
  const __m256d d = scaled_d(n11, _mm256_loadu_pd(run.partner_carriers + j), _mm256_set1_pd(run.n),
                             _mm256_set1_pd(run.carriers));
  return _mm256_mul_pd(_mm256_mul_pd(d, d), _mm256_loadu_pd(run.partner_weight + j));
}

void add_moments(const Run& a, const Run& b, double* sums) noexcept {
  __m256d sum[kMoments][2] = {};
  std::size_t j = 0;
  for (; j + 8 <= a.length; j += 8) {
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
      const __m256d x = squares(a, j + 4 * h);
      const __m256d y = squares(b, j + 4 * h);
      sum[0][h] = _mm256_add_pd(sum[0][h], x);
      sum[1][h] = _mm256_add_pd(sum[1][h], y);
      sum[2][h] = _mm256_add_pd(sum[2][h], _mm256_mul_pd(x, x));
      sum[3][h] = _mm256_add_pd(sum[3][h], _mm256_mul_pd(y, y));
      sum[4][h] = _mm256_add_pd(sum[4][h], _mm256_mul_pd(x, y));
    }
  }
  alignas(32) double own_sums[kMoments][8];
  for (std::size_t s = 0; s < kMoments; ++s) {
    _mm256_store_pd(own_sums[s], sum[s][0]);
    _mm256_store_pd(own_sums[s] + 4, sum[s][1]);
  }
  for (std::size_t lane = 0; j + lane < a.length; ++lane) {
    const double d_a = scaled_d(a, j + lane);
    const double d_b = scaled_d(b, j + lane);
    const double x = d_a * d_a * a.partner_weight[j + lane];
    const double y = d_b * d_b * b.partner_weight[j + lane];
    own_sums[0][lane] += x;
    own_sums[1][lane] += y;
    own_sums[2][lane] += x * x;
    own_sums[3][lane] += y * y;
    own_sums[4][lane] += x * y;
  }
  add_weighted(a, b, own_sums, sums);
}

template <bool kSquared>
void scale(const Run& run, float* out) noexcept {
  const __m256d n = _mm256_set1_pd(run.n);
  const __m256d own = _mm256_set1_pd(run.carriers);
  const __m256d weight = _mm256_set1_pd(run.weight);
  std::size_t j = 0;
  for (; j + 4 <= run.length; j += 4) {
    const __m128i n11 = _mm_loadu_si128(reinterpret_cast<const __m128i*>(run.n11 + j));
    const __m256d d = scaled_d(n11, _mm256_loadu_pd(run.partner_carriers + j), n, own);
    const __m256d both = _mm256_mul_pd(weight, _mm256_loadu_pd(run.partner_weight + j));
    const __m256d value = _mm256_mul_pd(kSquared ? _mm256_mul_pd(d, d) : d, both);
    _mm_storeu_ps(out + j, _mm256_cvtpd_ps(value));
  }
  for (; j < run.length; ++j) {
    const double d = scaled_d(run, j);
    out[j] = static_cast<float>((kSquared ? d * d : d) * (run.weight * run.partner_weight[j]));
  }
}

}  // namespace

const Kernels avx2_kernels{counts, add_squares, add_moments, scale<false>, scale<true>};

}  // namespace hapforge::joint_counts
