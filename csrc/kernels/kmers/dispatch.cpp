// kmers: the implementations, fastest first, and the loop over blocks of windows.
#include <algorithm>
#include <array>
#include <vector>

#include "core/cpu_features.h"
#include "core/thread_pool.h"
#include "kernels/kmers/isa.h"

namespace hapforge::kmers {
namespace {

const std::array kAll = {
#if HAPFORGE_X86
    Implementation<Kernels>{"avx512", cpu::has_avx512, avx512_kernels},
    Implementation<Kernels>{"avx2", cpu::has_avx2, avx2_kernels},
#endif
    Implementation<Kernels>{"scalar", cpu::always, scalar_kernels},
};

// 16-bit histograms take this many tiles before they are added up.
constexpr std::size_t kTilesPerHistogram = 32;
static_assert(kTilesPerHistogram * kTileRows < 1U << 16);

// How the sites of the windows lie in the lanes.
struct Plan {
  unsigned k;
  unsigned windows_per_lane;
  Lanes lanes;

  std::size_t lanes_per_word() const noexcept { return kBitsPerWord / lanes.lane_bits; }
  std::size_t windows_per_word() const noexcept { return lanes_per_word() * windows_per_lane; }
};

Plan plan_for(unsigned k, bool nibbles) noexcept {
  const unsigned lane_bits = k > 8 ? 16 : (k <= 4 && nibbles ? 4 : 8);
  const unsigned windows = lane_bits / k;
  return {k, windows, {lane_bits, windows * k}};
}

// A block of windows of one run, at most those of a tile.
struct Block {
  std::size_t first_site;
  std::size_t num_windows;
  std::int64_t* counts;
};

std::vector<Block> blocks_of(std::span<const Run> runs, const Plan& plan, std::int64_t* counts) {
  const std::size_t most = kTileWords * plan.windows_per_word();
  std::vector<Block> blocks;
  for (const Run& run : runs) {
    for (std::size_t begin = 0; begin < run.num_windows; begin += most) {
      const std::size_t size = std::min(most, run.num_windows - begin);
      blocks.push_back({run.first_site + begin * plan.k, size, counts});
      counts += size << plan.k;
    }
  }
  return blocks;
}

// The low k bits of `value` in reverse order: motifs have their first site on top.
unsigned reversed(unsigned value, unsigned k) noexcept {
  unsigned result = 0;
  for (unsigned bit = 0; bit < k; ++bit) result |= (value >> bit & 1) << (k - 1 - bit);
  return result;
}

// Adds the histogram of one lane to those of its windows.
void add_marginals(const std::uint16_t* histogram, const Plan& plan, const std::uint8_t* motif,
                   std::size_t num_windows, std::int64_t* counts) noexcept {
  const unsigned mask = (1U << plan.k) - 1;
  for (std::size_t w = 0; w < num_windows; ++w, counts += mask + 1) {
    for (unsigned value = 0; value < 1U << plan.lanes.used_bits; ++value) {
      counts[motif[value >> (w * plan.k) & mask]] += histogram[value];
    }
  }
}

// Adds to the histograms of the byte lanes of a tile.
void count_bytes(const std::uint64_t* tile, std::size_t num_rows, std::size_t num_words,
                 std::uint16_t* histograms) noexcept {
  for (std::size_t w = 0; w < num_words; ++w, histograms += 8 * 256) {
    for (std::size_t r = 0; r < num_rows; ++r) {
      std::uint64_t lanes = tile[r * kTileWords + w];
#pragma GCC unroll 8
      for (std::size_t lane = 0; lane < 8; ++lane, lanes >>= 8) {
        ++histograms[lane * 256 + (lanes & 0xFF)];
      }
    }
  }
}

// Lanes of 16 bits are a window each; their motifs are counted where they belong.
void count_large(const std::uint64_t* tile, std::size_t num_rows, unsigned k,
                 const std::uint8_t* reversed_byte, const Block& block) noexcept {
  for (std::size_t w = 0; w < block.num_windows; w += 4) {
    std::int64_t* counts = block.counts + (w << k);
    const std::size_t lanes = std::min<std::size_t>(4, block.num_windows - w);
    for (std::size_t r = 0; r < num_rows; ++r) {
      std::uint64_t word = tile[r * kTileWords + w / 4];
      for (std::size_t lane = 0; lane < lanes; ++lane, word >>= 16) {
        const unsigned back = reversed_byte[word & 0xFF] << 8U | reversed_byte[word >> 8 & 0xFF];
        ++counts[(lane << k) + (back >> (16 - k))];
      }
    }
  }
}

// What a thread needs.
struct Scratch {
  std::vector<std::uint64_t> tile;
  std::vector<std::uint16_t> histograms;
};

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

void count(const BitMatrixView& m, unsigned k, std::span<const Run> runs, std::int64_t* counts,
           const Kernels& kernels, std::size_t threads) {
  const Plan plan = plan_for(k, kernels.count_nibbles != nullptr);
  const std::vector<Block> blocks = blocks_of(runs, plan, counts);
  std::uint8_t motif[256];  // of a lane's low bits; for k above 8, a byte back to front
  for (unsigned value = 0; value < 256; ++value) {
    motif[value] = static_cast<std::uint8_t>(reversed(value, k < 8 ? k : 8));
  }
  std::vector<Scratch> scratch(num_slots(blocks.size(), threads));
  for (Scratch& one : scratch) {
    one.tile.resize(std::min(m.num_rows, kTileRows) * kTileWords);
    one.histograms.resize(kTileWords * 8 * 256);
  }
  const std::size_t values = std::size_t{1} << plan.lanes.lane_bits;
  parallel_for(blocks.size(), threads, [&](std::size_t task, std::size_t slot) noexcept {
    const Block& block = blocks[task];
    const std::size_t per_word = plan.windows_per_word();
    const std::size_t num_words = (block.num_windows + per_word - 1) / per_word;
    std::uint64_t* tile = scratch[slot].tile.data();
    std::vector<std::uint16_t>& histograms = scratch[slot].histograms;
    std::fill(block.counts, block.counts + (block.num_windows << k), std::int64_t{0});
    for (std::size_t begin = 0; begin < m.num_rows; begin += kTileRows) {
      const std::size_t num_rows = std::min(kTileRows, m.num_rows - begin);
      kernels.spread({m.row(begin), num_rows, m.words_per_row, m.num_sites}, block.first_site,
                     plan.lanes, tile);
      if (plan.lanes.lane_bits == 16) {
        count_large(tile, num_rows, k, motif, block);
        continue;
      }
      const std::size_t tiles = begin / kTileRows;
      if (tiles % kTilesPerHistogram == 0) {
        std::fill(histograms.begin(), histograms.end(), std::uint16_t{0});
      }
      if (plan.lanes.lane_bits == 4) {
        kernels.count_nibbles(tile, num_rows, num_words, histograms.data());
      } else {
        count_bytes(tile, num_rows, num_words, histograms.data());
      }
      const bool last = begin + num_rows == m.num_rows;
      if (!last && tiles % kTilesPerHistogram != kTilesPerHistogram - 1) continue;
      for (std::size_t w = 0; w < block.num_windows; w += plan.windows_per_lane) {
        add_marginals(histograms.data() + w / plan.windows_per_lane * values, plan, motif,
                      std::min<std::size_t>(plan.windows_per_lane, block.num_windows - w),
                      block.counts + (w << k));
      }
    }
  });
}

}  // namespace hapforge::kmers
