// Enough of CUDA's language to run the body of a kernel on the CPU, thread after thread. For
// kernels without barriers and without shared memory only.
#pragma once

#define __device__

struct EmulatedIndex {
  unsigned x = 0, y = 0, z = 0;
};

inline EmulatedIndex threadIdx, blockIdx, blockDim, gridDim;

inline unsigned atomicAdd(unsigned* to, unsigned value) {
  const unsigned before = *to;
  *to += value;
  return before;
}

// body() once for every thread of every block, as kernel<<<grid, block>>> would; x and y only.
template <class Body>
void emulate_launch(EmulatedIndex grid, EmulatedIndex block, Body body) {
  gridDim = grid;
  blockDim = block;
  for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y) {
    for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
      for (threadIdx.y = 0; threadIdx.y < block.y; ++threadIdx.y) {
        for (threadIdx.x = 0; threadIdx.x < block.x; ++threadIdx.x) body();
      }
    }
  }
}
