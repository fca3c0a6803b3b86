// three_point: the formula of one triplet, and where a block's triplets stand; on the CPU and on a
// device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/host_device.h"

namespace hapforge::three_point {

// No intermediate sum passes 3 n^3, which a double holds exactly for n up to this.
inline constexpr std::size_t kMostExact = std::size_t{1} << 17;

struct Counts {
  std::uint32_t ij, ik, jk, ijk;
};

#if defined(__CUDACC_RTC__)  // with -device-int128
using Wide = __int128;
#else
__extension__ using Wide = __int128;
#endif

HAPFORGE_HOST_DEVICE inline double wide_correlation(std::uint32_t n, std::uint32_t c_i,
                                                    std::uint32_t c_j, std::uint32_t c_k,
                                                    const Counts& count, bool negate) noexcept {
  const Wide wide = n;
  const Wide pairs = Wide{count.ij} * c_k + Wide{count.ik} * c_j + Wide{count.jk} * c_i;
  const Wide sum = wide * wide * count.ijk - wide * pairs + Wide{2} * c_i * c_j * c_k;
  return static_cast<double>(negate ? -sum : sum) / static_cast<double>(wide * wide * wide);
}

HAPFORGE_HOST_DEVICE inline double exact_correlation(double n, double c_i, double c_j, double c_k,
                                                     const Counts& count, double sign) noexcept {
  const double pairs = count.ij * c_k + count.ik * c_j + count.jk * c_i;
  const double sum = n * n * count.ijk - n * pairs + 2 * c_i * c_j * c_k;
  return sign * sum / (n * n * n) + 0.0;  // no negative zero
}

// Sites of a block at most: its float64 are then below 2^60 bytes, and what memory lacks fails
// there.
inline constexpr std::size_t kMostBlockSites = std::size_t{1} << 19;

// Triplets of a block, without overflow up to kMostBlockSites.
HAPFORGE_HOST_DEVICE constexpr std::size_t block_size(std::size_t sites) noexcept {
  return sites < 3 ? 0 : sites * (sites - 1) / 2 * (sites - 2) / 3;
}

HAPFORGE_HOST_DEVICE constexpr std::size_t triangle(std::size_t n) noexcept {
  return n < 2 ? 0 : n * (n - 1) / 2;
}
HAPFORGE_HOST_DEVICE constexpr std::size_t tetrahedron(std::size_t n) noexcept {
  return n < 3 ? 0 : triangle(n) * (n - 2) / 3;
}

}  // namespace hapforge::three_point
