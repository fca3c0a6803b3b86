// Philox4x32-10, the counter-based generator behind every random draw, for host and device.
//
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A draw is a
// pure function of (counter, key), so it does not matter which thread, ISA or GPU makes it.
#pragma once

#include <cstdint>

#include "core/host_device.h"

namespace hapforge::philox {

inline constexpr int kRounds = 10;
inline constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
inline constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
inline constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
inline constexpr std::uint32_t kWeyl1 = 0xBB67AE85;

struct Words {
  std::uint32_t w[4];
};

// The keys of all rounds.
struct RoundKeys {
  std::uint32_t key[kRounds][2];
};

// `key0` is the low half of a 64-bit seed, `key1` the high half.
HAPFORGE_HOST_DEVICE constexpr RoundKeys round_keys(std::uint32_t key0, std::uint32_t key1) {
  RoundKeys keys{};
  for (auto& key : keys.key) {
    key[0] = key0;
    key[1] = key1;
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return keys;
}

HAPFORGE_HOST_DEVICE constexpr Words philox4x32(Words c, const RoundKeys& keys) {
  for (const auto& key : keys.key) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * c.w[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * c.w[2];
    c = Words{{static_cast<std::uint32_t>(product1 >> 32) ^ c.w[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ c.w[3] ^ key[1],
               static_cast<std::uint32_t>(product0)}};
  }
  return c;
}

HAPFORGE_HOST_DEVICE constexpr Words philox4x32(Words c, std::uint32_t key0, std::uint32_t key1) {
  return philox4x32(c, round_keys(key0, key1));
}

}  // namespace hapforge::philox
