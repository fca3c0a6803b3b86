// pack on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/pack/cuda.cuh"

#include "core/cuda_check.cuh"
#include "kernels/pack/cuda.h"
#include "kernels/popcount_tile/cuda_rows.cuh"

namespace hapforge::pack {
namespace {

// A place that kernels lower.
class FirstPlace {
 public:
  FirstPlace() : place_(1) { place_.fill(0xFF); }  // kNoPlace
  Place* data() const { return place_.data(); }
  std::int64_t wait() const {
    Place found = kNoPlace;
    place_.copy_to(&found);
    cuda::synchronize();
    return static_cast<std::int64_t>(found);  // kNoPlace is -1
  }

 private:
  cuda::Buffer<Place> place_;
};

const std::uint32_t* halves_of(const BitMatrixView& m) {
  return reinterpret_cast<const std::uint32_t*>(m.words);
}

// The columns of rows on the device as packed words.
void turn(const popcount_tile::DeviceRows& rows, std::size_t num_columns, std::uint64_t* words) {
  const std::size_t pitch = 8 * words_for_bits(rows.num_rows);
  if (num_columns * pitch == 0) return;
  auto* bytes = reinterpret_cast<unsigned char*>(words);
  cuda::check(cudaMemsetAsync(bytes, 0, num_columns * pitch, cuda::current_stream),
              "cudaMemsetAsync");
  const popcount_tile::TransposeBits transpose{rows, num_columns, bytes, pitch};
  cuda::launch("TransposeBits", transpose.blocks(), transpose);
}

}  // namespace

std::int64_t pack_cuda(const Bytes& dense, std::uint64_t* words) {
  const FirstPlace bad;
  const PackBytes pack{dense.bytes,
                       dense.row_stride,
                       dense.column_stride,
                       dense.num_rows,
                       dense.num_sites,
                       reinterpret_cast<std::uint32_t*>(words),
                       2 * words_for_bits(dense.num_sites),
                       bad.data()};
  cuda::launch("PackBytes", pack.blocks(), pack);
  return bad.wait();
}

void unpack_cuda(const BitMatrixView& m, std::uint8_t* dense) {
  const UnpackBits unpack{halves_of(m), m.num_rows, m.num_sites, 2 * m.words_per_row, dense};
  cuda::launch("UnpackBits", unpack.blocks(), unpack);
}

void transpose_cuda(const BitMatrixView& m, std::uint64_t* words) {
  const popcount_tile::Rows rows(m);
  turn(rows.view(), m.num_sites, words);
}

void select_sites_cuda(const BitMatrixView& m, const std::int64_t* index, std::size_t num_selected,
                       std::uint64_t* words) {
  const popcount_tile::Rows sites = popcount_tile::Rows::transposed(m);
  const popcount_tile::DeviceRows rows = sites.view();
  const cuda::Buffer<long long> wanted(reinterpret_cast<const long long*>(index), num_selected);
  const cuda::Buffer<std::uint64_t> chosen(num_selected * (rows.pitch / 8));
  auto* bytes = reinterpret_cast<unsigned char*>(chosen.data());
  const popcount_tile::GatherRows gather{rows, wanted.data(), num_selected, bytes};
  cuda::launch("GatherRows", gather.blocks(), gather);
  turn({bytes, num_selected, rows.pitch, nullptr}, m.num_rows, words);
}

std::int64_t padded_row_cuda(const BitMatrixView& m) {
  if (m.num_sites % kBitsPerWord == 0) return -1;
  const FirstPlace bad;
  const FindPadding find{reinterpret_cast<const unsigned long long*>(m.words), m.num_rows,
                         m.words_per_row, static_cast<unsigned>(m.num_sites % kBitsPerWord),
                         bad.data()};
  cuda::launch("FindPadding", find.blocks(), find);
  return bad.wait();
}

}  // namespace hapforge::pack
