// three_point: listed triplets, and all triplets of a block.
#include <algorithm>
#include <bit>
#include <vector>

#include "core/thread_pool.h"
#include "core/word_buffer.h"
#include "kernels/three_point/kernel.h"

namespace hapforge::three_point {
namespace {

constexpr std::size_t kTripletsPerTask = 512;
constexpr std::size_t kRowsPerTask = 256;
constexpr std::size_t kRowsPerTile = 4;

constexpr std::size_t num_blocks(std::size_t size, std::size_t block) noexcept {
  return (size + block - 1) / block;
}

void wide_finish_row(const Row& row) noexcept {
  for (std::size_t k = 0; k < row.size; ++k) {
    row.out[k] = wide_correlation(row.num_haplotypes, row.c_i, row.c_j, row.c_k[k],
                                  {row.n_ij, row.n_ik[k], row.n_jk[k], row.n_ijk[k]}, row.negate);
  }
}

// Columns [first, row's words) of 64 rows as planes: 64 words, one per column, from `to` on.
class Transposer {
 public:
  Transposer(const BitMatrixView& m, std::size_t first_word, const pack::Kernels& packing) noexcept
      : m_(m), first_word_(first_word), packing_(packing) {}

  void add(std::size_t row) noexcept { rows_[size_++] = row; }
  bool full() const noexcept { return size_ == kBitsPerWord; }
  bool empty() const noexcept { return size_ == 0; }

  // The plane of the rows added so far; bits of rows that are missing are zero.
  void write(std::uint64_t* plane) noexcept {
    std::uint64_t in[kBitsPerWord];
    for (std::size_t w = first_word_; w < words_for_bits(m_.num_sites); ++w) {
      for (std::size_t r = 0; r < size_; ++r) in[r] = m_.row(rows_[r])[w];
      std::fill(in + size_, in + kBitsPerWord, 0);
      packing_.transpose_block(in, plane + w * kBitsPerWord);
    }
    size_ = 0;
  }

 private:
  const BitMatrixView& m_;
  std::size_t first_word_;
  const pack::Kernels& packing_;
  std::size_t rows_[kBitsPerWord];
  std::size_t size_ = 0;
};

// What the tasks of block() share.
struct Block {
  const BitMatrixView& m;
  Planes planes;               // of all haplotypes
  const std::uint32_t* pairs;  // n_jk, planes.stride squared
  const std::uint32_t* carriers;
  bool negate;
  double* out;
  const Kernels& kernels;
  const pack::Kernels& packing;
};

// Scratch of a thread.
struct Scratch {
  WordBuffer planes;  // of half the haplotypes
  std::vector<std::uint32_t> pairs_of_i;
  std::vector<std::uint32_t> tile;
};

// All triplets that start with site i.
void block_of_first(const Block& b, std::size_t i, Scratch& scratch) noexcept {
  const std::size_t stride = b.planes.stride;
  const auto n = static_cast<std::uint32_t>(b.m.num_rows);
  // With REF the rarer allele, the site is turned around, and with it the sign.
  const bool turned = b.carriers[i] > n / 2;
  Transposer transposer(b.m, i / kBitsPerWord, b.packing);
  std::size_t num_planes = 0;
  for (std::size_t w = 0; w < b.planes.num_words; ++w) {
    std::uint64_t bits = b.planes.words[w * stride + i];
    if (turned) bits = ~bits;
    if (turned && n - w * kBitsPerWord < kBitsPerWord) bits &= (std::uint64_t{1} << n % 64) - 1;
    for (; bits != 0; bits &= bits - 1) {
      transposer.add(w * kBitsPerWord + static_cast<std::size_t>(std::countr_zero(bits)));
      if (transposer.full()) transposer.write(scratch.planes.data() + num_planes++ * stride);
    }
  }
  if (!transposer.empty()) transposer.write(scratch.planes.data() + num_planes++ * stride);

  const std::uint32_t* pairs_of_i = b.pairs + i * stride;
  if (turned) {
    for (std::size_t k = 0; k < b.m.num_sites; ++k) {
      scratch.pairs_of_i[k] = b.carriers[k] - pairs_of_i[k];
    }
    pairs_of_i = scratch.pairs_of_i.data();
  }
  const std::size_t num_sites = b.m.num_sites;
  const std::size_t after_i = tetrahedron(num_sites) - tetrahedron(num_sites - i);
  const auto finish = n <= kMostExact ? b.kernels.finish_row : wide_finish_row;
  for (std::size_t j = i + 1; j + 1 < num_sites; j += kRowsPerTile) {
    const std::size_t rows = std::min(kRowsPerTile, num_sites - 1 - j);
    std::uint32_t* tile = scratch.tile.data();
    b.kernels.count_pairs({scratch.planes.data(), num_planes, stride},
                          {j, rows, (j + 1) / 8 * 8, num_blocks(num_sites, 8) * 8, tile, stride});
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t row = j + r;
      const std::size_t k = row + 1;
      const std::size_t to = after_i + triangle(num_sites - i - 1) - triangle(num_sites - row);
      finish({n, turned ? n - b.carriers[i] : b.carriers[i], b.carriers[row], pairs_of_i[row],
              b.carriers + k, pairs_of_i + k, b.pairs + row * stride + k, tile + r * stride + k,
              num_sites - k, b.negate != turned, b.out + to});
    }
  }
}

}  // namespace

