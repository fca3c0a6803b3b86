// Packed rows on the current device, as the kernels there want them.
#pragma once

#include <algorithm>

#include "core/bit_matrix_view.h"
#include "core/cuda_check.cuh"
#include "kernels/popcount_tile/cuda.cuh"

namespace hapforge::popcount_tile {

class Rows {
 public:
  // The rows themselves, where they are on the device in the form that is wanted; else a copy.
  explicit Rows(const BitMatrixView& m) : Rows(m, as_wanted(m)) {}

  // The columns of the view as rows.
  static Rows transposed(const BitMatrixView& m) {
    const Rows from(m);
    Rows turned(m.num_sites, pitch_of((m.num_rows + 7) / 8), false);
    turned.bytes_.fill(0);
    const TransposeBits transpose{from.view(), m.num_sites, turned.bytes_.data(), turned.pitch_};
    cuda::launch("TransposeBits", transpose.blocks(), transpose);
    turned.count();
    return turned;
  }

  // Device memory that a row of these takes.
  static std::size_t bytes_per_row(const BitMatrixView& m) {
    return (as_wanted(m) ? 0 : pitch_of(m.words_per_row * 8)) + sizeof(std::uint32_t);
  }

  DeviceRows view() const {
    return {taken_ != nullptr ? taken_ : bytes_.data(), num_rows_, pitch_, num_set_.data()};
  }

 private:
  Rows(const BitMatrixView& m, bool take)
      : Rows(m.num_rows, take ? m.words_per_row * 8 : pitch_of(m.words_per_row * 8), take) {
    const std::size_t width = m.words_per_row * 8;
    if (take) {
      taken_ = reinterpret_cast<const unsigned char*>(m.words);
    } else if (num_rows_ > 0) {
      bytes_.fill(0);
      if (width > 0) {
        cuda::check(cudaMemcpy2DAsync(bytes_.data(), pitch_, m.words, width, width, num_rows_,
                                      cudaMemcpyDefault, cuda::current_stream),
                    "cudaMemcpy2DAsync");
      }
    }
    count();
  }

  Rows(std::size_t num_rows, std::size_t pitch, bool take)
      : num_rows_(num_rows),
        pitch_(pitch),
        bytes_(take ? 0 : num_rows * pitch),
        num_set_(num_rows) {}

  // Bytes that a row of `width` bytes takes up.
  static std::size_t pitch_of(std::size_t width) {
    return std::max<std::size_t>(1, (width + kStepBytes - 1) / kStepBytes) * kStepBytes;
  }

  static bool as_wanted(const BitMatrixView& m) {
    const std::size_t width = m.words_per_row * 8;
    return m.num_rows > 0 && width > 0 && width % kStepBytes == 0 &&
           reinterpret_cast<std::uintptr_t>(m.words) % 16 == 0 && cuda::device_of(m.words) >= 0;
  }

  void count() {
    const CountSetBits counting{view(), num_set_.data()};
    cuda::launch("CountSetBits", counting.blocks(), counting);
  }

  std::size_t num_rows_, pitch_;
  const unsigned char* taken_ = nullptr;
  cuda::Buffer<unsigned char> bytes_;
  cuda::Buffer<std::uint32_t> num_set_;
};

}  // namespace hapforge::popcount_tile
