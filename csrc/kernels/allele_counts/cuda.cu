// allele_counts on the device: memory and launch. The kernel's body is in cuda.cuh.
#include "kernels/allele_counts/cuda.cuh"

#include "core/cuda_check.cuh"
#include "kernels/allele_counts/cuda.h"

namespace hapforge::allele_counts {

void count_cuda(const BitMatrixView& m, std::int64_t* out) {
  const std::size_t size = m.num_rows * m.words_per_row;
  const bool there = cuda::device_of(m.words) >= 0;
  const cuda::Buffer<std::uint64_t> copy(m.words, there ? 0 : size);
  const std::size_t halves_per_row = 2 * m.words_per_row;
  cuda::Buffer<unsigned long long> counts(halves_per_row * kHalfBits);
  counts.fill(0);
  const CountSites count{reinterpret_cast<const std::uint32_t*>(there ? m.words : copy.data()),
                         m.num_rows, halves_per_row, counts.data()};
  cuda::launch("CountSites", count.blocks(), count);
  cuda::copy_bytes(out, counts.data(), m.num_sites * sizeof *out);
}

}  // namespace hapforge::allele_counts
