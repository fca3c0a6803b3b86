// allele_counts on the current CUDA device; rows and results on the host or there.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"

namespace hapforge::allele_counts {

// out: m.num_sites counts. Words of the host are copied to the device. Throws std::runtime_error
// where CUDA reports an error.
void count_cuda(const BitMatrixView& m, std::int64_t* out);

}  // namespace hapforge::allele_counts
