// sketch: building them, by transposing 64 rows at a time, and folding them.
#include <algorithm>
#include <functional>
#include <numeric>

#include "core/thread_pool.h"
#include "kernels/sketch/kernel.h"

namespace hapforge::sketch {
namespace {

constexpr std::size_t kLeastWords = 16;
constexpr double kBitsPerDifference = 2.5;

// The group of each column: columns by falling heterozygosity, a quarter of the groups for one
// column each, the others taking the rest in turn.
std::vector<std::uint32_t> groups(std::span<const std::int64_t> carriers, std::size_t num_rows,
                                  std::size_t num_groups) {
  const auto n = static_cast<std::int64_t>(num_rows);
  std::vector<std::uint32_t> order(carriers.size());
  std::iota(order.begin(), order.end(), 0);
  if (num_groups < carriers.size()) {
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t i, std::uint32_t j) {
      return std::min(carriers[i], n - carriers[i]) > std::min(carriers[j], n - carriers[j]);
    });
  }
  const std::size_t alone = num_groups < carriers.size() ? num_groups / 4 : carriers.size();
  std::vector<std::uint32_t> group(carriers.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    group[order[rank]] = static_cast<std::uint32_t>(
        rank < alone ? rank : alone + (rank - alone) % (num_groups - alone));
  }
  return group;
}

double mean_distance(std::span<const std::int64_t> carriers, std::size_t num_rows) {
  const auto n = static_cast<double>(num_rows);
  double sum = 0;
  for (const std::int64_t c : carriers) {
    const double p = static_cast<double>(c) / n;
    sum += 2 * p * (1 - p);
  }
  return sum;
}

std::vector<std::int64_t> count_carriers(const BitMatrixView& a, const BitMatrixView& b,
                                         const Backend& backend, std::size_t threads) {
  std::vector<std::int64_t> carriers(a.num_sites);
  std::vector<std::int64_t> more(a.num_sites);
  allele_counts::count(a, carriers.data(), backend.allele_counts, threads);
  allele_counts::count(b, more.data(), backend.allele_counts, threads);
  std::transform(carriers.begin(), carriers.end(), more.begin(), carriers.begin(), std::plus<>());
  return carriers;
}

}  // namespace

Backend backend_named(std::string_view name) {
  return {find_backend(popcount_tile::implementations(), name),
          find_backend(pack::implementations(), name),
          find_backend(allele_counts::implementations(), name)};
}

std::vector<const std::uint64_t*> row_pointers(const BitMatrixView& a, const BitMatrixView& b) {
  std::vector<const std::uint64_t*> rows;
  rows.reserve(a.num_rows + b.num_rows);
  for (const BitMatrixView* m : {&a, &b}) {
    for (std::size_t i = 0; i < m->num_rows; ++i) rows.push_back(m->row(i));
  }
  return rows;
}

Sketches build(std::span<const std::uint64_t* const> rows, const BitMatrixView& a,
               const BitMatrixView& b, const Backend& backend, std::size_t threads) {
  const std::size_t num_sites = a.num_sites;
  const std::size_t row_words = a.words_per_row;
  const std::size_t num_rows = a.num_rows + b.num_rows;
  const std::vector<std::int64_t> carriers = count_carriers(a, b, backend, threads);
  const auto wanted =
      static_cast<std::size_t>(kBitsPerDifference * mean_distance(carriers, num_rows));
  Sketches s;
  s.words = std::max(kLeastWords, (words_for_bits(wanted) + 7) / 8 * 8);
  s.exact = s.words >= row_words;
  if (s.exact) s.words = row_words;
  const std::vector<std::uint32_t> group =
      groups(carriers, num_rows, s.exact ? num_sites : s.words * 64);
  s.bits.resize(rows.size() * s.words);
  const std::size_t tasks = (rows.size() + 63) / 64;
  std::vector<std::uint64_t> parities(num_slots(tasks, threads) * s.words * 64);
  parallel_for(tasks, threads, [&](std::size_t task, std::size_t slot) noexcept {
    std::uint64_t in[64];
    std::uint64_t out[64];
    std::uint64_t* parity = parities.data() + slot * s.words * 64;
    std::fill(parity, parity + s.words * 64, 0);
    const std::size_t first = task * 64;
    const std::size_t count = std::min<std::size_t>(64, rows.size() - first);
    std::fill(in, in + 64, 0);
    for (std::size_t w = 0; w < row_words; ++w) {
      for (std::size_t r = 0; r < count; ++r) in[r] = rows[first + r][w];
      backend.pack.transpose_block(in, out);
      const std::size_t columns = std::min<std::size_t>(64, num_sites - w * 64);
      for (std::size_t c = 0; c < columns; ++c) parity[group[w * 64 + c]] ^= out[c];
    }
    for (std::size_t w = 0; w < s.words; ++w) {
      backend.pack.transpose_block(parity + w * 64, out);
      for (std::size_t r = 0; r < count; ++r) s.bits[(first + r) * s.words + w] = out[r];
    }
  });
  return s;
}

void fold(const std::uint64_t* row, std::size_t row_words, std::size_t words,
          std::uint64_t* out) noexcept {
  std::copy_n(row, words, out);
  const std::size_t kept = words / 4;
  const std::size_t folded = words - kept;
  for (std::size_t begin = words; begin < row_words; begin += folded) {
    const std::size_t count = std::min(folded, row_words - begin);
    for (std::size_t f = 0; f < count; ++f) out[kept + f] ^= row[begin + f];
  }
}

}  // namespace hapforge::sketch
