// The C ABI: each function checks its arguments (arguments.h) and calls a kernel. What they do is
// written in hapforge/hapforge.h. A new kernel is a declaration there and a function here.
#include "hapforge/hapforge.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "cabi/arguments.h"
#include "core/thread_pool.h"
#include "kernels/allele_counts/kernel.h"
#include "kernels/backends.h"
#include "kernels/gibbs/kernel.h"
#include "kernels/hamming/kernel.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/kmers/kernel.h"
#include "kernels/nearest_neighbours/kernel.h"
#include "kernels/nearest_set/kernel.h"
#include "kernels/pack/kernel.h"
#include "kernels/three_point/kernel.h"

using namespace hapforge;
using namespace hapforge::cabi;

namespace {

// One past the last site of each site's contig.
std::vector<int64_t> contig_ends(const int64_t* position, const int64_t* contig,
                                 std::size_t num_sites) {
  std::vector<int64_t> end(num_sites, static_cast<int64_t>(num_sites));
  for (std::size_t i = num_sites; i-- > 1;) {
    const bool same = contig == nullptr || contig[i - 1] == contig[i];
    require(!same || position[i - 1] <= position[i], HF_ERROR_VALUE);
    end[i - 1] = same ? end[i] : static_cast<int64_t>(i);
  }
  return end;
}

void require_polymorphic(const BitMatrixView& haplotypes, int backend, std::size_t threads) {
  std::vector<int64_t> counts(haplotypes.num_sites);
  allele_counts::count(haplotypes, counts.data(), chosen(allele_counts::implementations(), backend),
                       threads);
  for (const int64_t count : counts) {
    require(count > 0 && static_cast<std::size_t>(count) < haplotypes.num_rows, HF_ERROR_VALUE);
  }
}

joint_counts::Panels panels_of(const BitMatrixView& haplotypes, int backend, std::size_t threads) {
  return joint_counts::Panels::of_haplotypes(haplotypes, chosen(pack::implementations(), backend),
                                             threads);
}

sketch::Backend sketches_by(int backend) {
  return {chosen(popcount_tile::implementations(), backend),
          chosen(pack::implementations(), backend),
          chosen(allele_counts::implementations(), backend)};
}

// Bits of chains, a row a unit.
BitMatrixView units(const uint64_t* bits, int64_t num_units, int64_t num_chains) {
  const auto words = static_cast<int64_t>(words_for_bits(matrix_size(num_chains)));
  return packed(bits, num_units, num_chains, words, Rows::kAdjacent);
}

// Fields must stay within an int32. weights: num_out x num_in.
void require_small(const int32_t* weights, const int32_t* bias, std::size_t num_out,
                   std::size_t num_in) {
  for (std::size_t j = 0; j < num_out; ++j) {
    const auto found = gibbs::magnitude_of(weights + j * num_in, num_in, bias[j]);
    require(found.largest_weight <= gibbs::kLargestWeight && found.field <= gibbs::kLargestField,
            HF_ERROR_VALUE);
  }
}

// A number of chains or steps, and the first of them, in the 32 bits that a draw has for both.
uint32_t first_of(int64_t first, int64_t number) {
  constexpr int64_t kEnd = int64_t{1} << 32;
  require(0 <= first && first < kEnd && number <= kEnd - first, HF_ERROR_VALUE);
  return static_cast<uint32_t>(first);
}

gibbs::Chains chains_of(uint64_t* visible, int64_t num_visible, const uint64_t* clamp,
                        int64_t num_chains, uint64_t seed, int64_t first_chain, int64_t first_step,
                        int64_t num_steps, int fixed_point_bits, uint64_t* hidden) {
  units(visible, num_visible, num_chains);
  if (clamp != nullptr) units(clamp, num_visible, num_chains);
  require(1 <= fixed_point_bits && fixed_point_bits <= 20, HF_ERROR_VALUE);
  require(1 <= num_steps && num_steps < int64_t{1} << 32, HF_ERROR_VALUE);
  return {matrix_size(num_chains),
          visible,
          hidden,
          clamp,
          seed,
          first_of(first_chain, num_chains),
          first_of(first_step, num_steps),
          static_cast<uint32_t>(num_steps),
          fixed_point_bits};
}

// Both layers of a machine, their parameters checked.
struct Machine {
  gibbs::Layer to_hidden, to_visible;

