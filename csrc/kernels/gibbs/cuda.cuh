// gibbs on the device: the fields of 256 chains x 64 units of a layer by the int8 tensor cores,
// and what becomes of them, in the registers of a block's threads.
//
// Weights are balanced digits of base 256, -128 to 127: W = d0 + 256 d1 + ..., one digit for
// |W| <= 127, two up to 32,639, three up to 8,355,711, else four. Bits times digits are summed in
// int32 over all in-units, the highest digit first; between digits the sums are shifted by 8 bits.
// All of it is modulo 2^32, and the fields fit an int32 (bounds.h): the same integers as on the
// CPU.
//
// Bits lie in groups of 128 units: the 16 bytes of chain 0, of chain 1, ..., then the next group.
// The bits of a thread become bytes, right before they are multiplied, by a shift and a mask, as
// word t of a group is all that a thread with t = lane % 4 has to provide: its 32 bits, taken eight
// apart, are its bytes of four multiplications. Weights stand in that order (unit_at).
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "core/cuda_primitives.cuh"
#include "kernels/gibbs/unit_draw.h"
#include "kernels/popcount_tile/cuda.cuh"

namespace hapforge::gibbs {

inline constexpr std::size_t kGroupUnits = 128;  // in-units of a step of the sums
inline constexpr std::size_t kGroupWords = kGroupUnits / 32;
inline constexpr unsigned kTileChains = 256;
inline constexpr unsigned kTileUnits = 64;
inline constexpr std::size_t kStepBytes = kTileUnits * kGroupUnits;  // of weights
inline constexpr unsigned kStepChunks = kStepBytes / 16;

HAPFORGE_HOST_DEVICE constexpr std::size_t divide_up(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}
// At least one, so that sums without terms need no code of their own.
HAPFORGE_HOST_DEVICE constexpr std::size_t groups_of(std::size_t units) {
  return units == 0 ? 1 : divide_up(units, kGroupUnits);
}

// A layer of out-units, whose number is filled up with weights and biases of 0 to one of tiles.
struct DeviceLayer {
  // [tile][digit, the highest first][group][unit of the tile][128 in-units], with the chunks of 16
  // of a unit in the order that suits shared memory (chunk_of)
  const unsigned char* digits;
  const std::int32_t* bias;
  std::size_t num_out, num_in;
  unsigned num_digits;

  __host__ __device__ std::size_t tiles() const { return divide_up(num_out, kTileUnits); }
  __host__ __device__ std::size_t groups() const { return groups_of(num_in); }
};

// Where chunk c of unit u of a tile stands: so that eight units at the same c are in all banks.
__device__ inline unsigned chunk_of(unsigned unit, unsigned chunk) {
  return unit * 8 + (chunk ^ (unit & 7));
}

// ---- weights ------------------------------------------------------------------------------------

// weights[out * out_stride + in * in_stride], one of the strides 1.
struct DeviceWeights {
  const std::int32_t* weights;
  std::size_t num_out, num_in, out_stride, in_stride;
};

// 32 out-units by a group of in-units; a block for each.
struct WeightTile {
  static constexpr int kThreads = 256;
  static constexpr unsigned kUnits = 32;
  std::int32_t at[kUnits][kGroupUnits + 1];

  __host__ __device__ static std::size_t blocks(const DeviceWeights& w) {
    return divide_up(w.num_out, kTileUnits) * (kTileUnits / kUnits) * groups_of(w.num_in);
  }
  __device__ static std::size_t group(const DeviceWeights& w) {
    return blockIdx.x % groups_of(w.num_in);
  }
  __device__ static std::size_t first_out(const DeviceWeights& w) {
    return blockIdx.x / groups_of(w.num_in) * kUnits;
  }

