/* hapforge.h: the kernels of hapforge, for every language that can call C.
 *
 * Packed haplotypes. A matrix of bits is `num_rows` rows of 64-bit words, rows `row_stride` words
 * apart. Bit j of a row is bit j % 64 (from the least significant) of word j / 64. Bits past the
 * last column are zero. A row is a haplotype and a column a site ("haplotype-major"), or the other
 * way round ("site-major"; hf_transpose turns one into the other).
 *
 * Strides. A row takes (num_sites + 63) / 64 words, and every stride is at least that. Kernels that
 * compare rows with each other need rows without a gap, hence exactly that; their text says
 * "adjacent rows". Outputs are C-contiguous.
 *
 * Every function
 * - returns a status, HF_OK or one of the errors below, and sets nothing else (no errno, no global
 *   state); after an error the outputs hold no meaning;
 * - reads its inputs and writes its outputs in place: the memory is the caller's, on the host, and
 *   outputs overlap nothing else; a pointer to no element may be NULL;
 * - runs on at most `threads` threads, 1 to HF_MAX_THREADS, the caller among them; they come from
 *   one pool per loaded library;
 * - runs on `backend`, one of HF_BACKEND_*, and never on another one;
 * - gives the same result on any number of threads and any backend, to the last bit;
 * - may be called from many threads at once, and in a child after fork();
 * - lets no C++ exception out.
 *
 * Versions. HF_ABI_VERSION is the number in the shared library's name, libhapforge.so.1: within it
 * functions and codes are added, never changed or taken away.
 */
#ifndef HAPFORGE_HAPFORGE_H
#define HAPFORGE_HAPFORGE_H

#include <stdint.h>

#define HF_ABI_VERSION 1

#if defined(__GNUC__)
#define HF_API __attribute__((visibility("default")))
#else
#define HF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a function returns ------------------------------------------------------------------*/

enum {
  HF_OK = 0,
  HF_ERROR_POINTER = 1,  /* a pointer is NULL, or not aligned to its type */
  HF_ERROR_SIZE = 2,     /* a size is negative, or 2^31 and more rows or columns */
  HF_ERROR_STRIDE = 3,   /* a stride is less than a row; or more, where rows must be adjacent */
  HF_ERROR_PADDING = 4,  /* a bit past the last column is set */
  HF_ERROR_INDEX = 5,    /* an index is out of range */
  HF_ERROR_VALUE = 6,    /* another argument, or a value in an array, is not what it must be */
  HF_ERROR_BACKEND = 7,  /* this CPU or this build lacks the backend for this kernel */
  HF_ERROR_THREADS = 8,  /* not 1 to HF_MAX_THREADS */
  HF_ERROR_MEMORY = 9,   /* no memory for scratch space */
  HF_ERROR_INTERNAL = 10 /* none of these: a defect, please report it */
};

/* One line of English for a status, never NULL. */
HF_API const char* hf_status_message(int status);

/* ---- where and on what a function runs --------------------------------------------------------*/

#define HF_MAX_THREADS 4096

enum {
  HF_BACKEND_AUTO = 0, /* the fastest that this CPU has for the kernel */
  HF_BACKEND_SCALAR = 1,
  HF_BACKEND_AVX2 = 2,
  HF_BACKEND_AVX512 = 3,
  HF_BACKEND_NEON = 4
};

/* HF_ABI_VERSION of the library that is loaded; a program needs one equal to its header's. */
HF_API int hf_abi_version(void);

/* Version of the hapforge package, such as "0.1.0". */
HF_API const char* hf_version(void);

/* Backends of a kernel that this CPU can run, fastest first. `kernel` is a heading of this file:
 * "pack", "allele_counts", "hamming" (which hf_joint_counts_of_pairs and hf_gibbs_counts run on
 * too), "nearest_neighbours", "nearest_set", "joint_counts", "three_point", "kmers" or "gibbs";
 * HF_ERROR_VALUE for any other. At most `capacity` codes are written; `*count` says how many there
 * are. */
HF_API int hf_available_backends(const char* kernel, int* backends, int64_t capacity,
                                 int64_t* count);

