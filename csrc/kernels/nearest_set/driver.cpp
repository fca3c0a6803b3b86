// nearest_set: identical rows are decided by counts, the kinds they leave by the pruned sweep.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/nearest_set/kernel.h"
#include "kernels/sketch/kinds.h"
#include "kernels/sketch/sweep.h"

namespace hapforge::nearest_set {
namespace {

constexpr std::uint8_t kBoth = kFirst | kSecond;

// The least distance of every kind to another row, and the sets that hold a row at it.
class Nearest {
 public:
  Nearest(const sketch::Kinds& kinds, std::size_t num_first, std::size_t num_sites)
      : sets_(kinds.size()), best_(kinds.size()) {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const auto members = kinds.of(kind);
      sets_[kind] = static_cast<std::uint8_t>((members.front() < num_first ? kFirst : 0) |
                                              (members.back() >= num_first ? kSecond : 0));
      // A kind of several rows is decided: nothing comes closer than 0, and no other kind is at 0.
      best_[kind] = members.size() > 1 ? pack(0, kBoth) : pack(num_sites + 1, 0);
    }
  }

  std::uint32_t limit(std::uint32_t kind, std::size_t) const noexcept {
    const std::uint64_t best = best_[kind].load(std::memory_order_relaxed);
    // A tie counts unless both sets have a row at this distance.
    return static_cast<std::uint32_t>(best >> 2) + ((best & kBoth) != kBoth);
  }

  void offer(std::uint32_t a, std::uint32_t b, std::uint32_t distance) noexcept {
    update(a, distance, sets_[b]);
    update(b, distance, sets_[a]);
  }

  std::uint32_t distance(std::size_t kind) const noexcept {
    return static_cast<std::uint32_t>(best_[kind].load(std::memory_order_relaxed) >> 2);
  }
  std::uint8_t sets(std::size_t kind) const noexcept {
    return static_cast<std::uint8_t>(best_[kind].load(std::memory_order_relaxed) & kBoth);
  }

 private:
  static constexpr std::uint64_t pack(std::uint64_t distance, std::uint64_t sets) noexcept {
    return distance << 2 | sets;
  }

  void update(std::uint32_t kind, std::uint64_t distance, std::uint8_t sets) noexcept {
    std::uint64_t best = best_[kind].load(std::memory_order_relaxed);
    std::uint64_t better;
    do {
      if (distance > best >> 2) return;
      better = distance < best >> 2 ? pack(distance, sets) : best | sets;
      if (better == best) return;
    } while (!best_[kind].compare_exchange_weak(best, better, std::memory_order_relaxed));
  }

  std::vector<std::uint8_t> sets_;  // that have a row of this kind
  std::vector<std::atomic<std::uint64_t>> best_;
};

}  // namespace

void search(const BitMatrixView& a, const BitMatrixView& b, std::uint32_t* distance,
            std::uint8_t* sets, const sketch::Backend& with, std::size_t threads) {
  const std::vector<const std::uint64_t*> rows = sketch::row_pointers(a, b);
  const sketch::Kinds kinds = sketch::find_kinds(rows, a.words_per_row, threads);
  Nearest nearest(kinds, a.num_rows, a.num_sites);
  if (kinds.size() > 1) {
    const sketch::Sketches sketches = sketch::build(kinds.row, a, b, with, threads);
    std::vector<std::uint32_t> everyone(kinds.size());
    std::iota(everyone.begin(), everyone.end(), 0);
    sketch::Sweep<Nearest>(kinds.row, a.words_per_row, sketches, {std::move(everyone)}, nearest,
                           with.tiles, 1, threads)
        .run();
  }
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const auto members = kinds.of(kind);
    const auto second = std::lower_bound(members.begin(), members.end(), a.num_rows);
    const auto num_first = second - members.begin();
    const auto num_second = members.end() - second;
    for (const std::uint32_t row : members) {
      distance[row] = nearest.distance(kind);
      sets[row] = nearest.sets(kind);
      if (members.size() > 1) {  // which sets have another row of this kind
        const bool in_first = row < a.num_rows;
        sets[row] = static_cast<std::uint8_t>((num_first > in_first ? kFirst : 0) |
                                              (num_second > !in_first ? kSecond : 0));
      }
    }
  }
}

}  // namespace hapforge::nearest_set
