// pack on dense bytes, of which some are not 0 or 1: a byte for the number of sites, then the rows.
#include "kernels/pack/kernel.h"
#include "target.h"

using namespace hapforge;

Bytes whole_input(Random& random) {
  const std::size_t sites = 1 + random.below(200);
  Bytes data{static_cast<std::uint8_t>(sites)};
  const std::size_t size = sites * (1 + random.below(5));
  for (std::size_t k = 0; k < size; ++k) data.push_back(random.byte() & 1);
  return data;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] == 0) return 0;
  const std::size_t sites = data[0];
  const std::size_t rows = (size - 1) / sites;
  const std::uint8_t* dense = data + (size - rows * sites);  // to the last byte
  const std::size_t width = words_for_bits(sites);
  const std::size_t turned_width = words_for_bits(rows);
  std::vector<std::uint64_t> expected(rows * width);
  std::vector<std::uint64_t> expected_turned(sites * turned_width);
  pack::BadValue bad;
  for (std::size_t k = 0; k < rows * sites && !bad.found; ++k) {
    const std::size_t i = k / sites;
    const std::size_t j = k % sites;
    if (dense[k] > 1) bad = {true, i, j, dense[k]};
    expected[i * width + j / 64] |= std::uint64_t{dense[k]} << j % 64;
    expected_turned[j * turned_width + i / 64] |= std::uint64_t{dense[k]} << i % 64;
  }
  for (const auto& one : pack::implementations()) {
    if (!one.supported()) continue;
    std::vector<std::uint64_t> words(rows * width);
    const pack::BadValue found = pack::pack(dense, rows, sites, sites, words.data(), one.kernel, 1);
    REQUIRE(found.found == bad.found && found.row == bad.row && found.column == bad.column);
    REQUIRE(found.value == bad.value);
    if (bad.found) continue;
    REQUIRE(words == expected);
    const BitMatrixView view{words.data(), rows, width, sites};
    Bytes back(rows * sites);
    pack::unpack(view, back.data(), one.kernel, 1);
    REQUIRE(back == Bytes(dense, dense + rows * sites));
    std::vector<std::uint64_t> turned(sites * turned_width);
    pack::transpose(view, turned.data(), one.kernel, 1);
    REQUIRE(turned == expected_turned);
  }
  taken += !bad.found && rows != 0;
  return 0;
}
