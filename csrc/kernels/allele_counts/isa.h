// The implementations of allele_counts, one per ISA file.
#pragma once

#include "kernels/allele_counts/kernel.h"

namespace hapforge::allele_counts {

inline constexpr std::size_t kRowsPerByte = 255;  // rows a byte counter can take

void count_block_scalar(const std::uint64_t*, std::size_t, std::size_t, std::size_t,
                        std::uint32_t*) noexcept;
void count_block_avx2(const std::uint64_t*, std::size_t, std::size_t, std::size_t,
                      std::uint32_t*) noexcept;
void count_block_avx512(const std::uint64_t*, std::size_t, std::size_t, std::size_t,
                        std::uint32_t*) noexcept;
void count_block_neon(const std::uint64_t*, std::size_t, std::size_t, std::size_t,
                      std::uint32_t*) noexcept;

}  // namespace hapforge::allele_counts
