// three_point with AVX-512 VPOPCNTDQ: one instruction counts eight words.
//
// Listed triplets go two at a time: eight sums, packed by twos into the halves of 64-bit lanes (a
// lane's part is below 2^31) and added across lanes together. In a block eight columns stand side
// by side in the lanes, 4 rows by 4 vectors of columns, so nothing is added across lanes.
// benchmarks/results/three_point.json has the speed against the other backends.
#include <immintrin.h>

#include "kernels/three_point/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")

#include "kernels/three_point/finish_row.h"

namespace hapforge::three_point {
namespace {

constexpr std::size_t kLanes = 8;

static_assert(kPadWords == kLanes);
constexpr std::size_t kMostPrefetched = 128;  // words of a row

void count_rows(const SiteRows& rows, std::uint32_t* counts) noexcept {
  const std::uint64_t* row = rows.words;
  for (std::size_t r = 0; r < rows.num_rows; ++r, row += rows.words_per_row) {
    __m512i sum = _mm512_setzero_si512();
    for (std::size_t w = 0; w < rows.words_per_row; w += kLanes) {
      sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_load_si512(row + w)));
    }
    counts[r] = static_cast<std::uint32_t>(_mm512_reduce_add_epi64(sum));
  }
}

struct Sums {
  __m512i ij, ik, jk, ijk;
};

[[gnu::always_inline]] inline __m512i add_bits(__m512i sum, __m512i bits) noexcept {
  return _mm512_add_epi64(sum, _mm512_popcnt_epi64(bits));
}

[[gnu::always_inline]] inline void step(const std::uint64_t* const* rows, std::size_t w,
                                        Sums& sum) noexcept {
  const __m512i i_u64x8 = _mm512_load_si512(rows[0] + w);
  const __m512i j_u64x8 = _mm512_load_si512(rows[1] + w);
  const __m512i k_u64x8 = _mm512_load_si512(rows[2] + w);
  const __m512i ij_u64x8 = _mm512_and_si512(i_u64x8, j_u64x8);
  sum.ij = add_bits(sum.ij, ij_u64x8);
  sum.ik = add_bits(sum.ik, _mm512_and_si512(i_u64x8, k_u64x8));
  sum.jk = add_bits(sum.jk, _mm512_and_si512(j_u64x8, k_u64x8));
  sum.ijk = add_bits(sum.ijk, _mm512_and_si512(ij_u64x8, k_u64x8));
}

// Each 128-bit group of the result: in its halves the lane-wise sums of v and of w over that group.
[[gnu::always_inline]] inline __m512i add_halves(const Sums& s) noexcept {
  const __m512i v = _mm512_or_si512(s.ij, _mm512_slli_epi64(s.ik, 32));
  const __m512i w = _mm512_or_si512(s.jk, _mm512_slli_epi64(s.ijk, 32));
  return _mm512_add_epi64(_mm512_unpacklo_epi64(v, w), _mm512_unpackhi_epi64(v, w));
}

void count_two(const std::uint64_t* const rows[6], std::size_t words, Counts out[2]) noexcept {
  Sums a{};
  Sums b{};
  for (std::size_t w = 0; w < words; w += kLanes) {
    step(rows, w, a);
    step(rows + 3, w, b);
  }
  const __m512i first = add_halves(a);
  const __m512i second = add_halves(b);
  const __m512i by_two = _mm512_add_epi64(_mm512_shuffle_i64x2(first, second, 0x88),
                                          _mm512_shuffle_i64x2(first, second, 0xDD));
  const __m512i sums = _mm512_add_epi64(by_two, _mm512_shuffle_i64x2(by_two, by_two, 0xB1));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                      _mm512_castsi512_si256(_mm512_shuffle_i64x2(sums, sums, 0x08)));
}

void count_triplets(const SiteRows& rows, const std::int64_t* triplets, std::size_t size,
                    Counts* counts) noexcept {
  const std::size_t prefetched =
      rows.words_per_row < kMostPrefetched ? rows.words_per_row : kMostPrefetched;
  const std::uint64_t* of[6];
  std::size_t t = 0;
  for (; t + 2 <= size; t += 2, triplets += 6) {
    for (std::size_t r = 0; r < 6; ++r) of[r] = rows.row(triplets[r]);
    for (std::size_t r = 6; r < 12 && t + 4 <= size; ++r) {  // those of the next round
      const std::uint64_t* next = rows.row(triplets[r]);
      for (std::size_t w = 0; w < prefetched; w += kLanes) __builtin_prefetch(next + w);
    }
    count_two(of, rows.words_per_row, counts + t);
  }
  if (t == size) return;
  for (std::size_t r = 0; r < 6; ++r) of[r] = rows.row(triplets[r % 3]);
  Counts twice[2];
  count_two(of, rows.words_per_row, twice);
  counts[t] = twice[0];
}

template <int kRows, int kVectors>
void block(const Planes& planes, std::size_t row, std::size_t column, std::uint32_t* out,
           std::size_t out_stride) noexcept {
  __m512i sum[kRows][kVectors] = {};
  const std::uint64_t* plane = planes.words;
  for (std::size_t w = 0; w < planes.num_words; ++w, plane += planes.stride) {
    __m512i k_u64x8[kVectors];
    for (int v = 0; v < kVectors; ++v) k_u64x8[v] = _mm512_loadu_si512(plane + column + 8 * v);
    for (int r = 0; r < kRows; ++r) {
      const __m512i j_u64x8 = _mm512_set1_epi64(static_cast<long long>(plane[row + r]));
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = add_bits(sum[r][v], _mm512_and_si512(j_u64x8, k_u64x8[v]));
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * out_stride + column + 8 * v),
                          _mm512_cvtepi64_epi32(sum[r][v]));
    }
  }
}

template <int kRows>
void block_row(const Planes& planes, std::size_t row, const PairTile& tile,
               std::uint32_t* out) noexcept {
  std::size_t k = tile.begin;
  for (; k + 32 <= tile.end; k += 32) block<kRows, 4>(planes, row, k, out, tile.out_stride);
  for (; k < tile.end; k += 8) block<kRows, 1>(planes, row, k, out, tile.out_stride);
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

const Kernels avx512_kernels{count_rows, count_triplets, count_pairs, finish_row};

}  // namespace hapforge::three_point
