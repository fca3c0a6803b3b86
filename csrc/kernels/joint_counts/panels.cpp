// joint_counts: sites in panels of eight, from haplotypes.
#include <algorithm>
#include <limits>

#include "core/thread_pool.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/joint_counts/moments.h"

namespace hapforge::joint_counts {
namespace {

constexpr std::size_t num_blocks(std::size_t size, std::size_t block) noexcept {
  return (size + block - 1) / block;
}

}  // namespace

Panels::Panels(std::size_t num_sites, std::size_t num_haplotypes)
    : num_sites_(num_sites),
      num_haplotypes_(num_haplotypes),
      words_(words_for_bits(num_haplotypes)),
      storage_(num_blocks(num_sites, kPanel) * kPanel * words_) {}

Panels Panels::of_haplotypes(const BitMatrixView& m, const pack::Kernels& kernels,
                             std::size_t threads) {
  Panels panels(m.num_sites, m.num_rows);
  const std::size_t words = panels.words_;
  const std::size_t in_words = words_for_bits(m.num_sites);
  const std::size_t num_panels = num_blocks(m.num_sites, kPanel);
  // A task turns 8 words (a cache line) of every row into up to 64 panels, 512 rows at a time. A
  // transposed block of 64 x 64 bits is one line of each of 8 panels.
  constexpr std::size_t kWords = 8;
  parallel_for(num_blocks(in_words, kWords), threads, [&](std::size_t task, std::size_t) noexcept {
    const std::size_t word_end = std::min(in_words, (task + 1) * kWords);
    std::uint64_t in_block[64];
    std::uint64_t out_block[64];
    for (std::size_t begin = 0; begin < words; begin += kWords) {
      for (std::size_t w = task * kWords; w < word_end; ++w) {
        for (std::size_t o = begin; o < std::min(words, begin + kWords); ++o) {
          const std::size_t rows = std::min<std::size_t>(64, m.num_rows - o * 64);
          for (std::size_t r = 0; r < rows; ++r) in_block[r] = m.row(o * 64 + r)[w];
          std::fill(in_block + rows, in_block + 64, 0);
          kernels.transpose_block(in_block, out_block);
          for (std::size_t p = 0; p < std::min(kPanel, num_panels - w * kPanel); ++p) {
            std::uint64_t* line = panels.storage_.data() + ((w * kPanel + p) * words + o) * kPanel;
            std::copy_n(out_block + p * kPanel, kPanel, line);
          }
        }
      }
    }
  });
  return panels;
}

std::vector<double> carriers_of(const Panels& sites, const Kernels& kernels, std::size_t threads) {
  std::vector<double> carriers(sites.num_sites());
  const auto count = [&](std::size_t p, std::size_t) noexcept {
    std::uint32_t n11[kPanel * kPanel];  // of each site with itself on the diagonal
    kernels.counts({sites.panel(p), 1, sites.panel(p), 1, sites.words(), n11, kPanel});
    for (std::size_t i = p * kPanel; i < std::min(carriers.size(), (p + 1) * kPanel); ++i) {
      carriers[i] = n11[i % kPanel * (kPanel + 1)];
    }
  };
  parallel_for(num_blocks(carriers.size(), kPanel), threads, count);
  return carriers;
}

std::vector<double> inverse_spread(const std::vector<double>& carriers, double n) {
  std::vector<double> weight(carriers.size());
  std::transform(carriers.begin(), carriers.end(), weight.begin(), [n](double c) {
    const double spread = c * (n - c);
    return spread > 0 ? 1 / spread : std::numeric_limits<double>::quiet_NaN();
  });
  return weight;
}

}  // namespace hapforge::joint_counts
