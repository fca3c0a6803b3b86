// nearest_neighbours: the k rows of one matrix nearest to each row of another, by Hamming distance.
//
// Brute force over tiles of popcount_tile, which has the ISA-specific code. Neighbours come in
// ascending (distance, index) order: at equal distance the lower index wins. A distance serves both
// of its rows where both are asked for, so that it is computed once. Memory is the inputs, the
// outputs and, per thread, one tile and k candidates for each row of a list.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::nearest_neighbours {

// The k nearest of each row, C order: rows x k. Fewer than 2^32 candidates, at least k of them.
struct Lists {
  std::size_t k;
  std::int64_t* index;
  std::uint32_t* distance;
};

// For each query its nearest targets. With `exclude_self`, target i is no candidate for query i.
// Where the targets are the queries, the same rows in memory, each pair is computed once.
void search(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
            const Lists& out, const popcount_tile::Kernels& kernels, std::size_t threads);

// For each row of a its nearest rows of b, and for each row of b its nearest rows of a, in the work
// of one search.
void mutual(const BitMatrixView& a, const BitMatrixView& b, const Lists& of_a, const Lists& of_b,
            const popcount_tile::Kernels& kernels, std::size_t threads);

}  // namespace hapforge::nearest_neighbours
