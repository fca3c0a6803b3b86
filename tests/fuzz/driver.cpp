// Runs a fuzz target on whole inputs and on damaged ones, of numbers FIRST, FIRST + 1, ...
//
// usage: TARGET COUNT [FIRST]          the number of an input that fails is printed: TARGET 1
// NUMBER
#include <algorithm>
#include <csignal>
#include <memory>

#include "target.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

std::size_t number = 0;

void say_number() { std::fprintf(stderr, "input %zu\n", number); }
void on_abort(int) { say_number(); }

constexpr std::uint8_t kBytes[] = {0, 1, 2, 3, 5, 15, 0x11, 0x17, 0x7F, 0x80, 0x81, 0xF7, 0xFF};
constexpr std::uint32_t kNumbers[] = {0,       1,          23,         24,         0x7FFF,
                                      0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF};

// One of: a bit flipped, a byte or a number of four set, bytes lost, inserted, doubled, a cut.
void damage(Bytes& data, Random& random) {
  if (data.empty()) return;
  const std::size_t at = random.below(data.size());
  const auto here = data.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t some = std::min<std::size_t>(1 + random.below(8), data.size() - at);
  const auto behind = here + static_cast<std::ptrdiff_t>(some);
  switch (random.below(8)) {
    case 0:
      *here = static_cast<std::uint8_t>(*here ^ 1U << random.below(8));
      return;
    case 1:
      *here = kBytes[random.below(std::size(kBytes))];
      return;
    case 2:
      *here = random.byte();
      return;
    case 3: {
      const std::uint32_t value = kNumbers[random.below(std::size(kNumbers))];
      for (std::size_t k = 0; k < 4 && at + k < data.size(); ++k) {
        data[at + k] = static_cast<std::uint8_t>(value >> (8 * k));
      }
      return;
    }
    case 4:
      data.erase(here, behind);
      return;
    case 5:
      data.insert(here, 1 + random.below(4), random.byte());
      return;
    case 6: {
      const Bytes copy(here, behind);
      data.insert(behind, copy.begin(), copy.end());
      return;
    }
    default:
      data.erase(here, data.end());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s COUNT [FIRST]\n", argv[0]);
    return 2;
  }
  const std::size_t count = std::strtoull(argv[1], nullptr, 10);
  number = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  std::signal(SIGABRT, on_abort);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(say_number);
#endif
  for (std::size_t k = 0; k < count; ++k, ++number) {
    Random random{number};
    Bytes data = whole_input(random);
    const std::size_t before = taken;
    const std::size_t changes = number % 8 == 0 ? 0 : 1 + random.below(3);
    for (std::size_t c = 0; c < changes; ++c) damage(data, random);
    // Of the very size, so that a byte behind the last is an error.
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[data.size()]);
    std::copy(data.begin(), data.end(), exact.get());
    LLVMFuzzerTestOneInput(exact.get(), data.size());
    if (changes == 0) REQUIRE(taken == before + 1);
  }
  std::printf("%s: %zu inputs, %zu taken as whole\n", argv[0], count, taken);
}
