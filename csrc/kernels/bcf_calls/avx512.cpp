// bcf_calls with AVX-512: a comparison of 64 bytes with ALT is a packed word. The last bytes of a
// row are loaded under a mask.
#include <immintrin.h>

#include "kernels/bcf_calls/isa.h"

// To the end of the file; nothing below uses a template of the standard library, which baseline
// code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")

namespace hapforge::bcf_calls {

bool pack_row_avx512(const std::uint8_t* calls, std::size_t num_bytes,
                     std::uint64_t* words) noexcept {
  const __m512i used = _mm512_set1_epi16(static_cast<short>(0xFFFE));
  const __m512i ref = _mm512_set1_epi16(0x0302);
  const __m512i alt = _mm512_set1_epi8(6);
  __m512i stray = _mm512_setzero_si512();
  for (std::size_t i = 0; i < num_bytes; i += kBitsPerWord) {
    const std::size_t left = num_bytes - i;
    const __mmask64 here = left < 64 ? (std::uint64_t{1} << left) - 1 : ~std::uint64_t{0};
    const __m512i bytes = _mm512_mask_loadu_epi8(ref, here, calls + i);
    const __m512i change = _mm512_xor_si512(_mm512_and_si512(bytes, used), ref);  // REF 0, ALT 6
    const __mmask64 is_alt = _mm512_cmpeq_epi8_mask(change, alt);
    stray = _mm512_or_si512(stray, _mm512_maskz_mov_epi8(~is_alt, change));
    words[i / kBitsPerWord] = is_alt;
  }
  return _mm512_test_epi8_mask(stray, stray) == 0;
}

}  // namespace hapforge::bcf_calls
