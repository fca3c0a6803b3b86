// sketch with AVX-512 VPOPCNTDQ: a lane is a target, so no sum crosses lanes.
//
// Three queries by 64 targets keep 24 sums in registers; a target vector loaded serves three pairs.
#include <immintrin.h>

#include "kernels/sketch/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")

namespace hapforge::sketch {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kVectors = kTileTargets / kLanes;

template <std::size_t kQueries>
[[gnu::always_inline]] inline void block(const std::uint64_t* queries, const std::uint64_t* targets,
                                         std::size_t words, const std::uint64_t* query_limits,
                                         const std::uint64_t* target_limits,
                                         std::uint64_t* masks) noexcept {
  __m512i sum[kQueries][kVectors];
  for (std::size_t q = 0; q < kQueries; ++q) {
    for (std::size_t v = 0; v < kVectors; ++v) sum[q][v] = _mm512_setzero_si512();
  }
  for (std::size_t w = 0; w < words; ++w) {
    __m512i query[kQueries];
    for (std::size_t q = 0; q < kQueries; ++q) {
      query[q] = _mm512_set1_epi64(static_cast<long long>(queries[q * words + w]));
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      const __m512i target = _mm512_loadu_si512(targets + w * kTileTargets + v * kLanes);
      for (std::size_t q = 0; q < kQueries; ++q) {
        sum[q][v] =
            _mm512_add_epi64(sum[q][v], _mm512_popcnt_epi64(_mm512_xor_si512(query[q], target)));
      }
    }
  }
  for (std::size_t q = 0; q < kQueries; ++q) {
    const __m512i limit = _mm512_set1_epi64(static_cast<long long>(query_limits[q]));
    std::uint64_t mask = 0;
    for (std::size_t v = 0; v < kVectors; ++v) {
      const __m512i either =
          _mm512_max_epu64(limit, _mm512_loadu_si512(target_limits + v * kLanes));
      mask |= std::uint64_t{_mm512_cmplt_epu64_mask(sum[q][v], either)} << v * kLanes;
    }
    masks[q] = mask;
  }
}

void closer(const std::uint64_t* queries, std::size_t num_queries, const std::uint64_t* targets,
            std::size_t words, const std::uint64_t* query_limits,
            const std::uint64_t* target_limits, std::uint64_t* masks) noexcept {
  std::size_t q = 0;
  for (; q + 3 <= num_queries; q += 3) {
    block<3>(queries + q * words, targets, words, query_limits + q, target_limits, masks + q);
  }
  for (; q < num_queries; ++q) {
    block<1>(queries + q * words, targets, words, query_limits + q, target_limits, masks + q);
  }
}

std::uint32_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) noexcept {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  std::size_t w = 0;
  for (; w + 2 * kLanes <= words; w += 2 * kLanes) {
    even = _mm512_add_epi64(even, _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_loadu_si512(a + w),
                                                                       _mm512_loadu_si512(b + w))));
    odd = _mm512_add_epi64(
        odd, _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_loadu_si512(a + w + kLanes),
                                                  _mm512_loadu_si512(b + w + kLanes))));
  }
  for (; w < words; w += kLanes) {
    const std::size_t left = words - w;
    const auto mask = static_cast<__mmask8>(left >= kLanes ? 0xFFu : (1u << left) - 1);
    even = _mm512_add_epi64(
        even, _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(mask, a + w),
                                                   _mm512_maskz_loadu_epi64(mask, b + w))));
  }
  return static_cast<std::uint32_t>(_mm512_reduce_add_epi64(_mm512_add_epi64(even, odd)));
}

}  // namespace

const Kernels avx512_kernels{closer, distance, 400};

}  // namespace hapforge::sketch
