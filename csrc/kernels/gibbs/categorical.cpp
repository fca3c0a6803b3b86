// gibbs with units of more than two values: a label, or a site of a sequence alignment. Not
// vectorised: an exponential a value outweighs the random words.
#include <algorithm>
#include <vector>

#include "kernels/gibbs/kernel.h"
#include "kernels/gibbs/unit_draw.h"

namespace hapforge::gibbs {
namespace {

std::uint32_t word_of(std::size_t unit, std::uint32_t chain, const Draw& draw) noexcept {
  const auto j = static_cast<std::uint32_t>(unit);
  const std::uint32_t block = (j >> 5) * 8 + ((j & 15) >> 1);
  const philox::Words words = philox::philox4x32({{block, chain, draw.step, draw.layer}},
                                                 static_cast<std::uint32_t>(draw.seed),
                                                 static_cast<std::uint32_t>(draw.seed >> 32));
  return words.w[((j >> 4) & 1) * 2 + (j & 1)];
}

}  // namespace

void draw_values(const std::int32_t* fields, std::size_t num_chains, std::size_t num_units,
                 std::size_t num_values, std::uint32_t first_chain, const Draw& draw,
                 std::int64_t* values) {
  std::vector<std::uint64_t> reached(num_values);
  for (std::size_t c = 0; c < num_chains; ++c) {
    for (std::size_t j = 0; j < num_units; ++j, fields += num_values) {
      const std::int64_t largest = *std::max_element(fields, fields + num_values);
      std::uint64_t total = 0;  // below 2^16 2^30
      for (std::size_t m = 0; m < num_values; ++m) {
        const auto below = static_cast<std::uint32_t>(largest - fields[m]);  // below 2^32
        reached[m] = total += decay(below, draw.fixed_point_bits);
      }
      const std::uint64_t uniform = word_of(j, first_chain + static_cast<std::uint32_t>(c), draw);
      const std::uint64_t passed =
          (uniform * (total >> 16) + (uniform * (total & 0xFFFF) >> 16)) >> 16;
      std::int64_t value = 0;
      while (reached[static_cast<std::size_t>(value)] <= passed) ++value;
      *values++ = value;
    }
  }
}

}  // namespace hapforge::gibbs
