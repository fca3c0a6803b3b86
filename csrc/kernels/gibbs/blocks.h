// How gibbs walks a layer: parts of the chains that fit the caches, for each of them the quads of
// out-units in stripes of 32 and the groups of in-units in chunks.
#pragma once

#include <algorithm>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/thread_pool.h"
#include "kernels/gibbs/kernel.h"

namespace hapforge::gibbs {

inline constexpr std::size_t kIndexBytes = 16 << 20;  // of a part: in the last-level cache
inline constexpr std::size_t kMostWords = 48;  // of a part: the fields of 32 units stay in L2

inline std::size_t index_size(const Layer& layer) noexcept {
  return layer.num_groups() * kChains;  // of a word
}

// How chains are cut: into `count` parts of `size` words of 64, for as many threads as `slots`.
struct Parts {
  std::size_t words, size, count, slots;

  // As many words as share the making of tables, but no more than fit the caches, and `most_words`.
  Parts(std::size_t num_lanes, std::size_t index_per_word, std::size_t most_words,
        std::size_t threads) noexcept
      : words(words_for_bits(num_lanes)) {
    const std::size_t fitting =
        kIndexBytes / sizeof(std::uint16_t) / std::max<std::size_t>(1, index_per_word);
    const std::size_t most = std::clamp<std::size_t>(fitting, 1, most_words);
    const std::size_t share = std::max<std::size_t>(1, (words + threads - 1) / threads);
    const std::size_t rounds = (share + most - 1) / most;
    size = (share + rounds - 1) / rounds;
    count = (words + size - 1) / size;
    slots = num_slots(count, threads);
  }
};

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

inline void make_index(const Layer& layer, const std::uint64_t* bits, const Part& part,
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
inline void draw_word(const Layer& layer, std::size_t q, const std::int32_t* fields,
                      std::size_t word, const Chains& chains, const Draw& draw,
                      const std::uint64_t* held, std::uint64_t* out) noexcept {
  const std::size_t stride = words_for_bits(chains.num_chains);
  std::uint64_t bits[kQuad];
  layer.kernels().draw(fields, static_cast<std::uint32_t>(q),
                       chains.first_chain + static_cast<std::uint32_t>(word * kChains), draw, bits);
  for (std::size_t i = 0; i < kQuad && unit_of(q, i) < layer.num_out(); ++i) {
    const std::size_t at = unit_of(q, i) * stride + word;
    const std::uint64_t fixed = held == nullptr ? 0 : held[at];
    out[at] = ((out[at] & fixed) | (bits[i] & ~fixed)) & existing(word, chains.num_chains);
  }
}

inline bool all_held(const Layer& layer, std::size_t q, const Chains& chains,
                     const Part& part) noexcept {
  if (chains.clamp == nullptr) return false;
  for (std::size_t i = 0; i < kQuad && unit_of(q, i) < layer.num_out(); ++i) {
    const std::uint64_t* row = chains.clamp + unit_of(q, i) * part.stride;
    for (std::size_t w = part.first; w < part.first + part.count; ++w) {
      if (row[w] != existing(w, chains.num_chains)) return false;
    }
  }
  return true;
}

// Calls body(part, scratch, slot) for all parts.
template <class Body>
void for_parts(const Parts& parts, std::size_t index_per_word, const Kernels& kernels,
               std::size_t threads, Body body) {
  std::vector<Scratch> scratch;
  for (std::size_t slot = 0; slot < parts.slots; ++slot) {
    scratch.emplace_back(index_per_word, parts.size, kernels);
  }
  parallel_for(parts.count, threads, [&](std::size_t task, std::size_t slot) noexcept {
    const std::size_t first = task * parts.size;
    body(Part{parts.words, first, std::min(parts.size, parts.words - first)}, scratch[slot], slot);
  });
}

}  // namespace hapforge::gibbs
