#include "kernels/sketch/kinds.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/thread_pool.h"

namespace hapforge::sketch {
namespace {

constexpr std::size_t kRowsPerTask = 64;

std::uint64_t hash(const std::uint64_t* row, std::size_t words) noexcept {
  std::uint64_t lane[4] = {1, 2, 3, 4};  // four chains of multiplications run side by side
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t& h = lane[w % 4];
    h = (h ^ row[w]) * 0x9E3779B97F4A7C15;
    h ^= h >> 32;
  }
  for (int i = 1; i < 4; ++i) {
    lane[0] = ((lane[0] * 0xBF58476D1CE4E5B9) ^ lane[i]) * 0x94D049BB133111EB;
  }
  return lane[0] ^ lane[0] >> 31;
}

}  // namespace

Kinds find_kinds(std::span<const std::uint64_t* const> rows, std::size_t words,
                 std::size_t threads) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> by_hash(rows.size());
  parallel_for((rows.size() + kRowsPerTask - 1) / kRowsPerTask, threads,
               [&](std::size_t task, std::size_t) noexcept {
                 const std::size_t end = std::min(rows.size(), (task + 1) * kRowsPerTask);
                 for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
                   by_hash[i] = {hash(rows[i], words), static_cast<std::uint32_t>(i)};
                 }
               });
  std::sort(by_hash.begin(), by_hash.end());
  Kinds kinds;
  kinds.members.reserve(rows.size());
  std::vector<std::uint32_t> others;  // of the same hash as the kind at hand, but different
  for (std::size_t run = 0; run < by_hash.size();) {
    std::vector<std::uint32_t> left;
    for (const std::uint64_t h = by_hash[run].first;
         run < by_hash.size() && by_hash[run].first == h; ++run) {
      left.push_back(by_hash[run].second);
    }
    while (!left.empty()) {
      const std::uint64_t* first = rows[left[0]];
      kinds.row.push_back(first);
      kinds.begin.push_back(static_cast<std::uint32_t>(kinds.members.size()));
      others.clear();
      for (const std::uint32_t row : left) {
        const bool same = std::memcmp(first, rows[row], words * sizeof(std::uint64_t)) == 0;
        (same ? kinds.members : others).push_back(row);
      }
      left.swap(others);
    }
  }
  kinds.begin.push_back(static_cast<std::uint32_t>(kinds.members.size()));
  return kinds;
}

}  // namespace hapforge::sketch
