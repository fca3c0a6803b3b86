// Every kernel on every backend of this CPU against the scalar code. Needs no Python, so it runs
// for another architecture under qemu (.ci/neon).
//
// Prints what it ran and one digest over the scalar results, floating point included: the digest is
// the same on every architecture. Exits with 1 at a difference.
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/philox.h"
#include "core/thread_pool.h"
#include "kernels/allele_counts/kernel.h"
#include "kernels/bcf_calls/kernel.h"
#include "kernels/convolution/kernel.h"
#include "kernels/gibbs/kernel.h"
#include "kernels/hamming/kernel.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/kmers/kernel.h"
#include "kernels/nearest_neighbours/exhaustive.h"
#include "kernels/nearest_neighbours/pruned.h"
#include "kernels/nearest_set/kernel.h"
#include "kernels/normalisation/kernel.h"
#include "kernels/pack/kernel.h"
#include "kernels/three_point/kernel.h"

using namespace hapforge;

namespace {

using Bytes = std::vector<unsigned char>;

struct Shape {
  std::size_t rows, sites;
};
constexpr Shape kShapes[] = {{1, 1},    {2, 63},   {3, 64},    {5, 65},    {4, 127},  {64, 129},
                             {65, 257}, {127, 31}, {129, 511}, {255, 513}, {511, 70}, {7, 16500}};
constexpr std::size_t kThreads = 2;

template <class T>
void append(Bytes& to, const std::vector<T>& values) {
  if (values.empty()) return;
  const auto* begin = reinterpret_cast<const unsigned char*>(values.data());
  to.insert(to.end(), begin, begin + values.size() * sizeof(T));
}

std::vector<std::uint8_t> random_dense(Shape s) {
  std::vector<std::uint8_t> dense(s.rows * s.sites);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    dense[i] = philox::philox4x32({{static_cast<std::uint32_t>(i), 1, 2, 3}}, 4, 5).w[0] & 1;
  }
  return dense;
}

struct Packed {
  std::vector<std::uint64_t> words;
  BitMatrixView view;
};

Packed reference_pack(const std::vector<std::uint8_t>& dense, std::size_t rows, std::size_t sites) {
  Packed p{std::vector<std::uint64_t>(rows * words_for_bits(sites)), {}};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < sites; ++j) {
      p.words[i * words_for_bits(sites) + j / 64] |= std::uint64_t{dense[i * sites + j]} << j % 64;
    }
  }
  p.view = {p.words.data(), rows, words_for_bits(sites), sites};
  return p;
}

Bytes run_pack(const pack::Kernels& kernels, Shape s) {
  auto dense = random_dense(s);
  const Packed expected = reference_pack(dense, s.rows, s.sites);
  std::vector<std::uint64_t> words(expected.words.size());
  std::vector<std::uint64_t> transposed(s.sites * words_for_bits(s.rows));
  std::vector<std::uint8_t> back(dense.size());
  Bytes out;
  out.push_back(
      pack::pack(dense.data(), s.rows, s.sites, s.sites, words.data(), kernels, kThreads).found);
  pack::unpack(expected.view, back.data(), kernels, kThreads);
  pack::transpose(expected.view, transposed.data(), kernels, kThreads);
  out.push_back(words == expected.words && back == dense);
  append(out, transposed);
  std::vector<std::int64_t> index;
  for (std::size_t j = 0; j < s.sites; j += 1 + j % 3) {
    index.push_back(static_cast<std::int64_t>(j));
  }
  std::vector<std::uint64_t> selected(s.rows * words_for_bits(index.size()));
  pack::select_sites(expected.view, index.data(), index.size(), selected.data(), kernels, kThreads);
  append(out, selected);
  std::vector<std::uint64_t> columns(index.size() * (words_for_bits(s.rows) + 3));
  pack::transpose_columns(expected.view, index, columns.data(), words_for_bits(s.rows) + 3, kernels,
                          kThreads);
  append(out, columns);
  const BitMatrixView parts[] = {
      {selected.data(), s.rows, words_for_bits(index.size()), index.size()}, expected.view};
  std::vector<std::uint64_t> joined(s.rows * words_for_bits(index.size() + s.sites));
  pack::concat_sites(parts, joined.data(), kThreads);
  append(out, joined);
  dense.back() = 2;
  const pack::BadValue bad =
      pack::pack(dense.data(), s.rows, s.sites, s.sites, words.data(), kernels, kThreads);
  out.push_back(bad.found && bad.row == s.rows - 1 && bad.column == s.sites - 1);
  return out;
}