  Machine(const int32_t* weights, const int32_t* visible_bias, const int32_t* hidden_bias,
          int64_t num_visible, int64_t num_hidden, int backend, std::size_t threads)
      : to_hidden(layer(transposed(weights, num_visible, num_hidden).data(), hidden_bias,
                        num_hidden, num_visible, backend, threads)),
        to_visible(layer(weights, visible_bias, num_visible, num_hidden, backend, threads)) {}

 private:
  static std::vector<int32_t> transposed(const int32_t* weights, int64_t rows, int64_t columns) {
    const std::size_t v = matrix_size(rows);
    const std::size_t h = matrix_size(columns);
    array(weights, v * h);
    std::vector<int32_t> out(v * h);
    for (std::size_t i = 0; i < v; ++i) {
      for (std::size_t j = 0; j < h; ++j) out[j * v + i] = weights[i * h + j];
    }
    return out;
  }

  static gibbs::Layer layer(const int32_t* weights, const int32_t* bias, int64_t num_out,
                            int64_t num_in, int backend, std::size_t threads) {
    const std::size_t out = matrix_size(num_out);
    const std::size_t in = matrix_size(num_in);
    require_small(array(weights, out * in), array(bias, out), out, in);
    return {weights, bias, out, in, chosen(gibbs::implementations(), backend), threads};
  }
};

}  // namespace

extern "C" {

const char* hf_status_message(int status) {
  switch (status) {
    case HF_OK:
      return "no error";
    case HF_ERROR_POINTER:
      return "a pointer is NULL, or not aligned to its type";
    case HF_ERROR_SIZE:
      return "a size is negative, or a matrix has 2^31 or more rows or columns";
    case HF_ERROR_STRIDE:
      return "a stride is less than a row, or rows that must be adjacent have a gap";
    case HF_ERROR_PADDING:
      return "a padding bit, past the last column, is set";
    case HF_ERROR_INDEX:
      return "an index is out of range";
    case HF_ERROR_VALUE:
      return "an argument, or a value in an array, is not what it must be";
    case HF_ERROR_BACKEND:
      return "this CPU or this build lacks the backend for this kernel";
    case HF_ERROR_THREADS:
      return "the number of threads is not 1 to 4096";
    case HF_ERROR_MEMORY:
      return "no memory for scratch space";
    case HF_ERROR_INTERNAL:
      return "an internal error of hapforge";
    default:
      return "no status of hapforge";
  }
}

int hf_abi_version(void) { return HF_ABI_VERSION; }

const char* hf_version(void) { return HAPFORGE_VERSION; }

int hf_available_backends(const char* kernel, int* backends, int64_t capacity, int64_t* count) {
  return guarded([&] {
    const auto names = backends_of(array(kernel, 1));
    require(names.has_value() && std::string_view(kernel) != "bcf_calls", HF_ERROR_VALUE);
    const std::size_t room = std::min(size(capacity), names->size());
    array(backends, room);
    for (std::size_t i = 0; i < room; ++i) backends[i] = backend_code((*names)[i]);
    *array(count, 1) = static_cast<int64_t>(names->size());
  });
}

int hf_parallel_for(int64_t num_tasks, int threads,
                    void (*function)(void* context, int64_t task, int64_t slot), void* context) {
  return guarded([&] {
    const std::size_t tasks = size(num_tasks);
    require(function != nullptr, HF_ERROR_POINTER);
    parallel_for(tasks, thread_count(threads), [=](std::size_t task, std::size_t slot) noexcept {
      function(context, static_cast<int64_t>(task), static_cast<int64_t>(slot));
    });
  });
}

// ---- pack ---------------------------------------------------------------------------------------

int hf_pack(const uint8_t* dense, int64_t num_rows, int64_t num_sites, int64_t dense_stride,
            uint64_t* words, int backend, int threads) {
  return guarded([&] {
    const std::size_t rows = matrix_size(num_rows);
    const std::size_t sites = matrix_size(num_sites);
    const std::size_t stride = size(dense_stride);
    require(stride >= sites, HF_ERROR_STRIDE);
    array(dense, rows * sites);
    array(words, rows * words_for_bits(sites));
    const auto bad = pack::pack(dense, rows, sites, stride, words,
                                chosen(pack::implementations(), backend), thread_count(threads));
    require(!bad.found, HF_ERROR_VALUE);
  });
}

int hf_unpack(const uint64_t* words, int64_t num_rows, int64_t num_sites, int64_t row_stride,
              uint8_t* dense, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view = packed(words, num_rows, num_sites, row_stride, Rows::kAnyStride);
    pack::unpack(view, array(dense, view.num_rows * view.num_sites),
                 chosen(pack::implementations(), backend), thread_count(threads));
  });
}

