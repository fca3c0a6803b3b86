// The pruned sweep: visits every pair of rows whose distance can still change a result, and proves
// by their sketches that no other pair can.
//
// Every row has a limit: a pair at a distance of max(limit of one, limit of the other) or more
// changes nothing. Limits fall as pairs are found. First, neighbours in the leaves of random trees
// bring them down. Then the hardest rows (highest limits) are compared with all that are left and
// leave, chunk by chunk: each pair is compared once, and what is left gets easier. A stretch of
// targets uses the sketch width that costs least on a sample of its pairs, or whole rows where no
// sketch pays. Pairs that pass are verified on the widest sketch, then on the rows.
//
// The order of visits depends on the threads; a result that is a minimum over pairs does not.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/popcount_tile/kernel.h"
#include "kernels/sketch/kernel.h"

namespace hapforge::sketch {

// State: what is sought. Rows are in pools; a row's limit may differ by the pool of its partner.
//   std::uint32_t limit(std::uint32_t row, std::size_t partners_pool) const noexcept  never rises
//   void offer(std::uint32_t a, std::uint32_t b, std::uint32_t distance) noexcept
// Both are called from several threads at once; a pair may be offered more than once.
template <class State>
class Sweep {
 public:
  // rows: pointers to rows of row_words words; sketches: of the same rows; pools: each row in one;
  // neighbours: how many others a row's limit waits for.
  Sweep(std::span<const std::uint64_t* const> rows, std::size_t row_words, const Sketches& sketches,
        std::vector<std::vector<std::uint32_t>> pools, State& state,
        const popcount_tile::Kernels& tiles, std::size_t neighbours, std::size_t threads)
      : rows_(rows),
        row_words_(row_words),
        sketches_(sketches),
        pools_(std::move(pools)),
        pool_of_(rows.size()),
        position_(rows.size()),
        state_(state),
        tiles_(tiles),
        tree_neighbours_(std::max(kTreeNeighbours, neighbours)),
        threads_(threads),
        chunk_size_(std::clamp<std::size_t>(rows.size() / 16, 192,
                                            std::max<std::size_t>(1536, rows.size() / 128))),
        widths_(candidate_widths(sketches.words)),
        target_words_(std::max<std::size_t>(threads, 1) * kTargets * row_words),
        scratch_(std::max<std::size_t>(threads, 1)) {
    for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
      for (const std::uint32_t row : pools_[pool]) pool_of_[row] = static_cast<std::uint8_t>(pool);
    }
  }

  void run() {
    seed();
    while (take_chunk()) process();
  }

 private:
  static constexpr std::size_t kQueries = 192;  // rows of a tile
  static constexpr std::size_t kTargets = popcount_tile::kMaskBits;
  static constexpr std::size_t kSampledQueries = 32;
  static constexpr std::size_t kLeastStretch = 1024;
  static constexpr std::size_t kLeafRows = 16;
  static constexpr std::size_t kTreeWords = 16;
  static constexpr std::size_t kTreeNeighbours = 12;

  // What verifying a pair costs, in words that a tile compares.
  static constexpr double kVerifyCost = 400;

  struct Scratch {
    std::uint32_t distance[kQueries * kTargets];
    std::uint32_t query_limit[kQueries];
    std::uint32_t target_limit[kTargets];
    std::uint64_t mask[kQueries];
    std::uint64_t target_mask[kQueries];
  };

  // Steps of a third or less, up to the sketch itself.
  static std::vector<std::size_t> candidate_widths(std::size_t most) {
    std::vector<std::size_t> widths;
    for (std::size_t w = 4; w < most; w += std::max<std::size_t>(4, w / 12 * 4)) {
      widths.push_back(w);
    }
    widths.push_back(most);
    return widths;
  }

  // SplitMix64 (Steele, Lea, Flood 2014). It decides speed only, never a result.
  static std::uint64_t next(std::uint64_t& random) noexcept {
    std::uint64_t z = random += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }

