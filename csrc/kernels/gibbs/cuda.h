// gibbs on a CUDA device. Results as on the CPU, bit for bit.
//
// Arrays in and out may be on the host or on the device; what is queued is ordered by the current
// stream (core/cuda_device.h). Functions throw std::runtime_error where CUDA reports an error.
#pragma once

#include <cstdint>
#include <memory>

#include "core/bit_matrix_view.h"
#include "core/cuda_device.h"

namespace hapforge::gibbs {

struct DeviceLayer;

// As `Layer`, on the device that is current when it is made: 1 to 4 bytes a weight. Immutable. It
// may be used on any stream of that device.
class CudaLayer {
 public:
  // weights: num_out x num_in, C order, or with `transposed` num_in x num_out. bias: num_out.
  // Throws std::invalid_argument where they pass a bound (bounds.h).
  CudaLayer(const std::int32_t* weights, const std::int32_t* bias, std::size_t num_out,
            std::size_t num_in, bool transposed);
  CudaLayer(CudaLayer&&) noexcept;
  ~CudaLayer();

  std::size_t num_in() const noexcept { return num_in_; }
  std::size_t num_out() const noexcept { return num_out_; }
  int device() const noexcept { return device_; }

  DeviceLayer view() const;
  // What is queued on the current stream uses it: only then its memory may go.
  void is_used() const;

 private:
  struct Memory;

  std::size_t num_in_, num_out_;
  int device_;
  std::unique_ptr<Memory> memory_;
};

// As `fields`, from bits that are unit-major, a row for each in-unit, or with `by_chain`
// chain-major.
void fields_cuda(const CudaLayer& layer, const BitMatrixView& bits, bool by_chain,
                 std::int32_t* fields);

// As `Chains`, but that bits are chain-major: row c holds the units of chain c, padding bits zero.
struct CudaChains {
  std::size_t num_chains;           // below 2^31
  const std::uint64_t* start;       // of the visible units; null: it is drawn
  const std::uint64_t* clamp;       // null where no unit keeps its value
  std::uint64_t *visible, *hidden;  // out
  std::uint64_t seed;
  std::uint32_t first_chain, first_step, num_steps;
  int fixed_point_bits;
};

// As draw_start, where there is no start, and run. No step leaves the hidden units zero. Device
// memory: the bits of all units, filled up to multiples of 128, those of the mask, and copies of
// what comes from or goes to the host.
void run_cuda(const CudaLayer& to_hidden, const CudaLayer& to_visible, const CudaChains& chains);

// As joint_counts, and the chains with each unit set, from bits that are unit-major or, with
// `by_chain`, chain-major.
struct CudaCounts {
  std::int64_t *visible, *hidden, *both;
};
void counts_cuda(const BitMatrixView& visible, const BitMatrixView& hidden, bool by_chain,
                 const CudaCounts& out);

}  // namespace hapforge::gibbs