int hf_transpose(const uint64_t* words, int64_t num_rows, int64_t num_sites, int64_t row_stride,
                 uint64_t* transposed, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view = packed(words, num_rows, num_sites, row_stride, Rows::kAnyStride);
    pack::transpose(view, array(transposed, view.num_sites * words_for_bits(view.num_rows)),
                    chosen(pack::implementations(), backend), thread_count(threads));
  });
}

int hf_select_sites(const uint64_t* words, int64_t num_rows, int64_t num_sites, int64_t row_stride,
                    const int64_t* index, int64_t num_selected, uint64_t* selected, int backend,
                    int threads) {
  return guarded([&] {
    const BitMatrixView view = packed(words, num_rows, num_sites, row_stride, Rows::kAnyStride);
    const std::size_t columns = matrix_size(num_selected);
    pack::select_sites(view, indices(index, columns, view.num_sites), columns,
                       array(selected, view.num_rows * words_for_bits(columns)),
                       chosen(pack::implementations(), backend), thread_count(threads));
  });
}

int hf_concat_sites(const uint64_t* const* parts, const int64_t* num_sites,
                    const int64_t* row_strides, int64_t num_parts, int64_t num_rows,
                    uint64_t* joined, int backend, int threads) {
  return guarded([&] {
    const std::size_t number = matrix_size(num_parts);
    require(number > 0, HF_ERROR_SIZE);
    array(parts, number);
    array(num_sites, number);
    array(row_strides, number);
    chosen(pack::implementations(), backend);  // all are the same code
    std::vector<BitMatrixView> views;
    std::size_t total = 0;
    for (std::size_t p = 0; p < number; ++p) {
      views.push_back(packed(parts[p], num_rows, num_sites[p], row_strides[p], Rows::kAnyStride));
      total += views.back().num_sites;
    }
    matrix_size(static_cast<int64_t>(total));
    pack::concat_sites(views, array(joined, matrix_size(num_rows) * words_for_bits(total)),
                       thread_count(threads));
  });
}

// ---- allele_counts ------------------------------------------------------------------------------

int hf_allele_counts(const uint64_t* words, int64_t num_rows, int64_t num_sites, int64_t row_stride,
                     int64_t* counts, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view = packed(words, num_rows, num_sites, row_stride, Rows::kAnyStride);
    allele_counts::count(view, array(counts, view.num_sites),
                         chosen(allele_counts::implementations(), backend), thread_count(threads));
  });
}

// ---- hamming ------------------------------------------------------------------------------------

int hf_pairwise_hamming(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                        const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                        int64_t num_sites, uint32_t* distance, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView from = packed(a, num_rows_a, num_sites, row_stride_a, Rows::kAdjacent);
    const BitMatrixView to = packed(b, num_rows_b, num_sites, row_stride_b, Rows::kAdjacent);
    hamming::pairwise(from, to, array(distance, from.num_rows * to.num_rows),
                      chosen(popcount_tile::implementations(), backend), thread_count(threads));
  });
}

int hf_hamming_histogram(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                         const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                         int64_t num_sites, int64_t* counts, int backend, int threads) {
  return guarded([&] {
    const bool symmetric = b == nullptr;
    const BitMatrixView from = packed(a, num_rows_a, num_sites, row_stride_a, Rows::kAdjacent);
    const BitMatrixView to =
        symmetric ? from : packed(b, num_rows_b, num_sites, row_stride_b, Rows::kAdjacent);
    hamming::histogram(from, to, symmetric, array(counts, from.num_sites + 1),
                       chosen(popcount_tile::implementations(), backend), thread_count(threads));
  });
}

