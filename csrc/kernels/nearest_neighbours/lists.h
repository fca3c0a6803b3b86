// The results of nearest_neighbours, on the CPU and on a device.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hapforge::nearest_neighbours {

// The k nearest of each row, C order: rows x k. Fewer than 2^32 candidates, at least k of them.
// k = 0: not wanted.
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

}  // namespace hapforge::nearest_neighbours
