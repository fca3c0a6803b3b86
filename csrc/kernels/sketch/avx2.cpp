// sketch with AVX2: a lane is a target; bits are counted by nibble through a byte shuffle and kept
// as byte sums, at most 8 a word, which are widened every 31 words, before 255 can be passed.
#include <immintrin.h>

#include "kernels/sketch/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::sketch {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kVectors = kTileTargets / kLanes;
constexpr std::size_t kGroup = 8;  // vectors whose sums are in registers
constexpr std::size_t kMostSteps = 31;

[[gnu::always_inline]] inline __m256i count_bytes(__m256i v) noexcept {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  const __m256i low = _mm256_and_si256(v, nibble);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
}

[[gnu::always_inline]] inline __m256i load(const std::uint64_t* p) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// The comparison of one query with the targets of kGroup vectors.
std::uint64_t group_mask(const std::uint64_t* query, const std::uint64_t* targets,
                         std::size_t words, std::uint64_t query_limit,
                         const std::uint64_t* target_limits) noexcept {
  __m256i total[kGroup];
  for (std::size_t v = 0; v < kGroup; ++v) total[v] = _mm256_setzero_si256();
  for (std::size_t begin = 0; begin < words; begin += kMostSteps) {
    const std::size_t end = words - begin < kMostSteps ? words : begin + kMostSteps;
    __m256i bytes[kGroup];
    for (std::size_t v = 0; v < kGroup; ++v) bytes[v] = _mm256_setzero_si256();
    for (std::size_t w = begin; w < end; ++w) {
      const __m256i word = _mm256_set1_epi64x(static_cast<long long>(query[w]));
      for (std::size_t v = 0; v < kGroup; ++v) {
        const __m256i target = load(targets + w * kTileTargets + v * kLanes);
        bytes[v] = _mm256_add_epi8(bytes[v], count_bytes(_mm256_xor_si256(word, target)));
      }
    }
    for (std::size_t v = 0; v < kGroup; ++v) {
      total[v] = _mm256_add_epi64(total[v], _mm256_sad_epu8(bytes[v], _mm256_setzero_si256()));
    }
  }
  const __m256i limit = _mm256_set1_epi64x(static_cast<long long>(query_limit));
  std::uint64_t mask = 0;
  for (std::size_t v = 0; v < kGroup; ++v) {  // limits and sums are far below 2^63
    const __m256i theirs = load(target_limits + v * kLanes);
    const __m256i closer =
        _mm256_or_si256(_mm256_cmpgt_epi64(limit, total[v]), _mm256_cmpgt_epi64(theirs, total[v]));
    const auto bits = static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(closer)));
    mask |= std::uint64_t{bits} << v * kLanes;
  }
  return mask;
}

void closer(const std::uint64_t* queries, std::size_t num_queries, const std::uint64_t* targets,
            std::size_t words, const std::uint64_t* query_limits,
            const std::uint64_t* target_limits, std::uint64_t* masks) noexcept {
  for (std::size_t q = 0; q < num_queries; ++q) {
    std::uint64_t mask = 0;
    for (std::size_t v = 0; v < kVectors; v += kGroup) {
      mask |= group_mask(queries + q * words, targets + v * kLanes, words, query_limits[q],
                         target_limits + v * kLanes)
              << v * kLanes;
    }
    masks[q] = mask;
  }
}

std::uint32_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) noexcept {
  __m256i total = _mm256_setzero_si256();
  for (std::size_t begin = 0; begin < words; begin += kMostSteps * kLanes) {
    const std::size_t end =
        words - begin < kMostSteps * kLanes ? words : begin + kMostSteps * kLanes;
    __m256i bytes = _mm256_setzero_si256();
    std::size_t w = begin;
    for (; w + kLanes <= end; w += kLanes) {
      bytes = _mm256_add_epi8(bytes, count_bytes(_mm256_xor_si256(load(a + w), load(b + w))));
    }
    if (w < end) {
      const __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(end - w)),
                                              _mm256_setr_epi64x(0, 1, 2, 3));
      const __m256i rest =
          _mm256_xor_si256(_mm256_maskload_epi64(reinterpret_cast<const long long*>(a + w), mask),
                           _mm256_maskload_epi64(reinterpret_cast<const long long*>(b + w), mask));
      bytes = _mm256_add_epi8(bytes, count_bytes(rest));
    }
    total = _mm256_add_epi64(total, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
  }
  const __m128i halves =
      _mm_add_epi64(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si64(halves) + _mm_extract_epi64(halves, 1));
}

}  // namespace

const Kernels avx2_kernels{closer, distance, 130};

}  // namespace hapforge::sketch
