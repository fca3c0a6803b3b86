// pack: the implementations, fastest first, and the blocked loops around them.
#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <vector>

#include "core/cpu_features.h"
#include "core/thread_pool.h"
#include "kernels/pack/isa.h"

namespace hapforge::pack {
namespace {

const std::array kAll = {
#if HAPFORGE_X86
    Implementation<Kernels>{"avx512", cpu::has_avx512, avx512_kernels},
    Implementation<Kernels>{"avx2", cpu::has_avx2, avx2_kernels},
#endif
#if HAPFORGE_NEON
    Implementation<Kernels>{"neon", cpu::always, neon_kernels},
#endif
    Implementation<Kernels>{"scalar", cpu::always, scalar_kernels},
};

constexpr std::size_t kRowsPerTask = 16;

constexpr std::size_t num_blocks(std::size_t size, std::size_t block) noexcept {
  return (size + block - 1) / block;
}

bool strictly_ascending(const std::int64_t* index, std::size_t size) noexcept {
  return std::adjacent_find(index, index + size, std::greater_equal<>()) == index + size;
}

// The words that an ascending index touches.
std::vector<MaskedWord> masked_words(const std::int64_t* index, std::size_t size) {
  std::vector<MaskedWord> words;
  for (std::size_t k = 0; k < size; ++k) {
    const auto j = static_cast<std::size_t>(index[k]);
    if (words.empty() || words.back().word != j / 64) words.push_back({j / 64, 0, 0});
    words.back().mask |= std::uint64_t{1} << j % 64;
    ++words.back().count;
  }
  return words;
}

void gather_row(const std::uint64_t* row, const std::int64_t* index, std::size_t size,
                std::uint64_t* out) noexcept {
  for (std::size_t begin = 0; begin < size; begin += 64) {
    const std::size_t bits = std::min<std::size_t>(64, size - begin);
    std::uint64_t word = 0;
    for (std::size_t b = 0; b < bits; ++b) {
      const auto j = static_cast<std::size_t>(index[begin + b]);
      word |= (row[j / 64] >> (j % 64) & 1) << b;
    }
    out[begin / 64] = word;
  }
}

BadValue first_bad_value(const std::uint8_t* dense, std::size_t num_rows, std::size_t num_sites,
                         std::size_t stride) {
  for (std::size_t i = 0; i < num_rows; ++i) {
    const std::uint8_t* row = dense + i * stride;
    const std::uint8_t* at =
        std::find_if(row, row + num_sites, [](std::uint8_t v) { return v > 1; });
    if (at != row + num_sites) return {true, i, static_cast<std::size_t>(at - row), *at};
  }
  return {};
}

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

BadValue pack(const std::uint8_t* dense, std::size_t num_rows, std::size_t num_sites,
              std::size_t stride, std::uint64_t* words, const Kernels& kernels,
              std::size_t threads) {
  const std::size_t words_per_row = words_for_bits(num_sites);
  std::atomic<bool> clean{true};
  parallel_for(
      num_blocks(num_rows, kRowsPerTask), threads, [&](std::size_t task, std::size_t) noexcept {
        const std::size_t end = std::min(num_rows, (task + 1) * kRowsPerTask);
        for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
          if (!kernels.pack_row(dense + i * stride, num_sites, words + i * words_per_row)) {
            clean.store(false, std::memory_order_relaxed);
          }
        }
      });
  return clean ? BadValue{} : first_bad_value(dense, num_rows, num_sites, stride);
}

void unpack(const BitMatrixView& m, std::uint8_t* dense, const Kernels& kernels,
            std::size_t threads) {
  parallel_for(num_blocks(m.num_rows, kRowsPerTask), threads,
               [&](std::size_t task, std::size_t) noexcept {
                 const std::size_t end = std::min(m.num_rows, (task + 1) * kRowsPerTask);
                 for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
                   kernels.unpack_row(m.row(i), m.num_sites, dense + i * m.num_sites);
                 }
               });
}

void transpose(const BitMatrixView& m, std::uint64_t* out, const Kernels& kernels,
               std::size_t threads) {
  // A task turns 8 words (a cache line) of every row into 512 rows of the output; inside it, 512
  // input rows at a time fill whole cache lines of those output rows.
  constexpr std::size_t kLine = 8;
  const std::size_t in_words = words_for_bits(m.num_sites);
  const std::size_t out_words = words_for_bits(m.num_rows);
  parallel_for(num_blocks(in_words, kLine), threads, [&](std::size_t task, std::size_t) noexcept {
    const std::size_t word_end = std::min(in_words, (task + 1) * kLine);
    std::uint64_t in_block[64];
    std::uint64_t out_block[64];
    for (std::size_t line = 0; line < out_words; line += kLine) {
      for (std::size_t w = task * kLine; w < word_end; ++w) {
        const std::size_t sites = std::min<std::size_t>(64, m.num_sites - w * 64);
        for (std::size_t o = line; o < std::min(out_words, line + kLine); ++o) {
          const std::size_t rows = std::min<std::size_t>(64, m.num_rows - o * 64);
          for (std::size_t r = 0; r < rows; ++r) in_block[r] = m.row(o * 64 + r)[w];
          std::fill(in_block + rows, in_block + 64, 0);
          kernels.transpose_block(in_block, out_block);
          for (std::size_t c = 0; c < sites; ++c) {
            out[(w * 64 + c) * out_words + o] = out_block[c];
          }
        }
      }
    }
  });
}

void select_sites(const BitMatrixView& m, const std::int64_t* index, std::size_t num_selected,
                  std::uint64_t* out, const Kernels& kernels, std::size_t threads) {
  const std::size_t out_words = words_for_bits(num_selected);
  const bool ascending = strictly_ascending(index, num_selected);
  const auto from = ascending ? masked_words(index, num_selected) : std::vector<MaskedWord>();
  parallel_for(num_blocks(m.num_rows, kRowsPerTask), threads,
               [&](std::size_t task, std::size_t) noexcept {
                 const std::size_t end = std::min(m.num_rows, (task + 1) * kRowsPerTask);
                 for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
                   if (ascending) {
                     kernels.extract_row(m.row(i), from, out + i * out_words);
                   } else {
                     gather_row(m.row(i), index, num_selected, out + i * out_words);
                   }
                 }
               });
}

}  // namespace hapforge::pack
