// popcount_tile: how many bits two rows differ in, or share, for every pair of a tile of rows.
//
// The primitive under hamming, nearest_neighbours and joint_counts: they walk tiles that fit the
// cache and never need a whole distance matrix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/dispatch.h"

namespace hapforge::popcount_tile {

// Rows are contiguous, `words` words each. Counts are uint32: a row must have fewer than 2^32 bits.
struct Tile {
  const std::uint64_t* a;
  std::size_t rows_a;
  const std::uint64_t* b;
  std::size_t rows_b;
  std::size_t words;
  std::uint32_t* out;  // out[i * out_stride + j] for rows i of a and j of b
  std::size_t out_stride;
};

struct Kernels {
  void (*differences)(const Tile&) noexcept;    // popcount(a xor b): the Hamming distance
  void (*intersections)(const Tile&) noexcept;  // popcount(a and b): the joint count n11
};

std::span<const Implementation<Kernels>> implementations() noexcept;

}  // namespace hapforge::popcount_tile
