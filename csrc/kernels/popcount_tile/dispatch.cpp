// popcount_tile: the implementations, fastest first.
#include <array>

#include "core/cpu_features.h"
#include "kernels/popcount_tile/isa.h"

namespace hapforge::popcount_tile {
namespace {

const std::array kAll = {
    Implementation<Kernels>{"scalar", cpu::always, scalar_kernels},
};

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

}  // namespace hapforge::popcount_tile
