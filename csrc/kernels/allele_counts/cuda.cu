// allele_counts on the device: memory and launch. The kernel's body is in cuda.cuh.
#include "kernels/allele_counts/cuda.cuh"

#include <algorithm>
#include <vector>

#include "core/cuda_check.cuh"
#include "kernels/allele_counts/cuda.h"

namespace hapforge::allele_counts {

void count_cuda(const BitMatrixView& m, std::int64_t* out) {
  const cuda::Buffer<std::uint64_t> words(m.words, m.num_rows * m.words_per_row);
  const std::size_t halves_per_row = 2 * m.words_per_row;
  cuda::Buffer<unsigned> counts(halves_per_row * kHalfBits);
  counts.fill(0);
  const CountSites count{reinterpret_cast<const std::uint32_t*>(words.data()), m.num_rows,
                         halves_per_row, counts.data()};
  cuda::launch("CountSites", count.blocks(), count);
  std::vector<unsigned> host(counts.size());
  counts.copy_to_host(host.data());
  std::copy_n(host.begin(), m.num_sites, out);
}

}  // namespace hapforge::allele_counts
