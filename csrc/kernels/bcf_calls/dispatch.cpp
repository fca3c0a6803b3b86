// bcf_calls: the implementations, fastest first, and the loops over records.
#include <array>
#include <cstring>

#include "core/cpu_features.h"
#include "kernels/bcf_calls/isa.h"

namespace hapforge::bcf_calls {
namespace {

const std::array kAll = {
#if HAPFORGE_X86
    Implementation<Kernel>{"avx512", cpu::has_avx512, pack_row_avx512},
    Implementation<Kernel>{"avx2", cpu::has_avx2, pack_row_avx2},
#endif
#if HAPFORGE_NEON
    Implementation<Kernel>{"neon", cpu::always, pack_row_neon},
#endif
    Implementation<Kernel>{"scalar", cpu::always, pack_row_scalar},
};

bool is_good(const std::uint8_t* call) noexcept {
  const int first = call[0] >> 1;
  return (first == 1 || first == 2) && (call[1] == 3 || call[1] == 5);
}

}  // namespace

std::span<const Implementation<Kernel>> implementations() noexcept { return kAll; }

Records find_records(std::span<const std::uint8_t> data) {
  constexpr std::size_t kLengths = 8;  // two numbers: bytes before the calls, bytes of the calls
  constexpr std::uint32_t kFixed = 24;
  Records found;
  while (data.size() - found.size >= kLengths) {
    std::uint32_t lengths[2];
    std::memcpy(lengths, data.data() + found.size, kLengths);
    if (lengths[0] < kFixed) {
      found.damaged = true;
      break;
    }
    const std::size_t start = found.size + kLengths;
    const std::size_t calls = start + lengths[0];
    const std::size_t stop = calls + lengths[1];
    if (stop > data.size()) break;
    found.start.push_back(static_cast<std::int64_t>(start));
    found.calls.push_back(static_cast<std::int64_t>(calls));
    found.stop.push_back(static_cast<std::int64_t>(stop));
    found.size = stop;
  }
  return found;
}

BadCall pack(const std::uint8_t* data, const std::int64_t* start, std::size_t num_rows,
             std::size_t num_persons, std::uint64_t* words, Kernel kernel) noexcept {
  const std::size_t words_per_row = words_for_bits(2 * num_persons);
  for (std::size_t j = 0; j < num_rows; ++j) {
    const std::uint8_t* calls = data + start[j];
    if (kernel(calls, 2 * num_persons, words + j * words_per_row)) continue;
    std::size_t person = 0;
    while (is_good(calls + 2 * person)) ++person;
    return {true, j, person};
  }
  return {};
}

}  // namespace hapforge::bcf_calls
