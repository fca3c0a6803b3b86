// nearest_neighbours by sketch::Sweep: exact, but most pairs are never compared in full.
//
// Identical rows are found first and share their lists. Memory is the inputs, the
// outputs, one sketch per row (2.5 bits for each differing site of an average pair), and some 80
// bytes and up to 2 k candidates of 8 bytes per row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/nearest_neighbours/kernel.h"
#include "kernels/sketch/kernel.h"

namespace hapforge::nearest_neighbours {

// Most neighbours that lists are kept for.
inline constexpr std::size_t kMostPruned = 64;

// The caller sees to k <= kMostPruned, k <= number of candidates in each search, and to fewer than
// 2^32 rows.
void pruned(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
            const sketch::Backend& backend, std::size_t threads);

}  // namespace hapforge::nearest_neighbours