  std::uint32_t distance(const std::uint64_t* a, const std::uint64_t* b,
                         std::size_t words) const noexcept {
    std::uint32_t d;
    tiles_.differences({a, 1, b, 1, words, &d, 1});
    return d;
  }

  std::uint32_t hardness(std::uint32_t row) const noexcept {
    std::uint32_t most = 0;
    for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
      most = std::max(most, state_.limit(row, pool));
    }
    return most;
  }

  void verify(std::uint32_t a, std::uint32_t b) noexcept {
    const std::uint32_t limit =
        std::max(state_.limit(a, pool_of_[b]), state_.limit(b, pool_of_[a]));
    std::uint32_t d = distance(sketches_.row(a), sketches_.row(b), sketches_.words);
    if (d >= limit) return;
    if (!sketches_.exact) {
      d = distance(rows_[a], rows_[b], row_words_);
      if (d >= limit) return;
    }
    state_.offer(a, b, d);
  }

  // ---- seeds: random trees ----

  // Rows in the order of the leaves of a tree whose nodes part their rows by the nearer of two of
  // them, picked at random.
  void order_by_tree(std::uint64_t random, std::uint32_t* order, std::size_t size,
                     std::pair<std::size_t, std::size_t>* stack) const noexcept {
    std::size_t depth = 0;
    stack[depth++] = {0, size};
    while (depth > 0) {
      const auto [begin, end] = stack[--depth];
      const std::size_t n = end - begin;
      if (n <= kLeafRows) continue;
      // The first words have the columns that vary most: enough to tell which pivot is nearer.
      const std::size_t words = std::min(sketches_.words, kTreeWords);
      const std::uint64_t* left = sketches_.row(order[begin + next(random) % n]);
      const std::uint64_t* right = sketches_.row(order[begin + next(random) % n]);
      std::size_t i = begin;
      std::size_t j = end;
      while (i < j) {
        const std::uint64_t* row = sketches_.row(order[i]);
        if (distance(row, left, words) < distance(row, right, words)) {
          ++i;
        } else {
          std::swap(order[i], order[--j]);
        }
      }
      // A lopsided split (two pivots alike, an outlier) becomes a split in half: depth stays small.
      if (i - begin < n / 32 + 1 || end - i < n / 32 + 1) i = begin + n / 2;
      stack[depth++] = {begin, i};
      stack[depth++] = {i, end};
    }
  }

  void seed() {
    constexpr std::size_t kTrees = 2;
    constexpr std::size_t kStack = 1024;  // a branch has at most 32 ln(rows) nodes
    std::vector<std::uint32_t> everyone;
    for (const auto& pool : pools_) everyone.insert(everyone.end(), pool.begin(), pool.end());
    const std::size_t n = everyone.size();
    std::vector<std::uint32_t> orders[kTrees] = {everyone, everyone};
    std::vector<std::pair<std::size_t, std::size_t>> stacks(kTrees * kStack);
    parallel_for(kTrees, threads_, [&](std::size_t tree, std::size_t) noexcept {
      std::uint32_t* order = orders[tree].data();
      order_by_tree(tree, order, n, stacks.data() + tree * kStack);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = i + 1; j < std::min(n, i + 1 + tree_neighbours_); ++j) {
          verify(order[i], order[j]);
        }
      }
    });
    for (std::size_t i = 0; i < n; ++i) position_[orders[0][i]] = static_cast<std::uint32_t>(i);
  }

  // ---- chunks ----

  // Takes the hardest rows out of the pool that has the hardest one; false where no row has a limit
  // left.
  bool take_chunk() {
    std::uint32_t greatest = 0;
    for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
      for (const std::uint32_t row : pools_[pool]) {
        if (hardness(row) > greatest) {
          greatest = hardness(row);
          query_pool_ = pool;
        }
      }
    }
    if (greatest == 0) return false;
    auto& from = pools_[query_pool_];
    std::vector<std::pair<std::uint32_t, std::uint32_t>> by_hardness;
    by_hardness.reserve(from.size());
    for (const std::uint32_t row : from) by_hardness.emplace_back(~hardness(row), row);
    const std::size_t size = std::min(chunk_size_, from.size());
    const auto cut = by_hardness.begin() + static_cast<std::ptrdiff_t>(size);
    std::nth_element(by_hardness.begin(), cut - 1, by_hardness.end());
    queries_.clear();
    from.clear();
    for (auto one = by_hardness.begin(); one != by_hardness.end(); ++one) {
      (one < cut ? queries_ : from).push_back(one->second);
    }
    std::sort(queries_.begin(), queries_.end(),
              [&](std::uint32_t a, std::uint32_t b) { return position_[a] < position_[b]; });
    return true;
  }

  // The chunk against itself and what is left of its pool, and against the other pools.
  void process() {
    for (std::size_t pool = 0; pool < pools_.size(); ++pool) {
      const bool own = pool == query_pool_;
      targets_ = own ? queries_ : std::vector<std::uint32_t>();
      targets_.insert(targets_.end(), pools_[pool].begin(), pools_[pool].end());
      const auto matters = [&](std::size_t partners) {
        return [&, partners](std::uint32_t row) { return state_.limit(row, partners) > 0; };
      };
      if (std::any_of(queries_.begin(), queries_.end(), matters(pool)) ||
          std::any_of(targets_.begin(), targets_.end(), matters(query_pool_))) {
        compare_all(pool, own);
      }
    }
  }

  // A stretch of targets at a time: limits fall fastest at first, and with them the width needed.
  void compare_all(std::size_t pool, bool own) {
    const std::size_t stretch = std::max<std::size_t>(kLeastStretch, targets_.size() / 8 / 64 * 64);
    std::size_t shortened = 0;  // the width that query_words_ is at
    for (std::size_t begin = 0; begin < targets_.size(); begin += stretch) {
      const std::size_t end = std::min(targets_.size(), begin + stretch);
      const std::size_t width = choose_width(std::span(targets_.data() + begin, end - begin), pool);
      if (width != shortened) {
        query_words_.resize(queries_.size() * width);
        shorten_all(queries_, width, query_words_.data());
        shortened = width;
      }
      const std::size_t tasks = (end - begin + kTargets - 1) / kTargets;
      parallel_for(tasks, threads_, [&](std::size_t task, std::size_t slot) noexcept {
        compare(begin + task * kTargets, pool, own, width, slot);
      });
    }
  }

  void load_limits(std::span<const std::uint32_t> rows, std::size_t partners,
                   std::uint32_t* out) const noexcept {
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] = state_.limit(rows[i], partners);
  }

  // A row at `width` words: its sketch folded, or the row itself where no sketch is that wide.
  void shorten(std::uint32_t row, std::size_t width, std::uint64_t* out) const noexcept {
    if (width > sketches_.words) {
      std::copy_n(rows_[row], row_words_, out);
    } else {
      fold(sketches_.row(row), sketches_.words, width, out);
    }
  }

  // Rows at `width` words, one after another.
  void shorten_all(std::span<const std::uint32_t> rows, std::size_t width,
                   std::uint64_t* out) const noexcept {
    for (std::size_t i = 0; i < rows.size(); ++i) shorten(rows[i], width, out + i * width);
  }

  // Which of these pairs matter by their distance at `width` words: bit t of s.mask[q].
  void compare_tile(std::span<const std::uint32_t> queries, const std::uint64_t* query_words,
                    std::span<const std::uint32_t> targets, const std::uint64_t* target_words,
                    std::size_t pool, std::size_t width, Scratch& s) const noexcept {
    load_limits(queries, pool, s.query_limit);
    load_limits(targets, query_pool_, s.target_limit);
    tiles_.differences(
        {query_words, queries.size(), target_words, targets.size(), width, s.distance, kTargets});
    tiles_.below({s.distance, queries.size(), targets.size(), kTargets, s.query_limit,
                  s.target_limit, s.mask, s.target_mask});
    for (std::size_t q = 0; q < queries.size(); ++q) s.mask[q] |= s.target_mask[q];
  }

  // The chunk against a tile of targets; those of its own come first, in the same order, and each
  // pair of them is met once.
  void compare(std::size_t first, std::size_t pool, bool own, std::size_t width,
               std::size_t slot) noexcept {
    const std::size_t count = std::min(kTargets, targets_.size() - first);
    const std::span targets(targets_.data() + first, count);
    const bool exact = width == row_words_;
    Scratch& s = scratch_[slot];
    std::uint64_t* target_words = target_words_.data() + slot * kTargets * row_words_;
    shorten_all(targets, width, target_words);
    const std::size_t end = own ? std::min(queries_.size(), first + count) : queries_.size();
    for (std::size_t begin = 0; begin < end; begin += kQueries) {
      const std::span queries(queries_.data() + begin, std::min(kQueries, end - begin));
      compare_tile(queries, query_words_.data() + begin * width, targets, target_words, pool, width,
                   s);
      for (std::size_t q = begin; q < begin + queries.size(); ++q) {
        std::uint64_t mask = s.mask[q - begin];
        if (own && q >= first) mask &= ~std::uint64_t{0} << (q - first) << 1;
        for (; mask != 0; mask &= mask - 1) {
          const auto t = static_cast<std::size_t>(std::countr_zero(mask));
          if (exact) {
            state_.offer(queries_[q], targets[t], s.distance[(q - begin) * kTargets + t]);
          } else {
            verify(queries_[q], targets[t]);
          }
        }
      }
    }
  }

  // The cheapest width for this chunk, judged by sampled pairs.
  std::size_t choose_width(std::span<const std::uint32_t> stretch, std::size_t pool) {
    std::uint64_t random = stretch.size();
    std::vector<std::uint32_t> queries(std::min(kSampledQueries, queries_.size()));
    std::vector<std::uint32_t> targets(std::min(kTargets, stretch.size()));
    for (auto& q : queries) q = queries_[next(random) % queries_.size()];
    for (auto& t : targets) t = stretch[next(random) % stretch.size()];
    std::vector<std::uint64_t> words(queries.size() * sketches_.words);
    const auto survivors = [&](std::size_t width) {
      shorten_all(queries, width, words.data());
      shorten_all(targets, width, target_words_.data());
      compare_tile(queries, words.data(), targets, target_words_.data(), pool, width, scratch_[0]);
      int passed = 0;
      for (std::size_t q = 0; q < queries.size(); ++q) passed += std::popcount(scratch_[0].mask[q]);
      return passed / static_cast<double>(queries.size() * targets.size());
    };
    const double fixed = sketches_.exact ? 0 : survivors(sketches_.words) * 2 * kVerifyCost;
    double least = static_cast<double>(row_words_);
    std::size_t best = row_words_;
    for (const std::size_t width : widths_) {
      const double cost = static_cast<double>(width) + survivors(width) * kVerifyCost + fixed;
      if (cost < least) {
        least = cost;
        best = width;
      }
    }
    return best;
  }

  std::span<const std::uint64_t* const> rows_;
  std::size_t row_words_;
  const Sketches& sketches_;
  std::vector<std::vector<std::uint32_t>> pools_;  // rows that were not queries yet
  std::vector<std::uint8_t> pool_of_;
  std::vector<std::uint32_t> position_;  // of a row in the first tree
  State& state_;
  const popcount_tile::Kernels& tiles_;
  std::size_t tree_neighbours_;
  std::size_t threads_;
  std::size_t chunk_size_;
  std::vector<std::size_t> widths_;
  std::vector<std::uint64_t> target_words_;  // per slot
  std::vector<Scratch> scratch_;
  std::size_t query_pool_ = 0;
  std::vector<std::uint32_t> queries_;  // the chunk
  std::vector<std::uint32_t> targets_;  // what it is compared with
  std::vector<std::uint64_t> query_words_;
};

}  // namespace hapforge::sketch
