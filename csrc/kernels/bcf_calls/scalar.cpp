// bcf_calls on plain 64-bit words: eight bytes become eight bits through a multiplication.
#include <cstring>

#include "kernels/bcf_calls/isa.h"

namespace hapforge::bcf_calls {
namespace {

// Four calls in little-endian order, the only one there is among the targets.
constexpr std::uint64_t kUsed = 0xFFFEFFFEFFFEFFFE;  // all but the first allele's phase bit
constexpr std::uint64_t kRef = 0x0302030203020302;   // two REF alleles
constexpr std::uint64_t kLowBits = 0x0101010101010101;
// Bytes b0..b7 (0 or 1) times this have b0 + 2 b1 + ... + 128 b7 as their top byte.
constexpr std::uint64_t kGather = 0x0102040810204080;

}  // namespace

bool pack_row_scalar(const std::uint8_t* calls, std::size_t num_bytes,
                     std::uint64_t* words) noexcept {
  std::uint64_t stray = 0;
  for (std::size_t start = 0; start < num_bytes; start += kBitsPerWord) {
    std::uint64_t word = 0;
    const std::size_t end = start + kBitsPerWord < num_bytes ? start + kBitsPerWord : num_bytes;
    for (std::size_t i = start; i < end; i += 8) {
      std::uint64_t bytes = kRef;
      std::memcpy(&bytes, calls + i, end - i < 8 ? end - i : 8);
      const std::uint64_t change = (bytes & kUsed) ^ kRef;  // REF gives 0, ALT 6
      const std::uint64_t bits = change >> 1 & kLowBits;
      stray |= change ^ bits * 6;
      word |= (bits * kGather >> 56) << (i - start);
    }
    words[start / kBitsPerWord] = word;
  }
  return stray == 0;
}

}  // namespace hapforge::bcf_calls
