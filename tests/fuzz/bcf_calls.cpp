// bcf_calls on pieces of BCF files: a byte for the number of persons, then the records.
#include <utility>

#include "kernels/bcf_calls/kernel.h"
#include "target.h"

using namespace hapforge;

namespace {

constexpr std::size_t kMostPersons = 90;  // more bytes of calls than two AVX-512 vectors

void append_number(Bytes& to, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    to.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

// The four bytes at `at`, as BCF has them.
std::uint64_t number_at(std::span<const std::uint8_t> data, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t k = 4; k-- > 0;) value = value * 256 + data[at + k];
  return value;
}

void check_records(std::span<const std::uint8_t> data, const bcf_calls::Records& found) {
  std::size_t at = 0;
  std::size_t j = 0;
  bool damaged = false;
  while (data.size() - at >= 8) {
    const std::uint64_t before = number_at(data, at);
    const std::uint64_t of_calls = number_at(data, at + 4);
    damaged = before < 24;
    if (damaged || before + of_calls > data.size() - at - 8) break;
    REQUIRE(j < found.start.size());
    REQUIRE(found.start[j] == static_cast<std::int64_t>(at + 8));
    REQUIRE(found.calls[j] == static_cast<std::int64_t>(at + 8 + before));
    at += 8 + before + of_calls;
    REQUIRE(found.stop[j] == static_cast<std::int64_t>(at));
    ++j;
  }
  REQUIRE(found.size == at && found.start.size() == j && found.damaged == damaged);
}

// The alleles of a byte of a call, or -1 if it is no phased 0 or 1.
int allele(std::uint8_t byte, bool second) {
  if (second && !(byte & 1)) return -1;
  const int number = (byte >> 1) - 1;
  return number == 0 || number == 1 ? number : -1;
}

void check_calls(std::span<const std::uint8_t> data, const std::vector<std::int64_t>& start,
                 std::size_t persons) {
  const std::size_t width = words_for_bits(2 * persons);
  std::vector<std::uint64_t> expected(start.size() * width);
  bcf_calls::BadCall bad;
  for (std::size_t j = 0; j < start.size() && !bad.found; ++j) {
    for (std::size_t i = 0; i < 2 * persons && !bad.found; ++i) {
      const int value = allele(data[static_cast<std::size_t>(start[j]) + i], i % 2 == 1);
      if (value < 0) bad = {true, j, i / 2};
      if (value == 1) expected[j * width + i / 64] |= std::uint64_t{1} << i % 64;
    }
  }
  for (const auto& one : bcf_calls::implementations()) {
    if (!one.supported()) continue;
    std::vector<std::uint64_t> words(start.size() * width);
    const bcf_calls::BadCall found =
        bcf_calls::pack(data.data(), start.data(), start.size(), persons, words.data(), one.kernel);
    REQUIRE(found.found == bad.found && found.row == bad.row && found.person == bad.person);
    REQUIRE(bad.found || words == expected);
  }
  taken += !bad.found && !start.empty();
}

}  // namespace

Bytes whole_input(Random& random) {
  const std::size_t persons = 1 + random.below(kMostPersons - 1);
  Bytes data{static_cast<std::uint8_t>(persons)};
  for (std::size_t left = 1 + random.below(4); left > 0; --left) {
    const std::size_t before = 24 + random.below(12);
    append_number(data, static_cast<std::uint32_t>(before));
    append_number(data, static_cast<std::uint32_t>(3 + 2 * persons));
    for (std::size_t k = 0; k < before; ++k) data.push_back(random.byte());
    data.insert(data.end(), {0x11, 1, 0x21});
    for (std::size_t i = 0; i < persons; ++i) {
      const std::uint64_t bits = random.next();
      data.push_back(static_cast<std::uint8_t>(2 + (bits & 3)));
      data.push_back(bits & 4 ? 5 : 3);
    }
  }
  return data;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t persons = data[0] % kMostPersons;
  const std::span<const std::uint8_t> records{data + 1, size - 1};
  const bcf_calls::Records found = bcf_calls::find_records(records);
  check_records(records, found);
  std::vector<std::int64_t> start;
  for (std::size_t j = 0; j < found.calls.size(); ++j) {
    const std::int64_t first = found.calls[j] + 3;  // behind the key and the type
    if (found.stop[j] - first >= static_cast<std::int64_t>(2 * persons)) start.push_back(first);
  }
  check_calls(records, start, persons);
  return 0;
}
