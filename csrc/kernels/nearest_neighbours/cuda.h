// nearest_neighbours on the current CUDA device; rows and results on the host or there. Results as
// on the CPU.
#pragma once

#include "core/bit_matrix_view.h"
#include "kernels/nearest_neighbours/lists.h"

namespace hapforge::nearest_neighbours {

// As `search` and `joint`, by all pairs: a pass over them for each of the k neighbours. Device
// memory: 8 bytes per row and wanted list, 16 for k > 1; results that are wanted on the host; and
// the rows, each filled up to a multiple of 64 bytes, unless they are there in that form. Where
// these do not fit into what is free, slabs of them go through it, copied while others are
// compared. Throw std::runtime_error where CUDA reports an error.
void search_cuda(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
                 const Lists& out);
void joint_cuda(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out);

}  // namespace hapforge::nearest_neighbours
