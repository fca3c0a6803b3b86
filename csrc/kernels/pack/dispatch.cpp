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

// Puts the first `size` bits of `row`, the others of its last word being zero, at bit `at` of
// `out`. What the row's words cover from there on is written; what is before `at` is kept.
void append_bits(const std::uint64_t* row, std::size_t size, std::uint64_t* out,
                 std::size_t at) noexcept {
  if (size == 0) return;
  const std::size_t words = words_for_bits(size);
  const std::size_t shift = at % kBitsPerWord;
  out += at / kBitsPerWord;
  if (shift == 0) {
    std::copy(row, row + words, out);
    return;
  }
  out[0] |= row[0] << shift;
  const std::size_t end = words_for_bits(shift + size);
  for (std::size_t w = 1; w < words; ++w) {
    out[w] = row[w] << shift | row[w - 1] >> (kBitsPerWord - shift);
  }
  if (words < end) out[words] = row[words - 1] >> (kBitsPerWord - shift);
}

// Words by which the rows start behind a cache line's beginning, where all do alike.
std::size_t words_past_line(const BitMatrixView& m) noexcept {
  if (m.words_per_row % kLineWords != 0) return 0;
  return reinterpret_cast<std::uintptr_t>(m.words) / sizeof(std::uint64_t) % kLineWords;
}

// A task turns a line of words of every row into rows of the output, a tile at a time. `index` is
// the ascending columns that are wanted, null for all of them.
void transpose_columns(const BitMatrixView& m, const std::span<const std::int64_t>* index,
                       std::uint64_t* out, std::size_t out_stride, const Kernels& kernels,
                       std::size_t threads) {
  const std::size_t in_words = words_for_bits(m.num_sites);
  const std::size_t out_words = words_for_bits(m.num_rows);
  const std::size_t early = words_past_line(m);
  parallel_for(
      num_blocks(in_words + early, kLineWords), threads,
      [&](std::size_t task, std::size_t) noexcept {
        const std::size_t word = task == 0 ? 0 : task * kLineWords - early;
        const std::size_t word_end = std::min(in_words, (task + 1) * kLineWords - early);
        const std::size_t begin = word * kBitsPerWord;
        const std::size_t end = std::min(m.num_sites, word_end * kBitsPerWord);
        std::uint64_t* columns[kLineBits] = {};
        std::size_t size = end - begin;  // of the columns that are wanted
        std::size_t first = begin;       // number of the first of them in the output
        if (index == nullptr) {
          for (std::size_t c = 0; c < size; ++c) {
            columns[c] = out + (begin + c) * out_stride;
          }
        } else {
          const auto low =
              std::lower_bound(index->begin(), index->end(), static_cast<std::int64_t>(begin));
          const auto high = std::lower_bound(low, index->end(), static_cast<std::int64_t>(end));
          first = static_cast<std::size_t>(low - index->begin());
          size = static_cast<std::size_t>(high - low);
          for (std::size_t k = 0; k < size; ++k) {
            columns[static_cast<std::size_t>(low[static_cast<std::ptrdiff_t>(k)]) - begin] =
                out + (first + k) * out_stride;
          }
        }
        if (size == 0) return;
        for (std::size_t row = 0; row < m.num_rows; row += kLineBits) {
          const std::size_t num_rows = std::min(kLineBits, m.num_rows - row);
          kernels.transpose_tile(
              {m.row(row) + word, m.words_per_row, num_rows, word_end - word, columns});
          for (std::uint64_t*& column : columns) {
            if (column != nullptr) column += kLineWords;
          }
        }
        for (std::size_t k = 0; k < size; ++k) {
          std::uint64_t* to = out + (first + k) * out_stride;
          std::fill(to + out_words, to + out_stride, 0);
        }
      });
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
  transpose_columns(m, nullptr, out, words_for_bits(m.num_rows), kernels, threads);
}

void transpose_columns(const BitMatrixView& m, std::span<const std::int64_t> index,
                       std::uint64_t* out, std::size_t out_stride, const Kernels& kernels,
                       std::size_t threads) {
  transpose_columns(m, &index, out, out_stride, kernels, threads);
}

void concat_sites(std::span<const BitMatrixView> parts, std::uint64_t* out, std::size_t threads) {
  if (parts.empty()) return;
  std::size_t num_sites = 0;
  for (const BitMatrixView& part : parts) num_sites += part.num_sites;
  const std::size_t num_rows = parts.front().num_rows;
  const std::size_t out_words = words_for_bits(num_sites);
  parallel_for(num_blocks(num_rows, kRowsPerTask), threads,
               [&](std::size_t task, std::size_t) noexcept {
                 const std::size_t end = std::min(num_rows, (task + 1) * kRowsPerTask);
                 for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
                   std::size_t at = 0;
                   for (const BitMatrixView& part : parts) {
                     append_bits(part.row(i), part.num_sites, out + i * out_words, at);
                     at += part.num_sites;
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
