// convolution as products of matrices, on the registers of the ISA of the file that includes it.
//
// A tile of the result is kept in registers: some rows (output channels) of some columns. Columns
// are places of all rows of the batch one after the other, copied to a panel that holds, for every
// channel and tap, the values that the columns take, or read where they are; weights are, too.
#pragma once

#include <array>
#include <utility>

#include "core/lanes.h"
#include "kernels/convolution/isa.h"

namespace hapforge::convolution {
namespace {

#if HAPFORGE_REGISTER == 16
constexpr std::size_t kRows = 12, kRegisters = 2;
#elif HAPFORGE_REGISTER == 8
constexpr std::size_t kRows = 6, kRegisters = 2;
#else
constexpr std::size_t kRows = 6, kRegisters = 4;
#endif
constexpr std::size_t kColumns = kRegisters * HAPFORGE_REGISTER;
constexpr std::size_t kHalf = kColumns / 2;
constexpr std::size_t kLine = 64 / sizeof(float);  // of the cache

// sums[m s_row + n] (+)= sum over p < outer, q < inner of
//   a[m a_row + p a_outer + q a_inner] b[p b_outer + q b_inner + n]
struct Product {
  const float* a;
  std::ptrdiff_t a_row, a_outer, a_inner;
  const float* b;
  std::ptrdiff_t b_outer, b_inner;
  std::size_t outer, inner;
  float* sums;
  std::ptrdiff_t s_row;
  bool adds;
};

template <std::size_t kM, std::size_t kN>
void multiply(const Product& p) noexcept {
  Register sums[kM][kN] = {};
  if (p.adds) {
#pragma GCC unroll 16
    for (std::size_t m = 0; m < kM; ++m) {
#pragma GCC unroll 4
      for (std::size_t n = 0; n < kN; ++n) {
        read(p.sums + static_cast<std::ptrdiff_t>(m) * p.s_row + n * HAPFORGE_REGISTER, sums[m][n]);
      }
    }
  }
  const float* a[(kM + 2) / 3];  // three rows share an address
  for (std::size_t g = 0; g < (kM + 2) / 3; ++g) {
    a[g] = p.a + static_cast<std::ptrdiff_t>(3 * g) * p.a_row;
  }
  const float* b = p.b;
  const auto inner = static_cast<std::ptrdiff_t>(p.inner);
  const std::ptrdiff_t a_next = p.a_outer - inner * p.a_inner;
  const std::ptrdiff_t b_next = p.b_outer - inner * p.b_inner;
  for (std::size_t o = 0; o < p.outer; ++o, b += b_next) {
    for (std::size_t i = 0; i < p.inner; ++i, b += p.b_inner) {
      Register values[kN];
      for (std::size_t n = 0; n < kN; ++n) read(b + n * HAPFORGE_REGISTER, values[n]);
#pragma GCC unroll 16
      for (std::size_t m = 0; m < kM; ++m) {
        Register factor;
        spread(a[m / 3][static_cast<std::ptrdiff_t>(m % 3) * p.a_row], factor);
#pragma GCC unroll 4
        for (std::size_t n = 0; n < kN; ++n) {
          sums[m][n] = multiply_add(factor, values[n], sums[m][n]);
        }
      }
      for (std::size_t g = 0; g < (kM + 2) / 3; ++g) a[g] += p.a_inner;
    }
    for (std::size_t g = 0; g < (kM + 2) / 3; ++g) a[g] += a_next;
  }
#pragma GCC unroll 16
  for (std::size_t m = 0; m < kM; ++m) {
#pragma GCC unroll 4
    for (std::size_t n = 0; n < kN; ++n) {
      write(p.sums + static_cast<std::ptrdiff_t>(m) * p.s_row + n * HAPFORGE_REGISTER, sums[m][n]);
    }
  }
}

template <std::size_t kM>
void multiply_columns(const Product& p, std::size_t columns) noexcept {
  if (columns > kHalf) {
    multiply<kM, kRegisters>(p);
  } else {
    multiply<kM, kRegisters / 2>(p);
  }
}

// Of 1 to kRows rows.
constexpr auto kMultiply = []<std::size_t... kM>(std::index_sequence<kM...>) {
  return std::array{multiply_columns<kM + 1>...};
}(std::make_index_sequence<kRows>());

// `count` stretches of `length` values, `step` apart, that will be read or written next.
struct Stretches {
  const float* at;
  std::size_t step, count, length;

