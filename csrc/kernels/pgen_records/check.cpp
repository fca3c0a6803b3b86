// pgen_records: each track is read as a reader would, and nothing may be left or lacking.
#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "kernels/pgen_records/kernel.h"

namespace hapforge::pgen_records {
namespace {

constexpr std::uint8_t kMultiallelic = 8;
constexpr std::uint8_t kPhased = 16;

// Bytes of one record that were not read yet. What is not there is read as 0, and `whole` unset.
struct Track {
  std::span<const std::uint8_t> left;
  bool whole = true;

  const std::uint8_t* take(std::size_t size) {
    if (size > left.size()) {
      whole = false;
      return nullptr;
    }
    const std::uint8_t* start = left.data();
    left = left.subspan(size);
    return start;
  }

  std::uint64_t integer(std::size_t size) {
    const std::uint8_t* bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t k = 0; bytes && k < size; ++k) value |= std::uint64_t{bytes[k]} << (8 * k);
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const std::uint64_t byte = integer(1);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    whole = false;
    return 0;
  }
};

// `count` values of `bits` bits (0, 1, 2, 4 or whole bytes) each; the bits behind them are zero.
class Packed {
 public:
  Packed(Track& track, std::size_t count, std::size_t bits) : bits_(bits) {
    bytes_ = track.take((count * bits + 7) / 8);
    const std::size_t spare = count * bits % 8;
    if (bytes_ && spare && bytes_[count * bits / 8] >> spare) track.whole = false;
  }

  std::uint32_t operator[](std::size_t k) const {
    if (bits_ == 0) return 0;
    if (bits_ < 8) {
      const auto mask = static_cast<std::uint32_t>((1U << bits_) - 1);
      return (std::uint32_t{bytes_[k * bits_ / 8]} >> (k * bits_ % 8)) & mask;
    }
    std::uint32_t value = 0;
    for (std::size_t byte = 0; byte < bits_ / 8; ++byte) {
      value |= std::uint32_t{bytes_[k * bits_ / 8 + byte]} << (8 * byte);
    }
    return value;
  }

 private:
  std::size_t bits_;
  const std::uint8_t* bytes_;
};

class Checker {
 public:
  explicit Checker(std::span<std::uint8_t> before) : before_(before), category_(before.size()) {}

  bool check(Track track, std::uint8_t kind, std::size_t num_alts) {
    if (!main_track(track, kind & 7)) return false;
    if ((kind & 7) != 2 && (kind & 7) != 3) std::ranges::copy(category_, before_.begin());
    num_hets_ = static_cast<std::size_t>(std::ranges::count(category_, std::uint8_t{1}));
    if (kind & kMultiallelic && !other_alleles(track, num_alts)) return false;
    if (kind & kPhased && !phase(track)) return false;
    return track.whole && track.left.empty();
  }

 private:
  bool main_track(Track& track, int form) {
    const std::size_t n = category_.size();
    if (form == 0) {
      const Packed values(track, n, 2);
      if (!track.whole) return false;
      for (std::size_t i = 0; i < n; ++i) category_[i] = static_cast<std::uint8_t>(values[i]);
      return true;
    }
    if (form == 5) return false;
    if (form == 1) {
      const std::uint64_t pair = track.integer(1);
      const std::uint64_t low = pair >> 2;
      const std::uint64_t high = low + (pair & 3);
      if (pair > 9 || (pair & 3) == 0 || high > 3) return false;
      const Packed bits(track, n, 1);
      if (!track.whole) return false;
      for (std::size_t i = 0; i < n; ++i) {
        category_[i] = static_cast<std::uint8_t>(bits[i] ? high : low);
      }
    } else if (form == 2 || form == 3) {
      std::ranges::copy(before_, category_.begin());
    } else {
      std::ranges::fill(category_, static_cast<std::uint8_t>(form - 4));
    }
    if (!list(track, true)) return false;
    for (std::size_t k = 0; k < persons_.size(); ++k) category_[persons_[k]] = values_[k];
    if (form == 3) {
      for (std::uint8_t& category : category_) {
        if (category == 0 || category == 2) category ^= 2;
      }
    }
    return true;
  }