Bytes run_tile(const popcount_tile::Kernels& kernels, Shape s) {
  const Packed p = reference_pack(random_dense(s), s.rows, s.sites);
  Bytes out;
  std::vector<std::uint32_t> distance(s.rows * s.rows);
  hamming::pairwise(p.view, p.view, distance.data(), kernels, kThreads);
  append(out, distance);
  std::vector<std::int64_t> histogram(s.sites + 1);
  hamming::histogram(p.view, p.view, true, histogram.data(), kernels, kThreads);
  append(out, histogram);
  const std::size_t k = s.rows < 3 ? s.rows : 3;
  std::vector<std::int64_t> index(s.rows * k);
  std::vector<std::uint32_t> nearest(s.rows * k);
  nearest_neighbours::exhaustive::search(p.view, p.view, false, {k, index.data(), nearest.data()},
                                         kernels, kThreads);
  append(out, index);
  append(out, nearest);
  const std::size_t half = s.rows / 2 + 1;  // the middle row is in both
  const BitMatrixView head{p.view.words, half, p.view.words_per_row, s.sites};
  const BitMatrixView tail{p.view.row(half - 1), s.rows - half + 1, p.view.words_per_row, s.sites};
  std::vector<std::int64_t> index_head(head.num_rows), index_tail(tail.num_rows);
  std::vector<std::uint32_t> nearest_head(head.num_rows), nearest_tail(tail.num_rows);
  const nearest_neighbours::JointLists mutual{{},
                                              {1, index_head.data(), nearest_head.data()},
                                              {1, index_tail.data(), nearest_tail.data()},
                                              {}};
  nearest_neighbours::exhaustive::joint(head, tail, mutual, kernels, kThreads);
  append(out, index_head);
  append(out, nearest_head);
  append(out, index_tail);
  append(out, nearest_tail);
  const std::int64_t pairs[] = {0, 0, 0, static_cast<std::int64_t>(s.rows) - 1};
  std::vector<std::int64_t> joint(2);
  joint_counts::pairs(p.view, pairs, 2, joint.data(), kernels, kThreads);
  append(out, joint);
  return out;
}

Bytes run_joint_counts(const joint_counts::Kernels& kernels, Shape s) {
  using joint_counts::Panels;
  using joint_counts::Statistic;
  const auto dense = random_dense(s);  // a row is a site here
  std::vector<std::uint8_t> turned(dense.size());
  for (std::size_t i = 0; i < s.rows; ++i) {
    for (std::size_t j = 0; j < s.sites; ++j) turned[j * s.rows + i] = dense[i * s.sites + j];
  }
  const Packed p = reference_pack(turned, s.sites, s.rows);
  const auto sites =
      Panels::of_haplotypes(p.view, find_backend(pack::implementations(), "scalar"), kThreads);
  Bytes out;
  std::vector<std::int64_t> joint(s.rows * s.rows);
  joint_counts::matrix(sites, joint.data(), kernels, kThreads);
  append(out, joint);
  if (s.sites <= 60) return out;  // enough bits that no row is all zero or all one
  std::vector<float> ld(s.rows * s.rows);
  for (const auto statistic : {Statistic::r2, Statistic::r, Statistic::d, Statistic::d_prime}) {
    joint_counts::ld_matrix(sites, statistic, ld.data(), kernels, kThreads);
    append(out, ld);
  }
  std::vector<std::int64_t> position(s.rows), contig_end(s.rows), first(s.rows);
  for (std::size_t i = 0; i < s.rows; ++i) {
    position[i] = static_cast<std::int64_t>(7 * i);
    contig_end[i] = static_cast<std::int64_t>(s.rows);
    first[i] = static_cast<std::int64_t>(i);
  }
  const std::int64_t edges[] = {1, 50, 200, 2000};
  const joint_counts::BinnedPairs pairs{
      position.data(), contig_end.data(), first.data(), s.rows, edges, 3};
  std::vector<double> sums(3);
  std::vector<std::int64_t> num_pairs(3);
  joint_counts::ld_decay(sites, pairs, sums.data(), num_pairs.data(), kernels, kThreads);
  append(out, sums);
  append(out, num_pairs);
  const auto end = static_cast<std::int64_t>(s.rows);
  const std::int64_t block_end[] = {end / 3, end};
  const std::int64_t cell_end[] = {end / 5, end / 3, end / 2, end};
  std::vector<double> moments(2 * 2 * 3 * joint_counts::kMoments), cell_sums(4 * 4 * 2);
  std::vector<std::int64_t> block_pairs(2 * 2 * 3), cell_pairs(4 * 4);
  const auto fewer =
      Panels::of_haplotypes({p.view.words, s.sites - 1, p.view.words_per_row, p.view.num_sites},
                            find_backend(pack::implementations(), "scalar"), kThreads);
  joint_counts::compare_ld(
      sites, fewer, pairs, {block_end, 2, cell_end, 4},
      {moments.data(), block_pairs.data(), cell_sums.data(), cell_pairs.data()}, kernels, kThreads);
  append(out, moments);
  append(out, block_pairs);
  append(out, cell_sums);
  append(out, cell_pairs);
  return out;
}

