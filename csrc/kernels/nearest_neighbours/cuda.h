// nearest_neighbours on the current CUDA device, from and to host memory. Results as on the CPU.
#pragma once

#include "core/bit_matrix_view.h"
#include "kernels/nearest_neighbours/lists.h"

namespace hapforge::nearest_neighbours {

// As `search` and `joint`, by all pairs: a pass over them for each of the k neighbours. Device
// memory: the rows, each filled up to a multiple of 64 bytes, and 20 bytes per row and wanted list.
// Throw std::runtime_error where CUDA reports an error.
void search_cuda(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
                 const Lists& out);
void joint_cuda(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out);

}  // namespace hapforge::nearest_neighbours
