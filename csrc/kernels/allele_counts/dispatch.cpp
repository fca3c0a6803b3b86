// allele_counts: the implementations, fastest first, and the loop over blocks of sites.
#include <algorithm>
#include <array>

#include "core/cpu_features.h"
#include "core/thread_pool.h"
#include "kernels/allele_counts/isa.h"

namespace hapforge::allele_counts {
namespace {

const std::array kAll = {
#if HAPFORGE_X86
    Implementation<Kernel>{"avx512", cpu::has_avx512, count_block_avx512},
    Implementation<Kernel>{"avx2", cpu::has_avx2, count_block_avx2},
#endif
#if HAPFORGE_NEON
    Implementation<Kernel>{"neon", cpu::always, count_block_neon},
#endif
    Implementation<Kernel>{"scalar", cpu::always, count_block_scalar},
};

}  // namespace

std::span<const Implementation<Kernel>> implementations() noexcept { return kAll; }

void count(const BitMatrixView& m, std::int64_t* out, Kernel kernel, std::size_t threads) {
  const std::size_t words = words_for_bits(m.num_sites);
  const std::size_t blocks = (words + kBlockWords - 1) / kBlockWords;
  parallel_for(blocks, threads, [&](std::size_t block, std::size_t) noexcept {
    std::uint32_t counts[kBlockSites] = {};
    const std::size_t first_word = block * kBlockWords;
    const std::size_t num_words = std::min(kBlockWords, words - first_word);
    kernel(m.words + first_word, m.words_per_row, m.num_rows, num_words, counts);
    const std::size_t first_site = first_word * kBitsPerWord;
    const std::size_t num_sites = std::min(kBlockSites, m.num_sites - first_site);
    std::copy(counts, counts + num_sites, out + first_site);
  });
}

}  // namespace hapforge::allele_counts
