// popcount_tile with AVX2: bits are counted by nibble through a byte shuffle (Mula, Kurz, Lemire,
// "Faster population counts using AVX2 instructions", Comput. J. 61, 2018).
//
// A block of 2 x 4 row pairs keeps its sums as bytes: at most 8 a step, so they are widened every
// 31 steps, before 255 can be passed. The last words of a row are loaded under a mask.
#include <immintrin.h>

#include "kernels/popcount_tile/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::popcount_tile {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kMostSteps = 31;

struct Xor {
  static __m256i apply(__m256i a, __m256i b) noexcept { return _mm256_xor_si256(a, b); }
};
struct And {
  static __m256i apply(__m256i a, __m256i b) noexcept { return _mm256_and_si256(a, b); }
};

// Set bits of every byte.
__m256i count_bytes(__m256i v) noexcept {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  const __m256i low = _mm256_and_si256(v, nibble);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
}

std::uint32_t sum_bytes(__m256i v) noexcept {
  const __m256i quarters = _mm256_sad_epu8(v, _mm256_setzero_si256());
  const __m128i halves =
      _mm_add_epi64(_mm256_castsi256_si128(quarters), _mm256_extracti128_si256(quarters, 1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si64(halves) + _mm_extract_epi64(halves, 1));
}

// The first `count` <= 4 words from `p`, then zeros.
__m256i load(const std::uint64_t* p, std::size_t count) noexcept {
  if (count >= kLanes) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(count)),
                                          _mm256_setr_epi64x(0, 1, 2, 3));
  return _mm256_maskload_epi64(reinterpret_cast<const long long*>(p), mask);
}

// Adds the counts over words [begin, end), at most kMostSteps vectors, of kRows x kColumns pairs.
template <class Op, int kRows, int kColumns>
void block(const Tile& t, std::size_t row, std::size_t column, std::size_t begin,
           std::size_t end) noexcept {
  const std::uint64_t* a = t.a + row * t.words;
  const std::uint64_t* b = t.b + column * t.words;
  __m256i sum[kRows][kColumns] = {};
  for (std::size_t w = begin; w < end; w += kLanes) {
    __m256i a_u64x4[kRows];
    for (int r = 0; r < kRows; ++r) {
      a_u64x4[r] = load(a + static_cast<std::size_t>(r) * t.words + w, end - w);
    }
    for (int c = 0; c < kColumns; ++c) {
      const __m256i b_u64x4 = load(b + static_cast<std::size_t>(c) * t.words + w, end - w);
      for (int r = 0; r < kRows; ++r) {
        sum[r][c] = _mm256_add_epi8(sum[r][c], count_bytes(Op::apply(a_u64x4[r], b_u64x4)));
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    std::uint32_t* out = t.out + (row + static_cast<std::size_t>(r)) * t.out_stride + column;
    for (int c = 0; c < kColumns; ++c) {
      const std::uint32_t before = begin == 0 ? 0 : out[c];
      out[c] = before + sum_bytes(sum[r][c]);
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
  constexpr std::size_t kWords = kMostSteps * kLanes;
  static_assert(kWords <= kChunkWords);
  std::size_t begin = 0;
  do {  // once for rows of no words, to write their zeros
    const std::size_t end = t.words - begin < kWords ? t.words : begin + kWords;
    std::size_t row = 0;
    for (; row + 2 <= t.rows_a; row += 2) block_row<Op, 2>(t, row, begin, end);
    for (; row < t.rows_a; ++row) block_row<Op, 1>(t, row, begin, end);
    begin = end;
  } while (begin < t.words);
}

}  // namespace

const Kernels avx2_kernels{tile<Xor>, tile<And>};

}  // namespace hapforge::popcount_tile
