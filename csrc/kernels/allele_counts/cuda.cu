// allele_counts on the device: memory and launch. The kernel's body is in cuda.cuh.
#include "kernels/allele_counts/cuda.cuh"

#include <algorithm>
#include <vector>

#include "core/cuda_check.cuh"
#include "kernels/allele_counts/cuda.h"

namespace hapforge::allele_counts {
namespace {

constexpr std::size_t kRowsPerSlice = 1020;  // four flushes: long enough to pay for the atomics
constexpr std::size_t kMostSlices = 65535;   // of gridDim.y

}  // namespace

void count_cuda(const BitMatrixView& m, std::int64_t* out) {
  std::fill(out, out + m.num_sites, 0);
  const std::size_t num_words = m.num_rows * m.words_per_row;
  if (num_words == 0) return;
  const std::size_t halves_per_row = 2 * m.words_per_row;
  const std::size_t num_counts = halves_per_row * kHalfBits;
  const cuda::Buffer<std::uint64_t> words(num_words);
  const cuda::Buffer<unsigned> counts(num_counts);
  cuda::check(
      cudaMemcpy(words.data(), m.words, num_words * sizeof(std::uint64_t), cudaMemcpyHostToDevice),
      "cudaMemcpy");
  cuda::check(cudaMemset(counts.data(), 0, num_counts * sizeof(unsigned)), "cudaMemset");

  const std::size_t slices = (m.num_rows + kRowsPerSlice - 1) / kRowsPerSlice;
  const dim3 grid(
      static_cast<unsigned>((halves_per_row + CountSites::kThreads - 1) / CountSites::kThreads),
      static_cast<unsigned>(std::min(slices, kMostSlices)));
  cuda::launch<CountSites::kThreads>(
      "CountSites", grid,
      CountSites{reinterpret_cast<const std::uint32_t*>(words.data()), m.num_rows, halves_per_row,
                 counts.data()});

  std::vector<unsigned> host(num_counts);
  cuda::check(
      cudaMemcpy(host.data(), counts.data(), num_counts * sizeof(unsigned), cudaMemcpyDeviceToHost),
      "cudaMemcpy");
  std::copy(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(m.num_sites), out);
}

}  // namespace hapforge::allele_counts
