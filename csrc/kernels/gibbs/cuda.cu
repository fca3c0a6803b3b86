// gibbs on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/gibbs/cuda.cuh"

#include <algorithm>
#include <vector>

#include "core/cuda_check.cuh"
#include "kernels/gibbs/bounds.h"
#include "kernels/gibbs/cuda.h"
#include "kernels/popcount_tile/cuda_rows.cuh"

namespace hapforge::gibbs {
namespace {

static_assert(sizeof(unsigned long long) == sizeof(std::uint64_t));

// Bits of chains in groups of units (cuda.cuh).
class Groups {
 public:
  // All zero.
  Groups(std::size_t num_chains, std::size_t num_units)
      : num_chains_(num_chains),
        num_units_(num_units),
        pairs_(groups_of(num_units) * num_chains * 2) {
    pairs_.fill(0);
  }
  // Those of chain-major words.
  Groups(const std::uint64_t* words, std::size_t num_chains, std::size_t num_units)
      : num_chains_(num_chains),
        num_units_(num_units),
        pairs_(groups_of(num_units) * num_chains * 2) {
    const bool there = num_words() == 0 || cuda::device_of(words) >= 0;
    const cuda::Buffer<std::uint64_t> copied(words, there ? 0 : num_words());
    const GroupUnits group{
        reinterpret_cast<const unsigned long long*>(there ? words : copied.data()), num_chains,
        words_for_bits(num_units), groups_of(num_units), pairs_.data()};
    cuda::launch("GroupUnits", group.blocks(), group);
  }

  void to_words(std::uint64_t* words) const {
    const cuda::Result<std::uint64_t> result(words, num_words());
    const UngroupUnits ungroup{pairs_.data(), num_chains_, words_for_bits(num_units_),
                               reinterpret_cast<unsigned long long*>(result.data())};
    cuda::launch("UngroupUnits", ungroup.blocks(), ungroup);
    result.finish();
  }

  const uint4* in() const { return reinterpret_cast<const uint4*>(pairs_.data()); }
  std::uint32_t* out() const { return reinterpret_cast<std::uint32_t*>(pairs_.data()); }

 private:
  std::size_t num_words() const { return num_chains_ * words_for_bits(num_units_); }

