// gibbs with rectified hidden units: their values are split into bit planes, so that their product
// with the weights is the look-up of binary units, once a plane.
#include <bit>
#include <cmath>

#include "kernels/gibbs/blocks.h"

namespace hapforge::gibbs {
namespace {

constexpr std::int32_t kLargestUnit = (1 << (2 * kRectifiedBits)) - 1;
constexpr std::size_t kWordsPerPart = 8;

template <std::size_t kSize>
double polynomial(const double (&coefficient)[kSize], double r) noexcept {
  double sum = coefficient[kSize - 1];
  for (std::size_t i = kSize - 1; i-- > 0;) sum = sum * r + coefficient[i];
  return sum;
}

// Quantile of the standard normal distribution. Wichura, "Algorithm AS 241", Applied Statistics 37
// (1988), PPND16.
double normal_quantile(double p) noexcept {
  constexpr double kA[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                           1.9715909503065514427e+3, 1.3731693765509461125e+4,
                           4.5921953931549871457e+4, 6.7265770927008700853e+4,
                           3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr double kB[] = {1.0,
                           4.2313330701600911252e+1,
                           6.8718700749205790830e+2,
                           5.3941960214247511077e+3,
                           2.1213794301586595867e+4,
                           3.9307895800092710610e+4,
                           2.8729085735721942674e+4,
                           5.2264952788528545610e+3};
  constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                           5.76949722146069140550e0,  3.64784832476320460504e0,
                           1.27045825245236838258e0,  2.41780725177450611770e-1,
                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double kD[] = {1.0,
                           2.05319162663775882187e0,
                           1.67638483018380384940e0,
                           6.89767334985100004550e-1,
                           1.48103976427480074590e-1,
                           1.51986665636164571966e-2,
                           5.47593808499534494600e-4,
                           1.05075007164441684324e-9};
  constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                           1.78482653991729133580e0,  2.96560571828504891230e-1,
                           2.65321895265761230930e-2, 1.24266094738807843860e-3,
                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double kF[] = {1.0,
                           5.99832206555887937690e-1,
                           1.36929880922735805310e-1,
                           1.48753612908506148525e-2,
                           7.86869131145613259100e-4,
                           1.84631831751005468180e-5,
                           1.42151175831644588870e-7,
                           2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double z = r <= 5 ? polynomial(kC, r - 1.6) / polynomial(kD, r - 1.6)
                          : polynomial(kE, r - 5) / polynomial(kF, r - 5);
  return q < 0 ? -z : z;
}

// The unit's value in units of 2^-kRectifiedBits, given its field and its uniform word.
std::int32_t draw_rectified(std::int32_t x, std::uint32_t uniform, int k) noexcept {
  constexpr double kTail = -35;  // from here on the tail's distribution is exponential within 0.1 %
  const double mean = std::ldexp(static_cast<double>(x), -k);
  const double u = (static_cast<double>(uniform) + 0.5) * 0x1p-32;
  double h = 0;
  if (mean < kTail) {
    h = std::log(u) / mean;
  } else {
    const double above = 0.5 * std::erfc(-mean * 0.70710678118654752440);
    h = mean - normal_quantile(u * above);
  }
  const double scaled = std::nearbyint(h * (1 << kRectifiedBits));
  return static_cast<std::int32_t>(std::clamp(scaled, 0.0, static_cast<double>(kLargestUnit)));
}

struct Work {
  std::vector<std::int32_t> hidden;    // [unit][64 word + chain]
  std::vector<std::uint64_t> plane;    // unit-major bits
  std::vector<std::int64_t> weighted;  // [quad][word][kFields]
};

// Draws the hidden units of a part from scratch.index; the greatest value.
std::int32_t draw_hidden(const Layer& layer, const Chains& chains, const Draw& draw,
                         const Part& part, Scratch& scratch, std::int32_t* hidden) noexcept {
  const auto key0 = static_cast<std::uint32_t>(draw.seed);
  const auto key1 = static_cast<std::uint32_t>(draw.seed >> 32);
  std::int32_t greatest = 0;
  for_fields(
      layer, part.count, scratch, [](std::size_t) { return false; },
      [&](std::size_t q, std::size_t w, const std::int32_t* found) noexcept {
        std::int32_t fields[kFields];
        layer.kernels().natural_order(found, fields);
        const std::size_t first = (part.first + w) * kChains;
        const std::size_t count = std::min(kChains, chains.num_chains - first);
        for (std::size_t c = 0; c < count; ++c) {
          const auto chain = chains.first_chain + static_cast<std::uint32_t>(first + c);
          const philox::Words word = philox::philox4x32(
              {{static_cast<std::uint32_t>(q), chain, draw.step, draw.layer}}, key0, key1);
          for (std::size_t i = 0; i < kQuad && unit_of(q, i) < layer.num_out(); ++i) {
            const std::int32_t h =
                draw_rectified(fields[i * kChains + c], word.w[i], draw.fixed_point_bits);
            hidden[unit_of(q, i) * part.count * kChains + w * kChains + c] = h;
            greatest = std::max(greatest, h);
          }
        }
      });
  return greatest;
}

// Bits of one plane of the hidden units.
void take_plane(const std::int32_t* hidden, std::size_t num_words, int plane,
                std::uint64_t* bits) noexcept {
  for (std::size_t i = 0; i < num_words; ++i) {
    std::uint64_t word = 0;
    for (std::size_t c = 0; c < kChains; ++c) {
      word |= static_cast<std::uint64_t>(hidden[i * kChains + c] >> plane & 1) << c;
    }
    bits[i] = word;
  }
}

// A visible field: bias + weighted / 2^kRectifiedBits, rounded half up, within an int32.
std::int32_t visible_field(std::int64_t weighted, std::int32_t bias) noexcept {
  constexpr std::int64_t kHalf = std::int64_t{1} << (kRectifiedBits - 1);
  const std::int64_t field = bias + ((weighted + kHalf) >> kRectifiedBits);
  return static_cast<std::int32_t>(std::clamp(field, -kLargestField, kLargestField));
}

void draw_visible(const Layer& layer, const Chains& chains, const Draw& draw, const Part& part,
                  int num_planes, Scratch& scratch, Work& work) noexcept {
  const Part own{part.count, 0, part.count};
  std::fill(work.weighted.begin(), work.weighted.end(), 0);
  for (int p = 0; p < num_planes; ++p) {
    take_plane(work.hidden.data(), layer.num_in() * part.count, p, work.plane.data());
    make_index(layer, work.plane.data(), own, scratch);
    for_fields(
        layer, part.count, scratch, [](std::size_t) { return false; },
        [&](std::size_t q, std::size_t w, const std::int32_t* fields) noexcept {
          std::int64_t* sum = work.weighted.data() + (q * part.count + w) * kFields;
          for (std::size_t u = 0; u < kQuad; ++u) {
            const std::int64_t bias = layer.quad(q).bias[u];
            for (std::size_t i = u * kChains; i < (u + 1) * kChains; ++i) {
              sum[i] += (fields[i] - bias) << p;  // not *: baseline SIMD has no product
            }
          }
        });
  }
  for (std::size_t q = 0; q < layer.num_quads(); ++q) {
    if (unit_of(q, 0) >= layer.num_out()) continue;
    for (std::size_t w = 0; w < part.count; ++w) {
      const std::int64_t* sum = work.weighted.data() + (q * part.count + w) * kFields;
      std::int32_t fields[kFields];
      for (std::size_t i = 0; i < kFields; ++i) {
        fields[i] = visible_field(sum[i], layer.quad(q).bias[i / kChains]);
      }
      draw_word(layer, q, fields, part.first + w, chains, draw, chains.clamp, chains.visible);
    }
  }
}

}  // namespace

void run_rectified(const Layer& to_hidden, const Layer& to_visible, const Chains& chains,
                   float* hidden, std::size_t threads) {
  const std::size_t num_hidden = to_hidden.num_out();
  const std::size_t index = std::max(index_size(to_hidden), index_size(to_visible));
  const Parts parts(chains.num_chains, index, kWordsPerPart, threads);
  std::vector<Work> works(parts.slots);
  for (Work& work : works) {
    work.hidden.resize(num_hidden * parts.size * kChains);
    work.plane.resize(num_hidden * parts.size);
    work.weighted.resize(to_visible.num_quads() * parts.size * kFields);
  }
  const auto one_part = [&](const Part& part, Scratch& scratch, std::size_t slot) noexcept {
    Work& work = works[slot];
    for (std::uint32_t s = 0; s < chains.num_steps; ++s) {
      Draw draw{chains.seed, chains.first_step + s, kHidden, chains.fixed_point_bits};
      make_index(to_hidden, chains.visible, part, scratch);
      const std::int32_t greatest =
          draw_hidden(to_hidden, chains, draw, part, scratch, work.hidden.data());
      draw.layer = kVisible;
      draw_visible(to_visible, chains, draw, part,
                   std::bit_width(static_cast<std::uint32_t>(greatest)), scratch, work);
    }
    const std::size_t lanes = part.count * kChains;
    const std::size_t first = part.first * kChains;
    for (std::size_t c = 0; c < std::min(lanes, chains.num_chains - first); ++c) {
      for (std::size_t j = 0; j < num_hidden; ++j) {
        hidden[(first + c) * num_hidden + j] =
            static_cast<float>(work.hidden[j * lanes + c]) / (1 << kRectifiedBits);
      }
    }
  };
  for_parts(parts, index, to_hidden.kernels(), threads, one_part);
}

}  // namespace hapforge::gibbs
