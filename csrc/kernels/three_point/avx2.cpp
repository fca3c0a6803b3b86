// three_point with AVX2: bits are counted by nibble through a byte shuffle (Mula, Kurz, Lemire,
// "Faster population counts using AVX2 instructions", Comput. J. 61, 2018).
//
// Sums are kept as bytes: at most 8 a step, so they are widened every 31 steps, before 255 can be
// passed. In a block four columns stand side by side in the lanes, so that one sad of the bytes of
// each lane finishes a count.
#include <immintrin.h>

#include "kernels/three_point/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

#include "kernels/three_point/finish_row.h"

namespace hapforge::three_point {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kMostSteps = 31;

// Set bits of every byte.
__m256i count_bytes(__m256i v) noexcept {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  const __m256i low = _mm256_and_si256(v, nibble);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
}

__m256i add_bits(__m256i sum, __m256i bits) noexcept {
  return _mm256_add_epi8(sum, count_bytes(bits));
}

__m256i widen(__m256i bytes) noexcept { return _mm256_sad_epu8(bytes, _mm256_setzero_si256()); }

std::uint32_t sum_bytes(__m256i v) noexcept {
  const __m256i quarters = widen(v);
  const __m128i halves =
      _mm_add_epi64(_mm256_castsi256_si128(quarters), _mm256_extracti128_si256(quarters, 1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si64(halves) + _mm_extract_epi64(halves, 1));
}

__m256i load(const std::uint64_t* p) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

std::size_t chunk_end(std::size_t begin, std::size_t end, std::size_t size) noexcept {
  return end - begin < size ? end : begin + size;
}

void count_rows(const SiteRows& rows, std::uint32_t* counts) noexcept {
  const std::size_t words = rows.words_per_row;
  for (std::size_t r = 0; r < rows.num_rows; ++r) {
    const std::uint64_t* row = rows.words + r * words;
    counts[r] = 0;
    for (std::size_t begin = 0; begin < words; begin += kMostSteps * kLanes) {
      const std::size_t end = chunk_end(begin, words, kMostSteps * kLanes);
      __m256i sum = _mm256_setzero_si256();
      for (std::size_t w = begin; w < end; w += kLanes) {
        sum = add_bits(sum, load(row + w));
      }
      counts[r] += sum_bytes(sum);
    }
  }
}

void count_triplets(const SiteRows& rows, const std::int64_t* triplets, std::size_t size,
                    Counts* counts) noexcept {
  const std::size_t words = rows.words_per_row;
  for (std::size_t t = 0; t < size; ++t) {
    const std::uint64_t* i = rows.row(triplets[3 * t]);
    const std::uint64_t* j = rows.row(triplets[3 * t + 1]);
    const std::uint64_t* k = rows.row(triplets[3 * t + 2]);
    Counts total{};
    for (std::size_t begin = 0; begin < words; begin += kMostSteps * kLanes) {
      const std::size_t end = chunk_end(begin, words, kMostSteps * kLanes);
      __m256i ij = _mm256_setzero_si256();
      __m256i ik = _mm256_setzero_si256();
      __m256i jk = _mm256_setzero_si256();
      __m256i ijk = _mm256_setzero_si256();
      for (std::size_t w = begin; w < end; w += kLanes) {
        const __m256i i_u64x4 = load(i + w);
        const __m256i j_u64x4 = load(j + w);
        const __m256i k_u64x4 = load(k + w);
        const __m256i ij_u64x4 = _mm256_and_si256(i_u64x4, j_u64x4);
        ij = add_bits(ij, ij_u64x4);
        ik = add_bits(ik, _mm256_and_si256(i_u64x4, k_u64x4));
        jk = add_bits(jk, _mm256_and_si256(j_u64x4, k_u64x4));
        ijk = add_bits(ijk, _mm256_and_si256(ij_u64x4, k_u64x4));
      }
      total.ij += sum_bytes(ij);
      total.ik += sum_bytes(ik);
      total.jk += sum_bytes(jk);
      total.ijk += sum_bytes(ijk);
    }
    counts[t] = total;
  }
}

// Adds the counts over planes [begin, end), at most kMostSteps of them.
template <int kRows>
void block(const Planes& planes, std::size_t begin, std::size_t end, std::size_t row,
           std::size_t column, std::uint32_t* out, std::size_t out_stride) noexcept {
  __m256i sum[kRows][2] = {};
  for (std::size_t w = begin; w < end; ++w) {
    const std::uint64_t* plane = planes.words + w * planes.stride;
    const __m256i low = load(plane + column);
    const __m256i high = load(plane + column + kLanes);
    for (int r = 0; r < kRows; ++r) {
      const __m256i j_u64x4 = _mm256_set1_epi64x(static_cast<long long>(plane[row + r]));
      sum[r][0] = add_bits(sum[r][0], _mm256_and_si256(j_u64x4, low));
      sum[r][1] = add_bits(sum[r][1], _mm256_and_si256(j_u64x4, high));
    }
  }
  const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  for (std::size_t r = 0; r < kRows; ++r) {
    auto* to = reinterpret_cast<__m256i*>(out + r * out_stride + column);
    const __m256i counts =
        _mm256_blend_epi32(_mm256_permutevar8x32_epi32(widen(sum[r][0]), even),
                           _mm256_permutevar8x32_epi32(widen(sum[r][1]), even), 0xF0);
    _mm256_storeu_si256(to, begin == 0 ? counts : _mm256_add_epi32(counts, _mm256_loadu_si256(to)));
  }
}

template <int kRows>
void block_row(const Planes& planes, std::size_t row, const PairTile& tile,
               std::uint32_t* out) noexcept {
  for (std::size_t k = tile.begin; k < tile.end; k += 2 * kLanes) {
    std::size_t begin = 0;
    do {  // once for no planes, to write the zeros
      const std::size_t end = chunk_end(begin, planes.num_words, kMostSteps);
      block<kRows>(planes, begin, end, row, k, out, tile.out_stride);
      begin = end;
    } while (begin < planes.num_words);
  }
}

void count_pairs(const Planes& planes, const PairTile& tile) noexcept {
  if (tile.num_rows == 4) {
    block_row<4>(planes, tile.row, tile, tile.out);
    return;
  }
  for (std::size_t r = 0; r < tile.num_rows; ++r) {
    block_row<1>(planes, tile.row + r, tile, tile.out + r * tile.out_stride);
  }
}

}  // namespace

const Kernels avx2_kernels{count_rows, count_triplets, count_pairs, finish_row};

}  // namespace hapforge::three_point
