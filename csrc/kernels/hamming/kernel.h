// hamming: all Hamming distances between the rows of two matrices, or their histogram.
//
// Both walk tiles of popcount_tile, which has the ISA-specific code. Distances are uint32; a
// histogram counts in int64, so pairs cannot overflow it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::hamming {

// out: a.num_rows x b.num_rows, C order. a and b have equal num_sites. Where they are the same rows
// in memory, each pair is computed once.
void pairwise(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* out,
              const popcount_tile::Kernels& kernels, std::size_t threads);

// out[d] = pairs at distance d, d in [0, num_sites]. With `symmetric`, b is a and only pairs i < j
// count. Memory: one tile and four histograms per thread, never a matrix.
void histogram(const BitMatrixView& a, const BitMatrixView& b, bool symmetric, std::int64_t* out,
               const popcount_tile::Kernels& kernels, std::size_t threads);

}  // namespace hapforge::hamming
