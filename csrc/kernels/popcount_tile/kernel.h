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

// Counts of a tile against a limit for each row and, where column_limit is not null, each column.
struct Comparison {
  const std::uint32_t* count;  // count[i * stride + j]
  std::size_t rows;
  std::size_t columns;  // at most kMaskBits
  std::size_t stride;
  const std::uint32_t* row_limit;
  const std::uint32_t* column_limit;
  std::uint64_t* row_mask;     // bit j of row_mask[i]: count < row_limit[i]
  std::uint64_t* column_mask;  // bit j of column_mask[i]: count < column_limit[j]
};

inline constexpr std::size_t kMaskBits = 64;

struct Kernels {
  void (*differences)(const Tile&) noexcept;    // popcount(a xor b): the Hamming distance
  void (*intersections)(const Tile&) noexcept;  // popcount(a and b): the joint count n11
  void (*below)(const Comparison&) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

}  // namespace hapforge::popcount_tile
