// Packed rows of the host on the current device, as the kernels there want them.
#pragma once

#include <algorithm>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/cuda_check.cuh"
#include "kernels/popcount_tile/cuda.cuh"

namespace hapforge::popcount_tile {

class Rows {
 public:
  // A copy of the rows.
  explicit Rows(const BitMatrixView& m) : Rows(m.num_rows, m.words_per_row * 8) {
    const std::size_t width = m.words_per_row * 8;
    if (num_rows_ == 0) return;
    if (width > 0) {
      cuda::check(cudaMemcpy2D(bytes_.data(), pitch_, m.words, width, width, num_rows_,
                               cudaMemcpyHostToDevice),
                  "cudaMemcpy2D");
    }
    count();
  }

  // The columns of the view as rows.
  static Rows transposed(const BitMatrixView& m) {
    const Rows from(m);
    Rows turned(m.num_sites, (m.num_rows + 7) / 8);
    const TransposeBits transpose{from.view(), m.num_sites, turned.bytes_.data(), turned.pitch_};
    cuda::launch("TransposeBits", transpose.blocks(), transpose);
    turned.count();
    return turned;
  }

  // Set bits of each row, on the host.
  std::vector<std::uint32_t> num_set() const {
    std::vector<std::uint32_t> host(num_rows_);
    num_set_.copy_to_host(host.data());
    return host;
  }

  DeviceRows view() const { return {bytes_.data(), num_rows_, pitch_, num_set_.data()}; }

 private:
  Rows(std::size_t num_rows, std::size_t width)
      : num_rows_(num_rows),
        pitch_(std::max<std::size_t>(1, (width + kStepBytes - 1) / kStepBytes) * kStepBytes),
        bytes_(num_rows * pitch_),
        num_set_(num_rows) {
    bytes_.fill(0);
  }

  void count() {
    const CountSetBits counting{view(), num_set_.data()};
    cuda::launch("CountSetBits", counting.blocks(), counting);
  }

  std::size_t num_rows_, pitch_;
  cuda::Buffer<unsigned char> bytes_;
  cuda::Buffer<std::uint32_t> num_set_;
};

}  // namespace hapforge::popcount_tile