// ---- nearest_neighbours -------------------------------------------------------------------------

int hf_nearest_neighbours(const uint64_t* queries, int64_t num_queries, int64_t query_stride,
                          const uint64_t* targets, int64_t num_targets, int64_t target_stride,
                          int64_t num_sites, int64_t k, int exclude_self, int64_t* index,
                          uint32_t* distance, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView from =
        packed(queries, num_queries, num_sites, query_stride, Rows::kAdjacent);
    const BitMatrixView to = targets == nullptr ? from
                                                : packed(targets, num_targets, num_sites,
                                                         target_stride, Rows::kAdjacent);
    require(exclude_self == 0 || exclude_self == 1, HF_ERROR_VALUE);
    const std::size_t most = to.num_rows - (exclude_self == 1 && to.num_rows > 0 ? 1 : 0);
    require(k >= 1 && size(k) <= most, HF_ERROR_VALUE);
    nearest_neighbours::search(
        from, to, exclude_self == 1,
        {size(k), array(index, from.num_rows * size(k)), array(distance, from.num_rows * size(k))},
        sketches_by(backend), thread_count(threads));
  });
}

int hf_joint_nearest_neighbours(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                                const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                                int64_t num_sites, int64_t k, int64_t* index_aa,
                                uint32_t* distance_aa, int64_t* index_ab, uint32_t* distance_ab,
                                int64_t* index_ba, uint32_t* distance_ba, int64_t* index_bb,
                                uint32_t* distance_bb, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView first = packed(a, num_rows_a, num_sites, row_stride_a, Rows::kAdjacent);
    const BitMatrixView second = packed(b, num_rows_b, num_sites, row_stride_b, Rows::kAdjacent);
    require(k >= 1, HF_ERROR_VALUE);
    const auto lists = [&](const BitMatrixView& queries, const BitMatrixView& targets,
                           int64_t* index, uint32_t* distance) {
      if (index == nullptr && distance == nullptr) return nearest_neighbours::Lists{};
      const std::size_t self = &queries == &targets ? 1 : 0;
      require(size(k) + self <= targets.num_rows, HF_ERROR_VALUE);
      return nearest_neighbours::Lists{size(k), array(index, queries.num_rows * size(k)),
                                       array(distance, queries.num_rows * size(k))};
    };
    nearest_neighbours::joint(
        first, second,
        {lists(first, first, index_aa, distance_aa), lists(first, second, index_ab, distance_ab),
         lists(second, first, index_ba, distance_ba), lists(second, second, index_bb, distance_bb)},
        sketches_by(backend), thread_count(threads));
  });
}

// ---- nearest_set --------------------------------------------------------------------------------

int hf_nearest_set(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a, const uint64_t* b,
                   int64_t num_rows_b, int64_t row_stride_b, int64_t num_sites, uint32_t* distance,
                   uint8_t* sets, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView first = packed(a, num_rows_a, num_sites, row_stride_a, Rows::kAdjacent);
    const BitMatrixView second = packed(b, num_rows_b, num_sites, row_stride_b, Rows::kAdjacent);
    const std::size_t num_rows = first.num_rows + second.num_rows;
    require(num_rows >= 2, HF_ERROR_SIZE);
    nearest_set::search(first, second, array(distance, num_rows), array(sets, num_rows),
                        sketches_by(backend), thread_count(threads));
  });
}

// ---- joint_counts -------------------------------------------------------------------------------

int hf_joint_counts(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                    int64_t row_stride, int64_t* n11, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view =
        packed(words, num_haplotypes, num_sites, row_stride, Rows::kAnyStride);
    const auto& kernels = chosen(joint_counts::implementations(), backend);
    array(n11, view.num_sites * view.num_sites);
    joint_counts::matrix(panels_of(view, backend, thread_count(threads)), n11, kernels,
                         thread_count(threads));
  });
}