  // Zero where a unit does not exist.
  __device__ void load(const DeviceWeights& w) {
    const std::size_t from_out = first_out(w), from_in = group(w) * kGroupUnits;
    for (unsigned i = threadIdx.x; i < kUnits * kGroupUnits; i += kThreads) {
      const bool along_in = w.in_stride == 1;
      const unsigned out = along_in ? i / kGroupUnits : i % kUnits;
      const unsigned in = along_in ? i % kGroupUnits : i / kUnits;
      const bool exists = from_out + out < w.num_out && from_in + in < w.num_in;
      at[out][in] =
          exists ? w.weights[(from_out + out) * w.out_stride + (from_in + in) * w.in_stride] : 0;
    }
    __syncthreads();
  }
};

// Of each out-unit the largest magnitude of a weight, and the sum of all of them and the bias.
struct MeasureWeights {
  static constexpr int kThreads = WeightTile::kThreads;

  DeviceWeights weights;
  const std::int32_t* bias;
  unsigned* largest;        // zero at the start
  unsigned long long* sum;  // likewise

  std::size_t blocks() const { return WeightTile::blocks(weights); }

  __device__ void operator()() const {
    __shared__ WeightTile tile;
    tile.load(weights);
    constexpr unsigned kPerUnit = kThreads / WeightTile::kUnits;
    const unsigned unit = threadIdx.x / kPerUnit, part = threadIdx.x % kPerUnit;
    unsigned most = 0;
    unsigned long long total = 0;
    for (unsigned in = part; in < kGroupUnits; in += kPerUnit) {
      const unsigned one = magnitude(tile.at[unit][in]);
      most = one > most ? one : most;
      total += one;
    }
    HAPFORGE_UNROLL
    for (int lanes = kPerUnit / 2; lanes > 0; lanes /= 2) {
      const unsigned other = __shfl_xor_sync(0xFFFFFFFF, most, lanes);
      most = other > most ? other : most;
      total += __shfl_xor_sync(0xFFFFFFFF, total, lanes);
    }
    const std::size_t out = WeightTile::first_out(weights) + unit;
    if (part != 0 || out >= weights.num_out) return;
    if (WeightTile::group(weights) == 0) total += magnitude(bias[out]);
    atomicMax(largest + out, most);
    atomicAdd(sum + out, total);
  }

 private:
  __device__ static unsigned magnitude(std::int32_t x) {
    return x < 0 ? 0U - static_cast<unsigned>(x) : static_cast<unsigned>(x);
  }
};

// Weights to digits in the order of DeviceLayer.
struct MakeDigits {
  static constexpr int kThreads = WeightTile::kThreads;

  DeviceWeights weights;
  unsigned num_digits;
  unsigned char* digits;

  std::size_t blocks() const { return WeightTile::blocks(weights); }

  __device__ void operator()() const {
    __shared__ WeightTile tile;
    tile.load(weights);
    const std::size_t groups = groups_of(weights.num_in);
    const std::size_t first_out = WeightTile::first_out(weights);
    unsigned char* of_tile = digits + first_out / kTileUnits * num_digits * groups * kStepBytes;
    constexpr unsigned kWords = kGroupUnits / 4;  // four weights at a time
    for (unsigned i = threadIdx.x; i < WeightTile::kUnits * kWords; i += kThreads) {
      const unsigned unit = i / kWords, place = i % kWords * 4;
      std::int32_t left[4];
      HAPFORGE_UNROLL
      for (unsigned b = 0; b < 4; ++b) left[b] = tile.at[unit][unit_at(place + b)];
      const unsigned in_tile = first_out % kTileUnits + unit;
      const unsigned byte = chunk_of(in_tile, place / 16) * 16 + place % 16;
      for (unsigned d = num_digits; d-- > 0;) {  // the lowest digit first
        std::uint32_t four = 0;
        HAPFORGE_UNROLL
        for (unsigned b = 0; b < 4; ++b) {
          four |= (static_cast<std::uint32_t>(left[b]) & 0xFF) << 8 * b;
          left[b] = (left[b] + 128) >> 8;
        }
        *reinterpret_cast<std::uint32_t*>(
            of_tile + (d * groups + WeightTile::group(weights)) * kStepBytes + byte) = four;
      }
    }
  }

 private:
  // The in-unit of a group at a place of its 128: multiplication s (of four) takes of thread t its
  // bits 2 s, 2 s + 8, 2 s + 16 and 2 s + 24, then the next ones, and those are places
  // 32 s + 4 t to 32 s + 4 t + 3, then 32 s + 16 + 4 t and so on.
  __device__ static unsigned unit_at(unsigned place) { return place % 16 * 8 + place / 16; }
};

// ---- bits ---------------------------------------------------------------------------------------

// Rows of words, one a chain, to groups; what lies behind the last word is zero.
struct GroupUnits {
  static constexpr int kThreads = 256;