Bytes run_counts(allele_counts::Kernel kernel, Shape s) {
  const Packed p = reference_pack(random_dense(s), s.rows, s.sites);
  std::vector<std::int64_t> counts(s.sites);
  allele_counts::count(p.view, counts.data(), kernel, kThreads);
  Bytes out;
  append(out, counts);
  return out;
}

Bytes run_sketches(const popcount_tile::Kernels& kernels, Shape s) {
  auto dense = random_dense(s);  // thinned, so that a sketch is shorter than a row
  for (std::size_t i = 0; i < dense.size(); ++i) {
    dense[i] &= philox::philox4x32({{static_cast<std::uint32_t>(i), 6, 6, 6}}, 7, 7).w[0] % 4 == 0;
  }
  const Packed p = reference_pack(dense, s.rows, s.sites);
  const std::size_t half = s.rows / 2;
  const std::size_t words = p.view.words_per_row;
  const BitMatrixView first{p.words.data(), half, words, s.sites};
  const BitMatrixView second{p.words.data() + half * words, s.rows - half, words, s.sites};
  std::vector<std::uint32_t> distance(s.rows);
  std::vector<std::uint8_t> sets(s.rows);
  const sketch::Backend with{kernels, find_backend(pack::implementations(), "scalar"),
                             find_backend(allele_counts::implementations(), "scalar")};
  Bytes out;
  if (s.rows > 1) {
    nearest_set::search(first, second, distance.data(), sets.data(), with, kThreads);
  }
  append(out, distance);
  append(out, sets);
  if (half > 2) {
    constexpr std::size_t k = 2;
    std::vector<std::int64_t> index[4];
    std::vector<std::uint32_t> nearest[4];
    for (std::size_t i = 0; i < 4; ++i) {
      index[i].resize(s.rows * k);
      nearest[i].resize(s.rows * k);
    }
    const auto lists = [&](std::size_t i) {
      return nearest_neighbours::Lists{k, index[i].data(), nearest[i].data()};
    };
    nearest_neighbours::pruned(first, second, {lists(0), lists(1), lists(2), lists(3)}, with,
                               kThreads);
    for (std::size_t i = 0; i < 4; ++i) {
      append(out, index[i]);
      append(out, nearest[i]);
    }
  }
  return out;
}

// Chains of a machine with as many visible units as the shape has sites; weights whose window sums
// pass int16 here and there, so that windows of all lengths and split weights run.
Bytes run_gibbs(const gibbs::Kernels& kernels, Shape s) {
  constexpr std::size_t kHidden = 37;
  const Packed p = reference_pack(random_dense({s.sites, s.rows}), s.sites, s.rows);  // unit-major
  const auto word = [](std::size_t i, std::uint32_t stream) {
    return static_cast<std::int32_t>(
        philox::philox4x32({{static_cast<std::uint32_t>(i), stream, 9, 9}}, 1, 1).w[0]);
  };
  std::vector<std::int32_t> to_hidden(kHidden * s.sites), to_visible(kHidden * s.sites);
  for (std::size_t i = 0; i < s.sites; ++i) {
    for (std::size_t j = 0; j < kHidden; ++j) {
      const std::int32_t weight = word(i * kHidden + j, 1) >> (15 + j % 12);
      to_hidden[j * s.sites + i] = weight;
      to_visible[i * kHidden + j] = weight;
    }
  }
  std::vector<std::int32_t> visible_bias(s.sites), hidden_bias(kHidden);
  for (std::size_t i = 0; i < s.sites; ++i) visible_bias[i] = word(i, 2) >> 14;
  for (std::size_t j = 0; j < kHidden; ++j) hidden_bias[j] = word(j, 3) >> 14;
  const gibbs::Layer hidden_layer(to_hidden.data(), hidden_bias.data(), kHidden, s.sites, kernels,
                                  kThreads);
  const gibbs::Layer visible_layer(to_visible.data(), visible_bias.data(), s.sites, kHidden,
                                   kernels, kThreads);
  Bytes out;
  std::vector<std::int32_t> fields(kHidden * s.rows);
  gibbs::fields(hidden_layer, p.words.data(), s.rows, fields.data(), kThreads);
  append(out, fields);
  std::vector<std::uint64_t> visible = p.words;
  std::vector<std::uint64_t> hidden(kHidden * words_for_bits(s.rows));
  const gibbs::Chains free{
      s.rows, visible.data(), hidden.data(), nullptr, 0x123456789ABCDEF0, 5, 6, 2, 15};
  gibbs::run(hidden_layer, visible_layer, free, kThreads);
  append(out, visible);
  append(out, hidden);
  gibbs::Chains held = free;
  held.clamp = p.words.data();
  gibbs::draw_start(visible_layer, held, kThreads);
  gibbs::run(hidden_layer, visible_layer, held, kThreads);
  append(out, visible);
  append(out, hidden);
  std::vector<float> values(s.rows * kHidden);
  gibbs::run_rectified(hidden_layer, visible_layer, held, values.data(), kThreads);
  append(out, visible);
  append(out, values);
  return out;
}