  // Persons in ascending order, each with a category or none: into persons_ and values_.
  bool list(Track& track, bool with_values) {
    const std::size_t n = category_.size();
    persons_.clear();
    values_.clear();
    const std::uint64_t length = track.varint();
    if (!track.whole || length > n) return false;
    if (length == 0) return true;
    const std::size_t groups = (length + 63) / 64;
    const std::size_t width = n <= 1U << 8 ? 1 : n <= 1U << 16 ? 2 : n <= 1U << 24 ? 3 : 4;
    const std::uint8_t* firsts = track.take(groups * width);
    const std::uint8_t* sizes = track.take(groups - 1);
    if (!track.whole) return false;
    if (with_values) {
      const Packed values(track, length, 2);
      if (!track.whole) return false;
      for (std::size_t k = 0; k < length; ++k) {
        values_.push_back(static_cast<std::uint8_t>(values[k]));
      }
    }
    for (std::size_t g = 0; g < groups; ++g) {
      std::uint64_t person = 0;
      for (std::size_t k = 0; k < width; ++k) {
        person |= std::uint64_t{firsts[g * width + k]} << (8 * k);
      }
      const std::size_t start = track.left.size();
      const std::size_t stop = std::min<std::size_t>(length, 64 * (g + 1));
      for (std::size_t k = 64 * g; k < stop; ++k) {
        if (k % 64) person += track.varint();
        if (!track.whole || person >= n) return false;
        if (!persons_.empty() && person <= persons_.back()) return false;
        persons_.push_back(static_cast<std::uint32_t>(person));
      }
      if (g + 1 < groups && start - track.left.size() != sizes[g] + 63U) return false;
    }
    return true;
  }

  // The persons of a category whose calls have other alleles than it says: into persons_.
  bool patched(Track& track, int form, std::uint8_t category) {
    if (form == 15) {
      persons_.clear();
      return true;
    }
    if (form == 1) {
      return list(track, false) && std::ranges::all_of(persons_, [&](std::uint32_t person) {
               return category_[person] == category;
             });
    }
    if (form != 0) return false;
    persons_.clear();
    const auto members = static_cast<std::size_t>(std::ranges::count(category_, category));
    const Packed bits(track, members, 1);
    if (!track.whole) return false;
    std::size_t k = 0;
    for (std::size_t i = 0; i < category_.size(); ++i) {
      if (category_[i] == category && bits[k++]) persons_.push_back(static_cast<std::uint32_t>(i));
    }
    return true;
  }

  bool other_alleles(Track& track, std::size_t num_alts) {
    if (num_alts < 2) return false;
    const auto forms = static_cast<int>(track.integer(1));
    if (!track.whole || !patched(track, forms & 15, 1)) return false;
    const std::size_t bits = num_alts == 2 ? 0 : num_alts == 3 ? 1 : width(num_alts - 1);
    const Packed ones(track, persons_.size(), bits);
    if (!track.whole) return false;
    for (std::size_t k = 0; k < persons_.size(); ++k) {
      if (ones[k] + 2 > num_alts) return false;
    }
    if (!patched(track, forms >> 4, 2)) return false;
    if (num_alts == 2) {
      const Packed same(track, persons_.size(), 1);
      if (!track.whole) return false;
      for (std::size_t k = 0; k < persons_.size(); ++k) num_hets_ += same[k] == 0;
      return true;
    }
    const Packed pairs(track, 2 * persons_.size(), width(num_alts));
    if (!track.whole) return false;
    for (std::size_t k = 0; k < persons_.size(); ++k) {
      const std::uint32_t low = pairs[2 * k];
      const std::uint32_t high = pairs[2 * k + 1];
      if (low > high || high == 0 || high >= num_alts) return false;
      num_hets_ += low != high;
    }
    return true;
  }

  // Bits of a number below `values`, as they are stored: 2, 4 or whole bytes.
  static std::size_t width(std::size_t values) {
    return values <= 4 ? 2 : values <= 16 ? 4 : values <= 256 ? 8 : values <= 65536 ? 16 : 24;
  }

  bool phase(Track& track) {
    if (num_hets_ == 0 || track.left.empty()) return false;
    const bool some = track.left[0] & 1;
    const Packed bits(track, 1 + num_hets_, 1);
    if (!track.whole) return false;
    if (!some) return true;
    std::size_t phased = 0;
    for (std::size_t k = 1; k <= num_hets_; ++k) phased += bits[k];
    const Packed swapped(track, phased, 1);
    return track.whole;
  }

  std::span<std::uint8_t> before_;
  std::vector<std::uint8_t> category_;
  std::vector<std::uint32_t> persons_;
  std::vector<std::uint8_t> values_;
  std::size_t num_hets_ = 0;
};

}  // namespace

std::size_t first_damaged(const Records& records, std::span<std::uint8_t> before) {
  Checker checker(before);
  std::size_t at = 0;
  for (std::size_t j = 0; j < records.count; ++j) {
    const auto length = static_cast<std::size_t>(records.length[j]);
    const Track track{records.data.subspan(at, length)};
    if (!checker.check(track, records.kind[j], static_cast<std::size_t>(records.num_alts[j]))) {
      return j;
    }
    at += length;
  }
  return records.count;
}

}  // namespace hapforge::pgen_records
