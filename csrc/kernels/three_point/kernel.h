// three_point: the connected correlation of three sites, of listed triplets and of a whole block.
//
// With c_i carriers of ALT at site i among n haplotypes, n_ij carriers at two sites and n_ijk at
// three,
//
//   c_ijk = (n^2 n_ijk - n (n_ij c_k + n_ik c_j + n_jk c_i) + 2 c_i c_j c_k) / n^3.
//
// Numerator and n^3 are formed exactly, in double up to kMostExact haplotypes and with 128-bit
// integers beyond, so every backend gives the same value. An indicator of REF is one minus that of
// ALT, which turns the sign of c_ijk: other alleles are a sign, `negate`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"
#include "kernels/pack/kernel.h"
#include "kernels/three_point/formula.h"

namespace hapforge::three_point {

// Sites as rows, a bit a haplotype: padded with zeros to a multiple of kPadWords words, aligned to
// a cache line.
inline constexpr std::size_t kPadWords = 8;
struct SiteRows {
  const std::uint64_t* words;
  std::size_t num_rows;
  std::size_t words_per_row;

  const std::uint64_t* row(std::int64_t i) const noexcept {
    return words + static_cast<std::size_t>(i) * words_per_row;
  }
};

// Bits by word, then column: word w of column k is words[w * stride + k]. `stride` is a multiple of
// 8, and the columns behind the last real one are readable.
struct Planes {
  const std::uint64_t* words;
  std::size_t num_words;
  std::size_t stride;
};

// A tile of pairs of columns: rows [row, row + num_rows), num_rows <= 4, by columns
// [begin, end), both multiples of 8, to out[r * out_stride + k].
struct PairTile {
  std::size_t row, num_rows, begin, end;
  std::uint32_t* out;
  std::size_t out_stride;
};

// One row of a block: i and j are fixed, k runs over `size` columns.
struct Row {
  std::uint32_t num_haplotypes, c_i, c_j, n_ij;
  const std::uint32_t *c_k, *n_ik, *n_jk, *n_ijk;
  std::size_t size;
  bool negate;
  double* out;
};

// What an ISA provides. Counts are uint32: a row must have fewer than 2^32 bits.
struct Kernels {
  // Set bits of each row.
  void (*count_rows)(const SiteRows& rows, std::uint32_t* counts) noexcept;
  // Triplet t is the rows triplets[3 t], triplets[3 t + 1], triplets[3 t + 2].
  void (*count_triplets)(const SiteRows& rows, const std::int64_t* triplets, std::size_t size,
                         Counts* counts) noexcept;
  // Bits that two columns share, for every pair of a tile.
  void (*count_pairs)(const Planes& planes, const PairTile& tile) noexcept;
  // c_ijk of a row, up to kMostExact haplotypes.
  void (*finish_row)(const Row& row) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

// c_ijk of listed triplets of the sites of m (haplotype-major), each in [0, m.num_sites). Holds the
// sites that occur in the list as rows, and 9 bytes for each site of m.
void triplets(const BitMatrixView& m, const std::int64_t* triplets, std::size_t num_triplets,
              bool negate, double* out, const Kernels& kernels, const pack::Kernels& packing,
              std::size_t threads);

// c_ijk of all triplets i < j < k of the sites of m (haplotype-major), in lexicographic order.
//
// For each i only the haplotypes with its rarer allele are looked at, side by side. A thread holds
// at most half as many words as the block, all together those of the block and a uint32 per pair.
void block(const BitMatrixView& m, bool negate, double* out, const Kernels& kernels,
           const pack::Kernels& packing, std::size_t threads);

}  // namespace hapforge::three_point
