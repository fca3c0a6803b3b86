// nearest_neighbours on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/nearest_neighbours/cuda.cuh"

#include <algorithm>
#include <vector>

#include "core/cuda_check.cuh"
#include "kernels/nearest_neighbours/cuda.h"

namespace hapforge::nearest_neighbours {
namespace {

// The rows of a view on the device, as the kernels want them.
class Rows {
 public:
  explicit Rows(const BitMatrixView& m)
      : pitch_(std::max<std::size_t>(1, (m.words_per_row * 8 + kStepBytes - 1) / kStepBytes) *
               kStepBytes),
        num_rows_(m.num_rows),
        bytes_(m.num_rows * pitch_),
        num_bits_(m.num_rows) {
    if (num_rows_ == 0) return;
    cuda::check(cudaMemset(bytes_.data(), 0, num_rows_ * pitch_), "cudaMemset");
    const std::size_t width = m.words_per_row * 8;
    if (width > 0) {
      cuda::check(cudaMemcpy2D(bytes_.data(), pitch_, m.words, width, width, num_rows_,
                               cudaMemcpyHostToDevice),
                  "cudaMemcpy2D");
    }
    const CountBits count{{bytes_.data(), num_rows_, pitch_, nullptr}, num_bits_.data()};
    cuda::launch<CountBits::kThreads>(
        "CountBits", dim3(static_cast<unsigned>(CountBits::blocks(num_rows_))), count);
  }

  DeviceRows view() const { return {bytes_.data(), num_rows_, pitch_, num_bits_.data()}; }

 private:
  std::size_t pitch_, num_rows_;
  cuda::Buffer<unsigned char> bytes_;
  cuda::Buffer<std::uint32_t> num_bits_;
};

// The neighbours of one set that are being found, one for each row and pass.
class Best {
 public:
  Best(std::size_t num_rows, const Lists& out)
      : out_(out),
        num_rows_(out.k > 0 ? num_rows : 0),
        least_(num_rows_),
        after_(num_rows_),
        host_(num_rows_) {}

  bool wanted(std::size_t pass) const { return pass < out_.k && num_rows_ > 0; }

  // Null where this pass finds none for the set.
  Key* start(std::size_t pass) {
    if (!wanted(pass)) return nullptr;
    if (pass > 0) {
      cuda::check(cudaMemcpy(after_.data(), least_.data(), num_rows_ * sizeof(Key),
                             cudaMemcpyDeviceToDevice),
                  "cudaMemcpy");
    }
    cuda::check(cudaMemset(least_.data(), 0xFF, num_rows_ * sizeof(Key)), "cudaMemset");  // kNone
    return least_.data();
  }

  const Key* after(std::size_t pass) const { return pass == 0 ? nullptr : after_.data(); }

  void finish(std::size_t pass) {
    if (!wanted(pass)) return;
    cuda::check(
        cudaMemcpy(host_.data(), least_.data(), num_rows_ * sizeof(Key), cudaMemcpyDeviceToHost),
        "cudaMemcpy");
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

void launch(const NearestTiles& tiles) {
  if (tiles.blocks() == 0) return;
  cuda::launch<NearestTiles::kThreads>("NearestTiles", dim3(static_cast<unsigned>(tiles.blocks())),
                                       tiles);
}

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
    launch(tiles);
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
    launch(tiles);
    best.finish(pass);
  }
}

}  // namespace

void search_cuda(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
                 const Lists& out) {
  const Rows from(queries);
  if (queries.words == targets.words && queries.num_rows == targets.num_rows) {
    if (exclude_self) {
      among(from, out);
    } else {
      between(from, from, false, out, {});
    }
    return;
  }
  between(from, Rows(targets), exclude_self, out, {});
}

void joint_cuda(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out) {
  const Rows first(a), second(b);
  among(first, out.aa);
  among(second, out.bb);
  between(first, second, false, out.ab, out.ba);
}

}  // namespace hapforge::nearest_neighbours
