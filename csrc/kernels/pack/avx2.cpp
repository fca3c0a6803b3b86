// pack with AVX2: movemask turns the top bits of 32 bytes into 32 bits. The last bytes of a row go
// through a buffer of 64.
#include <immintrin.h>

#include "kernels/pack/isa.h"

// To the end of the file; nothing below uses a template of the standard library, which baseline
// code might end up sharing.
#pragma GCC target("avx2,bmi2")

namespace hapforge::pack {
namespace {

__m256i load(const void* p) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

std::uint64_t top_bits(__m256i v) noexcept {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(v));
}

std::uint64_t pack_word(const std::uint8_t* dense, __m256i& seen) noexcept {
  const __m256i low = load(dense);
  const __m256i high = load(dense + 32);
  seen = _mm256_or_si256(seen, _mm256_or_si256(low, high));
  return top_bits(_mm256_slli_epi16(low, 7)) | top_bits(_mm256_slli_epi16(high, 7)) << 32;
}

bool pack_row(const std::uint8_t* dense, std::size_t num_sites, std::uint64_t* words) noexcept {
  __m256i seen = _mm256_setzero_si256();
  std::size_t j = 0;
  for (; j + kBitsPerWord <= num_sites; j += kBitsPerWord) {
    words[j / kBitsPerWord] = pack_word(dense + j, seen);
  }
  if (j < num_sites) {
    std::uint8_t rest[kBitsPerWord] = {};
    __builtin_memcpy(rest, dense + j, num_sites - j);
    words[j / kBitsPerWord] = pack_word(rest, seen);
  }
  return _mm256_testz_si256(seen, _mm256_set1_epi8(~1)) != 0;
}

// Bit i of `bits` becomes byte i: its byte is copied to eight places, each of which keeps one bit.
__m256i spread(std::uint32_t bits) noexcept {
  const __m256i source = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,  //
                                          2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), source);
  const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
  return _mm256_and_si256(set, _mm256_set1_epi8(1));
}

void unpack_word(std::uint64_t word, std::uint8_t* dense) noexcept {
  auto* out = reinterpret_cast<__m256i*>(dense);
  _mm256_storeu_si256(out, spread(static_cast<std::uint32_t>(word)));
  _mm256_storeu_si256(out + 1, spread(static_cast<std::uint32_t>(word >> 32)));
}

void unpack_row(const std::uint64_t* words, std::size_t num_sites, std::uint8_t* dense) noexcept {
  std::size_t j = 0;
  for (; j + kBitsPerWord <= num_sites; j += kBitsPerWord) {
    unpack_word(words[j / kBitsPerWord], dense + j);
  }
  if (j < num_sites) {
    std::uint8_t rest[kBitsPerWord];
    unpack_word(words[j / kBitsPerWord], rest);
    __builtin_memcpy(dense + j, rest, num_sites - j);
  }
}

// Collects byte b of all 64 rows; shifting them left brings each bit plane under movemask in turn.
void transpose_block(const std::uint64_t in[64], std::uint64_t out[64]) noexcept {
  alignas(32) std::uint8_t bytes[8][64];
  const auto* rows = reinterpret_cast<const std::uint8_t*>(in);
  for (int r = 0; r < 64; ++r) {
    for (int b = 0; b < 8; ++b) bytes[b][r] = rows[8 * r + b];
  }
  for (int b = 0; b < 8; ++b) {
    __m256i low = load(bytes[b]);
    __m256i high = load(bytes[b] + 32);
    for (int bit = 7; bit >= 0; --bit) {
      out[8 * b + bit] = top_bits(low) | top_bits(high) << 32;
      low = _mm256_add_epi8(low, low);
      high = _mm256_add_epi8(high, high);
    }
  }
}

}  // namespace

// pext moves the bits under a mask together; they are appended to the word being filled.
void extract_row_bmi2(const std::uint64_t* row, std::span<const MaskedWord> from,
                      std::uint64_t* out) noexcept {
  std::uint64_t word = 0;
  unsigned filled = 0;  // below 64
  const MaskedWord* const begin = from.data();
  const MaskedWord* const end = begin + from.size();
  for (const MaskedWord* one = begin; one != end; ++one) {
    const std::uint64_t bits = _pext_u64(row[one->word], one->mask);
    word |= bits << filled;
    filled += one->count;
    if (filled < kBitsPerWord) continue;
    *out++ = word;
    filled -= 64;
    word = filled == 0 ? 0 : bits >> (one->count - filled);  // what did not fit
  }
  if (filled != 0) *out = word;
}

const Kernels avx2_kernels{pack_row, unpack_row, transpose_block,
                           transpose_tile_by_blocks<transpose_block>, extract_row_bmi2};

}  // namespace hapforge::pack