Bytes run_bcf_calls(bcf_calls::Kernel kernel, Shape s) {
  const auto dense = random_dense({s.rows, 2 * s.sites});
  const Packed expected = reference_pack(dense, s.rows, 2 * s.sites);
  std::vector<std::uint8_t> calls(dense.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::size_t phased = i % 2 == 1 ? 1 : i / 2 % 2;  // of a first allele, it says nothing
    calls[i] = static_cast<std::uint8_t>(2 + 2 * dense[i] + phased);
  }
  std::vector<std::int64_t> start(s.rows);
  for (std::size_t j = 0; j < s.rows; ++j) start[j] = static_cast<std::int64_t>(j * 2 * s.sites);
  std::vector<std::uint64_t> words(expected.words.size());
  Bytes out;
  out.push_back(
      bcf_calls::pack(calls.data(), start.data(), s.rows, s.sites, words.data(), kernel).found);
  out.push_back(words == expected.words);
  calls.back() = 2;  // not phased
  const bcf_calls::BadCall bad =
      bcf_calls::pack(calls.data(), start.data(), s.rows, s.sites, words.data(), kernel);
  out.push_back(bad.found && bad.row == s.rows - 1 && bad.person == s.sites - 1);
  return out;
}

Bytes run_three_point(const three_point::Kernels& kernels, Shape s) {
  const Packed p = reference_pack(random_dense(s), s.rows, s.sites);
  const auto& packing = find_backend(pack::implementations(), "scalar");
  const std::size_t num_triplets = s.rows + 70;
  std::vector<std::int64_t> triplets(3 * num_triplets);
  for (std::size_t t = 0; t < triplets.size(); ++t) {
    triplets[t] = static_cast<std::int64_t>((t * t * 31 + t / 3) % s.sites);
  }
  std::vector<double> listed(num_triplets);
  three_point::triplets(p.view, triplets.data(), num_triplets, false, listed.data(), kernels,
                        packing, kThreads);
  Bytes out;
  append(out, listed);
  const std::size_t sites = s.sites < 70 ? s.sites : 70;
  const Packed some = reference_pack(random_dense({s.rows, sites}), s.rows, sites);
  std::vector<double> block(sites < 3 ? 0 : sites * (sites - 1) / 2 * (sites - 2) / 3);
  three_point::block(some.view, true, block.data(), kernels, packing, kThreads);
  append(out, block);
  return out;
}

Bytes run_kmers(const kmers::Kernels& kernels, Shape s) {
  const Packed p = reference_pack(random_dense(s), s.rows, s.sites);
  Bytes out;
  for (unsigned k = 1; k <= kmers::kMostSites; k += k < 9 ? 1 : 3) {
    const std::size_t cut = s.sites / 3;
    const kmers::Run runs[] = {{0, cut / k}, {cut, (s.sites - cut) / k}};
    std::vector<std::int64_t> counts((cut / k + (s.sites - cut) / k) << k);
    if (counts.size() > 1U << 22) continue;
    kmers::count(p.view, k, runs, counts.data(), kernels, kThreads);
    append(out, counts);
  }
  return out;
}

std::vector<float> random_floats(std::size_t n, std::uint32_t stream) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto word =
        philox::philox4x32({{static_cast<std::uint32_t>(i), stream, 8, 8}}, 2, 3).w[0];
    values[i] = static_cast<float>(static_cast<std::int32_t>(word)) / 1073741824.0F;
  }
  return values;
}

