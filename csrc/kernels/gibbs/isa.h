// What an ISA provides to gibbs, and the layouts it works on.
//
// The product of 0/1 units with integer weights is a table look-up ("four Russians"): the weights
// of a group of `group_units` neighbouring in-units have 2^group_units partial sums, and the bits
// of the group choose one. The lanes of a vector are chains, so a table is a register and the
// look-up is one in-register permutation for 16 to 64 chains; nothing is read from far away.
//
// Bits are unit-major: a row is a unit, its words are 64 chains each. Four out-units, those that
// one Philox block serves (a "quad"), and 64 chains (a "word") are worked on at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/dispatch.h"
#include "kernels/gibbs/unit_draw.h"

namespace hapforge::gibbs {

inline constexpr std::size_t kQuad = 4;     // out-units 2b, 2b + 1, 2b + 16, 2b + 17 of 32
inline constexpr std::size_t kChains = 64;  // chains a word
inline constexpr std::size_t kUnitsPerGroup = 32;
inline constexpr std::size_t kQuadsPerGroup = 8;
inline constexpr std::size_t kSeeds = 8;  // int16 per out-unit and group, what a table is made of
inline constexpr std::size_t kFields = kQuad * kChains;  // int32 per quad and word
inline constexpr std::size_t kGroupsPerChunk = 64;  // of in-units, whose tables are made at once

// Unit i of quad q.
constexpr std::size_t unit_of(std::size_t q, std::size_t i) noexcept {
  return q / kQuadsPerGroup * kUnitsPerGroup + q % kQuadsPerGroup * 2 + (i >> 1) * 16 + (i & 1);
}

// The seeds of a group of 3 units are its table, entry e at e. Those of 5 units are
// w0, w1, w0 + w1, w2, w3, w2 + w3, w4, 0.
struct Kernels {
  std::size_t group_units;    // 3 or 5
  std::size_t table_entries;  // int16 a table takes up where it is used: 8 or 32

  // Makes `num_tables` tables; null where seeds are used as they are.
  void (*expand)(const std::int16_t* seeds, std::size_t num_tables, std::int16_t* tables) noexcept;

  // What look-ups take, of the 64 chains in words bits[u stride] of all units u of `num_groups`
  // groups: index[g 64 + lane], lanes in an order of the ISA's own.
  void (*make_index)(const std::uint64_t* bits, std::size_t stride, std::size_t num_groups,
                     std::uint16_t* index) noexcept;

  // fields of a quad and a word, with lanes in an order of the ISA's own: scale times the sums over
  // groups is added to them, or to the biases of the quad where they are given. tables:
  // [group][4][table_entries]. Sums of `window` groups fit an int16; scale <= 2^14.
  void (*accumulate)(const std::int16_t* tables, const std::uint16_t* index, std::size_t num_groups,
                     std::size_t window, std::int16_t scale, const std::int32_t* bias,
                     std::int32_t* fields) noexcept;

  // Bits of 64 chains from `first_chain` on, for the four units of a quad.
  void (*draw)(const std::int32_t* fields, std::uint32_t block, std::uint32_t first_chain,
               const Draw& draw, std::uint64_t bits[kQuad]) noexcept;

  // Fields with chain c of unit i at 64 i + c.
  void (*natural_order)(const std::int32_t* fields, std::int32_t* out) noexcept;
};

// One chain at a time, with lanes in their natural order.
void draw_scalar(const std::int32_t* fields, std::uint32_t block, std::uint32_t first_chain,
                 const Draw& draw, std::uint64_t bits[kQuad]) noexcept;
void natural_order_scalar(const std::int32_t* fields, std::int32_t* out) noexcept;

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::gibbs
