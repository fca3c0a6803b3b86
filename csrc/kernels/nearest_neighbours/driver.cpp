// nearest_neighbours: pruned or exhaustive.
#include <algorithm>

#include "kernels/nearest_neighbours/exhaustive.h"
#include "kernels/nearest_neighbours/kernel.h"
#include "kernels/nearest_neighbours/pruned.h"

namespace hapforge::nearest_neighbours {
namespace {

// Below these, making sketches and keeping lists costs more than comparing all pairs.
constexpr std::size_t kFewestRows = 4096;
constexpr std::size_t kRowsPerFurtherNeighbour = 1024;
constexpr std::size_t kFewestQueries = 256;

}  // namespace

bool prunes(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out) noexcept {
  const std::size_t k = std::max({out.aa.k, out.ab.k, out.ba.k, out.bb.k});
  const std::size_t queries =
      (out.aa.k + out.ab.k > 0 ? a.num_rows : 0) + (out.ba.k + out.bb.k > 0 ? b.num_rows : 0);
  return k <= kMostPruned && k >= 1 &&
         a.num_rows + b.num_rows >= kFewestRows + (k - 1) * kRowsPerFurtherNeighbour &&
         queries >= kFewestQueries;
}

void joint(const BitMatrixView& a, const BitMatrixView& b, const JointLists& out,
           const sketch::Backend& backend, std::size_t threads) {
  if (prunes(a, b, out)) {
    pruned(a, b, out, backend, threads);
  } else {
    exhaustive::joint(a, b, out, backend.tiles, threads);
  }
}

void search(const BitMatrixView& queries, const BitMatrixView& targets, bool exclude_self,
            const Lists& out, const sketch::Backend& backend, std::size_t threads) {
  if (!exclude_self) {
    joint(queries, targets, {{}, out, {}, {}}, backend, threads);
  } else if (queries.words == targets.words && queries.num_rows == targets.num_rows) {
    const BitMatrixView none{queries.words, 0, queries.words_per_row, queries.num_sites};
    joint(queries, none, {out, {}, {}, {}}, backend, threads);
  } else {
    exhaustive::search(queries, targets, true, out, backend.tiles, threads);
  }
}

}  // namespace hapforge::nearest_neighbours
