// hamming on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/hamming/cuda.cuh"

#include <optional>

#include "kernels/hamming/cuda.h"
#include "kernels/popcount_tile/cuda_rows.cuh"

namespace hapforge::hamming {
namespace {

using popcount_tile::Rows;

// Both sets on the device, once where they are the same rows.
struct Both {
  Both(const BitMatrixView& a, const BitMatrixView& b)
      : same(a.words == b.words && a.num_rows == b.num_rows), first(a) {
    if (!same) second.emplace(b);
  }
  DeviceRows a() const { return first.view(); }
  DeviceRows b() const { return same ? first.view() : second->view(); }

  bool same;
  Rows first;
  std::optional<Rows> second;
};

}  // namespace

void pairwise_cuda(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* out) {
  const Both rows(a, b);
  const cuda::Result<std::uint32_t> distances(out, a.num_rows * b.num_rows);
  const DistanceTiles tiles{rows.a(), rows.b(), rows.same, distances.data()};
  cuda::launch("DistanceTiles", tiles.blocks(), tiles);
  distances.finish();
}

void histogram_cuda(const BitMatrixView& a, const BitMatrixView& b, bool symmetric,
                    std::int64_t* out) {
  const Both rows(a, b);
  cuda::Buffer<unsigned long long> histogram(a.num_sites + 1);
  histogram.fill(0);
  const HistogramTiles tiles{rows.a(), rows.b(), symmetric, histogram.data()};
  cuda::launch("HistogramTiles", tiles.blocks(), tiles);
  histogram.copy_to(reinterpret_cast<unsigned long long*>(out));
}

}  // namespace hapforge::hamming