  std::size_t num_chains_, num_units_;
  cuda::Buffer<unsigned long long> pairs_;
};

// On which layers are made and go back: the default one, which outlives every other.
constexpr cuda::StreamHandle kLayerStream = 1;

// The fewest digits that hold all weights up to this magnitude.
unsigned digits_for(std::int64_t largest_weight) {
  unsigned digits = 1;
  for (std::int64_t most = 127; most < largest_weight; most = most * 256 + 127) ++digits;
  return digits;
}

}  // namespace

struct CudaLayer::Memory {
  cuda::Buffer<unsigned char> digits;
  cuda::Buffer<std::int32_t> bias;
  unsigned num_digits;
};

CudaLayer::CudaLayer(const std::int32_t* weights, const std::int32_t* bias, std::size_t num_out,
                     std::size_t num_in, bool transposed)
    : num_in_(num_in), num_out_(num_out), device_(cuda::current_device()) {
  cuda::order(reinterpret_cast<cuda::StreamHandle>(cuda::current_stream), kLayerStream);
  const cuda::On on(device_, kLayerStream);
  const bool there = num_out * num_in == 0 || cuda::device_of(weights) >= 0;
  const cuda::Buffer<std::int32_t> copied(weights, there ? 0 : num_out * num_in);
  const DeviceWeights given{there ? weights : copied.data(), num_out, num_in,
                            transposed ? 1 : num_in, transposed ? num_out : 1};
  const std::size_t tiles = divide_up(num_out, kTileUnits);
  cuda::Buffer<std::int32_t> biases(tiles * kTileUnits);
  biases.fill(0);
  cuda::copy_bytes(biases.data(), bias, num_out * sizeof(std::int32_t));

  cuda::Buffer<unsigned> largest(num_out);
  cuda::Buffer<unsigned long long> sum(num_out);
  largest.fill(0);
  sum.fill(0);
  const MeasureWeights measure{given, biases.data(), largest.data(), sum.data()};
  cuda::launch("MeasureWeights", measure.blocks(), measure);
  std::vector<unsigned> largest_found(num_out);
  std::vector<unsigned long long> sum_found(num_out);
  largest.copy_to(largest_found.data());
  sum.copy_to(sum_found.data());
  cuda::synchronize();
  std::int64_t most = 0;
  for (std::size_t unit = 0; unit < num_out; ++unit) {
    const Magnitude found{largest_found[unit], static_cast<std::int64_t>(sum_found[unit])};
    check_magnitude(found, unit);
    most = std::max(most, found.largest_weight);
  }

  const unsigned num_digits = digits_for(most);
  cuda::Buffer<unsigned char> digits(tiles * num_digits * groups_of(num_in) * kStepBytes);
  const MakeDigits make{given, num_digits, digits.data()};
  cuda::launch("MakeDigits", make.blocks(), make);
  cuda::synchronize();  // any stream may use it from now on
  memory_.reset(new Memory{std::move(digits), std::move(biases), num_digits});
}

CudaLayer::CudaLayer(CudaLayer&&) noexcept = default;

CudaLayer::~CudaLayer() {
  try {
    const cuda::On on(device_, kLayerStream);
    memory_.reset();
  } catch (const std::runtime_error&) {
    // At the end of the process there is no driver any more, and nothing to report to.
  }
}

DeviceLayer CudaLayer::view() const {
  return {memory_->digits.data(), memory_->bias.data(), num_out_, num_in_, memory_->num_digits};
}

void CudaLayer::is_used() const {
  cuda::order(reinterpret_cast<cuda::StreamHandle>(cuda::current_stream), kLayerStream);
}

void fields_cuda(const CudaLayer& layer, const BitMatrixView& bits, bool by_chain,
                 std::int32_t* fields) {
  const std::size_t num_chains = by_chain ? bits.num_rows : bits.num_sites;
  const std::size_t per_row = words_for_bits(layer.num_in());
  cuda::Buffer<std::uint64_t> words(by_chain ? 0 : num_chains * per_row);
  if (!by_chain) {
    const popcount_tile::Rows units(bits);
    words.fill(0);
    const popcount_tile::TransposeBits transpose{
        units.view(), num_chains, reinterpret_cast<unsigned char*>(words.data()), per_row * 8};
    cuda::launch("TransposeBits", transpose.blocks(), transpose);
  }
  const Groups groups(by_chain ? bits.words : words.data(), num_chains, layer.num_in());
  const cuda::Result<std::int32_t> result(fields, layer.num_out() * num_chains);
  const WriteFields write{layer.view(), groups.in(), num_chains, result.data()};
  cuda::launch("WriteFields", write.blocks(), write);
  result.finish();
  layer.is_used();
}

void run_cuda(const CudaLayer& to_hidden, const CudaLayer& to_visible, const CudaChains& chains) {
  const std::size_t num_chains = chains.num_chains;
  const std::size_t num_visible = to_visible.num_out(), num_hidden = to_hidden.num_out();
  const auto draw_of = [&](std::uint32_t step, DrawLayer layer) {
    return DeviceDraw({chains.seed, step, layer, chains.fixed_point_bits});
  };
  const Groups visible = chains.start == nullptr ? Groups(num_chains, num_visible)
                                                 : Groups(chains.start, num_chains, num_visible);
  if (chains.start == nullptr) {
    const DrawStart start{num_visible, num_chains, chains.first_chain, draw_of(0, kStart),
                          visible.out()};
    cuda::launch("DrawStart", start.blocks(), start);
  }
  const Groups held =
      chains.clamp == nullptr ? Groups(0, 0) : Groups(chains.clamp, num_chains, num_visible);
  const Groups hidden(num_chains, num_hidden);
  for (std::uint32_t s = 0; s < chains.num_steps; ++s) {
    const std::uint32_t step = chains.first_step + s;
    const DrawUnits draw_hidden{to_hidden.view(),   visible.in(),           num_chains,
                                chains.first_chain, draw_of(step, kHidden), nullptr,
                                hidden.out()};
    cuda::launch("DrawUnits", draw_hidden.blocks(), draw_hidden);
    const DrawUnits draw_visible{to_visible.view(),
                                 hidden.in(),
                                 num_chains,
                                 chains.first_chain,
                                 draw_of(step, kVisible),
                                 chains.clamp == nullptr ? nullptr : held.out(),
                                 visible.out()};
    cuda::launch("DrawUnits", draw_visible.blocks(), draw_visible);
  }
  visible.to_words(chains.visible);
  hidden.to_words(chains.hidden);
  to_hidden.is_used();
  to_visible.is_used();
}

void counts_cuda(const BitMatrixView& visible, const BitMatrixView& hidden, bool by_chain,
                 const CudaCounts& out) {
  using popcount_tile::Rows;
  const Rows v = by_chain ? Rows::transposed(visible) : Rows(visible);
  const Rows h = by_chain ? Rows::transposed(hidden) : Rows(hidden);
  const std::size_t num_visible = v.view().num_rows, num_hidden = h.view().num_rows;
  const cuda::Result<long long> both(reinterpret_cast<long long*>(out.both),
                                     num_visible * num_hidden);
  const CountTiles tiles{v.view(), h.view(), both.data()};
  cuda::launch("CountTiles", tiles.blocks(), tiles);
  both.finish();
  const auto widen = [](const Rows& rows, std::int64_t* counts) {
    const popcount_tile::DeviceRows view = rows.view();
    const cuda::Result<long long> result(reinterpret_cast<long long*>(counts), view.num_rows);
    const WidenCounts wide{view.num_set, view.num_rows, result.data()};
    cuda::launch("WidenCounts", wide.blocks(), wide);
    result.finish();
  };
  widen(v, out.visible);
  widen(h, out.hidden);
}

}  // namespace hapforge::gibbs
