// three_point on the current CUDA device; rows and results on the host or there. Results as on the
// CPU.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"

namespace hapforge::three_point {

// As `triplets` and `block`. Device memory: the haplotypes, the sites (a block's twice),
// rows filled up to a multiple of 64 bytes; the result; and for a block 8 bytes per pair of sites.
// Throw std::runtime_error where CUDA reports an error.
void triplets_cuda(const BitMatrixView& m, const std::int64_t* triplets, std::size_t num_triplets,
                   bool negate, double* out);
void block_cuda(const BitMatrixView& m, bool negate, double* out);

}  // namespace hapforge::three_point
