// pgen_records on records of a .pgen: the numbers of persons (two bytes) and records, then type,
// ALT alleles and length (two bytes) of each, then the records.
//
// The slow decoder reads value by value and keeps all calls, as tests/reference/pgen.py does.
#include <algorithm>
#include <utility>

#include "kernels/pgen_records/kernel.h"
#include "target.h"

using namespace hapforge;

namespace {

constexpr std::size_t kMostPersons = 700;
constexpr std::size_t kMostRecords = 8;
constexpr std::pair<int, int> kPairs[] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
using Categories = std::vector<std::uint8_t>;
using Persons = std::vector<std::size_t>;

std::size_t num_alts_of(std::uint8_t byte) {  // of every width that there is
  return byte < 250 ? 1 + byte : byte < 253 ? 300 : 70000;
}

std::size_t bits_of_index(std::size_t values) {
  return values <= 4 ? 2 : values <= 16 ? 4 : values <= 256 ? 8 : values <= 65536 ? 16 : 24;
}

std::size_t bits_of_one(std::size_t num_alts) {
  return num_alts == 2 ? 0 : num_alts == 3 ? 1 : bits_of_index(num_alts - 1);
}

std::size_t bytes_of_person(std::size_t persons) {
  return persons <= 256 ? 1 : persons <= 65536 ? 2 : 3;
}

// ------------------------------------------------------------------------------- the slow decoder

struct Damaged {};

void need(bool condition) {
  if (!condition) throw Damaged{};
}

struct Reader {
  std::span<const std::uint8_t> data;
  std::size_t at = 0;

  std::uint8_t byte() {
    need(at < data.size());
    return data[at++];
  }

  std::uint64_t integer(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t k = 0; k < size; ++k) value += std::uint64_t{byte()} << (8 * k);
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (std::size_t k = 0;; ++k) {
      need(k < 5);
      const std::uint64_t one = byte();
      value += (one & 127) << (7 * k);
      if (one < 128) return value;
    }
  }

  std::vector<std::size_t> packed(std::size_t count, std::size_t bits) {
    std::vector<std::size_t> values(count);
    const std::size_t size = count * bits;
    const std::size_t first = at;
    need((size + 7) / 8 <= data.size() - at);
    for (std::size_t k = 0; k < (size + 7) / 8 * 8; ++k) {
      const bool bit = data[first + k / 8] >> k % 8 & 1;
      need(k < size || !bit);
      if (bit) values[k / bits] |= std::size_t{1} << k % bits;
    }
    at += (size + 7) / 8;
    return values;
  }
};

std::pair<Persons, std::vector<std::size_t>> read_list(Reader& reader, std::size_t n, bool values) {
  const std::size_t length = reader.varint();
  if (length == 0) return {};
  need(length <= n);
  std::vector<std::size_t> firsts, sizes;
  for (std::size_t k = 0; k < length; k += 64) firsts.push_back(reader.integer(bytes_of_person(n)));
  for (std::size_t k = 64; k < length; k += 64) sizes.push_back(reader.integer(1) + 63);
  std::pair<Persons, std::vector<std::size_t>> list;
  if (values) list.second = reader.packed(length, 2);
  for (std::size_t k = 0, start = 0; k < length; ++k) {
    if (k % 64 == 0) {
      if (k > 0) need(reader.at - start == sizes[k / 64 - 1]);
      start = reader.at;
    }
    const std::size_t person = k % 64 == 0 ? firsts[k / 64] : list.first.back() + reader.varint();
    need(person < n && (k == 0 || person > list.first.back()));
    list.first.push_back(person);
  }
  return list;
}

Persons read_patched(Reader& reader, int form, const Persons& members, std::size_t n) {
  if (form == 15) return {};
  need(form == 0 || form == 1);
  if (form == 1) {
    Persons chosen = read_list(reader, n, false).first;
    for (const std::size_t person : chosen) need(std::ranges::count(members, person) == 1);
    return chosen;
  }
  Persons chosen;
  const auto bits = reader.packed(members.size(), 1);
  for (std::size_t k = 0; k < members.size(); ++k) {
    if (bits[k]) chosen.push_back(members[k]);
  }
  return chosen;
}

