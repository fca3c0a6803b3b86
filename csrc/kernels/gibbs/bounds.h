// What keeps every field within an int32.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace hapforge::gibbs {

// |weight| <= 2^26, and |bias| plus the sum of |weight| of an out-unit at most this: no field
// passes an int32. (The part of one digit may; it is added modulo 2^32.)
inline constexpr std::int32_t kLargestWeight = 1 << 26;
inline constexpr std::int64_t kLargestField = (std::int64_t{1} << 31) - 1;

// What those bounds are about, for one out-unit.
struct Magnitude {
  std::int64_t largest_weight = 0;
  std::int64_t field;  // the bias and all weights together
};

inline Magnitude magnitude_of(const std::int32_t* weights, std::size_t num_in,
                              std::int32_t bias) noexcept {
  Magnitude found{0, std::abs(std::int64_t{bias})};
  for (std::size_t i = 0; i < num_in; ++i) {
    const std::int64_t weight = std::abs(std::int64_t{weights[i]});
    found.largest_weight = std::max(found.largest_weight, weight);
    found.field += weight;
  }
  return found;
}

// Throws std::invalid_argument (ValueError in Python) where a unit passes a bound.
inline void check_magnitude(const Magnitude& found, std::size_t unit) {
  if (found.largest_weight > kLargestWeight) {
    throw std::invalid_argument("weights: expected at most 2^26 in magnitude, found " +
                                std::to_string(found.largest_weight) + " for unit " +
                                std::to_string(unit));
  }
  if (found.field > kLargestField) {
    throw std::invalid_argument(
        "weights: expected magnitudes that sum to less than 2^31 with the bias of their unit, "
        "found " +
        std::to_string(found.field) + " for unit " + std::to_string(unit));
  }
}

}  // namespace hapforge::gibbs
