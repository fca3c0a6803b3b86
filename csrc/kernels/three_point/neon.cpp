// three_point with NEON: cnt counts the bits of 16 bytes.
//
// Sums are kept as bytes: at most 8 a step, so they are widened every 31 steps, before 255 can be
// passed. In a block two columns stand side by side in the lanes.
#include <arm_neon.h>

#include "kernels/three_point/finish_row.h"
#include "kernels/three_point/isa.h"

namespace hapforge::three_point {
namespace {

constexpr std::size_t kLanes = 2;
constexpr std::size_t kMostSteps = 31;

uint8x16_t load(const std::uint64_t* p) noexcept { return vreinterpretq_u8_u64(vld1q_u64(p)); }

uint8x16_t add_bits(uint8x16_t sum, uint8x16_t bits) noexcept {
  return vaddq_u8(sum, vcntq_u8(bits));
}

std::size_t chunk_end(std::size_t begin, std::size_t end, std::size_t size) noexcept {
  return end - begin < size ? end : begin + size;
}

void count_rows(const SiteRows& rows, std::uint32_t* counts) noexcept {
  const std::size_t words = rows.words_per_row;
  for (std::size_t r = 0; r < rows.num_rows; ++r) {
    const std::uint64_t* row = rows.words + r * words;
    counts[r] = 0;
    for (std::size_t begin = 0; begin < words; begin += kMostSteps * kLanes) {
      const std::size_t end = chunk_end(begin, words, kMostSteps * kLanes);
      uint8x16_t sum = vdupq_n_u8(0);
      for (std::size_t w = begin; w < end; w += kLanes) {
        sum = add_bits(sum, load(row + w));
      }
      counts[r] += vaddlvq_u8(sum);
    }
  }
}

void count_triplets(const SiteRows& rows, const std::int64_t* triplets, std::size_t size,
                    Counts* counts) noexcept {
  const std::size_t words = rows.words_per_row;
  for (std::size_t t = 0; t < size; ++t) {
    const std::uint64_t* i = rows.row(triplets[3 * t]);
    const std::uint64_t* j = rows.row(triplets[3 * t + 1]);
    const std::uint64_t* k = rows.row(triplets[3 * t + 2]);
    Counts total{};
    for (std::size_t begin = 0; begin < words; begin += kMostSteps * kLanes) {
      const std::size_t end = chunk_end(begin, words, kMostSteps * kLanes);
      uint8x16_t ij = vdupq_n_u8(0);
      uint8x16_t ik = ij;
      uint8x16_t jk = ij;
      uint8x16_t ijk = ij;
      for (std::size_t w = begin; w < end; w += kLanes) {
        const uint8x16_t i_u8x16 = load(i + w);
        const uint8x16_t j_u8x16 = load(j + w);
        const uint8x16_t k_u8x16 = load(k + w);
        const uint8x16_t ij_u8x16 = vandq_u8(i_u8x16, j_u8x16);
        ij = add_bits(ij, ij_u8x16);
        ik = add_bits(ik, vandq_u8(i_u8x16, k_u8x16));
        jk = add_bits(jk, vandq_u8(j_u8x16, k_u8x16));
        ijk = add_bits(ijk, vandq_u8(ij_u8x16, k_u8x16));
      }
      total.ij += vaddlvq_u8(ij);
      total.ik += vaddlvq_u8(ik);
      total.jk += vaddlvq_u8(jk);
      total.ijk += vaddlvq_u8(ijk);
    }
    counts[t] = total;
  }
}

// Adds the counts over planes [begin, end), at most kMostSteps of them.
void block(const Planes& planes, std::size_t begin, std::size_t end, std::size_t row,
           std::size_t column, std::uint32_t* out) noexcept {
  uint8x16_t sum[4] = {vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0)};
  for (std::size_t w = begin; w < end; ++w) {
    const std::uint64_t* plane = planes.words + w * planes.stride;
    const uint8x16_t j_u8x16 = vreinterpretq_u8_u64(vdupq_n_u64(plane[row]));
    for (std::size_t v = 0; v < 4; ++v) {
      sum[v] = add_bits(sum[v], vandq_u8(j_u8x16, load(plane + column + kLanes * v)));
    }
  }
  for (std::size_t v = 0; v < 4; ++v) {
    std::uint32_t* to = out + column + kLanes * v;
    const uint32x2_t counts = vmovn_u64(vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(sum[v]))));
    vst1_u32(to, begin == 0 ? counts : vadd_u32(counts, vld1_u32(to)));
  }
}

void count_pairs(const Planes& planes, const PairTile& tile) noexcept {
  for (std::size_t r = 0; r < tile.num_rows; ++r) {
    std::uint32_t* out = tile.out + r * tile.out_stride;
    for (std::size_t k = tile.begin; k < tile.end; k += 4 * kLanes) {
      std::size_t begin = 0;
      do {  // once for no planes, to write the zeros
        const std::size_t end = chunk_end(begin, planes.num_words, kMostSteps);
        block(planes, begin, end, tile.row + r, k, out);
        begin = end;
      } while (begin < planes.num_words);
    }
  }
}

}  // namespace

const Kernels neon_kernels{count_rows, count_triplets, count_pairs, finish_row};

}  // namespace hapforge::three_point
