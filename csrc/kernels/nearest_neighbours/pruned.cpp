#include "kernels/nearest_neighbours/pruned.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <span>
#include <utility>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/sketch/kinds.h"
#include "kernels/sketch/sweep.h"

namespace hapforge::nearest_neighbours {
namespace {

constexpr std::size_t kSets = 2;
constexpr std::size_t kPools = 3;  // kinds with rows of the first set, of the second, of both
constexpr std::size_t kKindsPerTask = 64;

// The rows of a kind that are in each set, ascending.
std::array<std::span<const std::uint32_t>, kSets> by_set(std::span<const std::uint32_t> members,
                                                         std::size_t num_first) {
  const auto cut = static_cast<std::size_t>(
      std::lower_bound(members.begin(), members.end(), num_first) - members.begin());
  return {members.first(cut), members.subspan(cut)};
}

// For each kind and each set, the nearest rows of other kinds: the candidates that its own members,
// which are at distance 0, do not make unnecessary.
class NearestLists {
 public:
  NearestLists(const sketch::Kinds& kinds, std::size_t num_first, std::size_t num_sites,
               const Lists* const (&wanted)[kSets][kSets])
      : kinds_(kinds),
        first_row_{0, static_cast<std::uint32_t>(num_first)},
        begin_(kinds.size() * kSets + 1),
        limit_(kinds.size() * kSets),
        front_(kinds.size() * kSets),
        first_of_second_(kinds.size()),
        busy_(kinds.size()) {
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      const auto members = by_set(kinds.of(kind), num_first);
      first_of_second_[kind] = static_cast<std::uint32_t>(members[0].size());
      for (std::size_t to = 0; to < kSets; ++to) {
        std::size_t needed = 0;
        for (std::size_t from = 0; from < kSets; ++from) {
          if (members[from].empty()) continue;
          const std::size_t k = wanted[from][to]->k;
          const std::size_t copies = members[to].size() - (from == to);
          needed = std::max(needed, k - std::min(k, copies));
        }
        const std::size_t list = kind * kSets + to;
        begin_[list + 1] = begin_[list] + needed;
        limit_[list] = needed == 0 ? 0 : static_cast<std::uint32_t>(num_sites + 1);
        front_[list] = needed == 0 ? 0 : ~std::uint64_t{0};
      }
    }
    heap_.assign(begin_.back(), ~std::uint64_t{0});
  }

  std::size_t pool(std::size_t kind) const noexcept {
    const std::size_t in_first = first_of_second_[kind];
    return in_first == kinds_.of(kind).size() ? 0 : in_first == 0 ? 1 : 2;
  }

  std::uint32_t limit(std::uint32_t kind, std::size_t partners_pool) const noexcept {
    const auto of = [&](std::size_t set) {
      return limit_[kind * kSets + set].load(std::memory_order_relaxed);
    };
    return partners_pool < kSets ? of(partners_pool) : std::max(of(0), of(1));
  }

  void offer(std::uint32_t a, std::uint32_t b, std::uint32_t distance) noexcept {
    update(a, b, distance);
    update(b, a, distance);
  }

  // Sorted; to be called when all pairs were offered.
  std::span<const std::uint64_t> candidates(std::size_t kind, std::size_t set) noexcept {
    const std::span<std::uint64_t> heap = heap_of(kind * kSets + set);
    std::sort_heap(heap.begin(), heap.end());
    return heap;
  }

 private:
  std::span<std::uint64_t> heap_of(std::size_t list) noexcept {
    return {heap_.data() + begin_[list], heap_.data() + begin_[list + 1]};
  }

