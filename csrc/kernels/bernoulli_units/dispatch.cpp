// bernoulli_units: the implementations, fastest first, and the loop over chains.
#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/cpu_features.h"
#include "core/thread_pool.h"
#include "kernels/bernoulli_units/isa.h"

namespace hapforge::bernoulli_units {
namespace {

const std::array kAll = {
#if HAPFORGE_X86
    Implementation<Kernels>{"avx512", cpu::has_avx512, avx512_kernels},
    Implementation<Kernels>{"avx2", cpu::has_avx2, avx2_kernels},
#endif
    Implementation<Kernels>{"scalar", cpu::always, scalar_kernels},
};

constexpr std::size_t kChainsPerTask = 16;

// Calls one_chain(chain, words of that chain) for all chains, on whichever output was asked for.
template <class OneChain>
void for_each_chain(std::size_t num_chains, std::size_t num_units, std::uint64_t* words,
                    float* units, const Kernels& kernels, std::size_t threads, OneChain one_chain) {
  const std::size_t words_per_chain = words_for_bits(num_units);
  const std::size_t tasks = (num_chains + kChainsPerTask - 1) / kChainsPerTask;
  std::vector<std::uint64_t> scratch(
      units == nullptr ? 0 : num_slots(tasks, threads) * words_per_chain);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    const std::size_t end = std::min(num_chains, (task + 1) * kChainsPerTask);
    for (std::size_t c = task * kChainsPerTask; c < end; ++c) {
      std::uint64_t* bits =
          units == nullptr ? words + c * words_per_chain : scratch.data() + slot * words_per_chain;
      one_chain(c, bits);
      if (units != nullptr) kernels.expand(bits, num_units, units + c * num_units);
    }
  });
}

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

void draw(const std::int32_t* field, std::size_t num_chains, std::size_t num_units,
          const Draw& draw, std::uint64_t* words, float* units, const Kernels& kernels,
          std::size_t threads) {
  for_each_chain(num_chains, num_units, words, units, kernels, threads,
                 [&](std::size_t c, std::uint64_t* bits) noexcept {
                   kernels.draw_int32(field + c * num_units, num_units,
                                      draw.first_chain + static_cast<std::uint32_t>(c), draw, bits);
                 });
}

bool draw(const float* field, std::size_t num_chains, std::size_t num_units, const Draw& draw,
          std::uint64_t* words, float* units, const Kernels& kernels, std::size_t threads) {
  std::atomic<bool> exact{true};
  for_each_chain(
      num_chains, num_units, words, units, kernels, threads,
      [&](std::size_t c, std::uint64_t* bits) noexcept {
        if (!kernels.draw_float(field + c * num_units, num_units,
                                draw.first_chain + static_cast<std::uint32_t>(c), draw, bits)) {
          exact.store(false, std::memory_order_relaxed);
        }
      });
  return exact;
}

}  // namespace hapforge::bernoulli_units
