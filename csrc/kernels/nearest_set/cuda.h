// nearest_set on the current CUDA device; rows and results on the host or there. Results as on the
// CPU.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"

namespace hapforge::nearest_set {

// Of the rows of one set, as kernel.h has it of both.
struct NearestSets {
  std::uint32_t* distance;
  std::uint8_t* sets;
};

// As `search`, by all pairs, once. Device memory: 16 bytes a row, results that are wanted on the
// host, and the rows as nearest_neighbours has them there. Throws std::runtime_error where CUDA
// reports an error.
void search_cuda(const BitMatrixView& a, const BitMatrixView& b, const NearestSets& of_a,
                 const NearestSets& of_b);

}  // namespace hapforge::nearest_set
