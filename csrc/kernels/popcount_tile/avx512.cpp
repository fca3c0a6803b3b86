// popcount_tile with AVX-512 VPOPCNTDQ: fewer operations a pair than xor, count and add.
//
// Both sides are packed eight rows at a time, word by word with a row to a lane, and every word is
// replaced by the xor of all words up to it: A(k) = a(0) ^ .. ^ a(k), likewise B. Then
// u(k) = A(k) ^ B(k) changes exactly where the rows differ, bit by bit down the words, so each bit
// position's differences are twice its falls (1 to 0), plus one if u ends at 1. A vector of u takes
// one operation, the falls over two of them, at most one a bit, one more (vpternlog), which leaves
// one population count and one addition for two words: 5 operations instead of 6. A lane is a
// row of b, so nothing is reduced across lanes and rows of any length do without masks.
//
// Shared bits: |a and b| = (|a| + |b| - |a xor b|) / 2; packing counts |a| and |b| on the way.
// Tiles too small to repay packing are counted row against row.
// benchmarks/results/popcount_bound.json has the speed beside what the ports allow.
#include <immintrin.h>

#include "kernels/popcount_tile/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")

namespace hapforge::popcount_tile {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kMostWords = 160;  // packed at a time, a multiple of kLanes: what L1 holds
constexpr std::size_t kPanels = 16;      // of b packed at a time, eight rows each
constexpr std::size_t kFewestRows = 4;   // of either side that repay packing

enum class Op { kXor, kAnd };

std::size_t least(std::size_t x, std::size_t y) noexcept { return x < y ? x : y; }

// ---- packed rows against packed rows
// -------------------------------------------------------------

// Rows become columns: lane i of v[j] goes to lane j of v[i].
[[gnu::always_inline]] inline void transpose(__m512i (&v)[8]) noexcept {
  __m512i x[8];
  for (int i = 0; i < 8; i += 2) {
    x[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
    x[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
  }
  __m512i y[8];
  for (int i = 0; i < 2; ++i) {
    y[i] = _mm512_shuffle_i64x2(x[i], x[i + 2], 0x88);
    y[i + 2] = _mm512_shuffle_i64x2(x[i], x[i + 2], 0xDD);
    y[i + 4] = _mm512_shuffle_i64x2(x[i + 4], x[i + 6], 0x88);
    y[i + 6] = _mm512_shuffle_i64x2(x[i + 4], x[i + 6], 0xDD);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i64x2(y[i], y[i + 4], 0x88);
    v[i + 4] = _mm512_shuffle_i64x2(y[i], y[i + 4], 0xDD);
  }
}

// Packs `words` words of up to 8 rows, `stride` apart: packed[8 k + i] is the xor of words 0 to k
// of row i, for k up to the next multiple of 8; rows there are not are zero. For kAnd, returns the
// set bits of each row.
template <Op op>
__m512i pack(const std::uint64_t* rows, std::size_t num_rows, std::size_t stride, std::size_t words,
             std::uint64_t* packed) noexcept {
  __m512i prefix = _mm512_setzero_si512();
  __m512i ones = _mm512_setzero_si512();
  for (std::size_t w = 0; w < words; w += kLanes) {
    const std::size_t left = least(words - w, kLanes);
    const auto mask = static_cast<__mmask8>((1U << left) - 1);
    __m512i v[8];
    for (std::size_t i = 0; i < 8; ++i) {
      v[i] = i < num_rows ? _mm512_maskz_loadu_epi64(mask, rows + i * stride + w)
                          : _mm512_setzero_si512();
    }
    transpose(v);
    for (std::size_t i = 0; i < 8; ++i) {
      if constexpr (op == Op::kAnd) ones = _mm512_add_epi64(ones, _mm512_popcnt_epi64(v[i]));
      prefix = _mm512_xor_si512(prefix, v[i]);
      _mm512_store_si512(packed + (w + i) * 8, prefix);
    }
  }
  return ones;
}

// Two more words of 8 x 8 pairs. u: where the pairs stand; falls: counted so far.
[[gnu::always_inline]] inline void step(const std::uint64_t* a, const std::uint64_t* b,
                                        __m512i (&u)[8], __m512i (&falls)[8]) noexcept {
  constexpr int kFalls = 0x74;  // (u and not v) or (v and not w)
  const __m512i b1 = _mm512_load_si512(b);
  const __m512i b2 = _mm512_load_si512(b + 8);
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) {
    const __m512i v = _mm512_xor_si512(b1, _mm512_set1_epi64(static_cast<long long>(a[r])));
    const __m512i w = _mm512_xor_si512(b2, _mm512_set1_epi64(static_cast<long long>(a[8 + r])));
    falls[r] = _mm512_add_epi64(falls[r],
                                _mm512_popcnt_epi64(_mm512_ternarylogic_epi64(u[r], v, w, kFalls)));
    u[r] = w;
  }
}

// Differences of 8 x 8 packed rows: out[8 i + j] is the count of rows i of a and j of b. Not
// inlined, so that GCC 12 has all registers for it: inlined it spills.
[[gnu::noinline]] void block(const std::uint64_t* a, const std::uint64_t* b, std::size_t words,
                             std::uint64_t* out) noexcept {
  __m512i u[8] = {};
  __m512i falls[8] = {};
  // Rows are packed to a multiple of 8 words; in the padding u stays, so it adds nothing.
  for (std::size_t steps = (words + 3) / 4; steps != 0; --steps, a += 32, b += 32) {
    step(a, b, u, falls);
    step(a + 16, b + 16, u, falls);
  }
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) {
    const __m512i twice = _mm512_add_epi64(falls[r], falls[r]);
    _mm512_store_si512(out + 8 * r, _mm512_add_epi64(twice, _mm512_popcnt_epi64(u[r])));
  }
}

// Words [begin, end) of rows [row, row + num_rows) of a, at most 8, against the packed panels of b
// that start at `column`.
template <Op op>
void block_row(const Tile& t, std::size_t row, std::size_t column, std::size_t num_columns,
               std::size_t begin, std::size_t end, const std::uint64_t* panels,
               const __m512i* panel_ones) noexcept {
  alignas(64) std::uint64_t a[kMostWords * 8];
  alignas(64) std::uint64_t a_ones[8];
  const std::size_t num_rows = least(8, t.rows_a - row);
  const std::size_t words = end - begin;
  _mm512_store_si512(a_ones, pack<op>(t.a + row * t.words + begin, num_rows, t.words, words, a));
  for (std::size_t j = 0; j < num_columns; j += 8) {
    alignas(64) std::uint64_t count[64];
    block(a, panels + j * kMostWords, words, count);
    const auto mask = static_cast<__mmask8>((1U << least(8, num_columns - j)) - 1);
    for (std::size_t r = 0; r < num_rows; ++r) {
      __m512i n = _mm512_load_si512(count + 8 * r);
      if constexpr (op == Op::kAnd) {
        const __m512i both = _mm512_add_epi64(panel_ones[j / 8],
                                              _mm512_set1_epi64(static_cast<long long>(a_ones[r])));
        n = _mm512_srli_epi64(_mm512_sub_epi64(both, n), 1);
      }
      __m256i sum = _mm512_cvtepi64_epi32(n);
      std::uint32_t* out = t.out + (row + r) * t.out_stride + column + j;
      if (begin != 0) sum = _mm256_add_epi32(sum, _mm256_maskz_loadu_epi32(mask, out));
      _mm256_mask_storeu_epi32(out, mask, sum);
    }
  }
}

template <Op op>
void packed_tile(const Tile& t) noexcept {
  alignas(64) std::uint64_t panels[kPanels * 8 * kMostWords];
  __m512i ones[kPanels];
  for (std::size_t column = 0; column < t.rows_b; column += kPanels * 8) {
    const std::size_t num_columns = least(kPanels * 8, t.rows_b - column);
    std::size_t begin = 0;
    do {  // once for rows of no words, to write their zeros
      const std::size_t end = begin + least(kMostWords, t.words - begin);
      for (std::size_t j = 0; j < num_columns; j += 8) {
        ones[j / 8] = pack<op>(t.b + (column + j) * t.words + begin, least(8, num_columns - j),
                               t.words, end - begin, panels + j * kMostWords);
      }
      for (std::size_t row = 0; row < t.rows_a; row += 8) {
        block_row<op>(t, row, column, num_columns, begin, end, panels, ones);
      }
      begin = end;
    } while (begin < t.words);
  }
}

// ---- one row against a few
// -----------------------------------------------------------------------

template <Op op, int kColumns>
void direct(const Tile& t, std::size_t row, std::size_t column) noexcept {
  const std::uint64_t* a = t.a + row * t.words;
  const std::uint64_t* b = t.b + column * t.words;
  __m512i sum[kColumns] = {};
  for (std::size_t w = 0; w < t.words; w += kLanes) {
    const auto mask = static_cast<__mmask8>((1U << least(kLanes, t.words - w)) - 1);
    const __m512i a_u64x8 = _mm512_maskz_loadu_epi64(mask, a + w);
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kColumns; ++c) {
      const __m512i b_u64x8 = _mm512_maskz_loadu_epi64(mask, b + c * t.words + w);
      sum[c] = _mm512_add_epi64(
          sum[c], _mm512_popcnt_epi64(op == Op::kXor ? _mm512_xor_si512(a_u64x8, b_u64x8)
                                                     : _mm512_and_si512(a_u64x8, b_u64x8)));
    }
  }
  std::uint32_t* out = t.out + row * t.out_stride + column;
  for (std::size_t c = 0; c < kColumns; ++c) {
    out[c] = static_cast<std::uint32_t>(_mm512_reduce_add_epi64(sum[c]));
  }
}