  const unsigned long long* words;
  std::size_t num_chains, words_per_row, num_groups;
  unsigned long long* groups;

  std::size_t blocks() const { return divide_up(num_groups * num_chains * 2, kThreads); }

  __device__ void operator()() const {
    const std::size_t to = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    const std::size_t chain = to / 2 % num_chains, word = to / 2 / num_chains * 2 + to % 2;
    if (to >= num_groups * num_chains * 2) return;
    groups[to] = word < words_per_row ? words[chain * words_per_row + word] : 0;
  }
};

// The way back.
struct UngroupUnits {
  static constexpr int kThreads = 256;

  const unsigned long long* groups;
  std::size_t num_chains, words_per_row;
  unsigned long long* words;

  std::size_t blocks() const { return divide_up(num_chains * words_per_row, kThreads); }

  __device__ void operator()() const {
    const std::size_t to = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (to >= num_chains * words_per_row) return;
    const std::size_t chain = to / words_per_row, word = to % words_per_row;
    words[to] = groups[(word / 2 * num_chains + chain) * 2 + word % 2];
  }
};

// Word `word` of 32 units of a chain.
__host__ __device__ inline std::size_t word_at(std::size_t word, std::size_t chain,
                                               std::size_t num_chains) {
  return (word / kGroupWords * num_chains + chain) * kGroupWords + word % kGroupWords;
}

// The bits of a word of 32 units that exist.
__device__ inline std::uint32_t existing_units(std::size_t word, std::size_t num_units) {
  const std::size_t first = word * 32;
  if (first + 32 <= num_units) return 0xFFFFFFFF;
  return first < num_units ? (1U << (num_units - first)) - 1 : 0;
}

// ---- fields -------------------------------------------------------------------------------------

// 256 chains by 64 units of a block; each of its eight warps has 32 x 64, each thread 64 fields: a
// multiplication takes 16 chains by 8 units.
struct FieldTile {
  static constexpr int kThreads = 256;
  static constexpr int kStages = 4;

  // 48 KiB.
  struct Stages {
    uint4 bits[kStages][kTileChains];
    uint4 weights[kStages][kStepChunks];
  };
  // [word of 32 units and half of the chains][8 units of the word][of a multiplication]
  using Fields = std::int32_t[4][4][4];

  DeviceLayer layer;
  const uint4* bits;       // groups of the in-units
  std::size_t num_chains;  // below 2^31
  unsigned first_chain, first_unit;

  __host__ __device__ static std::size_t blocks(const DeviceLayer& layer, std::size_t num_chains) {
    return layer.tiles() * divide_up(num_chains, kTileChains);
  }
  // Tile blockIdx.x: neighbours share their units.
  __device__ static FieldTile of_block(const DeviceLayer& layer, const uint4* bits,
                                       std::size_t num_chains) {
    const auto chain_tiles = static_cast<unsigned>(divide_up(num_chains, kTileChains));
    return {layer, bits, num_chains, blockIdx.x % chain_tiles * kTileChains,
            blockIdx.x / chain_tiles * kTileUnits};
  }