int hf_joint_counts_of_pairs(const uint64_t* sites, int64_t num_sites, int64_t num_haplotypes,
                             int64_t row_stride, const int64_t* pairs, int64_t num_pairs,
                             int64_t* n11, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view =
        packed(sites, num_sites, num_haplotypes, row_stride, Rows::kAdjacent);
    const std::size_t count = size(num_pairs);
    require(count <= std::numeric_limits<std::size_t>::max() / 16, HF_ERROR_SIZE);
    joint_counts::pairs(view, indices(pairs, 2 * count, view.num_rows), count, array(n11, count),
                        chosen(popcount_tile::implementations(), backend), thread_count(threads));
  });
}

int hf_ld_matrix(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                 int64_t row_stride, int statistic, float* ld, int backend, int threads) {
  return guarded([&] {
    using joint_counts::Statistic;
    const BitMatrixView view =
        packed(words, num_haplotypes, num_sites, row_stride, Rows::kAnyStride);
    const auto& kernels = chosen(joint_counts::implementations(), backend);
    constexpr Statistic kStatistics[] = {Statistic::r2, Statistic::r, Statistic::d,
                                         Statistic::d_prime};  // in the order of HF_LD_*
    require(statistic >= HF_LD_R2 && statistic <= HF_LD_D_PRIME, HF_ERROR_VALUE);
    array(ld, view.num_sites * view.num_sites);
    joint_counts::ld_matrix(panels_of(view, backend, thread_count(threads)), kStatistics[statistic],
                            ld, kernels, thread_count(threads));
  });
}

int hf_ld_decay(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                int64_t row_stride, const int64_t* position, const int64_t* contig,
                const int64_t* edges, int64_t num_bins, double* sum_r2, int64_t* num_pairs,
                int backend, int threads) {
  return guarded([&] {
    constexpr int64_t kFarthest = int64_t{1} << 62;
    const BitMatrixView view =
        packed(words, num_haplotypes, num_sites, row_stride, Rows::kAnyStride);
    const auto& kernels = chosen(joint_counts::implementations(), backend);
    joint_counts::BinnedPairs input{};
    input.num_bins = matrix_size(num_bins);
    require(input.num_bins > 0, HF_ERROR_SIZE);
    input.position = array(position, view.num_sites);
    input.edges = array(edges, input.num_bins + 1);
    array(sum_r2, input.num_bins);
    array(num_pairs, input.num_bins);
    if (contig != nullptr) array(contig, view.num_sites);
    for (std::size_t i = 0; i < view.num_sites; ++i) {
      require(0 <= position[i] && position[i] <= kFarthest, HF_ERROR_VALUE);
    }
    require(0 <= edges[0] && edges[input.num_bins] <= kFarthest, HF_ERROR_VALUE);
    for (std::size_t b = 0; b < input.num_bins; ++b) {
      require(edges[b] < edges[b + 1], HF_ERROR_VALUE);
    }
    const std::vector<int64_t> contig_end = contig_ends(position, contig, view.num_sites);
    require_polymorphic(view, backend, thread_count(threads));
    std::vector<int64_t> everyone(view.num_sites);
    std::iota(everyone.begin(), everyone.end(), 0);
    input.contig_end = contig_end.data();
    input.first_index = everyone.data();
    input.num_first = view.num_sites;
    joint_counts::ld_decay(panels_of(view, backend, thread_count(threads)), input, sum_r2,
                           num_pairs, kernels, thread_count(threads));
  });
}

// ---- three_point --------------------------------------------------------------------------------

int hf_three_point(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                   int64_t row_stride, const int64_t* triplets, int64_t num_triplets, int negate,
                   double* correlations, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view =
        packed(words, num_haplotypes, num_sites, row_stride, Rows::kAnyStride);
    const std::size_t count = size(num_triplets);
    require(count <= std::numeric_limits<std::size_t>::max() / 24, HF_ERROR_SIZE);
    require(negate == 0 || negate == 1, HF_ERROR_VALUE);
    three_point::triplets(view, indices(triplets, 3 * count, view.num_sites), count, negate == 1,
                          array(correlations, count),
                          chosen(three_point::implementations(), backend),
                          chosen(pack::implementations(), backend), thread_count(threads));
  });
}