template <Op op>
void tile(const Tile& t) noexcept {
  if (t.rows_a >= kFewestRows && t.rows_b >= kFewestRows) {
    packed_tile<op>(t);
    return;
  }
  for (std::size_t row = 0; row < t.rows_a; ++row) {
    std::size_t column = 0;
    for (; column + 4 <= t.rows_b; column += 4) direct<op, 4>(t, row, column);
    for (; column < t.rows_b; ++column) direct<op, 1>(t, row, column);
  }
}

// ---- counts against limits
// -----------------------------------------------------------------------

void below(const Comparison& c) noexcept {
  __mmask16 present[4];
  __m512i column_limit[4];
  for (std::size_t v = 0; v < 4; ++v) {
    const std::size_t left = c.columns > 16 * v ? least(16, c.columns - 16 * v) : 0;
    present[v] = static_cast<__mmask16>((1U << left) - 1);
    column_limit[v] = c.column_limit == nullptr
                          ? _mm512_setzero_si512()
                          : _mm512_maskz_loadu_epi32(present[v], c.column_limit + 16 * v);
  }
  for (std::size_t i = 0; i < c.rows; ++i) {
    const __m512i row_limit = _mm512_set1_epi32(static_cast<int>(c.row_limit[i]));
    std::uint64_t row_mask = 0;
    std::uint64_t column_mask = 0;
    for (std::size_t v = 0; v < 4; ++v) {
      const __m512i count = _mm512_maskz_loadu_epi32(present[v], c.count + i * c.stride + 16 * v);
      const __mmask16 in_row = _mm512_mask_cmplt_epu32_mask(present[v], count, row_limit);
      const __mmask16 in_column = _mm512_mask_cmplt_epu32_mask(present[v], count, column_limit[v]);
      row_mask |= std::uint64_t{in_row} << (16 * v);
      column_mask |= std::uint64_t{in_column} << (16 * v);
    }
    c.row_mask[i] = row_mask;
    c.column_mask[i] = column_mask;
  }
}

}  // namespace

const Kernels avx512_kernels{tile<Op::kXor>, tile<Op::kAnd>, below};

}  // namespace hapforge::popcount_tile