  // fields: those of this thread. A warp whose chains do not exist only helps with the copies; its
  // fields are anything.
  __device__ void compute(Stages& stages, Fields& fields) const {
    for_all(fields, [](std::int32_t& field, int, int, int) { field = 0; });
    const auto groups = static_cast<unsigned>(layer.groups());
    const unsigned steps = groups * layer.num_digits;
    // Behind the last chain it is taken again; nobody asks for those fields.
    const unsigned last = static_cast<unsigned>(num_chains) - 1;
    const unsigned own = first_chain + threadIdx.x < last ? first_chain + threadIdx.x : last;
    const uint4* weights =
        reinterpret_cast<const uint4*>(layer.digits) +
        (std::size_t{first_unit / kTileUnits} * steps * kStepChunks + threadIdx.x);
    unsigned next_group = 0;
    const auto fetch = [&](unsigned step) {
      const unsigned stage = step % kStages;
      cuda::copy_16_async(&stages.bits[stage][threadIdx.x],
                          bits + (std::size_t{next_group} * num_chains + own));
      uint4* to = &stages.weights[stage][threadIdx.x];
      cuda::copy_16_async(to, weights);
      cuda::copy_16_async(to + kThreads, weights + kThreads);
      weights += kStepChunks;
      next_group = next_group + 1 < groups ? next_group + 1 : 0;
    };
    for (unsigned step = 0; step < kStages - 1; ++step) {
      if (step < steps) fetch(step);
      cuda::commit_copies();
    }
    unsigned group = 0;
    for (unsigned step = 0; step < steps; ++step, ++group) {
      cuda::wait_copies<kStages - 2>();
      __syncthreads();  // this step's data are here, and nobody reads those of the step before
      if (step + kStages - 1 < steps) fetch(step + kStages - 1);
      cuda::commit_copies();
      if (idle()) continue;
      if (group == groups) {  // the next digit
        group = 0;
        for_all(fields, [](std::int32_t& field, int, int, int) {
          field = static_cast<std::int32_t>(static_cast<std::uint32_t>(field) << 8);
        });
      }
      add_group(stages, step % kStages, fields);
    }
    for_all(fields, [this](std::int32_t& field, int part, int n, int i) {
      field = static_cast<std::int32_t>(static_cast<std::uint32_t>(field) +
                                        static_cast<std::uint32_t>(layer.bias[unit(part, n, i)]));
    });
  }

  // No chain of this warp exists.
  __device__ bool idle() const { return first_chain + warp_chain() >= num_chains; }

  // Of this thread's fields[part][.][i]; it may lie behind the last one.
  __device__ std::size_t chain(int part, int i) const {
    return first_chain + warp_chain() + 16 * (part % 2) + 8 * (i / 2) + threadIdx.x % 32 / 4;
  }
  // Of this thread's fields[part][n][i]; it may lie behind the last one.
  __device__ std::size_t unit(int part, int n, int i) const {
    return first_unit + 32 * (part / 2) + 8 * n + 2 * (threadIdx.x % 4) + i % 2;
  }

  // visit(field, part, n, i)
  template <class Visit>
  __device__ static void for_all(Fields& fields, Visit visit) {
    HAPFORGE_UNROLL
    for (int part = 0; part < 4; ++part) {
      HAPFORGE_UNROLL
      for (int n = 0; n < 4; ++n) {
        HAPFORGE_UNROLL
        for (int i = 0; i < 4; ++i) visit(fields[part][n][i], part, n, i);
      }
    }
  }

 private:
  __device__ static unsigned warp_chain() { return threadIdx.x / 32 * 32; }

  __device__ static void add_group(const Stages& stages, unsigned stage, Fields& fields) {
    constexpr std::uint32_t kOnes = 0x01010101;
    const unsigned lane = threadIdx.x % 32;
    // Of chains g, g + 8, g + 16, g + 24, with g = lane / 4, word lane % 4.
    const cuda::Fragment4 words = cuda::load_matrices(stages.bits[stage] + threadIdx.x);
    const unsigned unit = lane % 8 + lane / 16 * 8;
    HAPFORGE_UNROLL
    for (int s = 0; s < 4; ++s) {
      cuda::Fragment4 bytes[2];
      HAPFORGE_UNROLL
      for (int i = 0; i < 4; ++i) {
        bytes[i / 2].r[i % 2] = words.r[i] >> 2 * s & kOnes;
        bytes[i / 2].r[i % 2 + 2] = words.r[i] >> (2 * s + 1) & kOnes;
      }
      HAPFORGE_UNROLL
      for (int n = 0; n < 8; n += 2) {
        // Matrices: both chunks of units 0 to 7, then of units 8 to 15.
        const cuda::Fragment4 two = cuda::load_matrices(
            stages.weights[stage] + chunk_of(unit + 8 * n, 2 * s + lane / 8 % 2));
        HAPFORGE_UNROLL
        for (int m = 0; m < 2; ++m) {
          std::int32_t (&to)[4][4] = fields[n / 4 * 2 + m];
          cuda::add_products(to[n % 4], bytes[m], {{two.r[0], two.r[1]}});
          cuda::add_products(to[n % 4 + 1], bytes[m], {{two.r[2], two.r[3]}});
        }
      }
    }
  }
};

// fields[u * num_chains + c] of all out-units u.
struct WriteFields {
  static constexpr int kThreads = FieldTile::kThreads;

