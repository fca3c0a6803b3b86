// nearest_set on the device: from the least distances to either set.
#pragma once

#include "kernels/nearest_neighbours/cuda.cuh"

namespace hapforge::nearest_set {

using nearest_neighbours::Key;

// A thread for each row of a set.
struct ChooseSets {
  static constexpr int kThreads = 256;

  const Key *to_first, *to_second;  // the nearest of each row in either set
  std::size_t num_rows;
  std::uint32_t* distance;
  unsigned char* sets;  // 1, 2, or 3 where they are equally near

  std::size_t blocks() const { return (num_rows + kThreads - 1) / kThreads; }

  __device__ void operator()() const {
    const std::size_t row = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (row >= num_rows) return;
    const auto first = static_cast<std::uint32_t>(to_first[row] >> 32);
    const auto second = static_cast<std::uint32_t>(to_second[row] >> 32);
    distance[row] = first < second ? first : second;
    sets[row] = first < second ? 1 : first > second ? 2 : 3;
  }
};

}  // namespace hapforge::nearest_set