  void update(std::uint32_t kind, std::uint32_t other, std::uint64_t distance) noexcept {
    const auto everyone = kinds_.of(other);
    const auto cut = first_of_second_[other];
    const std::span<const std::uint32_t> members[kSets] = {everyone.first(cut),
                                                           everyone.subspan(cut)};
    for (std::size_t set = 0; set < kSets; ++set) {
      const std::size_t list = kind * kSets + set;
      // Most offers are ties that come too late: they are seen without the lock.
      if (members[set].empty() || (distance << 32 | (members[set].front() - first_row_[set])) >=
                                      front_[list].load(std::memory_order_relaxed)) {
        continue;
      }
      while (busy_[kind].exchange(true, std::memory_order_acquire)) {
      }
      const auto heap = heap_of(list);
      for (const std::uint32_t row : members[set]) {
        const std::uint64_t candidate = distance << 32 | (row - first_row_[set]);
        if (candidate >= heap.front()) break;
        // Trees may have met this pair before.
        if (std::find(heap.begin(), heap.end(), candidate) != heap.end()) continue;
        std::pop_heap(heap.begin(), heap.end());
        heap.back() = candidate;
        std::push_heap(heap.begin(), heap.end());
      }
      front_[list].store(heap.front(), std::memory_order_relaxed);
      // At equal distance a lower index still enters.
      const std::uint64_t most = (heap.front() >> 32) + 1;
      if (most < limit_[list].load(std::memory_order_relaxed)) {
        limit_[list].store(static_cast<std::uint32_t>(most), std::memory_order_relaxed);
      }
      busy_[kind].store(false, std::memory_order_release);
    }
  }

  const sketch::Kinds& kinds_;
  std::array<std::uint32_t, kSets> first_row_;
  std::vector<std::size_t> begin_;   // of each list in heap_
  std::vector<std::uint64_t> heap_;  // max-heaps of distance << 32 | row of the set
  std::vector<std::atomic<std::uint32_t>> limit_;
  std::vector<std::atomic<std::uint64_t>> front_;  // of each heap
  std::vector<std::uint32_t> first_of_second_;     // among the members of each kind
  std::vector<std::atomic<bool>> busy_;
};

// The k nearest of one row: the rows of its kind without itself, then the candidates.
void write_row(std::span<const std::uint32_t> copies, std::uint32_t first_row, std::uint32_t itself,
               std::span<const std::uint64_t> candidates, std::size_t row,
               const Lists& out) noexcept {
  std::size_t rank = row * out.k;
  const std::size_t end = rank + out.k;
  for (auto copy = copies.begin(); copy != copies.end() && rank < end; ++copy) {
    if (*copy == itself) continue;
    out.index[rank] = *copy - first_row;
    out.distance[rank++] = 0;
  }
  for (auto one = candidates.begin(); rank < end; ++one) {
    out.index[rank] = static_cast<std::int64_t>(*one & 0xFFFFFFFF);
    out.distance[rank++] = static_cast<std::uint32_t>(*one >> 32);
  }
}

}  // namespace

void pruned(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
            const sketch::Backend& with, std::size_t threads) {
  const std::vector<const std::uint64_t*> rows = sketch::row_pointers(a, b);
  const sketch::Kinds kinds = sketch::find_kinds(rows, a.words_per_row, threads);
  const Lists* const lists[kSets][kSets] = {{&out.aa, &out.ab}, {&out.ba, &out.bb}};
  NearestLists nearest(kinds, a.num_rows, a.num_sites, lists);
  if (kinds.size() > 1) {
    const sketch::Sketches sketches = sketch::build(kinds.row, a, b, with, threads);
    std::vector<std::vector<std::uint32_t>> pools(kPools);
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      pools[nearest.pool(kind)].push_back(static_cast<std::uint32_t>(kind));
    }
    sketch::Sweep<NearestLists>(kinds.row, a.words_per_row, sketches, std::move(pools), nearest,
                                with.tiles, std::max({out.aa.k, out.ab.k, out.ba.k, out.bb.k}),
                                threads)
        .run();
  }
  const std::size_t tasks = (kinds.size() + kKindsPerTask - 1) / kKindsPerTask;
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t) noexcept {
    const std::size_t end = std::min(kinds.size(), (task + 1) * kKindsPerTask);
    for (std::size_t kind = task * kKindsPerTask; kind < end; ++kind) {
      const auto members = by_set(kinds.of(kind), a.num_rows);
      for (std::size_t to = 0; to < kSets; ++to) {
        const auto first_row = static_cast<std::uint32_t>(to == 0 ? 0 : a.num_rows);
        const auto candidates = nearest.candidates(kind, to);
        for (std::size_t from = 0; from < kSets; ++from) {
          for (const std::uint32_t row : members[from]) {
            write_row(members[to], first_row, row, candidates, from == 0 ? row : row - a.num_rows,
                      *lists[from][to]);
          }
        }
      }
    }
  });
}

}  // namespace hapforge::nearest_neighbours
