// joint_counts on the current CUDA device; rows and results on the host or there.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/joint_counts/arguments.h"

namespace hapforge::joint_counts {

// As `matrix`, `pairs`, `ld_matrix` and `ld_decay`, with the same results, but that ld_decay rounds
// every r2 to 2^-40. Tables of pairs and positions are on the host. Device memory:
// the haplotypes twice (once turned, each row filled up to a multiple of 64 bytes), and the result.
// Throw std::runtime_error where CUDA reports an error.
void matrix_cuda(const BitMatrixView& haplotypes, std::int64_t* n11);
void pairs_cuda(const BitMatrixView& haplotypes, const std::int64_t* pairs, std::size_t num_pairs,
                std::int64_t* n11);
void ld_matrix_cuda(const BitMatrixView& haplotypes, Statistic statistic, float* out);
void ld_decay_cuda(const BitMatrixView& haplotypes, const BinnedPairs& pairs, double* sum_r2,
                   std::int64_t* num_pairs);

}  // namespace hapforge::joint_counts
