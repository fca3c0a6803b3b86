// popcount_tile with AVX2: two rows against 32 by table, four bits at a time.
//
// A byte shuffle looks up 32 nibbles at once. Rows of b are packed so that a vector holds the same
// nibble of 32 of them; for the same nibbles x, y of two rows of a there is a table of 16 bytes,
// entry v = the count of x and v, plus 16 times that of y and v, so that one look-up serves two
// rows. Three of them are added before a field of 4 bits could overflow (3 x 4 <= 15); the sums'
// high fields are added up apart, the bytes themselves modulo 256, from which the low fields
// follow. 9 operations serve 2 x 32 pairs and 12 bits: 85 bits each, against 32 where the bits of
// every pair are counted by nibble (Mula, Kurz, Lemire, Comput. J. 61, 2018), as in `direct` below,
// which is for tiles too small to repay packing. benchmarks/results/nearest_neighbours.json has the
// speed.
#include <immintrin.h>

#include "kernels/popcount_tile/isa.h"

// To the end of the file, because templates are instantiated there; for that reason nothing below
// uses a template of the standard library, which baseline code might end up sharing.
#pragma GCC target("avx2")

namespace hapforge::popcount_tile {
namespace {

enum class Op { kXor, kAnd };

std::size_t least(std::size_t x, std::size_t y) noexcept { return x < y ? x : y; }

// ---- packed rows against packed rows
// -------------------------------------------------------------

constexpr std::size_t kUnitWords = 3;     // 48 nibbles of at most 4: a byte holds their count
constexpr std::size_t kMostWords = 60;    // packed at a time, a multiple of kUnitWords
constexpr std::size_t kPackedWords = 64;  // that, up to a whole vector
constexpr std::size_t kNibbles = 16;      // of a word
constexpr std::size_t kColumns = 32;      // rows of b in a panel
constexpr std::size_t kPanels = 2;        // packed at a time
constexpr std::size_t kPairs = 3;         // of rows of a in a block
constexpr std::size_t kFewestRows = 4;    // of a that repay packing
constexpr std::size_t kFewestColumns = 12;

// entry[x | y << 4]: for v < 16, twice in a row, count(x, v) | count(y, v) << 4.
template <Op op>
struct Tables {
  alignas(32) std::uint8_t entry[256][32];

  constexpr Tables() : entry{} {
    for (unsigned xy = 0; xy < 256; ++xy) {
      for (unsigned v = 0; v < 32; ++v) {
        entry[xy][v] =
            static_cast<std::uint8_t>(count(xy & 15, v & 15) | count(xy >> 4, v & 15) << 4);
      }
    }
  }

  static constexpr unsigned count(unsigned x, unsigned v) {
    const unsigned bits = op == Op::kXor ? x ^ v : x & v;
    return (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3);
  }
};

template <Op op>
constexpr Tables<op> kTables{};

// Where in kTables the entry for each nibble of a pair of rows is, in bytes.
struct PackedPair {
  alignas(32) std::uint16_t offset[kPackedWords * kNibbles];
};

// Nibbles of 32 rows of b: nibble[16 w + n] is nibble n of word w of each.
struct Panel {
  alignas(32) std::uint8_t nibble[kMostWords * kNibbles][kColumns];
};

__m256i load(const void* p) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

void store(void* p, __m256i v) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

// The first `count` <= 4 words from `p`, then zeros.
__m256i load_words(const std::uint64_t* p, std::size_t count) noexcept {
  if (count >= 4) return load(p);
  const __m256i mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(count)),
                                          _mm256_setr_epi64x(0, 1, 2, 3));
  return _mm256_maskload_epi64(reinterpret_cast<const long long*>(p), mask);
}

