// nearest_neighbours: the k rows of one matrix nearest to each row of another, by Hamming distance.
//
// Neighbours come in ascending (distance, index) order: at equal distance the lower index wins. Any
// of the four searches between two sets of rows is done in one pass, in which a pair serves both of
// its rows: pruned by sketches where there are enough rows for it to pay (pruned.h), otherwise over
// all pairs (exhaustive.h). The result is the same.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/nearest_neighbours/lists.h"
#include "kernels/sketch/kernel.h"

namespace hapforge::nearest_neighbours {

// Whether `joint` prunes.
bool prunes(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out) noexcept;

// `b` may have no rows, where only aa is wanted.
void joint(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
           const sketch::Backend& backend, std::size_t threads);

// For each query its nearest targets. With `exclude_self`, target i is no candidate for query i.
void search(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
            const Lists& out, const sketch::Backend& backend, std::size_t threads);

}  // namespace hapforge::nearest_neighbours
