// nearest_neighbours over tiles of popcount_tile: every pair is compared, once where it serves both
// of its rows.
//
// Memory is the inputs, the outputs and, per thread, one tile and k candidates for each row of a
// list.
#pragma once

#include <cstddef>

#include "core/bit_matrix_view.h"
#include "kernels/nearest_neighbours/kernel.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::nearest_neighbours::exhaustive {

// For each query its nearest targets. With `exclude_self`, target i is no candidate for query i.
// Where the targets are the queries, the same rows in memory, each pair is computed once.
void search(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
            const Lists& out, const popcount_tile::Kernels& kernels, std::size_t threads);

// As nearest_neighbours::joint. Both searches between the sets are the work of one.
void joint(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
           const popcount_tile::Kernels& kernels, std::size_t threads);

}  // namespace hapforge::nearest_neighbours::exhaustive