// Words past the last one are zero up to a whole unit, here and in pack_panel.
void pack_pair(const std::uint64_t* x, const std::uint64_t* y, std::size_t words,
               PackedPair& packed) noexcept {
  const __m256i low = _mm256_set1_epi8(0x0F);
  for (std::size_t w = 0; w < words + kUnitWords - 1; w += 4) {
    const std::size_t left = words - least(w, words);
    const __m256i x_u8x32 = load_words(x + words - left, left);
    const __m256i y_u8x32 = load_words(y + words - left, left);
    const __m256i even = _mm256_or_si256(_mm256_and_si256(x_u8x32, low),
                                         _mm256_andnot_si256(low, _mm256_slli_epi16(y_u8x32, 4)));
    const __m256i odd = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(x_u8x32, 4), low),
                                        _mm256_andnot_si256(low, y_u8x32));
    const __m256i words02 = _mm256_unpacklo_epi8(even, odd);
    const __m256i words13 = _mm256_unpackhi_epi8(even, odd);
    const __m128i of_word[4] = {_mm256_castsi256_si128(words02), _mm256_castsi256_si128(words13),
                                _mm256_extracti128_si256(words02, 1),
                                _mm256_extracti128_si256(words13, 1)};
    for (std::size_t i = 0; i < 4; ++i) {
      store(packed.offset + (w + i) * kNibbles,
            _mm256_slli_epi16(_mm256_cvtepu8_epi16(of_word[i]), 5));
    }
  }
}

// The first row stands in for rows there are not; their counts are not kept.
void pack_panel(const std::uint64_t* rows, std::size_t num_rows, std::size_t stride,
                std::size_t words, Panel& panel) noexcept {
  const __m256i by_byte = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15,  //
                                           0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const __m256i low = _mm256_set1_epi8(0x0F);
  const std::uint64_t* row[kColumns];
  for (std::size_t c = 0; c < kColumns; ++c) row[c] = rows + (c < num_rows ? c * stride : 0);
  for (std::size_t w = 0; w < words; ++w) {
    const auto word = [&](std::size_t c) noexcept { return static_cast<long long>(row[c][w]); };
    __m256i v[8];  // v[i]: rows 2 i and 2 i + 1, in the other lane 16 more, byte by byte
    for (std::size_t i = 0; i < 8; ++i) {
      v[i] = _mm256_shuffle_epi8(
          _mm256_setr_epi64x(word(2 * i), word(2 * i + 1), word(2 * i + 16), word(2 * i + 17)),
          by_byte);
    }
    __m256i x[8];
    for (std::size_t i = 0; i < 4; ++i) {
      x[i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
      x[i + 4] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
    __m256i y[8];  // bytes {0, 1}, {2, 3}, {4, 5}, {6, 7} of eight rows, then of the other eight
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t h = 0; h < 2; ++h) {
        y[4 * h + 2 * i] = _mm256_unpacklo_epi32(x[4 * i + 2 * h], x[4 * i + 2 * h + 1]);
        y[4 * h + 2 * i + 1] = _mm256_unpackhi_epi32(x[4 * i + 2 * h], x[4 * i + 2 * h + 1]);
      }
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const __m256i bytes[2] = {_mm256_unpacklo_epi64(y[i], y[i + 4]),
                                _mm256_unpackhi_epi64(y[i], y[i + 4])};
      for (std::size_t h = 0; h < 2; ++h) {
        std::uint8_t* nibble = panel.nibble[w * kNibbles + 2 * (2 * i + h)];
        store(nibble, _mm256_and_si256(bytes[h], low));
        store(nibble + kColumns, _mm256_and_si256(_mm256_srli_epi16(bytes[h], 4), low));
      }
    }
  }
  for (std::size_t w = words; w % kUnitWords != 0; ++w) {
    for (std::size_t n = 0; n < kNibbles; ++n) {
      store(panel.nibble[w * kNibbles + n], _mm256_setzero_si256());
    }
  }
}

// Adds bytes to 16-bit sums of columns 0-7, 16-23, 8-15, 24-31.
[[gnu::always_inline]] inline void widen(__m256i bytes, std::uint16_t* sum) noexcept {
  const __m256i zero = _mm256_setzero_si256();
  store(sum, _mm256_add_epi16(load(sum), _mm256_unpacklo_epi8(bytes, zero)));
  store(sum + 16, _mm256_add_epi16(load(sum + 16), _mm256_unpackhi_epi8(bytes, zero)));
}