Bytes run_convolution(const convolution::Kernels& kernels, Shape s) {
  Bytes out;
  for (std::size_t stride = 1; stride <= 2; ++stride) {
    for (std::size_t padding = 0; padding <= 1; ++padding) {
      const std::size_t places = s.sites % 70 + 2;
      const convolution::Shape shape{s.rows % 5 + 1,   s.rows % 50 + 1,
                                     s.sites % 40 + 1, (places - 1) * stride + 3 - 2 * padding,
                                     places,           stride,
                                     padding};
      const auto x = random_floats(shape.rows * shape.in * shape.length, 1);
      const auto w = random_floats(shape.out * shape.in * convolution::kTaps, 2);
      const auto y = random_floats(shape.rows * shape.out * places, 3);
      std::vector<float> of_x(x.size()), of_w(w.size()), of_y(y.size());
      convolution::forward(shape, x.data(), w.data(), of_y.data(), kernels);
      convolution::transposed(shape, y.data(), w.data(), of_x.data(), kernels);
      convolution::by_weight(shape, x.data(), y.data(), of_w.data(), kernels);
      append(out, of_x);
      append(out, of_w);
      append(out, of_y);
    }
  }
  return out;
}

Bytes run_normalisation(const normalisation::Kernels& kernels, Shape s) {
  Bytes out;
  for (const bool over_rows : {false, true}) {
    const normalisation::Shape shape{s.rows % 9 + 1, s.rows % 6 + 1, s.sites % 600 + 2, over_rows};
    const std::size_t size = shape.rows * shape.channels * shape.length;
    const auto x = random_floats(size, 4), gz = random_floats(size, 5), u = random_floats(size, 6);
    const auto weight = random_floats(shape.channels, 7), bias = random_floats(shape.channels, 8);
    const normalisation::Scale scale{weight.data(), bias.data()};
    std::vector<float> mean(shape.groups()), variance(shape.groups());
    std::vector<float> z(size), gx(size), of_gz(size), of_x(size);
    std::vector<float> gweight(shape.channels), gbias(shape.channels), of_weight(shape.channels);
    const normalisation::Statistics statistics{mean.data(), variance.data()};
    normalisation::forward(shape, scale, x.data(), z.data(), statistics, kernels);
    normalisation::backward(shape, scale, gz.data(), x.data(), statistics, gx.data(),
                            gweight.data(), gbias.data(), kernels);
    normalisation::twice(shape, scale, u.data(), gz.data(), x.data(), statistics, of_gz.data(),
                         of_x.data(), of_weight.data(), kernels);
    for (const auto* values :
         {&mean, &variance, &z, &gx, &gweight, &gbias, &of_gz, &of_x, &of_weight}) {
      append(out, *values);
    }
  }
  return out;
}

std::uint64_t digest = 14695981039346656037U;  // FNV-1a

bool failed = false;

void compare(const char* kernel, const char* backend, Shape s, const Bytes& found,
             const Bytes& expected) {
  if (found == expected) return;
  std::printf("FAILED: %s on %s differs from scalar at %zu x %zu\n", kernel, backend, s.rows,
              s.sites);
  failed = true;
}

template <class Kernel, class Run>
void check(const char* kernel, std::span<const Implementation<Kernel>> all, Run run) {
  std::printf("%s:", kernel);
  for (const auto& name : backend_names(all)) {
    std::printf(" %s", name.c_str());
    for (const Shape s : kShapes) {
      const Bytes expected = run(find_backend(all, "scalar"), s);
      compare(kernel, name.c_str(), s, run(find_backend(all, name), s), expected);
      if (name != "scalar") continue;
      for (const unsigned char byte : expected) digest = (digest ^ byte) * 1099511628211U;
    }
  }
  std::printf("\n");
}

}  // namespace

int main() {
  check("pack", pack::implementations(), run_pack);
  check("popcount_tile", popcount_tile::implementations(), run_tile);
  check("joint_counts", joint_counts::implementations(), run_joint_counts);
  check("allele_counts", allele_counts::implementations(), run_counts);
  check("sketch", popcount_tile::implementations(), run_sketches);
  check("bcf_calls", bcf_calls::implementations(), run_bcf_calls);
  check("gibbs", gibbs::implementations(), run_gibbs);
  check("three_point", three_point::implementations(), run_three_point);
  check("kmers", kmers::implementations(), run_kmers);
  check("convolution", convolution::implementations(), run_convolution);
  check("normalisation", normalisation::implementations(), run_normalisation);
  std::printf("digest: %016llx\n", static_cast<unsigned long long>(digest));
  return failed ? 1 : 0;
}
