// Checks that gibbs on the CPU and on a device share.
#pragma once

#include "bindings/arrays.h"

namespace hapforge {

inline void check_bias(std::size_t found, std::size_t num_out) {
  if (found != num_out) {
    throw py::value_error("bias: expected " + std::to_string(num_out) + ", found " +
                          std::to_string(found));
  }
}

inline void check_rows(std::size_t found, std::size_t expected, const char* name,
                       const char* what) {
  if (found != expected) {
    throw py::value_error(std::string(name) + ": expected " + std::to_string(expected) + " rows, " +
                          what + ", found " + std::to_string(found));
  }
}

inline void check_draw(int fixed_point_bits, std::size_t num_chains, std::uint32_t first_chain) {
  if (fixed_point_bits < 1 || fixed_point_bits > 20) {
    throw py::value_error("fixed_point_bits: expected 1 to 20, found " +
                          std::to_string(fixed_point_bits));
  }
  constexpr std::uint64_t kMostChains = std::uint64_t{1} << 32;
  if (num_chains > kMostChains || first_chain > kMostChains - num_chains) {
    throw py::value_error("first_chain: expected chains below 2^32");
  }
}

inline void check_steps(std::uint32_t first_step, std::uint32_t steps) {
  if (std::uint64_t{first_step} + steps > std::uint64_t{1} << 32) {
    throw py::value_error("first_step: expected steps below 2^32");
  }
}

}  // namespace hapforge
