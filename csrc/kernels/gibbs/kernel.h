// gibbs: alternating draws of the two layers of a restricted Boltzmann machine, from bits to bits.
//
// Fields are integers: x = b + sum of weights over the units that are set, in units of 2^-k. Sums
// of integers have no order, and draws compare integers (unit_draw.h), so every backend, thread
// count and cut of the chains into batches gives the same bits.
//
// Bit matrices are unit-major here: row u holds the chains of unit u, words_for_bits(num_chains)
// words, padding bits zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"
#include "kernels/gibbs/bounds.h"
#include "kernels/gibbs/isa.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::gibbs {

std::span<const Implementation<Kernels>> implementations() noexcept;

// Out-units that get their field from in-units: weights in the form that look-ups take. Immutable,
// so that any number of threads may use it at a time.
//
// The sums of a window of groups are made in int16, exactly: a window is as long as all its sums
// allow, and where not even a group of weights fits, weights are split into balanced digits of base
// 128. That decides the speed only.
class Layer {
 public:
  // weights: num_out x num_in, C order. bias: num_out. Both within the bounds above.
  Layer(const std::int32_t* weights, const std::int32_t* bias, std::size_t num_out,
        std::size_t num_in, const Kernels& kernels, std::size_t threads);

  std::size_t num_in() const noexcept { return num_in_; }
  std::size_t num_out() const noexcept { return num_out_; }

  struct Digit {
    std::size_t offset;  // of its seeds, [group][quad's unit][kSeeds]
    std::uint16_t scale;
    std::uint16_t window;  // groups whose sums fit an int16
  };
  struct Quad {
    Digit digits[3];
    std::uint16_t num_digits;
    std::int32_t bias[4];
  };

  const Kernels& kernels() const noexcept { return *kernels_; }
  std::size_t num_groups() const noexcept { return num_groups_; }
  std::size_t num_quads() const noexcept { return quads_.size(); }
  const Quad& quad(std::size_t q) const noexcept { return quads_[q]; }
  const std::int16_t* seeds(const Digit& digit) const noexcept {
    return seeds_.data() + digit.offset;
  }

 private:
  const Kernels* kernels_;
  std::size_t num_in_, num_out_, num_groups_;
  std::vector<Quad> quads_;  // of units 2b, 2b + 1, 2b + 16, 2b + 17 of each 32, b = 0 to 7
  std::vector<std::int16_t> seeds_;
};

// fields[u num_lanes + c] of all out-units u, for the lanes c of bits: layer.num_in() rows of
// words_for_bits(num_lanes) words.
void fields(const Layer& layer, const std::uint64_t* bits, std::size_t num_lanes,
            std::int32_t* fields, std::size_t threads);

struct Chains {
  std::size_t num_chains;
  std::uint64_t* visible;      // in: the start, unless it is drawn; out: the last visible units
  std::uint64_t* hidden;       // out: the hidden units they were drawn from
  const std::uint64_t* clamp;  // visible units that keep their value, as bits; null where none does
  std::uint64_t seed;
  std::uint32_t first_chain;  // the number of chain 0
  std::uint32_t first_step;   // the number of the first step
  std::uint32_t num_steps;
  int fixed_point_bits;  // k
};

// Draws h given v, then v given h, num_steps times.
void run(const Layer& to_hidden, const Layer& to_visible, const Chains& chains,
         std::size_t threads);

// The same with rectified hidden units, h >= 0 with density proportional to exp(x h - h^2 / 2): a
// Gaussian of mean x and variance 1, cut off at 0. They are rounded to multiples of 2^-10 below
// 2^10, so that the sums are integers here too: visible fields are rounded to 2^-k once. The unit
// is drawn by inverting its distribution in double precision, with erfc and log of the C library.
// hidden: num_chains x to_hidden.num_out(), C order; chains.hidden is not used.
void run_rectified(const Layer& to_hidden, const Layer& to_visible, const Chains& chains,
                   float* hidden, std::size_t threads);

inline constexpr int kRectifiedBits = 10;

// Visible units that are 1 with probability 1/2: a start.
void draw_start(const Layer& to_visible, const Chains& chains, std::size_t threads);

struct Draw;

// The values of units that have more than two, one of num_values with probability softmax(x 2^-k)
// of its fields x: with e_m = exp((x_m - max x) 2^-k) in units of 2^-30, the first m at which
// e_0 + ... + e_m passes floor(U sum(e) / 2^32). Unit j of a chain has the random word U that a
// binary unit j has (unit_draw.h). On the calling thread.
// fields: num_chains x num_units x num_values, fewer than 2^16 values. values: num_chains x
// num_units.
void draw_values(const std::int32_t* fields, std::size_t num_chains, std::size_t num_units,
                 std::size_t num_values, std::uint32_t first_chain, const Draw& draw,
                 std::int64_t* values);

// counts[i num_hidden + j]: chains with visible unit i and hidden unit j set.
void joint_counts(const BitMatrixView& visible, const BitMatrixView& hidden, std::int64_t* counts,
                  const popcount_tile::Kernels& kernels, std::size_t threads);

}  // namespace hapforge::gibbs
