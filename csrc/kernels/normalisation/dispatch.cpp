// normalisation: the implementations, fastest first, and the loops over groups.
#include <array>
#include <vector>

#include "core/cpu_features.h"
#include "kernels/normalisation/isa.h"

namespace hapforge::normalisation {
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

Group group_of(const Shape& shape, const Scale& scale, std::size_t number) noexcept {
  const std::size_t channel = number % shape.channels;
  return {number * shape.length,         shape.over_rows ? shape.rows : 1,
          shape.channels * shape.length, shape.length,
          scale.weight[channel],         scale.bias[channel]};
}

}  // namespace

std::span<const Implementation<Kernels>> implementations() noexcept { return kAll; }

void forward(const Shape& shape, const Scale& scale, const float* x, float* z, Statistics out,
             const Kernels& kernels) noexcept {
  for (std::size_t i = 0; i < shape.groups(); ++i) {
    kernels.forward(group_of(shape, scale, i), x, z, out.mean + i, out.variance + i);
  }
}

void backward(const Shape& shape, const Scale& scale, const float* gz, const float* x,
              Statistics of_x, float* gx, float* gweight, float* gbias, const Kernels& kernels) {
  std::vector<double> of_scale(2 * shape.channels);
  for (std::size_t i = 0; i < shape.groups(); ++i) {
    kernels.backward(group_of(shape, scale, i), gz, x, of_x.mean[i], of_x.variance[i], gx,
                     of_scale.data() + 2 * (i % shape.channels));
  }
  for (std::size_t c = 0; c < shape.channels; ++c) {
    gweight[c] = static_cast<float>(of_scale[2 * c]);
    gbias[c] = static_cast<float>(of_scale[2 * c + 1]);
  }
}

void twice(const Shape& shape, const Scale& scale, const float* u, const float* gz, const float* x,
           Statistics of_x, float* of_gz, float* of_x_again, float* of_weight,
           const Kernels& kernels) {
  std::vector<double> sums(shape.channels);
  for (std::size_t i = 0; i < shape.groups(); ++i) {
    kernels.twice(group_of(shape, scale, i), u, gz, x, of_x.mean[i], of_x.variance[i], of_gz,
                  of_x_again, sums.data() + i % shape.channels);
  }
  for (std::size_t c = 0; c < shape.channels; ++c) of_weight[c] = static_cast<float>(sums[c]);
}

}  // namespace hapforge::normalisation
