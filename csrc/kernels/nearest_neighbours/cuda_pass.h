// A pass of nearest_neighbours over all pairs of one set or of two, whatever their size.
#pragma once

#include <memory>
#include <vector>

#include "core/bit_matrix_view.h"
#include "kernels/nearest_neighbours/cuda.cuh"

namespace hapforge::nearest_neighbours {

// What a pass lowers and starts from, as in NearestTiles: of the rows of set s with regard to those
// of set t. Null: not wanted.
struct PassLists {
  Key* least = nullptr;
  const Key* after = nullptr;
};

// One or two sets, on the device as far as they fit there.
class Passes {
 public:
  explicit Passes(const std::vector<BitMatrixView>& sets);
  ~Passes();

  // No row is its own neighbour; with exclude_self row i of one set is none of row i of the other.
  void run(bool exclude_self, const PassLists (&lists)[2][2]) const;

 private:
  class Slabs;
  std::unique_ptr<const Slabs> slabs_;
};

}  // namespace hapforge::nearest_neighbours
