// hamming on the current CUDA device; rows and results on the host or there. Results as on the CPU.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"

namespace hapforge::hamming {

// As `pairwise` and `histogram`. Device memory: the rows, each filled up to a multiple of 64 bytes,
// and the result. Throw std::runtime_error where CUDA reports an error.
void pairwise_cuda(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* out);
void histogram_cuda(const BitMatrixView& a, const BitMatrixView& b, bool symmetric,
                    std::int64_t* out);

}  // namespace hapforge::hamming
