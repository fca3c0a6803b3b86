// joint_counts: how many haplotypes carry ALT at both of two sites, and linkage disequilibrium.
//
// All functions take a site-major matrix: a row is a site, a bit a haplotype. They walk tiles of
// popcount_tile, which has the ISA-specific code. With c_i carriers of site i among n haplotypes
// and n11 carriers of both,
//
//   r2 = (n n11 - c_i c_j)^2 / (c_i (n - c_i) c_j (n - c_j)),
//
// in double precision; the integers in it are exact for n below 2^26.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bit_matrix_view.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge::joint_counts {

// n11[p] for the site pairs (pairs[2 p], pairs[2 p + 1]), each in [0, sites.num_rows).
void pairs(const BitMatrixView& sites, const std::int64_t* pairs, std::size_t num_pairs,
           std::int64_t* n11, const popcount_tile::Kernels& kernels, std::size_t threads);

// n11: sites.num_rows squared, C order.
void matrix(const BitMatrixView& sites, std::int64_t* n11, const popcount_tile::Kernels& kernels,
            std::size_t threads);

// r2: sites.num_rows squared, C order; NaN where either site is monomorphic.
void r2_matrix(const BitMatrixView& sites, float* r2, const popcount_tile::Kernels& kernels,
               std::size_t threads);

// What ld_decay bins. Sites are polymorphic, those of a contig adjacent, positions ascending there.
struct DecayInput {
  BitMatrixView sites;
  const std::int64_t* position;     // per site
  const std::int64_t* contig_end;   // per site: one past the last site of its contig
  BitMatrixView first;              // rows of the sites that open a pair, in ascending order
  const std::int64_t* first_index;  // their row numbers in `sites`
  const std::int64_t* edges;  // num_bins + 1, strictly ascending; bin b is [edges[b], edges[b + 1])
  std::size_t num_bins;
};

// Sums r2 over the pairs (i, j), i in first_index and j > i on the same contig, by distance bin.
// Never forms a matrix. The order of the additions is fixed by the input alone (rows of 64 sites
// together, then those blocks in turn), so sums do not depend on the number of threads.
void ld_decay(const DecayInput& input, double* sum_r2, std::int64_t* num_pairs,
              const popcount_tile::Kernels& kernels, std::size_t threads);

}  // namespace hapforge::joint_counts
