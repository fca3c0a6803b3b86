// joint_counts: how many haplotypes carry ALT at both of two sites, and linkage disequilibrium.
//
// With c_i carriers of site i among n haplotypes and n11 carriers of both,
//
//   D  = d / n^2,  d = n n11 - c_i c_j
//   r  = d / sqrt(c_i (n - c_i) c_j (n - c_j))
//   r2 = r r
//   D' = D / Dmax, Dmax n^2 = min(c_i (n - c_j), (n - c_i) c_j) where d >= 0,
//                             min(c_i c_j, (n - c_i) (n - c_j)) where d < 0
//
// (Hill and Robertson 1968; Lewontin 1964), in double precision; d is exact for n below 2^26.
//
// Sites are read in panels of eight: word w of all eight side by side. A vector then holds one word
// of eight sites, and the sums of a register block come out as eight pairs, with no sum across
// lanes; rows of haplotypes are short (79 words for 5008), so that sum would be a tenth of the
// work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/bit_matrix_view.h"
#include "core/dispatch.h"
#include "core/word_buffer.h"
#include "kernels/joint_counts/arguments.h"
#include "kernels/pack/kernel.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::joint_counts {

inline constexpr std::size_t kPanel = 8;  // sites

// Counts of sites in panels: word w of site s of a panel is words[kPanel * w + s].
struct Tile {
  const std::uint64_t* rows;  // panels, one after another
  std::size_t row_panels;
  const std::uint64_t* columns;  // panels, one after another
  std::size_t column_panels;
  std::size_t words;   // of a site
  std::uint32_t* out;  // out[i * out_stride + j] = n11 of row i and column j
  std::size_t out_stride;
};

// Adjacent partners of one site.
struct Run {
  double n;         // haplotypes
  double carriers;  // of the site
  double weight;    // of the site
  const std::uint32_t* n11;
  const double* partner_carriers;
  const double* partner_weight;
  std::size_t length;
};

// What an ISA provides.
struct Kernels {
  void (*counts)(const Tile&) noexcept;
  // Adds weight times the sum of (n n11 - c c_j)^2 weight_j, in eight parts: those of the terms j
  // with j % 8 = 0 to sums[0] and so on. Every backend adds in this order.
  void (*add_squares)(const Run&, double* sums) noexcept;
  // The same partners in two cohorts: with x and y the squares times both weights of a and b, adds
  // the sums of x, y, x x, y y and x y, each in eight parts as above: sums[8 s] to sums[8 s + 7].
  void (*add_moments)(const Run& a, const Run& b, double* sums) noexcept;
  // out[j] = (n n11 - c c_j) (weight weight_j), or (n n11 - c c_j)^2 (weight weight_j).
  void (*scale)(const Run&, float* out) noexcept;
  void (*scale_squares)(const Run&, float* out) noexcept;
};

std::span<const Implementation<Kernels>> implementations() noexcept;

// Sites of a matrix in panels; lanes of the last panel past the last site are zero.
class Panels {
 public:
  // From packed haplotypes, a row each.
  static Panels of_haplotypes(const BitMatrixView& haplotypes, const pack::Kernels& kernels,
                              std::size_t threads);

  std::size_t num_sites() const noexcept { return num_sites_; }
  std::size_t num_haplotypes() const noexcept { return num_haplotypes_; }
  std::size_t words() const noexcept { return words_; }  // of a site
  const std::uint64_t* panel(std::size_t p) const noexcept {
    return storage_.data() + p * kPanel * words_;
  }
  const std::uint64_t* site(std::size_t i) const noexcept {  // its words are kPanel apart
    return panel(i / kPanel) + i % kPanel;
  }

 private:
  Panels(std::size_t num_sites, std::size_t num_haplotypes);

  std::size_t num_sites_, num_haplotypes_, words_;
  WordBuffer storage_;
};

// n11[p] for the site pairs (pairs[2 p], pairs[2 p + 1]), each in [0, sites.num_rows). A row of
// `sites` is a site.
void pairs(const BitMatrixView& sites, const std::int64_t* pairs, std::size_t num_pairs,
           std::int64_t* n11, const popcount_tile::Kernels& kernels, std::size_t threads);

// n11: sites squared, C order.
void matrix(const Panels& sites, std::int64_t* n11, const Kernels& kernels, std::size_t threads);

// out: sites squared, C order, symmetric; NaN where either site is monomorphic.
void ld_matrix(const Panels& sites, Statistic statistic, float* out, const Kernels& kernels,
               std::size_t threads);

// Sums r2 over the pairs by distance bin: sum_r2 and num_pairs are num_bins. All sites must be
// polymorphic. Never forms a matrix: besides the panels it holds a sum and a count per 64 sites and
// bin, and some 0.2 MB and 64 bytes per bin for each thread. The order of the additions is fixed by
// the input alone, so sums depend neither on the number of threads nor on the backend.
void ld_decay(const Panels& sites, const BinnedPairs& pairs, double* sum_r2,
              std::int64_t* num_pairs, const Kernels& kernels, std::size_t threads);

// Sites in blocks, and those in cells: ascending ends, one past the last site each; the last one
// ends with the sites, and every end of a block is that of a cell.
struct Partition {
  const std::int64_t* block_end;
  std::size_t num_blocks;
  const std::int64_t* cell_end;
  std::size_t num_cells;
};

inline constexpr std::size_t kMoments = 5;

// Sums over the pairs of x = r2 in one cohort and y = r2 in another, [block of i, block of j, ...]
// and [cell of i, cell of j, ...] in C order; zero below the diagonal.
struct MomentSums {
  double* moments;           // num_blocks, num_blocks, num_bins, kMoments: x, y, x x, y y, x y
  std::int64_t* num_pairs;   // num_blocks, num_blocks, num_bins
  double* cell_sums;         // num_cells, num_cells, 2: x, y
  std::int64_t* cell_pairs;  // num_cells, num_cells
};

// As ld_decay, of two cohorts at the same sites, all polymorphic in both. Holds kMoments sums and a
// count per 64 sites (or smaller cell), block and bin, and two sums per 64 sites and cell.
void compare_ld(const Panels& a, const Panels& b, const BinnedPairs& pairs,
                const Partition& partition, const MomentSums& out, const Kernels& kernels,
                std::size_t threads);

}  // namespace hapforge::joint_counts