Persons with_category(const Categories& categories, std::uint8_t category) {
  Persons found;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    if (categories[i] == category) found.push_back(i);
  }
  return found;
}

// Throws Damaged. `before` as of pgen_records::first_damaged.
void read_record(Reader reader, int kind, std::size_t num_alts, Categories& before) {
  const std::size_t n = before.size();
  const int form = kind & 7;
  Categories now(n);
  if (form == 0) {
    const auto values = reader.packed(n, 2);
    for (std::size_t i = 0; i < n; ++i) now[i] = static_cast<std::uint8_t>(values[i]);
  } else {
    need(form != 5);
    if (form == 1) {
      const int code = reader.byte();
      const auto is = [&](std::pair<int, int> p) { return 3 * p.first + p.second == code; };
      const auto* pair = std::ranges::find_if(kPairs, is);
      need(pair != std::end(kPairs));
      const auto bits = reader.packed(n, 1);
      for (std::size_t i = 0; i < n; ++i) {
        now[i] = static_cast<std::uint8_t>(bits[i] ? pair->second : pair->first);
      }
    } else if (form <= 3) {
      now = before;
    } else {
      std::ranges::fill(now, static_cast<std::uint8_t>(form - 4));
    }
    const auto [persons, values] = read_list(reader, n, true);
    for (std::size_t k = 0; k < persons.size(); ++k) {
      now[persons[k]] = static_cast<std::uint8_t>(values[k]);
    }
    for (std::size_t i = 0; form == 3 && i < n; ++i) now[i] = now[i] == 3 ? 3 : 2 - now[i];
  }
  if (form != 2 && form != 3) before = now;
  std::vector<std::pair<std::size_t, std::size_t>> calls;
  for (const std::uint8_t category : now) {
    calls.emplace_back(category == 2, category == 1 || category == 2);
  }
  if (kind & 8) {
    need(num_alts > 1);
    const int forms = reader.byte();
    const Persons ones = read_patched(reader, forms & 15, with_category(now, 1), n);
    const auto others = reader.packed(ones.size(), bits_of_one(num_alts));
    for (std::size_t k = 0; k < ones.size(); ++k) calls[ones[k]] = {0, others[k] + 2};
    const Persons twos = read_patched(reader, forms >> 4, with_category(now, 2), n);
    if (num_alts == 2) {
      const auto same = reader.packed(twos.size(), 1);
      for (std::size_t k = 0; k < twos.size(); ++k) calls[twos[k]] = {same[k] ? 2 : 1, 2};
    } else {
      const auto values = reader.packed(2 * twos.size(), bits_of_index(num_alts));
      for (std::size_t k = 0; k < twos.size(); ++k) {
        need(values[2 * k] <= values[2 * k + 1] && values[2 * k + 1] > 0);
        calls[twos[k]] = {values[2 * k] + 1, values[2 * k + 1] + 1};
      }
    }
  }
  for (const auto& [low, high] : calls) need(high <= num_alts);
  if (kind & 16) {
    const auto hets = static_cast<std::size_t>(
        std::ranges::count_if(calls, [](auto call) { return call.first != call.second; }));
    need(hets > 0);
    const auto bits = reader.packed(1 + hets, 1);
    if (bits[0]) reader.packed(static_cast<std::size_t>(std::ranges::count(bits, 1U)) - 1, 1);
  }
  need(reader.at == reader.data.size());
}

// ----------------------------------------------------------------------------------- whole records

struct Writer {
  Bytes data;

  void integer(std::size_t value, std::size_t size) {
    for (std::size_t k = 0; k < size; ++k) {
      data.push_back(static_cast<std::uint8_t>(value >> (8 * k)));
    }
  }

  void varint(std::size_t value) {
    for (; value > 127; value >>= 7) data.push_back(static_cast<std::uint8_t>(value | 128));
    data.push_back(static_cast<std::uint8_t>(value));
  }

