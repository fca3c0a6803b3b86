// bcf_calls with AVX2: bytes are compared with ALT and movemask makes bits of the answers. The last
// bytes of a row go through a buffer of 64.
#include <immintrin.h>

#include "kernels/bcf_calls/isa.h"

// To the end of the file; nothing below uses a template of the standard library, which baseline
// code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::bcf_calls {
namespace {

// 32 bytes: their bits; what is neither REF nor ALT is added to `stray`.
std::uint64_t pack_half(const std::uint8_t* calls, __m256i& stray) noexcept {
  const __m256i used = _mm256_set1_epi16(static_cast<short>(0xFFFE));
  const __m256i ref = _mm256_set1_epi16(0x0302);
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(calls));
  const __m256i change = _mm256_xor_si256(_mm256_and_si256(bytes, used), ref);  // REF 0, ALT 6
  const __m256i is_alt = _mm256_cmpeq_epi8(change, _mm256_set1_epi8(6));
  stray = _mm256_or_si256(stray, _mm256_andnot_si256(is_alt, change));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(is_alt));
}

std::uint64_t pack_word(const std::uint8_t* calls, __m256i& stray) noexcept {
  return pack_half(calls, stray) | pack_half(calls + 32, stray) << 32;
}

}  // namespace

bool pack_row_avx2(const std::uint8_t* calls, std::size_t num_bytes,
                   std::uint64_t* words) noexcept {
  __m256i stray = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + kBitsPerWord <= num_bytes; i += kBitsPerWord) {
    words[i / kBitsPerWord] = pack_word(calls + i, stray);
  }
  if (i < num_bytes) {
    std::uint8_t rest[kBitsPerWord];
    for (std::size_t b = 0; b < kBitsPerWord; ++b) rest[b] = b % 2 == 0 ? 2 : 3;
    __builtin_memcpy(rest, calls + i, num_bytes - i);
    words[i / kBitsPerWord] = pack_word(rest, stray);
  }
  return _mm256_testz_si256(stray, stray) != 0;
}

}  // namespace hapforge::bcf_calls
