// gibbs: the implementations, fastest first, and the blocked loops around them.
#include <algorithm>
#include <array>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/cpu_features.h"
#include "core/thread_pool.h"
#include "kernels/gibbs/kernel.h"

namespace hapforge::gibbs {
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

constexpr std::size_t kIndexBytes = 16 << 20;  // of a part: in the last-level cache
constexpr std::size_t kMostWords = 48;         // of a part: the fields of 32 units stay in L2

std::size_t index_size(const Layer& layer) noexcept {
  return layer.num_groups() * kChains;  // of a word
}

// Words of 64 lanes that one thread takes at a time: as many as share the making of tables.
std::size_t words_per_part(std::size_t words, std::size_t most_index,
                           std::size_t threads) noexcept {
  const std::size_t by_index =
      kIndexBytes / sizeof(std::uint16_t) / std::max<std::size_t>(1, most_index);
  const std::size_t most = std::clamp<std::size_t>(by_index, 1, kMostWords);
  const std::size_t share = (words + threads - 1) / threads;
  const std::size_t parts = (share + most - 1) / most;
  return std::max<std::size_t>(1, (share + parts - 1) / std::max<std::size_t>(1, parts));
}

// What a thread works in.
struct Scratch {
  std::vector<std::uint16_t> index;  // [word][group][64]
  std::vector<std::int16_t> tables;  // of a quad and a chunk of groups
  std::vector<std::int32_t> fields;  // [quad of 8][word][kFields]
  std::vector<std::uint64_t> rows;   // the last group's in-units, some of which do not exist

  Scratch(std::size_t index_per_word, std::size_t words, const Kernels& kernels)
      : index(index_per_word * words),
        tables(kernels.expand == nullptr ? 0 : kGroupsPerChunk * kQuad * kernels.table_entries),
        fields(kQuadsPerGroup * words * kFields),
        rows(kernels.group_units) {}
};

// Words [first, first + count) of unit-major rows.
struct Part {
  std::size_t stride, first, count;
};

void make_index(const Layer& layer, const std::uint64_t* bits, const Part& part,
                Scratch& scratch) noexcept {
  const std::size_t units = layer.kernels().group_units;
  const std::size_t whole = layer.num_in() / units;
  for (std::size_t w = 0; w < part.count; ++w) {
    const std::uint64_t* column = bits + part.first + w;
    std::uint16_t* index = scratch.index.data() + w * index_size(layer);
    layer.kernels().make_index(column, part.stride, whole, index);
    if (whole == layer.num_groups()) continue;
    for (std::size_t u = 0; u < units; ++u) {
      const std::size_t in = whole * units + u;
      scratch.rows[u] = in < layer.num_in() ? column[in * part.stride] : 0;
    }
    layer.kernels().make_index(scratch.rows.data(), 1, 1, index + whole * kChains);
  }
}

// Calls finish(quad, word, fields) for all fields of the layer, from scratch.index. skip(quad) says
// that nobody wants those of a quad.
template <class Skip, class Finish>
void for_fields(const Layer& layer, std::size_t num_words, Scratch& scratch, Skip skip,
                Finish finish) noexcept {
  const Kernels& kernels = layer.kernels();
  const std::size_t num_groups = layer.num_groups();
  for (std::size_t first = 0; first < layer.num_out(); first += kUnitsPerGroup) {
    std::size_t chunk = 0;
    do {  // once for a layer without in-units
      const std::size_t size = std::min(kGroupsPerChunk, num_groups - chunk);
      const bool last_chunk = chunk + size == num_groups;
      for (std::size_t i = 0; i < kQuadsPerGroup; ++i) {
        const std::size_t q = first / kUnitsPerGroup * kQuadsPerGroup + i;
        if (unit_of(q, 0) >= layer.num_out() || skip(q)) continue;
        const Layer::Quad& quad = layer.quad(q);
        const bool at_once = size == num_groups && quad.num_digits == 1;
        for (std::size_t d = 0; d < quad.num_digits; ++d) {
          const Layer::Digit& digit = quad.digits[d];
          const std::int16_t* tables = layer.seeds(digit) + chunk * kQuad * kSeeds;
          if (kernels.expand != nullptr) {
            kernels.expand(tables, size * kQuad, scratch.tables.data());
            tables = scratch.tables.data();
          }
          for (std::size_t w = 0; w < num_words; ++w) {
            const std::size_t at = at_once ? 0 : i * num_words + w;
            std::int32_t* fields = scratch.fields.data() + at * kFields;
            kernels.accumulate(tables,
                               scratch.index.data() + w * index_size(layer) + chunk * kChains, size,
                               digit.window, static_cast<std::int16_t>(digit.scale),
                               chunk == 0 && d == 0 ? quad.bias : nullptr, fields);
            if (last_chunk && d + 1 == quad.num_digits) finish(q, w, fields);
          }
        }
      }
      chunk += size;
    } while (chunk < num_groups);
  }
}

// Bits of a word of chains that exist.
constexpr std::uint64_t existing(std::size_t word, std::size_t num_chains) noexcept {
  const std::size_t left = num_chains - word * kChains;
  return left >= kChains ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
}

// Draws the out-units of a quad for one word, but for the bits that are held.
void draw_word(const Layer& layer, std::size_t q, const std::int32_t* fields, std::size_t word,
               const Chains& chains, const Draw& draw, const std::uint64_t* held,
               std::uint64_t* out) noexcept {
  const std::size_t stride = words_for_bits(chains.num_chains);
  std::uint64_t bits[kQuad];
  layer.kernels().draw(fields, static_cast<std::uint32_t>(q),
                       chains.first_chain + static_cast<std::uint32_t>(word * kChains), draw, bits);
  for (std::size_t i = 0; i < kQuad && unit_of(q, i) < layer.num_out(); ++i) {
    const std::size_t at = unit_of(q, i) * stride + word;
    const std::uint64_t fixed = held == nullptr ? 0 : held[at];
    out[at] = (out[at] & fixed) | (bits[i] & existing(word, chains.num_chains) & ~fixed);
  }
}

bool all_held(const Layer& layer, std::size_t q, const Chains& chains, const Part& part) noexcept {
  if (chains.clamp == nullptr) return false;
  for (std::size_t i = 0; i < kQuad && unit_of(q, i) < layer.num_out(); ++i) {
    const std::uint64_t* row = chains.clamp + unit_of(q, i) * part.stride;
    for (std::size_t w = part.first; w < part.first + part.count; ++w) {
      if (row[w] != existing(w, chains.num_chains)) return false;
    }
  }
  return true;
}

// Calls body(part, scratch) for all words, in parts that fit the threads.
template <class Body>
void for_parts(std::size_t num_lanes, std::size_t most_index, const Kernels& kernels,
               std::size_t threads, Body body) {
  const std::size_t words = words_for_bits(num_lanes);
  const std::size_t size = words_per_part(words, most_index, threads);
  const std::size_t tasks = (words + size - 1) / size;
  std::vector<Scratch> scratch(num_slots(tasks, threads),
                               Scratch(most_index, std::min(size, words), kernels));
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    const std::size_t first = task * size;
    body(Part{words, first, std::min(size, words - first)}, scratch[slot]);
  });
}

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

