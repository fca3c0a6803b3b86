// nearest_neighbours on the device: memory and launches. The kernel's body is in cuda.cuh.
#include "kernels/nearest_neighbours/cuda.cuh"

#include <algorithm>
#include <vector>

#include "kernels/nearest_neighbours/cuda.h"
#include "kernels/popcount_tile/cuda_rows.cuh"

namespace hapforge::nearest_neighbours {
namespace {

using popcount_tile::Rows;

// The neighbours of one set that are being found, one for each row and pass.
class Best {
 public:
  Best(std::size_t num_rows, const Lists& out)
      : out_(out),
        num_rows_(out.k > 0 ? num_rows : 0),
        least_(num_rows_),
        after_(num_rows_),
        host_(num_rows_) {}

  // Where this pass leaves its neighbours; null where none are wanted.
  Key* start(std::size_t pass) {
    if (pass >= out_.k) return nullptr;
    if (pass > 0) after_.copy_from(least_);
    least_.fill(0xFF);  // kNone
    return least_.data();
  }

  const Key* after(std::size_t pass) const { return pass == 0 ? nullptr : after_.data(); }

  void finish(std::size_t pass) {
    if (pass >= out_.k) return;
    least_.copy_to_host(host_.data());
    for (std::size_t i = 0; i < num_rows_; ++i) {
      out_.index[i * out_.k + pass] = static_cast<std::int64_t>(host_[i] & 0xFFFFFFFF);
      out_.distance[i * out_.k + pass] = static_cast<std::uint32_t>(host_[i] >> 32);
    }
  }

 private:
  Lists out_;
  std::size_t num_rows_;
  cuda::Buffer<Key> least_, after_;
  std::vector<Key> host_;
};

// All pairs of two sets, for either or both.
void between(const Rows& queries, const Rows& targets, bool exclude_self, const Lists& of_queries,
             const Lists& of_targets) {
  Best ahead(queries.view().num_rows, of_queries), back(targets.view().num_rows, of_targets);
  for (std::size_t pass = 0; pass < std::max(of_queries.k, of_targets.k); ++pass) {
    NearestTiles tiles{queries.view(), targets.view(), false, exclude_self};
    tiles.of_query = ahead.start(pass);
    tiles.of_target = back.start(pass);
    tiles.after_query = ahead.after(pass);
    tiles.after_target = back.after(pass);
    cuda::launch("NearestTiles", tiles.blocks(), tiles);
    ahead.finish(pass);
    back.finish(pass);
  }
}

// All pairs of different rows of one set, each once.
void among(const Rows& rows, const Lists& out) {
  Best best(rows.view().num_rows, out);
  for (std::size_t pass = 0; pass < out.k; ++pass) {
    NearestTiles tiles{rows.view(), rows.view(), true, true};
    tiles.of_query = tiles.of_target = best.start(pass);
    tiles.after_query = tiles.after_target = best.after(pass);
    cuda::launch("NearestTiles", tiles.blocks(), tiles);
    best.finish(pass);
  }
}

}  // namespace

void search_cuda(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
                 const Lists& out) {
  const Rows from(queries);
  if (queries.words != targets.words || queries.num_rows != targets.num_rows) {
    between(from, Rows(targets), exclude_self, out, {});
  } else if (exclude_self) {
    among(from, out);
  } else {
    between(from, from, false, out, {});
  }
}

void joint_cuda(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out) {
  const Rows first(a), second(b);
  among(first, out.aa);
  among(second, out.bb);
  between(first, second, false, out.ab, out.ba);
}

}  // namespace hapforge::nearest_neighbours