// Sums of 2 kPairs rows and a panel over `units` units of words.
template <Op op>
[[gnu::noinline]] void block(const PackedPair* a, const Panel& b, std::size_t units,
                             std::uint16_t (*sum)[kColumns]) noexcept {
  const auto* table = reinterpret_cast<const std::uint8_t*>(kTables<op>.entry);
  const __m256i low = _mm256_set1_epi8(0x0F);
  for (std::size_t r = 0; r < 2 * kPairs; ++r) {
    store(sum[r], _mm256_setzero_si256());
    store(sum[r] + 16, _mm256_setzero_si256());
  }
  for (std::size_t unit = 0; unit < units; ++unit) {
    __m256i bytes[kPairs] = {};
    __m256i high[kPairs] = {};
    const std::size_t begin = unit * kUnitWords * kNibbles;
    for (std::size_t n = begin; n < begin + kUnitWords * kNibbles; n += 3) {
      __m256i v0 = load(b.nibble[n]);
      __m256i v1 = load(b.nibble[n + 1]);
      __m256i v2 = load(b.nibble[n + 2]);
      asm("" : "+x"(v0), "+x"(v1), "+x"(v2));  // in registers: GCC would load them for every pair
#pragma GCC unroll 4
      for (std::size_t p = 0; p < kPairs; ++p) {
        const std::uint16_t* at = a[p].offset + n;
        const __m256i s = _mm256_add_epi8(_mm256_shuffle_epi8(load(table + at[0]), v0),
                                          _mm256_shuffle_epi8(load(table + at[1]), v1));
        const __m256i three = _mm256_add_epi8(s, _mm256_shuffle_epi8(load(table + at[2]), v2));
        bytes[p] = _mm256_add_epi8(bytes[p], three);
        high[p] = _mm256_add_epi8(high[p], _mm256_and_si256(_mm256_srli_epi16(three, 4), low));
      }
    }
    for (std::size_t p = 0; p < kPairs; ++p) {
      const __m256i high_fields = _mm256_andnot_si256(low, _mm256_slli_epi16(high[p], 4));
      widen(_mm256_sub_epi8(bytes[p], high_fields), sum[2 * p]);
      widen(high[p], sum[2 * p + 1]);
    }
  }
}

// out = count, or out += count, for the first `num` <= 8.
[[gnu::always_inline]] inline void add_counts(const std::uint16_t* count, std::size_t num,
                                              bool first, std::uint32_t* out) noexcept {
  __m256i v = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(count)));
  if (num == 8) {
    store(out, first ? v : _mm256_add_epi32(load(out), v));
    return;
  }
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(num)),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  auto* to = reinterpret_cast<int*>(out);
  if (!first) v = _mm256_add_epi32(_mm256_maskload_epi32(to, mask), v);
  _mm256_maskstore_epi32(to, mask, v);
}

// Words [begin, end) of rows [row, row + 2 kPairs) of a against the packed panels from `column`.
template <Op op>
void block_row(const Tile& t, std::size_t row, std::size_t column, std::size_t num_columns,
               std::size_t begin, std::size_t end, const Panel* panels) noexcept {
  const std::size_t num_rows = least(2 * kPairs, t.rows_a - row);
  PackedPair a[kPairs];
  for (std::size_t p = 0; p < kPairs; ++p) {
    const auto words_of = [&](std::size_t r) noexcept {
      return t.a + (row + (r < num_rows ? r : 0)) * t.words + begin;
    };
    pack_pair(words_of(2 * p), words_of(2 * p + 1), end - begin, a[p]);
  }
  const std::size_t units = (end - begin + kUnitWords - 1) / kUnitWords;
  for (std::size_t j = 0; j < num_columns; j += kColumns) {
    alignas(32) std::uint16_t sum[2 * kPairs][kColumns];
    block<op>(a, panels[j / kColumns], units, sum);
    const std::size_t columns = least(kColumns, num_columns - j);
    for (std::size_t r = 0; r < num_rows; ++r) {
      std::uint32_t* out = t.out + (row + r) * t.out_stride + column + j;
      for (std::size_t c = 0; c < columns; c += 8) {
        const std::uint16_t* eight = sum[r] + ((c & 8) << 1 | (c & 16) >> 1);
        add_counts(eight, least(8, columns - c), begin == 0, out + c);
      }
    }
  }
}