  DeviceLayer layer;
  const uint4* bits;
  std::size_t num_chains;
  std::int32_t* fields;

  std::size_t blocks() const { return FieldTile::blocks(layer, num_chains); }

  __device__ void operator()() const {
    __shared__ FieldTile::Stages stages;
    const FieldTile tile = FieldTile::of_block(layer, bits, num_chains);
    FieldTile::Fields found;
    tile.compute(stages, found);
    FieldTile::for_all(found, [&](std::int32_t field, int part, int n, int i) {
      const std::size_t unit = tile.unit(part, n, i), chain = tile.chain(part, i);
      if (unit < layer.num_out && chain < num_chains) fields[unit * num_chains + chain] = field;
    });
  }
};

// ---- draws --------------------------------------------------------------------------------------

// Draw, with the keys made.
struct DeviceDraw {
  explicit DeviceDraw(const Draw& draw)
      : keys(philox::round_keys(static_cast<std::uint32_t>(draw.seed),
                                static_cast<std::uint32_t>(draw.seed >> 32))),
        step(draw.step),
        layer(draw.layer),
        fixed_point_bits(draw.fixed_point_bits) {}

  // Those of four units of a chain.
  __device__ philox::Words words(std::size_t block, std::size_t chain) const {
    return philox::philox4x32(
        {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(chain), step, layer}},
        keys);
  }

  philox::RoundKeys keys;
  std::uint32_t step, layer;
  int fixed_point_bits;
};

// Half a step: the out-units given the in-units, but for the bits that are held.
//
// A thread's fields of units 8 n + 2 t and 8 n + 2 t + 1 of a word of 32, n = 0 to 3 and
// t = lane % 4, are those that two Philox blocks serve, t and 4 + t of the eight of the word.
struct DrawUnits {
  static constexpr int kThreads = FieldTile::kThreads;

  DeviceLayer layer;
  const uint4* bits;
  std::size_t num_chains;
  std::uint32_t first_chain;  // the number of chain 0
  DeviceDraw draw;
  const std::uint32_t* held;  // null where none is
  std::uint32_t* out;

  std::size_t blocks() const { return FieldTile::blocks(layer, num_chains); }

  __device__ void operator()() const {
    __shared__ FieldTile::Stages stages;
    const FieldTile tile = FieldTile::of_block(layer, bits, num_chains);
    FieldTile::Fields fields;
    tile.compute(stages, fields);
    if (tile.idle()) return;
    const unsigned t = threadIdx.x % 4;
    std::uint32_t drawn = 0;  // of four chains, two bits of each byte each
    HAPFORGE_ROLLED  // the code of all 64 draws would not fit the cache, nor its values the
                     // registers
        for (int part = 0; part < 4; ++part) {
      const std::size_t word = tile.first_unit / 32 + part / 2;
      HAPFORGE_UNROLL
      for (int low = 0; low < 2; ++low) {
        std::uint32_t two = 0;
        HAPFORGE_UNROLL
        for (int half = 0; half < 2; ++half) {
          const philox::Words uniform =
              draw.words(8 * word + 4 * half + t, first_chain + tile.chain(part, 2 * low));
          HAPFORGE_UNROLL
          for (int i = 0; i < 4; ++i) {
            const int n = half + i / 2 * 2, odd = i % 2;
            const std::int32_t field = fields[0][n][2 * low + odd];
            const std::uint32_t found = draw_bit_30(field, uniform.w[i], draw.fixed_point_bits);
            two |= found >> (30 - 8 * n - odd) & 1U << (8 * n + odd);
          }
        }
        drawn |= two << (part % 2 * 4 + low * 2);
      }
      if (part % 2 == 1) {
        store(tile.chain(0, 0) + 8 * t, word, turn(drawn, t));
        drawn = 0;
      }
      HAPFORGE_UNROLL
      for (int next = 1; next < 4; ++next) {
        HAPFORGE_UNROLL
        for (int n = 0; n < 4; ++n) {
          HAPFORGE_UNROLL
          for (int i = 0; i < 4; ++i) fields[next - 1][n][i] = fields[next][n][i];
        }
      }
    }
  }

