// three_point on plain 64-bit words. The x86-64 baseline has no popcnt instruction, so bits are
// counted within bytes, eight at a time (Hacker's Delight, section 5-1), and the byte sums, at most
// 8 a word, are added up every 31 words, before 255 can be passed.
#include "kernels/three_point/finish_row.h"
#include "kernels/three_point/isa.h"

namespace hapforge::three_point {
namespace {

constexpr std::size_t kMostSteps = 31;

// Set bits of each byte of v.
std::uint64_t count_bytes(std::uint64_t v) noexcept {
  v -= v >> 1 & 0x5555555555555555;
  v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
  return (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F;
}

std::uint32_t sum_bytes(std::uint64_t v) noexcept {
  const std::uint64_t pairs = (v & 0x00FF00FF00FF00FF) + (v >> 8 & 0x00FF00FF00FF00FF);
  return static_cast<std::uint32_t>(pairs * 0x0001000100010001 >> 48);
}

std::size_t chunk_end(std::size_t begin, std::size_t end) noexcept {
  return end - begin < kMostSteps ? end : begin + kMostSteps;
}

void count_rows(const SiteRows& rows, std::uint32_t* counts) noexcept {
  for (std::size_t r = 0; r < rows.num_rows; ++r) {
    const std::uint64_t* row = rows.words + r * rows.words_per_row;
    counts[r] = 0;
    for (std::size_t begin = 0; begin < rows.words_per_row; begin += kMostSteps) {
      std::uint64_t bytes = 0;
      for (std::size_t w = begin; w < chunk_end(begin, rows.words_per_row); ++w) {
        bytes += count_bytes(row[w]);
      }
      counts[r] += sum_bytes(bytes);
    }
  }
}

void count_triplets(const SiteRows& rows, const std::int64_t* triplets, std::size_t size,
                    Counts* counts) noexcept {
  for (std::size_t t = 0; t < size; ++t) {
    const std::uint64_t* i = rows.row(triplets[3 * t]);
    const std::uint64_t* j = rows.row(triplets[3 * t + 1]);
    const std::uint64_t* k = rows.row(triplets[3 * t + 2]);
    Counts sum{};
    for (std::size_t begin = 0; begin < rows.words_per_row; begin += kMostSteps) {
      std::uint64_t ij = 0;
      std::uint64_t ik = 0;
      std::uint64_t jk = 0;
      std::uint64_t ijk = 0;
      for (std::size_t w = begin; w < chunk_end(begin, rows.words_per_row); ++w) {
        ij += count_bytes(i[w] & j[w]);
        ik += count_bytes(i[w] & k[w]);
        jk += count_bytes(j[w] & k[w]);
        ijk += count_bytes(i[w] & j[w] & k[w]);
      }
      sum.ij += sum_bytes(ij);
      sum.ik += sum_bytes(ik);
      sum.jk += sum_bytes(jk);
      sum.ijk += sum_bytes(ijk);
    }
    counts[t] = sum;
  }
}

void count_pairs(const Planes& planes, const PairTile& tile) noexcept {
  for (std::size_t r = 0; r < tile.num_rows; ++r) {
    const std::uint64_t* row = planes.words + tile.row + r;
    for (std::size_t k = tile.begin; k < tile.end; ++k) {
      const std::uint64_t* column = planes.words + k;
      std::uint32_t sum = 0;
      for (std::size_t begin = 0; begin < planes.num_words; begin += kMostSteps) {
        std::uint64_t bytes = 0;
        for (std::size_t w = begin; w < chunk_end(begin, planes.num_words); ++w) {
          bytes += count_bytes(row[w * planes.stride] & column[w * planes.stride]);
        }
        sum += sum_bytes(bytes);
      }
      tile.out[r * tile.out_stride + k] = sum;
    }
  }
}

}  // namespace

const Kernels scalar_kernels{count_rows, count_triplets, count_pairs, finish_row};

}  // namespace hapforge::three_point
