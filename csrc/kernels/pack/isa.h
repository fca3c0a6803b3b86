// The implementations of pack, one per ISA file.
#pragma once

#include "kernels/pack/kernel.h"

namespace hapforge::pack {

void transpose_block_scalar(const std::uint64_t in[64], std::uint64_t out[64]) noexcept;

void extract_row_scalar(const std::uint64_t* row, std::span<const MaskedWord> from,
                        std::uint64_t* out) noexcept;
void extract_row_bmi2(const std::uint64_t* row, std::span<const MaskedWord> from,
                      std::uint64_t* out) noexcept;

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;

}  // namespace hapforge::pack