void triplets(const BitMatrixView& m, const std::int64_t* triplets, std::size_t num_triplets,
              bool negate, double* out, const Kernels& kernels, const pack::Kernels& packing,
              std::size_t threads) {
  // The sites that occur, ascending, and where each stands among them.
  std::vector<std::uint8_t> occurs(m.num_sites);
  for (std::size_t t = 0; t < 3 * num_triplets; ++t) {
    occurs[static_cast<std::size_t>(triplets[t])] = 1;
  }
  std::vector<std::int64_t> index;
  std::vector<std::int64_t> row_of(m.num_sites);
  for (std::size_t j = 0; j < m.num_sites; ++j) {
    row_of[j] = static_cast<std::int64_t>(index.size());
    if (occurs[j] != 0) index.push_back(static_cast<std::int64_t>(j));
  }
  const std::size_t words_per_row = num_blocks(words_for_bits(m.num_rows), kPadWords) * kPadWords;
  WordBuffer words(index.size() * words_per_row);
  pack::transpose_columns(m, index, words.data(), words_per_row, packing, threads);
  const SiteRows sites{words.data(), index.size(), words_per_row};

  std::vector<std::uint32_t> carriers(sites.num_rows);
  parallel_for(num_blocks(sites.num_rows, kRowsPerTask), threads,
               [&](std::size_t task, std::size_t) noexcept {
                 const std::size_t begin = task * kRowsPerTask;
                 const std::size_t size = std::min(kRowsPerTask, sites.num_rows - begin);
                 kernels.count_rows({sites.words + begin * words_per_row, size, words_per_row},
                                    carriers.data() + begin);
               });
  const auto n = static_cast<std::uint32_t>(m.num_rows);
  const bool exact = n <= kMostExact;
  parallel_for(num_blocks(num_triplets, kTripletsPerTask), threads,
               [&](std::size_t task, std::size_t) noexcept {
                 std::int64_t of[3 * kTripletsPerTask] = {};
                 Counts counts[kTripletsPerTask];
                 const std::size_t begin = task * kTripletsPerTask;
                 const std::size_t size = std::min(kTripletsPerTask, num_triplets - begin);
                 for (std::size_t t = 0; t < 3 * size; ++t) {
                   of[t] = row_of[static_cast<std::size_t>(triplets[3 * begin + t])];
                 }
                 kernels.count_triplets(sites, of, size, counts);
                 for (std::size_t t = 0; t < size; ++t) {
                   const std::uint32_t c_i = carriers[static_cast<std::size_t>(of[3 * t])];
                   const std::uint32_t c_j = carriers[static_cast<std::size_t>(of[3 * t + 1])];
                   const std::uint32_t c_k = carriers[static_cast<std::size_t>(of[3 * t + 2])];
                   out[begin + t] =
                       exact ? exact_correlation(n, c_i, c_j, c_k, counts[t], negate ? -1 : 1)
                             : wide_correlation(n, c_i, c_j, c_k, counts[t], negate);
                 }
               });
}

void block(const BitMatrixView& m, bool negate, double* out, const Kernels& kernels,
           const pack::Kernels& packing, std::size_t threads) {
  if (m.num_sites < 3) return;
  const std::size_t stride = words_for_bits(m.num_sites) * kBitsPerWord;
  const std::size_t num_words = words_for_bits(m.num_rows);
  WordBuffer words(num_words * stride);
  parallel_for(num_words, threads, [&](std::size_t w, std::size_t) noexcept {
    Transposer transposer(m, 0, packing);
    const std::size_t end = std::min(m.num_rows, (w + 1) * kBitsPerWord);
    for (std::size_t row = w * kBitsPerWord; row < end; ++row) transposer.add(row);
    transposer.write(words.data() + w * stride);
  });
  const Planes planes{words.data(), num_words, stride};
  std::vector<std::uint32_t> pairs(stride * stride);
  parallel_for(
      num_blocks(m.num_sites, kRowsPerTile), threads, [&](std::size_t task, std::size_t) noexcept {
        const std::size_t row = task * kRowsPerTile;
        const std::size_t rows = std::min(kRowsPerTile, m.num_sites - row);
        kernels.count_pairs(planes, {row, rows, 0, stride, pairs.data() + row * stride, stride});
      });
  std::vector<std::uint32_t> carriers(m.num_sites);
  for (std::size_t i = 0; i < m.num_sites; ++i) carriers[i] = pairs[i * stride + i];

  const Block shared{m, planes, pairs.data(), carriers.data(), negate, out, kernels, packing};
  const std::size_t firsts = m.num_sites - 2;
  std::vector<Scratch> scratch;
  for (std::size_t slot = 0; slot < num_slots(firsts, threads); ++slot) {
    scratch.push_back({WordBuffer(words_for_bits(m.num_rows / 2 + 1) * stride),
                       std::vector<std::uint32_t>(m.num_sites),
                       std::vector<std::uint32_t>(kRowsPerTile * stride)});
  }
  parallel_for(firsts, threads, [&](std::size_t i, std::size_t slot) noexcept {
    block_of_first(shared, i, scratch[slot]);
  });
}

}  // namespace hapforge::three_point
