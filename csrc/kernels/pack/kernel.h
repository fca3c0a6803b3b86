// pack: dense 0/1 bytes <-> packed bits, the bit transpose, the gather of columns, and rows behind
// rows.
//
// Site j is bit j % 64 of word j / 64; padding bits are written as zero and trusted to be zero.
// Nothing here can overflow: a bit moves, no number is formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"

namespace hapforge::pack {

// Bits of one word of a row that a selection takes, `count` of them.
struct MaskedWord {
  std::size_t word;
  std::uint64_t mask;
  unsigned count;
};

// A tile of the transpose: num_words <= kLineWords words (a cache line) of num_rows <= kLineBits
// rows. Bit c % 64 of word c / 64 of row r becomes bit r % 64 of word r / 64 from columns[c] on,
// for every column that is not null; bits of that word whose rows are missing become zero.
inline constexpr std::size_t kLineWords = 8;
inline constexpr std::size_t kLineBits = kLineWords * kBitsPerWord;
struct TransposeTile {
  const std::uint64_t* words;
  std::size_t stride;
  std::size_t num_rows;
  std::size_t num_words;
  std::uint64_t* const* columns;
};

// What an ISA provides.
struct Kernels {
  // Packs `num_sites` bytes into words_for_bits(num_sites) words. False if a byte is neither 0 nor
  // 1; the words are then unspecified.
  bool (*pack_row)(const std::uint8_t* dense, std::size_t num_sites, std::uint64_t* words) noexcept;
  // The inverse: writes `num_sites` bytes, each 0 or 1.
  void (*unpack_row)(const std::uint64_t* words, std::size_t num_sites,
                     std::uint8_t* dense) noexcept;
  // Transposes a block of 64 x 64 bits: bit c of in[r] becomes bit r of out[c].
  void (*transpose_block)(const std::uint64_t in[64], std::uint64_t out[64]) noexcept;
  void (*transpose_tile)(const TransposeTile& tile) noexcept;
  // Writes the bits of `row` under the masks one after another; bits past the last are zero.
  void (*extract_row)(const std::uint64_t* row, std::span<const MaskedWord> from,
                      std::uint64_t* out) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

// Where the first value (in row-major order) that is neither 0 nor 1 stands.
struct BadValue {
  bool found = false;
  std::size_t row = 0;
  std::size_t column = 0;
  std::uint8_t value = 0;
};

// dense: num_rows x num_sites bytes, rows `stride` >= num_sites bytes apart. words: num_rows x
// words_for_bits(num_sites).
BadValue pack(const std::uint8_t* dense, std::size_t num_rows, std::size_t num_sites,
              std::size_t stride, std::uint64_t* words, const Kernels& kernels,
              std::size_t threads);

// dense: m.num_rows x m.num_sites, C order.
void unpack(const BitMatrixView& m, std::uint8_t* dense, const Kernels& kernels,
            std::size_t threads);

// out: m.num_sites x words_for_bits(m.num_rows).
void transpose(const BitMatrixView& m, std::uint64_t* out, const Kernels& kernels,
               std::size_t threads);

// Row k of out is column index[k] of m, padded with zeros to `out_stride` words, at least
// words_for_bits(m.num_rows). The index is strictly ascending.
void transpose_columns(const BitMatrixView& m, std::span<const std::int64_t> index,
                       std::uint64_t* out, std::size_t out_stride, const Kernels& kernels,
                       std::size_t threads);

// Row r of out is row r of each part, one behind the other. All parts have as many rows;
// out: num_rows x words for the sum of their sites.
void concat_sites(std::span<const BitMatrixView> parts, std::uint64_t* out, std::size_t threads);

// Column index[k] of m becomes column k of out, m.num_rows x words_for_bits(num_selected). Every
// index is in [0, m.num_sites). A strictly ascending index (a filter, a window) goes through
// extract_row, word by word; any other is gathered bit by bit, by the same code in every backend.
void select_sites(const BitMatrixView& m, const std::int64_t* index, std::size_t num_selected,
                  std::uint64_t* out, const Kernels& kernels, std::size_t threads);

}  // namespace hapforge::pack
