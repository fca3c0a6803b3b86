// nearest_neighbours on the device: memory and launches. The kernels' bodies are in cuda.cuh.
#include "kernels/nearest_neighbours/cuda.cuh"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/nearest_neighbours/cuda.h"
#include "kernels/nearest_neighbours/cuda_pass.h"
#include "kernels/popcount_tile/cuda_rows.cuh"

namespace hapforge::nearest_neighbours {

using popcount_tile::Rows;

// One or two sets, cut into slabs of rows: all of them on the device where they fit there, else
// three at a time, one of which is on its way while the others are compared, and a fourth whose
// memory may not be back yet.
class Passes::Slabs {
 public:
  struct Slab {
    std::size_t set, first;
    BitMatrixView rows;
  };

  explicit Slabs(const std::vector<BitMatrixView>& sets) {
    std::size_t needed = 0, num_rows = 0, per_row = 1;
    for (const BitMatrixView& set : sets) {
      num_rows += set.num_rows;
      needed += set.num_rows * Rows::bytes_per_row(set);
      per_row = std::max(per_row, Rows::bytes_per_row(set));
    }
    bool fits = needed <= cuda::free_memory() / 10 * 9;
    if (!fits) {
      // What has been freed is free then; and rows that are still being made can be copied by
      // another stream.
      cuda::synchronize();
      fits = needed <= cuda::free_memory() / 10 * 9;
    }
    const std::size_t most = cuda::free_memory() / 10 * 9 / per_row;
    // No more tiles in a launch than there may be blocks: below 2^31.
    const std::size_t highest = std::size_t{46340} * PairTile::kSide;
    const std::size_t height = std::min(
        highest,
        fits ? num_rows : std::max<std::size_t>(most / 4 / PairTile::kSide, 1) * PairTile::kSide);
    for (std::size_t set = 0; set < sets.size(); ++set) {
      for (std::size_t first = 0; first < sets[set].num_rows; first += height) {
        BitMatrixView rows = sets[set];
        rows.words = rows.row(first);
        rows.num_rows = std::min(height, sets[set].num_rows - first);
        slabs_.push_back({set, first, rows});
      }
    }
    if (!fits) return;
    for (const Slab& slab : slabs_) resident_.emplace_back(slab.rows);
  }

  std::size_t size() const { return slabs_.size(); }
  const Slab& operator[](std::size_t i) const { return slabs_[i]; }

  // visit(rows of i, j, rows of j) for the slabs j >= i that `wanted` names.
  template <class Wanted, class Visit>
  void for_each_behind(std::size_t i, const Wanted& wanted, const Visit& visit) const {
    std::vector<std::size_t> partners;
    for (std::size_t j = i; j < size(); ++j) {
      if (wanted(j)) partners.push_back(j);
    }
    if (partners.empty()) return;
    if (!resident_.empty()) {
      for (const std::size_t j : partners) visit(resident_[i], j, resident_[j]);
      return;
    }
    const Rows fixed(slabs_[i].rows);
    std::optional<Rows> next;
    for (std::size_t p = 0; p < partners.size(); ++p) {
      const std::size_t j = partners[p];
      std::optional<Rows> now = std::move(next);
      if (j != i && !now) now.emplace(copying_.rows(slabs_[j].rows));
      copying_.arrive();
      visit(fixed, j, j == i ? fixed : *now);
      next.reset();
      if (p + 1 < partners.size()) next.emplace(copying_.rows(slabs_[partners[p + 1]].rows));
      copying_.leave();  // `now` goes back behind the comparison
    }
  }

 private:
  // Copies of rows on a stream of their own.
  class Copying {
   public:
    Copying() {
      cuda::check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                  "cudaStreamCreateWithFlags");
    }
    ~Copying() { (void)cudaStreamDestroy(stream_); }
    Copying(const Copying&) = delete;
    Copying& operator=(const Copying&) = delete;

    Rows rows(const BitMatrixView& m) const {
      const cuda::On on(cuda::current_device(), handle(stream_));
      return Rows(m);
    }
    // What the current stream does from now on finds the copies there; and the copies made from
    // now on, or taken back, wait for what it does.
    void arrive() const { cuda::order(handle(stream_), handle(cuda::current_stream)); }
    void leave() const { cuda::order(handle(cuda::current_stream), handle(stream_)); }

   private:
    static cuda::StreamHandle handle(cudaStream_t stream) {
      return reinterpret_cast<cuda::StreamHandle>(stream);
    }
    cudaStream_t stream_;
  };

