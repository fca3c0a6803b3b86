// sketch: short rows of bits whose Hamming distance never exceeds that of the long rows they stand
// for.
//
// A bit of a sketch is the parity of a group of columns, each column being in one group: where two
// rows' sketches differ in a bit, the rows differ in at least one column of its group. Columns that
// vary most stand alone, the others share groups. A sketch folds further in the same way: its first
// words stay, the others are XORed together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"
#include "kernels/allele_counts/kernel.h"
#include "kernels/pack/kernel.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::sketch {

// Sketches of rows, `words` words each.
struct Sketches {
  std::size_t words = 0;
  bool exact = false;  // a group for each column: distances are those of the rows
  std::vector<std::uint64_t> bits;

  const std::uint64_t* row(std::size_t i) const noexcept { return bits.data() + i * words; }
};

// What building and comparing sketches needs of one ISA.
struct Backend {
  const popcount_tile::Kernels& tiles;
  const pack::Kernels& pack;
  allele_counts::Kernel allele_counts;
};

// By name, as find_backend.
Backend backend_named(std::string_view name);

// The rows of a, then of b.
std::vector<const std::uint64_t*> row_pointers(const BitMatrixView& a, const BitMatrixView& b);

// Sketches of `rows`, which are rows of a or b; the carriers of each site in both decide which
// columns stand alone. Their size is 2.5 bits for each differing site of an average pair, at least
// 1024 bits.
Sketches build(std::span<const std::uint64_t* const> rows, const BitMatrixView& a,
               const BitMatrixView& b, const Backend& backend, std::size_t threads);

// The first quarter of the `words` words of a folded sketch are the sketch's own; all its others
// are XORed into the rest.
void fold(const std::uint64_t* row, std::size_t row_words, std::size_t words,
          std::uint64_t* out) noexcept;

}  // namespace hapforge::sketch