/* Calls function(context, task, slot) for every task in [0, num_tasks) on the threads that the
 * kernels run on, in ascending order of starting, and returns when all are done. `slot`, in
 * [0, threads), is fixed for a thread during the call: an index for scratch memory. From inside a
 * task everything runs inline. No exception and no longjmp may leave `function`. */
HF_API int hf_parallel_for(int64_t num_tasks, int threads,
                           void (*function)(void* context, int64_t task, int64_t slot),
                           void* context);

/* ---- pack: bytes to bits, bits to bytes, transpose, columns, rows behind rows -----------------*/

/* dense: num_rows x num_sites bytes, rows `dense_stride` bytes apart, each byte 0 or 1, else
 * HF_ERROR_VALUE. words: num_rows x (num_sites + 63) / 64; padding bits are written as zero. */
HF_API int hf_pack(const uint8_t* dense, int64_t num_rows, int64_t num_sites, int64_t dense_stride,
                   uint64_t* words, int backend, int threads);

/* dense: num_rows x num_sites bytes, each 0 or 1. */
HF_API int hf_unpack(const uint64_t* words, int64_t num_rows, int64_t num_sites, int64_t row_stride,
                     uint8_t* dense, int backend, int threads);

/* transposed: num_sites x (num_rows + 63) / 64 words. */
HF_API int hf_transpose(const uint64_t* words, int64_t num_rows, int64_t num_sites,
                        int64_t row_stride, uint64_t* transposed, int backend, int threads);

/* Column index[k] becomes column k; repeats and any order are fine. index: num_selected, in
 * [0, num_sites). selected: num_rows x (num_selected + 63) / 64 words. */
HF_API int hf_select_sites(const uint64_t* words, int64_t num_rows, int64_t num_sites,
                           int64_t row_stride, const int64_t* index, int64_t num_selected,
                           uint64_t* selected, int backend, int threads);

/* Row r of joined is row r of each part, one behind the other. parts, num_sites, row_strides:
 * num_parts of each, 1 or more; every part has num_rows rows. joined: num_rows rows of the words
 * for all sites together. */
HF_API int hf_concat_sites(const uint64_t* const* parts, const int64_t* num_sites,
                           const int64_t* row_strides, int64_t num_parts, int64_t num_rows,
                           uint64_t* joined, int backend, int threads);

/* ---- allele_counts ----------------------------------------------------------------------------*/

/* counts[j]: rows whose bit j is set; num_sites of them. */
HF_API int hf_allele_counts(const uint64_t* words, int64_t num_rows, int64_t num_sites,
                            int64_t row_stride, int64_t* counts, int backend, int threads);

/* ---- hamming: adjacent rows -------------------------------------------------------------------*/

/* distance: num_rows_a x num_rows_b. */
HF_API int hf_pairwise_hamming(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                               const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                               int64_t num_sites, uint32_t* distance, int backend, int threads);

/* counts[d]: pairs of a row of a and a row of b at Hamming distance d; num_sites + 1 of them. With
 * b NULL (num_rows_b and row_stride_b are then not looked at): pairs i < j of rows of a. Never
 * forms the matrix. */
HF_API int hf_hamming_histogram(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                                const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                                int64_t num_sites, int64_t* counts, int backend, int threads);

/* ---- nearest_neighbours: adjacent rows --------------------------------------------------------*/

/* The k targets nearest to each query by Hamming distance, ascending by (distance, index).
 * index, distance: num_queries x k. With targets NULL (num_targets and target_stride are then not
 * looked at) the queries are searched among themselves. With exclude_self, 0 or 1, target i is no
 * candidate for query i. k: 1 to the number of candidates, else HF_ERROR_VALUE. */
HF_API int hf_nearest_neighbours(const uint64_t* queries, int64_t num_queries, int64_t query_stride,
                                 const uint64_t* targets, int64_t num_targets,
                                 int64_t target_stride, int64_t num_sites, int64_t k,
                                 int exclude_self, int64_t* index, uint32_t* distance, int backend,
                                 int threads);