template <Op op>
void packed_tile(const Tile& t) noexcept {
  Panel panels[kPanels];
  for (std::size_t column = 0; column < t.rows_b; column += kPanels * kColumns) {
    const std::size_t num_columns = least(kPanels * kColumns, t.rows_b - column);
    std::size_t begin = 0;
    do {  // once for rows of no words, to write their zeros
      const std::size_t end = begin + least(kMostWords, t.words - begin);
      for (std::size_t j = 0; j < num_columns; j += kColumns) {
        pack_panel(t.b + (column + j) * t.words + begin, least(kColumns, num_columns - j), t.words,
                   end - begin, panels[j / kColumns]);
      }
      for (std::size_t row = 0; row < t.rows_a; row += 2 * kPairs) {
        block_row<op>(t, row, column, num_columns, begin, end, panels);
      }
      begin = end;
    } while (begin < t.words);
  }
}

// ---- one row against a few
// -----------------------------------------------------------------------

// Set bits of every byte.
__m256i count_bytes(__m256i v) noexcept {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  const __m256i low = _mm256_and_si256(v, nibble);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
  return _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
}

template <Op op, int kFew>
void direct(const Tile& t, std::size_t row, std::size_t column) noexcept {
  const std::uint64_t* a = t.a + row * t.words;
  const std::uint64_t* b = t.b + column * t.words;
  __m256i sum[kFew] = {};
  for (std::size_t w = 0; w < t.words; w += 4) {
    const __m256i a_u64x4 = load_words(a + w, t.words - w);
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kFew; ++c) {
      const __m256i b_u64x4 = load_words(b + c * t.words + w, t.words - w);
      const __m256i bits =
          op == Op::kXor ? _mm256_xor_si256(a_u64x4, b_u64x4) : _mm256_and_si256(a_u64x4, b_u64x4);
      sum[c] = _mm256_add_epi64(sum[c], _mm256_sad_epu8(count_bytes(bits), _mm256_setzero_si256()));
    }
  }
  std::uint32_t* out = t.out + row * t.out_stride + column;
  for (std::size_t c = 0; c < kFew; ++c) {
    const __m128i halves =
        _mm_add_epi64(_mm256_castsi256_si128(sum[c]), _mm256_extracti128_si256(sum[c], 1));
    out[c] = static_cast<std::uint32_t>(_mm_cvtsi128_si64(halves) + _mm_extract_epi64(halves, 1));
  }
}

template <Op op>
void tile(const Tile& t) noexcept {
  if (t.rows_a >= kFewestRows && t.rows_b >= kFewestColumns) {
    packed_tile<op>(t);
    return;
  }
  for (std::size_t row = 0; row < t.rows_a; ++row) {
    std::size_t column = 0;
    for (; column + 4 <= t.rows_b; column += 4) direct<op, 4>(t, row, column);
    for (; column < t.rows_b; ++column) direct<op, 1>(t, row, column);
  }
}

// ---- counts against limits
// -----------------------------------------------------------------------

// Bit j of the result: count[j] < limit[j], of 8.
std::uint64_t mask_of_8(__m256i count, __m256i limit) noexcept {
  const __m256i not_below = _mm256_cmpeq_epi32(_mm256_max_epu32(count, limit), count);
  return static_cast<std::uint64_t>(~_mm256_movemask_ps(_mm256_castsi256_ps(not_below)) & 0xFF);
}

void below(const Comparison& c) noexcept {
  for (std::size_t i = 0; i < c.rows; ++i) {
    const std::uint32_t* count = c.count + i * c.stride;
    const std::uint32_t* column_limit = c.column_limit != nullptr ? c.column_limit : count;
    const __m256i row_limit = _mm256_set1_epi32(static_cast<int>(c.row_limit[i]));
    std::uint64_t row_mask = 0;
    std::uint64_t column_mask = 0;
    std::size_t j = 0;
    for (; j + 8 <= c.columns; j += 8) {
      row_mask |= mask_of_8(load(count + j), row_limit) << j;
      column_mask |= mask_of_8(load(count + j), load(column_limit + j)) << j;
    }
    for (; j < c.columns; ++j) {
      row_mask |= std::uint64_t{count[j] < c.row_limit[i]} << j;
      column_mask |= std::uint64_t{count[j] < column_limit[j]} << j;
    }
    c.row_mask[i] = row_mask;
    c.column_mask[i] = column_mask;
  }
}

}  // namespace

const Kernels avx2_kernels{tile<Op::kXor>, tile<Op::kAnd>, below};

}  // namespace hapforge::popcount_tile
