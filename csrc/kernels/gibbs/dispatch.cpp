// gibbs: the implementations, fastest first, and what is made of their blocks.
#include <array>

#include "core/cpu_features.h"
#include "kernels/gibbs/blocks.h"

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

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

void fields(const Layer& layer, const std::uint64_t* bits, std::size_t num_lanes,
            std::int32_t* fields, std::size_t threads) {
  const auto one_part = [&](const Part& part, Scratch& scratch, std::size_t) noexcept {
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
  const Parts parts(num_lanes, index_size(layer), kMostWords, threads);
  for_parts(parts, index_size(layer), layer.kernels(), threads, one_part);
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
  const auto one_part = [&](const Part& part, Scratch& scratch, std::size_t) noexcept {
    for (std::uint32_t s = 0; s < chains.num_steps; ++s) {
      Draw draw{chains.seed, chains.first_step + s, kHidden, chains.fixed_point_bits};
      half_step(to_hidden, chains.visible, chains.hidden, nullptr, draw, part, scratch);
      draw.layer = kVisible;
      half_step(to_visible, chains.hidden, chains.visible, chains.clamp, draw, part, scratch);
    }
  };
  const std::size_t index = std::max(index_size(to_hidden), index_size(to_visible));
  const Parts parts(chains.num_chains, index, kMostWords, threads);
  for_parts(parts, index, to_hidden.kernels(), threads, one_part);
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