  void packed(const std::vector<std::size_t>& values, std::size_t bits) {
    const std::size_t first = data.size();
    data.resize(first + (values.size() * bits + 7) / 8);
    for (std::size_t k = 0; k < values.size() * bits; ++k) {
      if (values[k / bits] >> k % bits & 1) {
        data[first + k / 8] = static_cast<std::uint8_t>(data[first + k / 8] | 1U << k % 8);
      }
    }
  }

  void list(const Persons& persons, const std::vector<std::size_t>* values, std::size_t n) {
    varint(persons.size());
    if (persons.empty()) return;
    Bytes sizes;
    Writer differences;
    for (std::size_t k = 0, start = 0; k < persons.size(); ++k) {
      if (k % 64 == 0) {
        integer(persons[k], bytes_of_person(n));
        if (k) sizes.push_back(static_cast<std::uint8_t>(differences.data.size() - start - 63));
        start = differences.data.size();
      } else {
        differences.varint(persons[k] - persons[k - 1]);
      }
    }
    data.insert(data.end(), sizes.begin(), sizes.end());
    if (values) packed(*values, 2);
    data.insert(data.end(), differences.data.begin(), differences.data.end());
  }
};

// About one in `rarity` of `from`.
Persons some_of(const Persons& from, std::size_t rarity, Random& random) {
  Persons chosen;
  for (const std::size_t person : from) {
    if (random.below(rarity) == 0) chosen.push_back(person);
  }
  return chosen;
}

std::vector<std::size_t> some_values(std::size_t count, std::size_t below, Random& random) {
  std::vector<std::size_t> values(count);
  for (std::size_t& value : values) value = random.below(below);
  return values;
}

Persons write_patched(Writer& writer, int form, const Persons& members, std::size_t n,
                      Random& random) {
  if (form == 15) return {};
  const Persons chosen = some_of(members, 2, random);
  if (form == 1) {
    writer.list(chosen, nullptr, n);
  } else {
    std::vector<std::size_t> bits;
    for (const std::size_t person : members) bits.push_back(std::ranges::count(chosen, person) > 0);
    writer.packed(bits, 1);
  }
  return chosen;
}

// A record of type `kind`, without the phase if no call is heterozygous; its type then lacks it.
Bytes write_record(std::uint8_t& kind, std::size_t num_alts, Categories& before, Random& random) {
  const std::size_t n = before.size();
  const int form = kind & 7;
  Writer writer;
  Categories now(n);
  Persons everybody(n);
  for (std::size_t i = 0; i < n; ++i) everybody[i] = i;
  if (form == 0) {
    const auto values = some_values(n, 4, random);
    writer.packed(values, 2);
    for (std::size_t i = 0; i < n; ++i) now[i] = static_cast<std::uint8_t>(values[i]);
  } else {
    if (form == 1) {
      const auto [low, high] = kPairs[random.below(std::size(kPairs))];
      writer.integer(static_cast<std::size_t>(3 * low + high), 1);
      const auto bits = some_values(n, 2, random);
      writer.packed(bits, 1);
      for (std::size_t i = 0; i < n; ++i) now[i] = static_cast<std::uint8_t>(bits[i] ? high : low);
    } else if (form <= 3) {
      now = before;
    } else {
      std::ranges::fill(now, static_cast<std::uint8_t>(form - 4));
    }
    const Persons persons = some_of(everybody, 1 + random.below(8), random);
    const auto values = some_values(persons.size(), 4, random);
    writer.list(persons, &values, n);
    for (std::size_t k = 0; k < persons.size(); ++k) {
      now[persons[k]] = static_cast<std::uint8_t>(values[k]);
    }
    for (std::size_t i = 0; form == 3 && i < n; ++i) now[i] = now[i] == 3 ? 3 : 2 - now[i];
  }
  if (form != 2 && form != 3) before = now;
  std::size_t hets = with_category(now, 1).size();
  if (kind & 8) {
    constexpr int kForms[] = {0, 1, 15};
    const int of_ones = kForms[random.below(3)];
    const int of_twos = kForms[random.below(3)];
    writer.integer(static_cast<std::size_t>(of_twos * 16 + of_ones), 1);
    const Persons ones = write_patched(writer, of_ones, with_category(now, 1), n, random);
    writer.packed(some_values(ones.size(), num_alts - 1, random), bits_of_one(num_alts));
    const Persons twos = write_patched(writer, of_twos, with_category(now, 2), n, random);
    if (num_alts == 2) {
      const auto same = some_values(twos.size(), 2, random);
      hets += static_cast<std::size_t>(std::ranges::count(same, 0U));
      writer.packed(same, 1);
    } else {
      std::vector<std::size_t> pairs;
      for (std::size_t k = 0; k < twos.size(); ++k) {
        const std::size_t high = 1 + random.below(num_alts - 1);
        const std::size_t low = random.below(high + 1);
        pairs.insert(pairs.end(), {low, high});
        hets += low != high;
      }
      writer.packed(pairs, bits_of_index(num_alts));
    }
  }
  if (hets == 0) kind &= 15;
  if (kind & 16) {
    auto bits = some_values(1 + hets, 2, random);
    writer.packed(bits, 1);
    if (bits[0]) {
      const auto phased = static_cast<std::size_t>(std::ranges::count(bits, 1U)) - 1;
      writer.packed(some_values(phased, 2, random), 1);
    }
  }
  return writer.data;
}

}  // namespace