int hf_three_point_block(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                         int64_t row_stride, int negate, double* correlations, int backend,
                         int threads) {
  return guarded([&] {
    const BitMatrixView view =
        packed(words, num_haplotypes, num_sites, row_stride, Rows::kAnyStride);
    require(view.num_sites <= three_point::kMostBlockSites, HF_ERROR_SIZE);
    require(negate == 0 || negate == 1, HF_ERROR_VALUE);
    array(correlations, three_point::block_size(view.num_sites));
    three_point::block(view, negate == 1, correlations,
                       chosen(three_point::implementations(), backend),
                       chosen(pack::implementations(), backend), thread_count(threads));
  });
}

// ---- kmers --------------------------------------------------------------------------------------

int hf_kmer_counts(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                   int64_t row_stride, int64_t k, int64_t first_site, int64_t num_windows,
                   int64_t* counts, int backend, int threads) {
  return guarded([&] {
    const BitMatrixView view =
        packed(words, num_haplotypes, num_sites, row_stride, Rows::kAnyStride);
    require(1 <= k && k <= int64_t{kmers::kMostSites}, HF_ERROR_VALUE);
    require(0 <= first_site && first_site <= num_sites, HF_ERROR_INDEX);
    const std::size_t windows = size(num_windows);
    require(num_windows <= (num_sites - first_site) / k, HF_ERROR_INDEX);
    const kmers::Run run{size(first_site), windows};
    kmers::count(view, static_cast<unsigned>(k), {&run, 1}, array(counts, windows << k),
                 chosen(kmers::implementations(), backend), thread_count(threads));
  });
}

// ---- gibbs --------------------------------------------------------------------------------------

int hf_gibbs(const int32_t* weights, const int32_t* visible_bias, const int32_t* hidden_bias,
             int64_t num_visible, int64_t num_hidden, int fixed_point_bits, uint64_t* visible,
             uint64_t* hidden, const uint64_t* clamp, int64_t num_chains, uint64_t seed,
             int64_t first_chain, int64_t first_step, int64_t num_steps, int backend, int threads) {
  return guarded([&] {
    const gibbs::Chains chains =
        chains_of(visible, num_visible, clamp, num_chains, seed, first_chain, first_step, num_steps,
                  fixed_point_bits,
                  array(hidden, matrix_size(num_hidden) * words_for_bits(matrix_size(num_chains))));
    const Machine machine(weights, visible_bias, hidden_bias, num_visible, num_hidden, backend,
                          thread_count(threads));
    gibbs::run(machine.to_hidden, machine.to_visible, chains, thread_count(threads));
  });
}

int hf_gibbs_rectified(const int32_t* weights, const int32_t* visible_bias,
                       const int32_t* hidden_bias, int64_t num_visible, int64_t num_hidden,
                       int fixed_point_bits, uint64_t* visible, float* hidden,
                       const uint64_t* clamp, int64_t num_chains, uint64_t seed,
                       int64_t first_chain, int64_t first_step, int64_t num_steps, int backend,
                       int threads) {
  return guarded([&] {
    const gibbs::Chains chains =
        chains_of(visible, num_visible, clamp, num_chains, seed, first_chain, first_step, num_steps,
                  fixed_point_bits, nullptr);
    array(hidden, matrix_size(num_hidden) * chains.num_chains);
    const Machine machine(weights, visible_bias, hidden_bias, num_visible, num_hidden, backend,
                          thread_count(threads));
    gibbs::run_rectified(machine.to_hidden, machine.to_visible, chains, hidden,
                         thread_count(threads));
  });
}

int hf_gibbs_counts(const uint64_t* visible, const uint64_t* hidden, int64_t num_visible,
                    int64_t num_hidden, int64_t num_chains, int64_t* counts, int backend,
                    int threads) {
  return guarded([&] {
    const BitMatrixView v = units(visible, num_visible, num_chains);
    const BitMatrixView h = units(hidden, num_hidden, num_chains);
    gibbs::joint_counts(v, h, array(counts, v.num_rows * h.num_rows),
                        chosen(popcount_tile::implementations(), backend), thread_count(threads));
  });
}

}  // extern "C"
