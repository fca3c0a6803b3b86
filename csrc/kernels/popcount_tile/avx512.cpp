// popcount_tile with AVX-512 VPOPCNTDQ: one instruction counts eight words.
//
// A block of 4 x 4 row pairs holds 16 sums in registers, so a loaded vector serves four pairs and
// loads do not limit. Lanes are 64-bit and cannot overflow. The last words of a row are loaded
// under a mask. benchmarks/results/nearest_neighbours.json has the speed against the other
// backends.
#include <immintrin.h>

#include "kernels/popcount_tile/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")

namespace hapforge::popcount_tile {
namespace {

constexpr std::size_t kLanes = 8;

struct Xor {
  static __m512i apply(__m512i a, __m512i b) noexcept { return _mm512_xor_si512(a, b); }
};
struct And {
  static __m512i apply(__m512i a, __m512i b) noexcept { return _mm512_and_si512(a, b); }
};

// Lane i of the result is the sum of the lanes of v[i].
[[gnu::always_inline]] inline __m256i sum_lanes(const __m512i v[8]) noexcept {
  __m512i pairs[4];
  for (int i = 0; i < 4; ++i) {  // 128-bit groups: [v(2i), v(2i+1)] partial sums
    pairs[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
                                _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
  }
  // Groups 0 and 2 of one operand beside those of the other, then groups 1 and 3.
  const __m512i low = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[0], pairs[1], 0x88),
                                       _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xDD));
  const __m512i high = _mm512_add_epi64(_mm512_shuffle_i64x2(pairs[2], pairs[3], 0x88),
                                        _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xDD));
  const __m512i sums = _mm512_add_epi64(_mm512_shuffle_i64x2(low, high, 0x88),
                                        _mm512_shuffle_i64x2(low, high, 0xDD));
  return _mm512_cvtepi64_epi32(sums);
}

// One vector of each row: counts the bits of all pairs. Inlined, so that the sums stay in
// registers.
template <class Op, int kRows, int kColumns>
[[gnu::always_inline]] inline void step(const std::uint64_t* a, const std::uint64_t* b,
                                        std::size_t stride, __mmask8 mask,
                                        __m512i (&sum)[kRows * kColumns]) noexcept {
  __m512i a_u64x8[kRows];
  for (std::size_t r = 0; r < kRows; ++r) {
    a_u64x8[r] = _mm512_maskz_loadu_epi64(mask, a + r * stride);
  }
  for (std::size_t c = 0; c < kColumns; ++c) {
    const __m512i b_u64x8 = _mm512_maskz_loadu_epi64(mask, b + c * stride);
    for (std::size_t r = 0; r < kRows; ++r) {
      __m512i& s = sum[r * kColumns + c];
      s = _mm512_add_epi64(s, _mm512_popcnt_epi64(Op::apply(a_u64x8[r], b_u64x8)));
    }
  }
}

// Adds the counts over words [begin, end) of kRows x kColumns pairs to out.
template <class Op, int kRows, int kColumns>
void block(const Tile& t, std::size_t row, std::size_t column, std::size_t begin,
           std::size_t end) noexcept {
  constexpr int kPairs = kRows * kColumns;
  constexpr int kPadded = (kPairs + 7) / 8 * 8;
  const std::uint64_t* a = t.a + row * t.words + begin;
  const std::uint64_t* b = t.b + column * t.words + begin;
  __m512i sum[kPairs] = {};
  std::size_t left = end - begin;
  for (; left >= kLanes; left -= kLanes, a += kLanes, b += kLanes) {
    step<Op, kRows, kColumns>(a, b, t.words, 0xFF, sum);
  }
  if (left != 0) {
    step<Op, kRows, kColumns>(a, b, t.words, static_cast<__mmask8>((1U << left) - 1), sum);
  }
  __m512i padded[kPadded] = {};
#pragma GCC unroll 16
  for (int i = 0; i < kPairs; ++i) padded[i] = sum[i];
  alignas(32) std::uint32_t counts[kPadded];
#pragma GCC unroll 2
  for (int i = 0; i < kPadded; i += 8) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(counts + i), sum_lanes(padded + i));
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    std::uint32_t* out = t.out + (row + r) * t.out_stride + column;
    for (std::size_t c = 0; c < kColumns; ++c) {
      out[c] = (begin == 0 ? 0 : out[c]) + counts[r * kColumns + c];
    }
  }
}

template <class Op, int kRows>
void block_row(const Tile& t, std::size_t row, std::size_t begin, std::size_t end) noexcept {
  std::size_t column = 0;
  for (; column + 4 <= t.rows_b; column += 4) block<Op, kRows, 4>(t, row, column, begin, end);
  for (; column < t.rows_b; ++column) block<Op, kRows, 1>(t, row, column, begin, end);
}

template <class Op>
void tile(const Tile& t) noexcept {
  std::size_t begin = 0;
  do {  // once for rows of no words, to write their zeros
    const std::size_t end = t.words - begin < kChunkWords ? t.words : begin + kChunkWords;
    std::size_t row = 0;
    for (; row + 4 <= t.rows_a; row += 4) block_row<Op, 4>(t, row, begin, end);
    for (; row < t.rows_a; ++row) block_row<Op, 1>(t, row, begin, end);
    begin = end;
  } while (begin < t.words);
}

}  // namespace

const Kernels avx512_kernels{tile<Xor>, tile<And>};

}  // namespace hapforge::popcount_tile
