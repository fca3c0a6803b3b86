// nearest_neighbours: the k rows of one matrix nearest to each row of another, by Hamming distance.
//
// Brute force over tiles of popcount_tile, which has the ISA-specific code. Neighbours come in
// ascending (distance, index) order: at equal distance the lower index wins. Memory is the inputs,
// the outputs and, per thread, one tile and k candidates for each row of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::nearest_neighbours {

// index, distance: queries.num_rows x k, C order. With `exclude_self`, target i is no candidate for
// query i. The caller sees to 1 <= k <= number of candidates and to fewer than 2^32 targets.
void search(const BitMatrixView& queries, const BitMatrixView& targets, std::size_t k,
            bool exclude_self, std::int64_t* index, std::uint32_t* distance,
            const popcount_tile::Kernels& kernels, std::size_t threads);

}  // namespace hapforge::nearest_neighbours
