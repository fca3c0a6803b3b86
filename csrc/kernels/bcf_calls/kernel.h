// bcf_calls: where BCF records stand, and their phased diploid calls -> packed bits, one row a
// record.
//
// A call is two bytes, (allele + 1) << 1 | phased. The phase bit of its first byte says nothing
// about the pair and is left out; so the first is 2 or 3 (REF), 4 or 5 (ALT), the second 3 or 5.
// Bit 2 i of a row is the first allele of person i, bit 2 i + 1 the second; padding bits are zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"

namespace hapforge::bcf_calls {

// Packs `num_bytes` (an even number) into words_for_bits(num_bytes) words. False if one of the
// calls is none of the above; the words are then unspecified.
using Kernel = bool (*)(const std::uint8_t* calls, std::size_t num_bytes,
                        std::uint64_t* words) noexcept;

std::span<const Implementation<Kernel>> implementations() noexcept;

// Records that follow each other in a piece of a file, by byte: where each starts (behind its two
// lengths), where its calls start, and where it ends. `size` bytes are whole records; `damaged` if
// those behind it cannot start one.
struct Records {
  std::vector<std::int64_t> start, calls, stop;
  std::size_t size = 0;
  bool damaged = false;
};

Records find_records(std::span<const std::uint8_t> data);

// Where the first call (in row-major order) of another kind stands.
struct BadCall {
  bool found = false;
  std::size_t row = 0;
  std::size_t person = 0;
};

// Row j is made of the 2 * num_persons bytes at data + start[j]. words: num_rows x
// words_for_bits(2 * num_persons).
BadCall pack(const std::uint8_t* data, const std::int64_t* start, std::size_t num_rows,
             std::size_t num_persons, std::uint64_t* words, Kernel kernel) noexcept;

}  // namespace hapforge::bcf_calls
