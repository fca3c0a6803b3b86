// kmers with AVX-512: a four-bit lane becomes 16 bits of which one is set, by a variable shift, and
// the rows are added up in carry-save form (the positional population count of Klarqvist, Mula,
// Lemire, "Efficient computation of positional population counts using SIMD instructions", Concurr.
// Comput. 33, 2021): sixteen rows carry one vector out, whose bits are byte counters' increments.
#include <immintrin.h>

#include "kernels/kmers/isa.h"

// To the end of the file; nothing below uses a template of the standard library, which baseline
// code might end up sharing.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,bmi2")

namespace hapforge::kmers {
namespace {

constexpr std::size_t kGroup = 16;

// One bit of each 16-bit lane: `even` for the low nibbles of 32 bytes, `odd` for the high ones.
struct OneHot {
  __m512i even, odd;
};

[[gnu::always_inline]] inline OneHot one_hot(const std::uint64_t* four_words) noexcept {
  const __m512i bytes_u16x32 =
      _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(four_words)));
  const __m512i one = _mm512_set1_epi16(1);
  const __m512i low = _mm512_and_si512(bytes_u16x32, _mm512_set1_epi16(15));
  return {_mm512_sllv_epi16(one, low), _mm512_sllv_epi16(one, _mm512_srli_epi16(bytes_u16x32, 4))};
}

// a + b + sum = 2 carry + sum, bit by bit.
[[gnu::always_inline]] inline __m512i add3(__m512i& sum, __m512i a, __m512i b) noexcept {
  const __m512i carry = _mm512_ternarylogic_epi64(sum, a, b, 0xE8);
  sum = _mm512_ternarylogic_epi64(sum, a, b, 0x96);
  return carry;
}

[[gnu::always_inline]] inline OneHot add3(OneHot& sum, const OneHot& a, const OneHot& b) noexcept {
  return {add3(sum.even, a.even, b.even), add3(sum.odd, a.odd, b.odd)};
}

// The sums of a group so far: bits that weigh 1, 2, 4, 8.
struct Sums {
  OneHot by_weight[4];
};

// Adds 2^kLevel rows; the result weighs 2^kLevel.
template <int kLevel>
[[gnu::always_inline]] inline OneHot add_rows(Sums& sums, const std::uint64_t* words) noexcept {
  if constexpr (kLevel == 0) {
    return one_hot(words);
  } else {
    const OneHot a = add_rows<kLevel - 1>(sums, words);
    const OneHot b = add_rows<kLevel - 1>(sums, words + (kTileWords << (kLevel - 1)));
    return add3(sums.by_weight[kLevel - 1], a, b);
  }
}

// Adds `weight` to the byte counters whose bits are set.
[[gnu::always_inline]] inline void add_bits(__m512i bits, char weight, __m512i bytes[8]) noexcept {
  alignas(64) std::uint64_t masks[8];
  _mm512_store_si512(masks, bits);
  for (int i = 0; i < 8; ++i) {
    bytes[i] = _mm512_mask_add_epi8(bytes[i], _cvtu64_mask64(masks[i]), bytes[i],
                                    _mm512_set1_epi8(weight));
  }
}

// Byte counters: of groups of sixteen rows, and of what is left, at most 15 of the sums and 15
// rows.
struct Bytes {
  __m512i even[8], odd[8];

  void add(const OneHot& bits, char weight) noexcept {
    add_bits(bits.even, weight, even);
    add_bits(bits.odd, weight, odd);
  }
};

void add_bytes(const __m512i groups[8], const __m512i rest[8], std::size_t parity,
               std::uint16_t* counts) noexcept {
  alignas(64) std::uint8_t sixteens[512];
  alignas(64) std::uint8_t ones[512];
  for (int i = 0; i < 8; ++i) {
    _mm512_store_si512(sixteens + 64 * i, groups[i]);
    _mm512_store_si512(ones + 64 * i, rest[i]);
  }
  for (std::size_t byte = 0; byte < 32; ++byte) {
    for (std::size_t value = 0; value < 16; ++value) {
      const std::size_t at = 16 * byte + value;
      std::uint16_t& count = counts[16 * (2 * byte + parity) + value];
      count = static_cast<std::uint16_t>(count + kGroup * sixteens[at] + ones[at]);
    }
  }
}

// The 64 lanes of four words.
void count_four(const std::uint64_t* words, std::size_t num_rows, std::uint16_t* counts) noexcept {
  Sums sums{};
  Bytes groups{};
  Bytes rest{};
  std::size_t r = 0;
  for (; r + kGroup <= num_rows; r += kGroup) {
    groups.add(add_rows<4>(sums, words + r * kTileWords), 1);
  }
  for (; r < num_rows; ++r) rest.add(one_hot(words + r * kTileWords), 1);
  for (int i = 0; i < 4; ++i) rest.add(sums.by_weight[i], static_cast<char>(1 << i));
  add_bytes(groups.even, rest.even, 0, counts);
  add_bytes(groups.odd, rest.odd, 1, counts);
}

void count_nibbles(const std::uint64_t* tile, std::size_t num_rows, std::size_t num_words,
                   std::uint16_t* counts) noexcept {
  for (std::size_t w = 0; w < num_words; w += 4) {
    count_four(tile + w, num_rows, counts + w * 16 * 16);
  }
}

}  // namespace

const Kernels avx512_kernels{spread_bmi2, count_nibbles};

}  // namespace hapforge::kmers
