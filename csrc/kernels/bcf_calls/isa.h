// The implementations of bcf_calls, one per ISA file.
#pragma once

#include "kernels/bcf_calls/kernel.h"

namespace hapforge::bcf_calls {

bool pack_row_scalar(const std::uint8_t* calls, std::size_t num_bytes,
                     std::uint64_t* words) noexcept;
bool pack_row_avx2(const std::uint8_t* calls, std::size_t num_bytes, std::uint64_t* words) noexcept;
bool pack_row_avx512(const std::uint8_t* calls, std::size_t num_bytes,
                     std::uint64_t* words) noexcept;
bool pack_row_neon(const std::uint8_t* calls, std::size_t num_bytes, std::uint64_t* words) noexcept;

}  // namespace hapforge::bcf_calls
