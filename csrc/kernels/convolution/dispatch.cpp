// convolution: the implementations, fastest first, and their scratch.
#include <array>
#include <memory>

#include "core/cpu_features.h"
#include "kernels/convolution/isa.h"

namespace hapforge::convolution {
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

using Scratch = std::unique_ptr<float[]>;  // not filled

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

void forward(const Shape& shape, const float* x, const float* w, float* y, const Kernels& kernels) {
  const Scratch scratch(new float[kPanelFloats + shape.out * kernels.columns]);
  kernels.forward(shape, x, w, y, scratch.get());
}

void transposed(const Shape& shape, const float* y, const float* w, float* x,
                const Kernels& kernels) {
  const Scratch scratch(new float[kPanelFloats + 2 * shape.in * kernels.columns]);
  kernels.transposed(shape, y, w, x, scratch.get());
}

void by_weight(const Shape& shape, const float* x, const float* y, float* w,
               const Kernels& kernels) {
  const std::size_t sums = shape.out * padded_columns(shape, kernels.columns);
  const std::size_t turned = rows_turned(shape) * places_turned(shape) * shape.in;
  // The last tile is read whole.
  const Scratch scratch(new float[sums + turned + kernels.columns]);
  kernels.by_weight(shape, x, y, w, scratch.get());
}

}  // namespace hapforge::convolution