/* Up to four searches between and within two sets of rows, in one pass that serves both rows of a
 * pair: for each row of the set of the first letter, its k nearest rows of the set of the second,
 * as above, itself excluded. index_aa, distance_aa, index_ab, distance_ab: num_rows_a x k;
 * index_ba, distance_ba, index_bb, distance_bb: num_rows_b x k; both arrays of a search NULL: it is
 * not wanted. k: 1 to the number of candidates in the least of the searches wanted, else
 * HF_ERROR_VALUE. */
HF_API int hf_joint_nearest_neighbours(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                                       const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                                       int64_t num_sites, int64_t k, int64_t* index_aa,
                                       uint32_t* distance_aa, int64_t* index_ab,
                                       uint32_t* distance_ab, int64_t* index_ba,
                                       uint32_t* distance_ba, int64_t* index_bb,
                                       uint32_t* distance_bb, int backend, int threads);

/* ---- nearest_set: adjacent rows ---------------------------------------------------------------*/

/* For each row of a, then of b: its Hamming distance to the nearest other row of either, and where
 * a row at that distance is: 1 in a, 2 in b, 3 in both. distance, sets: num_rows_a + num_rows_b of
 * each, which is 2 or more, else HF_ERROR_SIZE. This is what an adversarial accuracy asks; it
 * compares few pairs in full. */
HF_API int hf_nearest_set(const uint64_t* a, int64_t num_rows_a, int64_t row_stride_a,
                          const uint64_t* b, int64_t num_rows_b, int64_t row_stride_b,
                          int64_t num_sites, uint32_t* distance, uint8_t* sets, int backend,
                          int threads);

/* ---- joint_counts and linkage disequilibrium --------------------------------------------------*/

/* n11 of all pairs of sites, the haplotypes that carry ALT at both: num_sites x num_sites,
 * symmetric; the diagonal is the allele counts. */
HF_API int hf_joint_counts(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                           int64_t row_stride, int64_t* n11, int backend, int threads);

/* n11[p] of pair p, (pairs[2 p], pairs[2 p + 1]), each in [0, num_sites). sites: site-major,
 * num_sites adjacent rows of num_haplotypes bits. */
HF_API int hf_joint_counts_of_pairs(const uint64_t* sites, int64_t num_sites,
                                    int64_t num_haplotypes, int64_t row_stride,
                                    const int64_t* pairs, int64_t num_pairs, int64_t* n11,
                                    int backend, int threads);

/* With c_i carriers of ALT at site i among n haplotypes and d = n n11 - c_i c_j: */
enum {
  HF_LD_R2 = 0,     /* d^2 / (c_i (n - c_i) c_j (n - c_j)) */
  HF_LD_R = 1,      /* its square root, with the sign of d */
  HF_LD_D = 2,      /* d / n^2 */
  HF_LD_D_PRIME = 3 /* d / min(c_i (n - c_j), (n - c_i) c_j) where d >= 0,
                       d / min(c_i c_j, (n - c_i) (n - c_j)) where d < 0 */
};

/* `statistic` of all pairs of sites: num_sites x num_sites, symmetric; NaN where either is
 * monomorphic. */
HF_API int hf_ld_matrix(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                        int64_t row_stride, int statistic, float* ld, int backend, int threads);

/* Sums of r2 by distance. Bin b takes the pairs i < j of sites of one contig with
 * edges[b] <= position[j] - position[i] < edges[b + 1]: sum_r2[b] is the sum of their r2 and
 * num_pairs[b] their number; num_bins of each. edges: num_bins + 1, strictly ascending. position:
 * num_sites, not descending within a contig. contig: num_sites numbers, and equal neighbours are
 * one contig; NULL: all sites are. Positions and edges are 0 to 2^62. HF_ERROR_VALUE where one of
 * these does not hold, or a site is monomorphic (hf_allele_counts and hf_select_sites leave those
 * out). Never forms a matrix. */
HF_API int hf_ld_decay(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                       int64_t row_stride, const int64_t* position, const int64_t* contig,
                       const int64_t* edges, int64_t num_bins, double* sum_r2, int64_t* num_pairs,
                       int backend, int threads);

/* ---- three_point ------------------------------------------------------------------------------*/

