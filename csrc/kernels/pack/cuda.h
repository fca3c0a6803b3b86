// pack on the current CUDA device, for arrays that are there. Results as on the CPU.
#pragma once

#include <cstdint>

#include "core/bit_matrix_view.h"

namespace hapforge::pack {

// Arrays in and out are on the device; what returns a place waits for it. Throw std::runtime_error
// where CUDA reports an error.

// Bytes on the device, row r and column c at bytes[r row_stride + c column_stride].
struct Bytes {
  const unsigned char* bytes;
  std::int64_t row_stride, column_stride;
  std::size_t num_rows, num_sites;
};

// Packs into words_for_bits(num_sites) words a row. The first place, row * num_sites + column, of a
// value that is neither 0 nor 1; -1: there is none.
std::int64_t pack_cuda(const Bytes& dense, std::uint64_t* words);
void unpack_cuda(const BitMatrixView& m, std::uint8_t* dense);
void transpose_cuda(const BitMatrixView& m, std::uint64_t* words);
// index: on the host.
void select_sites_cuda(const BitMatrixView& m, const std::int64_t* index, std::size_t num_selected,
                       std::uint64_t* words);
// The first row with padding bits that are set; -1: there is none.
std::int64_t padded_row_cuda(const BitMatrixView& m);

}  // namespace hapforge::pack