Bytes whole_input(Random& random) {
  const std::size_t n = 1 + random.below(random.below(16) == 0 ? kMostPersons - 1 : 40);
  const std::size_t count = 1 + random.below(kMostRecords - 1);
  Writer head;
  head.integer(n, 2);
  head.integer(count, 1);
  Bytes records;
  Categories before(n);
  for (std::size_t j = 0; j < count; ++j) {
    auto kind = static_cast<std::uint8_t>(random.below(32));
    if ((kind & 7) == 5) kind ^= 1;
    const std::uint8_t alts =
        random.below(2) ? static_cast<std::uint8_t>(random.below(6)) : random.byte();
    if (num_alts_of(alts) < 2) kind &= 0x17;
    const Bytes record = write_record(kind, num_alts_of(alts), before, random);
    head.integer(kind, 1);
    head.integer(alts, 1);
    head.integer(record.size(), 2);
    records.insert(records.end(), record.begin(), record.end());
  }
  head.data.insert(head.data.end(), records.begin(), records.end());
  return head.data;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t n = (data[0] + 256U * data[1]) % kMostPersons;
  const std::size_t count = data[2] % kMostRecords;
  if (count == 0 || size < 3 + 4 * count) return 0;
  std::span<const std::uint8_t> left{data + 3 + 4 * count, size - 3 - 4 * count};
  const std::span<const std::uint8_t> records = left;
  std::vector<std::int64_t> lengths, num_alts;
  std::vector<std::uint8_t> kinds;
  std::size_t expected = count;
  Categories before(n), expected_before(n);
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint8_t* head = data + 3 + 4 * j;
    kinds.push_back(head[0] & 0x1F);
    num_alts.push_back(static_cast<std::int64_t>(num_alts_of(head[1])));
    const std::size_t stated = head[2] + 256U * head[3];
    const std::size_t length = j + 1 < count ? std::min(stated, left.size()) : left.size();
    lengths.push_back(static_cast<std::int64_t>(length));
    try {
      if (expected == count) {
        read_record({left.first(length)}, kinds[j], num_alts_of(head[1]), expected_before);
      }
    } catch (const Damaged&) {
      expected = j;
    }
    left = left.subspan(length);
  }
  const std::size_t found = pgen_records::first_damaged(
      {records, lengths.data(), kinds.data(), num_alts.data(), count}, before);
  REQUIRE(found == expected);
  REQUIRE(found < count || before == expected_before);
  taken += found == count;
  return 0;
}