/* The connected correlation of three sites, from frequencies f of ALT,
 *   c = f_ijk - f_ij f_k - f_ik f_j - f_jk f_i + 2 f_i f_j f_k,
 * times -1 with negate, 0 or 1: taking REF for ALT at a site turns the sign. correlations[t] of
 * triplet t, (triplets[3 t], triplets[3 t + 1], triplets[3 t + 2]), each in [0, num_sites). NaN
 * where there are no haplotypes. */
HF_API int hf_three_point(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                          int64_t row_stride, const int64_t* triplets, int64_t num_triplets,
                          int negate, double* correlations, int backend, int threads);

/* The same of all triplets i < j < k, in lexicographic order: num_sites choose 3 of them. num_sites
 * is at most 2^19, else HF_ERROR_SIZE. */
HF_API int hf_three_point_block(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                                int64_t row_stride, int negate, double* correlations, int backend,
                                int threads);

/* ---- kmers ------------------------------------------------------------------------------------*/

/* counts[w 2^k + motif]: haplotypes with that motif in window w, which is the k sites from
 * first_site + w k on; its first site is the most significant bit of the motif. num_windows x 2^k.
 * HF_ERROR_VALUE: k is not 1 to 16; HF_ERROR_INDEX: a window passes the last site. */
HF_API int hf_kmer_counts(const uint64_t* words, int64_t num_haplotypes, int64_t num_sites,
                          int64_t row_stride, int64_t k, int64_t first_site, int64_t num_windows,
                          int64_t* counts, int backend, int threads);

/* ---- gibbs: chains of a restricted Boltzmann machine ------------------------------------------*/

/* num_steps times: draw h given v, then v given h, with P(h_j = 1) = sigmoid(b_j + sum_i v_i w_ij)
 * and P(v_i = 1) = sigmoid(a_i + sum_j w_ij h_j).
 * - weights: num_visible x num_hidden; visible_bias a, hidden_bias b. In units of
 *   2^-fixed_point_bits, 1 to 20: rint(value * 2^fixed_point_bits).
 * - visible: num_visible x (num_chains + 63) / 64 words, a row a unit and bit c of it chain c (so
 *   hf_transpose of haplotypes); the start, and after the call the visible units of the last step.
 * - hidden: num_hidden rows of the same kind: the units that `visible` was drawn from.
 * - clamp: as visible, set bits are units that keep their value; NULL: none does.
 * - first_chain, first_step: the numbers of chain 0 and of the first step, at least 0, below 2^32
 *   to the last. Draws depend on them and the seed alone: chains or steps cut into several calls
 *   are those of one call.
 * HF_ERROR_VALUE: a weight above 2^26 in magnitude; a bias whose magnitude and those of the weights
 * of its unit sum to 2^31 or more; no step; another argument out of its range. */
HF_API int hf_gibbs(const int32_t* weights, const int32_t* visible_bias, const int32_t* hidden_bias,
                    int64_t num_visible, int64_t num_hidden, int fixed_point_bits,
                    uint64_t* visible, uint64_t* hidden, const uint64_t* clamp, int64_t num_chains,
                    uint64_t seed, int64_t first_chain, int64_t first_step, int64_t num_steps,
                    int backend, int threads);

/* The same with hidden units that are rectified: h_j >= 0 with a density proportional to
 * exp(x h - h^2 / 2), x its field b_j + sum_i v_i w_ij; they are multiples of 2^-10 below 2^10.
 * hidden: num_chains x num_hidden. They are drawn with the C library's erfc and log. */
HF_API int hf_gibbs_rectified(const int32_t* weights, const int32_t* visible_bias,
                              const int32_t* hidden_bias, int64_t num_visible, int64_t num_hidden,
                              int fixed_point_bits, uint64_t* visible, float* hidden,
                              const uint64_t* clamp, int64_t num_chains, uint64_t seed,
                              int64_t first_chain, int64_t first_step, int64_t num_steps,
                              int backend, int threads);

/* counts[i num_hidden + j]: chains with visible unit i and hidden unit j set. Rows as above. */
HF_API int hf_gibbs_counts(const uint64_t* visible, const uint64_t* hidden, int64_t num_visible,
                           int64_t num_hidden, int64_t num_chains, int64_t* counts, int backend,
                           int threads);

#ifdef __cplusplus
}
#endif

#endif
