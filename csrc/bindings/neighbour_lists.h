// What both modules return of nearest_neighbours.
#pragma once

#include "bindings/arrays.h"
#include "kernels/nearest_neighbours/lists.h"

namespace hapforge::nearest_neighbours {

// One search's result, which grows with the lists.
struct Found {
  Array<std::int64_t> index;
  Array<std::uint32_t> distance;

  Found(std::size_t rows, std::size_t k)
      : index(empty<std::int64_t>(rows, k)), distance(empty<std::uint32_t>(rows, k)) {}

  Lists lists(std::size_t k) { return {k, index.mutable_data(), distance.mutable_data()}; }
  py::tuple tuple() const { return py::make_tuple(index, distance); }
};

}  // namespace hapforge::nearest_neighbours