  // Asks the second cache (the first one is the panel's) for the first `some` of them, or all, and
  // goes on to those after them.
  void prefetch(std::size_t some) noexcept {
    some = some < count ? some : count;
    for (std::size_t k = 0; k < some; ++k) {
      for (std::size_t e = length; e > 0; e -= e < kLine ? e : kLine) {
        __builtin_prefetch(at + k * step + e - 1, 0, 2);
      }
    }
    leave_out(some);
  }

  void leave_out(std::size_t some) noexcept {
    count -= some;
    if (count > 0) at += some * step;
  }
};

// What the tile after this one reads and writes.
struct Next {
  Stretches read, written;
};

// All of `rows`, shared out evenly over as few tiles as hold them; between these what is next is
// asked for: hardware does not foresee as many stretches as there are channels.
void multiply_rows(Product p, std::size_t rows, std::size_t columns, Next& next) noexcept {
  for (std::size_t tiles = (rows + kRows - 1) / kRows; tiles > 0; --tiles) {
    next.read.prefetch((next.read.count + tiles - 1) / tiles);
    next.written.prefetch((next.written.count + tiles - 1) / tiles);
    const std::size_t some = (rows + tiles - 1) / tiles;
    kMultiply[some - 1](p, columns);
    rows -= some;
    p.a += static_cast<std::ptrdiff_t>(some) * p.a_row;
    p.sums += static_cast<std::ptrdiff_t>(some) * p.s_row;
  }
}

std::size_t smaller(std::size_t a, std::size_t b) noexcept { return a < b ? a : b; }

// Calls body(row, first, count, column) for the runs of consecutive places, of rows of `length`
// places, that the columns [begin, begin + columns) are.
template <class Body>
HAPFORGE_INLINE inline void each_run(std::size_t begin, std::size_t columns, std::size_t length,
                                     Body body) noexcept {
  std::size_t row = begin / length, place = begin % length;
  for (std::size_t column = 0; column < columns; ++row, place = 0) {
    const std::size_t count = smaller(length - place, columns - column);
    body(row, place, count, column);
    column += count;
  }
}

HAPFORGE_INLINE inline void copy(const float* from, std::size_t count, float* to) noexcept {
  for (std::size_t e = 0; e < count; e += kLanes) {
    const std::size_t n = smaller(count - e, kLanes);
    store(to + e, load(from + e, n), n);
  }
}

// At most sixteen columns of a panel row: lanes [from, end) are x at `offset` on, the others 0.
struct Piece {
  std::ptrdiff_t offset;
  std::size_t to, lanes, from, end;
};

// Channels [begin, end) of `all`.
struct Channels {
  std::size_t all, begin, end;
};

// The panel of columns [begin, begin + columns): for channel c of these and number s < shifts at
// row (c shifts + s), of column (row, place), x[row, c, place stride + s + least], 0 outside of the
// row.
template <std::size_t kStride>
void fill_panel(const float* x, const Channels& channels, std::size_t length, std::size_t places,
                std::size_t shifts, std::ptrdiff_t least, std::size_t begin, std::size_t columns,
                float* panel) noexcept {
  constexpr auto kStep = static_cast<std::ptrdiff_t>(kStride);
  each_run(begin, columns, places,
           [&](std::size_t row, std::size_t first, std::size_t count,
               std::size_t column) HAPFORGE_INLINE {
             Piece pieces[kTaps * (kColumns / kLanes)];
             std::size_t num_pieces = 0;
             for (std::size_t s = 0; s < shifts; ++s) {
               for (std::size_t e = 0; e < count; e += kLanes) {
                 const std::size_t n = smaller(count - e, kLanes);
                 const auto start = static_cast<std::ptrdiff_t>((first + e) * kStride + s) + least;
                 const std::ptrdiff_t before = start < 0 ? (-start + kStep - 1) / kStep : 0;
                 const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(length) - start;
                 const std::ptrdiff_t inside = left <= 0 ? 0 : (left + kStep - 1) / kStep;
                 const std::size_t from = smaller(static_cast<std::size_t>(before), n);
                 const std::size_t end = smaller(static_cast<std::size_t>(inside), n);
                 pieces[num_pieces++] = {start, s * kColumns + column + e, n, from,
                                         end < from ? from : end};
               }
             }
             // Channel by channel: rows are often about 4 KiB long, and lie in the same cache sets.
             const float* at = x + (row * channels.all + channels.begin) * length;
             float* to = panel;
             for (std::size_t c = channels.begin; c < channels.end; ++c) {
               for (std::size_t i = 0; i < num_pieces; ++i) {
                 const Piece& piece = pieces[i];
                 const float* p = at + piece.offset;
                 const Lanes v = kStride == 1 ? load_between(p, piece.from, piece.end)
                                              : load_every_other(p, piece.from, piece.end);
                 store(to + piece.to, v, piece.lanes);
               }
               at += length;
               to += shifts * kColumns;
             }
           });
  if (columns == kColumns) return;
  for (std::size_t k = 0; k < (channels.end - channels.begin) * shifts; ++k) {
    for (std::size_t n = columns; n < kColumns; ++n) panel[k * kColumns + n] = 0;
  }
}

// Channels whose panel stays in the first cache while all rows of a result are multiplied with it.
constexpr std::size_t kChannels = kPanelFloats / (kTaps * kColumns);

// Channels whose rows are read where they are, without a panel: rows of more are often in the same
// cache sets.
constexpr std::size_t kDirect = 24;

// Whether a tile of the places [first, first + columns) of a row is a whole one, which is written
// where the result is.
bool is_whole(std::size_t first, std::size_t columns, std::size_t length) noexcept {
  return columns == kColumns && first + kColumns <= length;
}

// Of rows of `channels` channels of `length` values, those of the columns [begin, begin + kColumns)
// that are in the row of the first; a column is a place, `stride` values.
Stretches stretches(const float* x, std::size_t rows, std::size_t channels, std::size_t length,
                    std::size_t places, std::size_t stride, std::size_t begin) noexcept {
  const std::size_t row = begin / places, first = begin % places * stride;
  if (row >= rows || first >= length) return {x, 0, 0, 0};
  return {x + row * channels * length + first, length, channels,
          smaller(kColumns * stride, length - first)};
}

// All of the rows [row, row + count), a line of the cache each.
Stretches whole_rows(const float* x, std::size_t row, std::size_t count,
                     std::size_t values) noexcept {
  return {x + row * values, kLine, count * values / kLine, 1};
}

// The first 1 / `parts` of them, which are left out of `all`.
Stretches some_of(Stretches& all, std::size_t parts) noexcept {
  Stretches some = all;
  some.count = (all.count + parts - 1) / parts;
  all.leave_out(some.count);
  return some;
}

void forward_all(const Shape& s, const float* x, const float* w, float* y,
                 float* scratch) noexcept {
  float* const panel = scratch;
  float* const tile = scratch + kPanelFloats;  // (out, columns)
  const std::size_t total = s.rows * s.out_length;
  const auto in = static_cast<std::ptrdiff_t>(s.in);
  constexpr auto kAll = static_cast<std::ptrdiff_t>(kColumns);
  const auto fill = s.stride == 1 ? fill_panel<1> : fill_panel<2>;
  for (std::size_t begin = 0; begin < total; begin += kColumns) {
    const std::size_t columns = smaller(kColumns, total - begin);
    const std::size_t row = begin / s.out_length, first = begin % s.out_length;
    Next next{stretches(x, s.rows, s.in, s.length, s.out_length, s.stride, begin + kColumns),
              stretches(y, s.rows, s.out, s.out_length, s.out_length, 1, begin + kColumns)};
    const bool whole = is_whole(first, columns, s.out_length);
    float* const sums = whole ? y + row * s.out * s.out_length + first : tile;
    const std::ptrdiff_t s_row = whole ? static_cast<std::ptrdiff_t>(s.out_length) : kAll;
    if (whole && s.stride == 1 && s.in <= kDirect && first >= s.padding &&
        first - s.padding + kColumns + kTaps - 1 <= s.length) {
      multiply_rows({w, 3 * in, 3, 1, x + row * s.in * s.length + (first - s.padding),
                     static_cast<std::ptrdiff_t>(s.length), 1, s.in, kTaps, sums, s_row, false},
                    s.out, columns, next);
      continue;
    }
    for (std::size_t c = 0; c < s.in; c += kChannels) {
      const Channels some{s.in, c, smaller(c + kChannels, s.in)};
      fill(x, some, s.length, s.out_length, kTaps, -static_cast<std::ptrdiff_t>(s.padding), begin,
           columns, panel);
      multiply_rows({w + c * kTaps, 3 * in, 3, 1, panel, 3 * kAll, kAll, some.end - c, kTaps, sums,
                     s_row, c > 0},
                    s.out, columns, next);
    }
    if (whole) continue;
    each_run(begin, columns, s.out_length,
             [&](std::size_t at, std::size_t place, std::size_t count, std::size_t column)
                 HAPFORGE_INLINE {
                   float* to = y + at * s.out * s.out_length + place;
                   for (std::size_t o = 0; o < s.out; ++o, to += s.out_length) {
                     copy(tile + o * kColumns + column, count, to);
                   }
                 });
  }
}

// Places l = stride q + r of x, for every r < stride, take places q + shift of y, one shift for
// each tap t with (r + padding - t) divisible by the stride.
void transposed_all(const Shape& s, const float* y, const float* w, float* x,
                    float* scratch) noexcept {
  float* const panel = scratch;
  float* const sums[2] = {scratch + kPanelFloats,
                          scratch + kPanelFloats + s.in * kColumns};  // (in, columns) for each r
  const std::size_t places = (s.length + s.stride - 1) / s.stride;
  const std::size_t total = s.rows * places;
  const auto in = static_cast<std::ptrdiff_t>(s.in);
  const auto stride = static_cast<std::ptrdiff_t>(s.stride);
  const auto padding = static_cast<std::ptrdiff_t>(s.padding);
  constexpr auto kAll = static_cast<std::ptrdiff_t>(kColumns);
  // Shifts from floor((padding - 2) / stride) on; the last is floor((stride - 1 + padding) /
  // stride).
  const std::ptrdiff_t least = stride == 1 ? padding - 2 : (padding == 0 ? -1 : 0);
  const std::size_t shifts = stride == 1 ? 3 : 2;
  for (std::size_t begin = 0; begin < total; begin += kColumns) {
    const std::size_t columns = smaller(kColumns, total - begin);
    const std::size_t row = begin / places, first = begin % places;
    Next next{stretches(y, s.rows, s.out, s.out_length, places, 1, begin + kColumns),
              stretches(x, s.rows, s.in, s.length, places, s.stride, begin + kColumns)};
    if (s.stride == 1 && s.out <= kDirect && is_whole(first, columns, s.length) &&
        first + s.padding + 1 >= kTaps && first + s.padding + kColumns <= s.out_length) {
      multiply_rows(
          {w, 3, 3 * in, 1, y + row * s.out * s.out_length + first + s.padding,
           static_cast<std::ptrdiff_t>(s.out_length), -1, s.out, kTaps,
           x + row * s.in * s.length + first, static_cast<std::ptrdiff_t>(s.length), false},
          s.in, columns, next);
      continue;
    }
    for (std::size_t c = 0; c < s.out; c += kChannels) {
      const Channels some{s.out, c, smaller(c + kChannels, s.out)};
      fill_panel<1>(y, some, s.out_length, places, shifts, least, begin, columns, panel);
      for (std::ptrdiff_t r = 0; r < stride; ++r) {
        const std::ptrdiff_t tap = (r + padding) % stride;  // the first; each next has a shift less
        const std::ptrdiff_t shift = (r + padding - tap) / stride;
        const auto taps = static_cast<std::size_t>((2 - tap) / stride + 1);
        multiply_rows({w + c * s.in * kTaps + tap, 3, 3 * in, stride,
                       panel + (shift - least) * kAll, static_cast<std::ptrdiff_t>(shifts) * kAll,
                       -kAll, some.end - c, taps, sums[r], kAll, c > 0},
                      s.in, columns, next);
      }
    }
    each_run(begin, columns, places,
             [&](std::size_t at, std::size_t place, std::size_t count, std::size_t column)
                 HAPFORGE_INLINE {
                   float* to = x + at * s.in * s.length + place * s.stride;
                   const std::size_t pairs =
                       smaller(count, s.length / 2 - smaller(place, s.length / 2));
                   for (std::size_t i = 0; i < s.in; ++i, to += s.length) {
                     const float* even = sums[0] + i * kColumns + column;
                     const float* odd = sums[1] + i * kColumns + column;
                     if (s.stride == 1) {
                       copy(even, count, to);
                       continue;
                     }
                     for (std::size_t e = 0; e < pairs; e += kLanes) {
                       const std::size_t n = smaller(pairs - e, kLanes);
                       store_interleaved(to + 2 * e, load(even + e, n), load(odd + e, n), n);
                     }
                     if (pairs < count) to[2 * pairs] = even[pairs];  // the end of an odd length
                   }
                 });
  }
}

// Rows [begin, end) of x by place, (rows, places, channels), so that the channels of three places
// in a row are columns; before the first and after the last place of a row are zeros.
void turn(const Shape& s, std::size_t begin, std::size_t end, std::size_t places, const float* x,
          float* turned) noexcept {
  for (std::size_t b = begin; b < end; ++b) {
    const float* from = x + b * s.in * s.length;
    float* to = turned + (b - begin) * places * s.in;
    const std::size_t before = s.padding * s.in, after = (s.padding + s.length) * s.in;
    for (std::size_t e = 0; e < before; ++e) to[e] = 0;
    for (std::size_t e = after; e < places * s.in; ++e) to[e] = 0;
    to += before;
    for (std::size_t first = 0; first < s.length; first += kLanes) {
      const std::size_t last = smaller(first + kLanes, s.length);
      for (std::size_t i = 0; i < s.in; ++i) {
        for (std::size_t l = first; l < last; ++l) to[l * s.in + i] = from[i * s.length + l];
      }
    }
  }
}

// Some rows at a time, which stay in the cache, are turned; sums are (out, padded columns), of
// columns (3, in).
void by_weight_all(const Shape& s, const float* x, const float* y, float* w,
                   float* scratch) noexcept {
  const std::size_t padded = padded_columns(s, kColumns);
  float* const sums = scratch;
  float* const turned = scratch + s.out * padded;
  const std::size_t places = places_turned(s);
  const auto in = static_cast<std::ptrdiff_t>(s.in);
  const auto out_length = static_cast<std::ptrdiff_t>(s.out_length);
  const std::size_t rows_at_once = rows_turned(s);
  const std::size_t tiles = (kTaps * s.in + kColumns - 1) / kColumns;
  for (std::size_t row = 0; row < s.rows; row += rows_at_once) {
    const std::size_t rows = smaller(rows_at_once, s.rows - row);
    turn(s, row, row + rows, places, x, turned);
    const std::size_t left = smaller(rows_at_once, s.rows - row - rows);
    Stretches x_next = whole_rows(x, row + rows, left, s.in * s.length);
    Stretches y_next = whole_rows(y, row + rows, left, s.out * s.out_length);
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      const std::size_t c = tile * kColumns;
      Next next{some_of(x_next, tiles - tile), some_of(y_next, tiles - tile)};
      multiply_rows(
          {y + row * s.out * s.out_length, out_length,
           static_cast<std::ptrdiff_t>(s.out) * out_length, 1, turned + c,
           static_cast<std::ptrdiff_t>(places) * in, static_cast<std::ptrdiff_t>(s.stride) * in,
           rows, s.out_length, sums + c, static_cast<std::ptrdiff_t>(padded), row > 0},
          s.out, smaller(kColumns, padded - c), next);
    }
  }
  for (std::size_t o = 0; o < s.out; ++o) {
    for (std::size_t i = 0; i < s.in; ++i) {
      for (std::size_t t = 0; t < kTaps; ++t) {
        w[(o * s.in + i) * kTaps + t] = sums[o * padded + t * s.in + i];
      }
    }
  }
}

constexpr Kernels kKernels{kColumns, forward_all, transposed_all, by_weight_all};

}  // namespace
}  // namespace hapforge::convolution