 private:
  // Four threads have, of every byte of the words of four chains, two bits each: those of chain c
  // at 2 c. Thread t gets those of chain t, of thread u at 2 u: the chain's word.
  __device__ static std::uint32_t turn(std::uint32_t bits, unsigned t) {
    std::uint32_t other = __shfl_xor_sync(0xFFFFFFFF, bits, 1);
    bits = t % 2 == 1 ? (bits & 0xCCCCCCCC) | (other >> 2 & 0x33333333)
                      : (bits & 0x33333333) | (other << 2 & 0xCCCCCCCC);
    other = __shfl_xor_sync(0xFFFFFFFF, bits, 2);
    return t / 2 == 1 ? (bits & 0xF0F0F0F0) | (other >> 4 & 0x0F0F0F0F)
                      : (bits & 0x0F0F0F0F) | (other << 4 & 0xF0F0F0F0);
  }

  __device__ void store(std::size_t chain, std::size_t word, std::uint32_t drawn) const {
    if (chain >= num_chains) return;
    const std::size_t at = word_at(word, chain, num_chains);
    const std::uint32_t fixed = held == nullptr ? 0 : held[at];
    const std::uint32_t kept = fixed == 0 ? 0 : out[at] & fixed;
    out[at] = kept | (drawn & ~fixed & existing_units(word, layer.num_out));
  }
};

// Units that are 1 with probability 1/2: a start. A thread for each word of 32 units.
struct DrawStart {
  static constexpr int kThreads = 256;

  std::size_t num_units, num_chains;
  std::uint32_t first_chain;
  DeviceDraw draw;
  std::uint32_t* out;

  std::size_t blocks() const { return divide_up(divide_up(num_units, 32) * num_chains, kThreads); }

  __device__ void operator()() const {
    const std::size_t unit = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    const std::size_t word = unit / num_chains, chain = unit % num_chains;
    if (word * 32 >= num_units) return;
    std::uint32_t drawn = 0;
    for (unsigned block = 0; block < 8; ++block) {
      const philox::Words uniform = draw.words(8 * word + block, first_chain + chain);
      HAPFORGE_UNROLL
      for (unsigned i = 0; i < 4; ++i) {
        const std::uint32_t one = draw_unit(0, uniform.w[i], draw.fixed_point_bits);
        drawn |= one << (2 * block + i / 2 * 16 + i % 2);
      }
    }
    out[word_at(word, chain, num_chains)] = drawn & existing_units(word, num_units);
  }
};

// ---- counts -------------------------------------------------------------------------------------

// counts[i * b.num_rows + j]: bits that row i of a and row j of b share.
struct CountTiles {
  static constexpr int kThreads = popcount_tile::PairTile::kThreads;

  popcount_tile::DeviceRows a, b;
  long long* counts;

  std::size_t blocks() const {
    return popcount_tile::PairTile::tiles(a.num_rows) * popcount_tile::PairTile::tiles(b.num_rows);
  }

  __device__ void operator()() const {
    using popcount_tile::PairTile;
    __shared__ PairTile::Stages stages;
    const PairTile tile = PairTile::of_block(a, b);
    PairTile::Counts joint;
    tile.multiply(stages, joint);
    tile.for_each(joint, [&](std::size_t i, std::size_t j, std::uint32_t count) {
      counts[i * b.num_rows + j] = count;
    });
  }
};

struct WidenCounts {
  static constexpr int kThreads = 256;

  const std::uint32_t* counts;
  std::size_t num_counts;
  long long* wide;

  std::size_t blocks() const { return divide_up(num_counts, kThreads); }

  __device__ void operator()() const {
    const std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
    if (i < num_counts) wide[i] = counts[i];
  }
};

}  // namespace hapforge::gibbs