void fields(const Layer& layer, const std::uint64_t* bits, std::size_t num_lanes,
            std::int32_t* fields, std::size_t threads) {
  const auto one_part = [&](const Part& part, Scratch& scratch) noexcept {
    make_index(layer, bits, part, scratch);
    for_fields(
        layer, part.count, scratch, [](std::size_t) { return false; },
        [&](std::size_t q, std::size_t w, const std::int32_t* found) noexcept {
          std::int32_t ordered[kFields];
          layer.kernels().natural_order(found, ordered);
          const std::size_t lane = (part.first + w) * kChains;
          const std::size_t count = std::min(kChains, num_lanes - lane);
          for (std::size_t i = 0; i < kQuad && unit_of(q, i) < layer.num_out(); ++i) {
            std::copy_n(ordered + i * kChains, count, fields + unit_of(q, i) * num_lanes + lane);
          }
        });
  };
  for_parts(num_lanes, index_size(layer), layer.kernels(), threads, one_part);
}

void run(const Layer& to_hidden, const Layer& to_visible, const Chains& chains,
         std::size_t threads) {
  const auto half_step = [&](const Layer& layer, const std::uint64_t* in, std::uint64_t* out,
                             const std::uint64_t* held, const Draw& draw, const Part& part,
                             Scratch& scratch) noexcept {
    make_index(layer, in, part, scratch);
    for_fields(
        layer, part.count, scratch,
        [&](std::size_t q) { return held != nullptr && all_held(layer, q, chains, part); },
        [&](std::size_t q, std::size_t w, const std::int32_t* fields) noexcept {
          draw_word(layer, q, fields, part.first + w, chains, draw, held, out);
        });
  };
  const auto one_part = [&](const Part& part, Scratch& scratch) noexcept {
    for (std::uint32_t s = 0; s < chains.num_steps; ++s) {
      Draw draw{chains.seed, chains.first_step + s, kHidden, chains.fixed_point_bits};
      half_step(to_hidden, chains.visible, chains.hidden, nullptr, draw, part, scratch);
      draw.layer = kVisible;
      half_step(to_visible, chains.hidden, chains.visible, chains.clamp, draw, part, scratch);
    }
  };
  for_parts(chains.num_chains, std::max(index_size(to_hidden), index_size(to_visible)),
            to_hidden.kernels(), threads, one_part);
}

void draw_start(const Layer& to_visible, const Chains& chains, std::size_t threads) {
  const Draw draw{chains.seed, 0, kStart, chains.fixed_point_bits};
  const std::int32_t fields[kFields] = {};
  parallel_for(words_for_bits(chains.num_chains), threads,
               [&](std::size_t word, std::size_t) noexcept {
                 for (std::size_t q = 0; q < to_visible.num_quads(); ++q) {
                   draw_word(to_visible, q, fields, word, chains, draw, nullptr, chains.visible);
                 }
               });
}

void joint_counts(const BitMatrixView& visible, const BitMatrixView& hidden, std::int64_t* counts,
                  const popcount_tile::Kernels& kernels, std::size_t threads) {
  constexpr std::size_t kTile = 64;
  const std::size_t tasks = (visible.num_rows + kTile - 1) / kTile;
  std::vector<std::uint32_t> scratch(num_slots(tasks, threads) * kTile * kTile);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    std::uint32_t* found = scratch.data() + slot * kTile * kTile;
    const std::size_t first = task * kTile;
    const std::size_t rows = std::min(kTile, visible.num_rows - first);
    for (std::size_t j = 0; j < hidden.num_rows; j += kTile) {
      const std::size_t columns = std::min(kTile, hidden.num_rows - j);
      kernels.intersections(
          {visible.row(first), rows, hidden.row(j), columns, visible.words_per_row, found, kTile});
      for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(found + i * kTile, columns, counts + (first + i) * hidden.num_rows + j);
      }
    }
  });
}

}  // namespace hapforge::gibbs
