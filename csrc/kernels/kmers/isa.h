// The implementations of kmers, one per ISA file.
#pragma once

#include "kernels/kmers/kernel.h"

namespace hapforge::kmers {

void spread_bmi2(const BitMatrixView& rows, std::size_t first_bit, Lanes lanes,
                 std::uint64_t* out) noexcept;

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;

}  // namespace hapforge::kmers
