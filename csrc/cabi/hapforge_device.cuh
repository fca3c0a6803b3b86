// hapforge_device.cuh: what kernels of other programs can call on a device, for one thread: packed
// rows compared, and the random draws of hapforge, bit for bit.
//
// Packed rows are as in hapforge.h: bit j of a row is bit j % 64 of word j / 64, bits past the last
// column are zero. Names, arguments and results do not change within HF_ABI_VERSION 1.
//
// The functions have C's names and calls, so that code which is not C++ can link them (numba.cuda:
// hapforge.kernels.numba_cuda). A text for NVRTC defines them; where nvcc compiles several files
// that include this one, each has its own. HF_DEVICE_API says otherwise.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/philox.h"
#include "kernels/gibbs/unit_draw.h"

#if !defined(HF_DEVICE_API)
#if defined(__CUDACC_RTC__)
#define HF_DEVICE_API extern "C" __device__
#else
#define HF_DEVICE_API extern "C" __device__ inline
#endif
#endif

// Bits in which two rows differ; fewer than 2^32.
HF_DEVICE_API std::uint32_t hf_device_hamming_distance(const std::uint64_t* a,
                                                       const std::uint64_t* b,
                                                       std::uint64_t num_words) {
  std::uint32_t sum = 0;
  for (std::uint64_t i = 0; i < num_words; ++i) {
    sum += static_cast<std::uint32_t>(__popcll(a[i] ^ b[i]));
  }
  return sum;
}

// Bits that two rows share; fewer than 2^32.
HF_DEVICE_API std::uint32_t hf_device_joint_count(const std::uint64_t* a, const std::uint64_t* b,
                                                  std::uint64_t num_words) {
  std::uint32_t sum = 0;
  for (std::uint64_t i = 0; i < num_words; ++i) {
    sum += static_cast<std::uint32_t>(__popcll(a[i] & b[i]));
  }
  return sum;
}

// The four words of Philox4x32-10 at counter (c0, c1, c2, c3) under the key `seed`, low half first.
HF_DEVICE_API void hf_device_philox(std::uint64_t seed, std::uint32_t c0, std::uint32_t c1,
                                    std::uint32_t c2, std::uint32_t c3, std::uint32_t* words) {
  const hapforge::philox::Words found = hapforge::philox::philox4x32(
      {{c0, c1, c2, c3}}, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  for (int i = 0; i < 4; ++i) words[i] = found.w[i];
}

// The binary unit `unit` of a chain, 0 or 1: 1 with probability sigmoid(field 2^-k), k =
// fixed_point_bits, 1 to 20. It is what hapforge.kernels.gibbs draws for the same seed, step
// (counted from 0), layer (0: hidden, 1: visible), chain and unit.
HF_DEVICE_API std::int32_t hf_device_draw_unit(std::int32_t field, std::int32_t fixed_point_bits,
                                               std::uint64_t seed, std::uint32_t step,
                                               std::uint32_t layer, std::uint32_t chain,
                                               std::uint32_t unit) {
  const std::uint32_t block = (unit >> 5) * 8 + ((unit & 15) >> 1);
  const std::uint32_t word = (unit >> 4 & 1) * 2 + (unit & 1);
  std::uint32_t words[4];
  hf_device_philox(seed, block, chain, step, layer, words);
  const std::uint32_t low = word < 2 ? words[0] : words[2], high = word < 2 ? words[1] : words[3];
  return static_cast<std::int32_t>(
      hapforge::gibbs::draw_unit(field, word % 2 == 0 ? low : high, fixed_point_bits));
}
