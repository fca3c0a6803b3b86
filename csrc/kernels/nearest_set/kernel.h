// nearest_set: in which of two sets of rows each row has its nearest other row, by Hamming
// distance.
//
// This is all that the adversarial accuracy asks of distances, and less than the four searches that
// find all nearest neighbours: a row's limit is its least distance to any other row. Rows that are
// identical are decided by counts, the others compared by sketch::Sweep.
// Exact. Memory is the inputs, one sketch per row (about 2.5 bits per differing site of an average
// pair) and some 80 bytes per row.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/sketch/kernel.h"

namespace hapforge::nearest_set {

inline constexpr std::uint8_t kFirst = 1;
inline constexpr std::uint8_t kSecond = 2;

// For each row of a, then of b: its distance to the nearest other row of either set, and in which
// set (kFirst, kSecond or both) a row at that distance is. Needs two rows in all, fewer than 2^32.
void search(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* distance,
            std::uint8_t* sets, const sketch::Backend& backend, std::size_t threads);

}  // namespace hapforge::nearest_set