  std::vector<Slab> slabs_;
  std::vector<Rows> resident_;
  Copying copying_;
};

Passes::Passes(const std::vector<BitMatrixView>& sets) : slabs_(new Slabs(sets)) {}
Passes::~Passes() = default;

void Passes::run(bool exclude_self, const PassLists (&lists)[2][2]) const {
  const Slabs& slabs = *slabs_;
  for (std::size_t i = 0; i < slabs.size(); ++i) {
    const Slabs::Slab& from = slabs[i];
    const auto wanted = [&](std::size_t j) {
      const std::size_t set = slabs[j].set;
      return lists[from.set][set].least != nullptr || lists[set][from.set].least != nullptr;
    };
    slabs.for_each_behind(i, wanted, [&](const Rows& queries, std::size_t j, const Rows& targets) {
      const Slabs::Slab& to = slabs[j];
      NearestTiles tiles{queries.view(), targets.view(), from.first,
                         to.first,       i == j,         exclude_self || from.set == to.set};
      const auto place = [](const PassLists& of, std::size_t first, Key*& least,
                            const Key*& after) {
        if (of.least == nullptr) return;
        least = of.least + first;
        after = of.after == nullptr ? nullptr : of.after + first;
      };
      place(lists[from.set][to.set], from.first, tiles.of_query, tiles.after_query);
      place(lists[to.set][from.set], to.first, tiles.of_target, tiles.after_target);
      cuda::launch("NearestTiles", tiles.blocks(), tiles);
    });
  }
}

namespace {

// The neighbours of one set that are being found, one for each row and pass.
class Best {
 public:
  Best(std::size_t num_rows, const Lists& out)
      : k_(out.k),
        least_(out.k > 0 ? num_rows : 0),
        after_(out.k > 1 ? num_rows : 0),
        index_(reinterpret_cast<long long*>(out.index), least_.size() * k_),
        distance_(out.distance, least_.size() * k_) {}

  // Where this pass leaves its neighbours; null where none are wanted.
  Key* start(std::size_t pass) {
    if (pass >= k_) return nullptr;
    if (pass > 0) after_.copy_from(least_);
    least_.fill(0xFF);  // kNone
    return least_.data();
  }

  const Key* after(std::size_t pass) const { return pass == 0 ? nullptr : after_.data(); }

  void finish(std::size_t pass) const {
    if (pass >= k_) return;
    const SplitKeys split{least_.data(), least_.size(), k_, pass, index_.data(), distance_.data()};
    cuda::launch("SplitKeys", split.blocks(), split);
  }

  // After the last pass.
  void hand_over() const {
    index_.finish();
    distance_.finish();
  }

 private:
  std::size_t k_;
  cuda::Buffer<Key> least_, after_;
  cuda::Result<long long> index_;
  cuda::Result<std::uint32_t> distance_;
};

// Neighbours of the rows of set s in set t, for every out[s][t] that is wanted.
void find(const std::vector<BitMatrixView>& sets, bool exclude_self, const Lists (&out)[2][2]) {
  std::vector<Best> best;
  std::size_t num_passes = 0;
  for (std::size_t s = 0; s < 2; ++s) {
    for (std::size_t t = 0; t < 2; ++t) {
      best.emplace_back(s < sets.size() ? sets[s].num_rows : 0, out[s][t]);
      num_passes = std::max(num_passes, out[s][t].k);
    }
  }
  const Passes passes(sets);
  for (std::size_t pass = 0; pass < num_passes; ++pass) {
    PassLists lists[2][2];
    for (std::size_t i = 0; i < best.size(); ++i) {
      lists[i / 2][i % 2] = {best[i].start(pass), best[i].after(pass)};
    }
    passes.run(exclude_self, lists);
    for (const Best& one : best) one.finish(pass);
  }
  for (const Best& one : best) one.hand_over();
}

}  // namespace

void search_cuda(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
                 const Lists& out) {
  const bool same = queries.words == targets.words && queries.num_rows == targets.num_rows;
  if (same && exclude_self) {
    find({queries}, true, {{out, {}}, {{}, {}}});
  } else {
    find({queries, targets}, exclude_self, {{{}, out}, {{}, {}}});
  }
}

void joint_cuda(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out) {
  find({a, b}, false, {{out.aa, out.ab}, {out.ba, out.bb}});
}

}  // namespace hapforge::nearest_neighbours
