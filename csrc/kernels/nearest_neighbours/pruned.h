// nearest_neighbours by sketch::Sweep: exact, but most pairs are never compared in full.
//
// Any of the four searches between two sets of rows, in one pass that visits a pair once for both
// of its rows. Identical rows are found first and share their lists. Memory is the inputs, the
// outputs, one sketch per row (2.5 bits for each differing site of an average pair), and some 60
// bytes and up to 2 k candidates of 8 bytes per row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/sketch/kernel.h"

namespace hapforge::nearest_neighbours {

// Most neighbours that lists are kept for.
inline constexpr std::size_t kMostPruned = 64;

// The k nearest of each row, C order: rows x k. k = 0: not wanted.
struct Lists {
  std::size_t k = 0;
  std::int64_t* index = nullptr;
  std::uint32_t* distance = nullptr;
};

// First letter: the set of the query, second: of its neighbours. No row is its own neighbour in aa
// and bb.
struct JointLists {
  Lists aa, ab, ba, bb;
};

// The caller sees to k <= kMostPruned, k <= number of candidates in each search, and to fewer than
// 2^32 rows.
void pruned(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
            const sketch::Backend& backend, std::size_t threads);

}  // namespace hapforge::nearest_neighbours
