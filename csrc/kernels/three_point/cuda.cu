// three_point on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/three_point/cuda.cuh"

#include "kernels/joint_counts/cuda.cuh"
#include "kernels/popcount_tile/cuda_rows.cuh"
#include "kernels/three_point/cuda.h"

namespace hapforge::three_point {

using popcount_tile::Rows;

void triplets_cuda(const BitMatrixView& m, const std::int64_t* triplets, std::size_t num_triplets,
                   bool negate, double* out) {
  const Rows sites = Rows::transposed(m);
  const cuda::Buffer<long long> listed(reinterpret_cast<const long long*>(triplets),
                                       3 * num_triplets);
  const cuda::Result<double> found(out, num_triplets);
  const Correlation correlation{static_cast<std::uint32_t>(m.num_rows), negate};
  const ListedTriplets all{sites.view(), listed.data(), num_triplets, correlation, found.data()};
  cuda::launch("ListedTriplets", all.blocks(), all);
  found.finish();
}

void block_cuda(const BitMatrixView& m, bool negate, double* out) {
  if (m.num_sites < 3) return;
  const Rows sites = Rows::transposed(m);
  const DeviceRows rows = sites.view();
  const cuda::Buffer<long long> n11(m.num_sites * m.num_sites);
  joint_counts::joint_tiles(rows, n11.data());

  const cuda::Buffer<unsigned char> masked(rows.num_rows * rows.pitch);
  const cuda::Result<double> found(out, block_size(m.num_sites));
  const Correlation correlation{static_cast<std::uint32_t>(m.num_rows), negate};
  for (std::size_t i = 0; i + 2 < m.num_sites; ++i) {
    const DeviceRows behind{rows.bytes + (i + 1) * rows.pitch, rows.num_rows - i - 1, rows.pitch,
                            rows.num_set + i + 1};
    const MaskRows mask{behind, rows.bytes + i * rows.pitch, masked.data()};
    cuda::launch("MaskRows", mask.blocks(), mask);
    const TripletTiles tiles{{masked.data(), behind.num_rows, rows.pitch, nullptr},
                             behind,
                             i,
                             m.num_sites,
                             rows.num_set,
                             n11.data(),
                             correlation,
                             found.data()};
    cuda::launch("TripletTiles", tiles.blocks(), tiles);
  }
  found.finish();
}

}  // namespace hapforge::three_point
