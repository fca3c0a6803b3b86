// three_point: the implementations, fastest first.
#include <array>

#include "core/cpu_features.h"
#include "kernels/three_point/isa.h"

namespace hapforge::three_point {
namespace {

const std::array kAll = {
#if HAPFORGE_X86
    Implementation<Kernels>{"avx512", cpu::has_avx512_popcnt, avx512_kernels},
    Implementation<Kernels>{"avx2", cpu::has_avx2, avx2_kernels},
#endif
#if HAPFORGE_NEON
    Implementation<Kernels>{"neon", cpu::always, neon_kernels},
#endif
    Implementation<Kernels>{"scalar", cpu::always, scalar_kernels},
};

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

}  // namespace hapforge::three_point
