// hapforge._cuda: a map of the module. It is importable without a driver; only calls need one.
#include <string>

#include "bindings/arrays.h"
#include "bindings/cuda_arrays.h"
#include "bindings/cuda_compiler.h"
#include "bindings/joint_counts_arguments.h"
#include "core/cuda_device.h"
#include "kernels/allele_counts/cuda.h"
#include "kernels/hamming/cuda.h"
#include "kernels/joint_counts/cuda.h"
#include "kernels/nearest_neighbours/cuda.h"
#include "kernels/nearest_set/cuda.h"
#include "kernels/pack/cuda.h"
#include "kernels/three_point/cuda.h"
#include "kernels/three_point/formula.h"

namespace hapforge {
namespace {

py::object bind_allele_counts(const py::object& words, std::size_t num_sites) {
  const Call call({words});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  const auto counts = call.output<std::int64_t>(num_sites);
  call.run([&] { allele_counts::count_cuda(view, counts.data()); });
  return counts.object();
}

// ---- pack: for arrays on a device

py::object bind_pack(const DeviceArray& dense) {
  const bool bytes =
      dense.itemsize == 1 && std::string("bui").find(dense.kind) != std::string::npos;
  if (!bytes || dense.shape.size() != 2) {
    throw py::type_error("dense: expected two-dimensional bytes");
  }
  const Call call({py::cast(dense, py::return_value_policy::reference)});
  const auto rows = static_cast<std::size_t>(dense.shape[0]);
  const auto sites = static_cast<std::size_t>(dense.shape[1]);
  const auto words = call.output<std::uint64_t>(rows, words_for_bits(sites));
  const auto* data = static_cast<const unsigned char*>(dense.data);
  std::int64_t bad = -1;
  call.run([&] {
    bad = pack::pack_cuda({data, dense.strides[0], dense.strides[1], rows, sites}, words.data());
  });
  if (bad >= 0) {
    const std::int64_t row = bad / dense.shape[1], column = bad % dense.shape[1];
    unsigned char found = 0;
    call.run([&] {
      cuda::copy(&found, data + row * dense.strides[0] + column * dense.strides[1], 1);
      cuda::synchronize();
    });
    const int value = dense.kind == 'i' ? static_cast<signed char>(found) : found;
    throw py::value_error("expected only 0 and 1, found " + std::to_string(value) + " at row " +
                          std::to_string(row) + ", column " + std::to_string(column));
  }
  return words.object();
}

BitMatrixView view_on_device(const py::object& words, std::size_t num_sites) {
  if (!py::isinstance<DeviceArray>(words)) throw py::type_error("words: expected a DeviceArray");
  return packed_view(words, num_sites, "words");
}

py::object bind_unpack(const py::object& words, std::size_t num_sites) {
  const Call call({words});
  const BitMatrixView view = view_on_device(words, num_sites);
  const auto dense = call.output<std::uint8_t>(view.num_rows, num_sites);
  call.run([&] { pack::unpack_cuda(view, dense.data()); });
  return dense.object();
}

py::object bind_transpose(const py::object& words, std::size_t num_sites) {
  const Call call({words});
  const BitMatrixView view = view_on_device(words, num_sites);
  const auto turned = call.output<std::uint64_t>(num_sites, words_for_bits(view.num_rows));
  call.run([&] { pack::transpose_cuda(view, turned.data()); });
  return turned.object();
}

py::object bind_select_sites(const py::object& words, std::size_t num_sites,
                             const Array<std::int64_t>& index) {
  const Call call({words, index});
  const BitMatrixView view = view_on_device(words, num_sites);
  const std::int64_t* columns = checked_data(index, 1, "index");
  check_indices(index, num_sites, "index");
  const std::size_t num_selected = extent(index, 0);
  const auto selected = call.output<std::uint64_t>(view.num_rows, words_for_bits(num_selected));
  call.run([&] { pack::select_sites_cuda(view, columns, num_selected, selected.data()); });
  return selected.object();
}

// The first row whose padding bits are not all zero; -1: there is none.
std::int64_t bind_padded_row(const py::object& words, std::size_t num_sites) {
  const Call call({words});
  const BitMatrixView view = view_on_device(words, num_sites);
  std::int64_t row = -1;
  call.run([&] { row = pack::padded_row_cuda(view); });
  return row;
}

// ---- hamming

py::object bind_pairwise_hamming(const py::object& a, const py::object& b, std::size_t num_sites) {
  const Call call({a, b});
  const BitMatrixView view_a = packed_view(a, num_sites, "a");
  const BitMatrixView view_b = packed_view(b, num_sites, "b");
  const auto distance = call.output<std::uint32_t>(view_a.num_rows, view_b.num_rows);
  call.run([&] { hamming::pairwise_cuda(view_a, view_b, distance.data()); });
  return distance.object();
}

py::object bind_hamming_histogram(const py::object& a, const py::object& b, std::size_t num_sites) {
  const Call call({a, b});
  const bool symmetric = b.is_none();
  const BitMatrixView view_a = packed_view(a, num_sites, "a");
  const BitMatrixView view_b = symmetric ? view_a : packed_view(b, num_sites, "b");
  const auto counts = call.output<std::int64_t>(num_sites + 1);
  call.run([&] { hamming::histogram_cuda(view_a, view_b, symmetric, counts.data()); });
  return counts.object();
}

// ---- joint_counts

py::object bind_joint_counts(const py::object& words, std::size_t num_sites) {
  const Call call({words});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  const auto n11 = call.output<std::int64_t>(num_sites, num_sites);
  call.run([&] { joint_counts::matrix_cuda(view, n11.data()); });
  return n11.object();
}

py::object bind_joint_counts_of_pairs(const py::object& words, std::size_t num_sites,
                                      const Array<std::int64_t>& pairs) {
  const Call call({words, pairs});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  const std::int64_t* pair_data = index_table(pairs, 2, num_sites, "pairs");
  const std::size_t num_pairs = extent(pairs, 0);
  const auto n11 = call.output<std::int64_t>(num_pairs);
  call.run([&] { joint_counts::pairs_cuda(view, pair_data, num_pairs, n11.data()); });
  return n11.object();
}

py::object bind_ld_matrix(const py::object& words, std::size_t num_sites,
                          const std::string& statistic) {
  const Call call({words});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  const joint_counts::Statistic which = joint_counts::statistic_of(statistic);
  const auto values = call.output<float>(num_sites, num_sites);
  call.run([&] { joint_counts::ld_matrix_cuda(view, which, values.data()); });
  return values.object();
}

py::tuple bind_ld_decay(const py::object& words, std::size_t num_sites,
                        const Array<std::int64_t>& position, const Array<std::int64_t>& contig_end,
                        const Array<std::int64_t>& first_index, const Array<std::int64_t>& edges) {
  const Call call({words, position, contig_end, first_index, edges});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  const auto pairs =
      joint_counts::binned_pairs(position, contig_end, first_index, edges, num_sites);
  const auto sum_r2 = call.output<double>(pairs.num_bins);
  const auto num_pairs = call.output<std::int64_t>(pairs.num_bins);
  call.run([&] { joint_counts::ld_decay_cuda(view, pairs, sum_r2.data(), num_pairs.data()); });
  return py::make_tuple(sum_r2.object(), num_pairs.object());
}

// ---- nearest_neighbours

struct Found {
  Call::Output<std::int64_t> index;
  Call::Output<std::uint32_t> distance;

  Found(const Call& call, std::size_t rows, std::size_t k)
      : index(call.output<std::int64_t>(rows, k)), distance(call.output<std::uint32_t>(rows, k)) {}

  nearest_neighbours::Lists lists(std::size_t k) const {
    return {k, index.data(), distance.data()};
  }
  py::tuple tuple() const { return py::make_tuple(index.object(), distance.object()); }
};

py::tuple bind_nearest_neighbours(const py::object& queries, const py::object& targets,
                                  std::size_t num_sites, std::size_t k, bool exclude_self) {
  const Call call({queries, targets});
  const BitMatrixView from = packed_view(queries, num_sites, "queries");
  const BitMatrixView to = packed_view(targets, num_sites, "targets");
  const Found found(call, from.num_rows, k);
  call.run([&] { nearest_neighbours::search_cuda(from, to, exclude_self, found.lists(k)); });
  return found.tuple();
}

// (ab, ba), or with `within` (aa, ab, ba, bb).
py::list bind_joint_nearest_neighbours(const py::object& a, const py::object& b,
                                       std::size_t num_sites, std::size_t k, bool within) {
  const Call call({a, b});
  const BitMatrixView first = packed_view(a, num_sites, "a");
  const BitMatrixView second = packed_view(b, num_sites, "b");
  const std::size_t inside = within ? k : 0;
  const Found aa(call, first.num_rows, inside), ab(call, first.num_rows, k),
      ba(call, second.num_rows, k), bb(call, second.num_rows, inside);
  const nearest_neighbours::JointLists out{aa.lists(inside), ab.lists(k), ba.lists(k),
                                           bb.lists(inside)};
  call.run([&] { nearest_neighbours::joint_cuda(first, second, out); });
  py::list found;
  if (within) found.append(aa.tuple());
  found.append(ab.tuple());
  found.append(ba.tuple());
  if (within) found.append(bb.tuple());
  return found;
}

// (a_distance, a_sets, b_distance, b_sets)
py::tuple bind_nearest_set(const py::object& a, const py::object& b, std::size_t num_sites) {
  const Call call({a, b});
  const BitMatrixView first = packed_view(a, num_sites, "a");
  const BitMatrixView second = packed_view(b, num_sites, "b");
  const auto a_distance = call.output<std::uint32_t>(first.num_rows);
  const auto b_distance = call.output<std::uint32_t>(second.num_rows);
  const auto a_sets = call.output<std::uint8_t>(first.num_rows);
  const auto b_sets = call.output<std::uint8_t>(second.num_rows);
  call.run([&] {
    nearest_set::search_cuda(first, second, {a_distance.data(), a_sets.data()},
                             {b_distance.data(), b_sets.data()});
  });
  return py::make_tuple(a_distance.object(), a_sets.object(), b_distance.object(), b_sets.object());
}

// ---- three_point

py::object bind_three_point(const py::object& words, std::size_t num_sites,
                            const Array<std::int64_t>& triplets, bool negate) {
  const Call call({words, triplets});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  const std::int64_t* listed = index_table(triplets, 3, num_sites, "triplets");
  const std::size_t num_triplets = extent(triplets, 0);
  const auto correlations = call.output<double>(num_triplets);
  call.run(
      [&] { three_point::triplets_cuda(view, listed, num_triplets, negate, correlations.data()); });
  return correlations.object();
}

py::object bind_three_point_block(const py::object& words, std::size_t num_sites, bool negate) {
  const Call call({words});
  const BitMatrixView view = packed_view(words, num_sites, "words");
  if (num_sites > three_point::kMostBlockSites) {
    throw py::value_error("words: expected at most 2^19 sites");
  }
  const auto correlations = call.output<double>(three_point::block_size(num_sites));
  call.run([&] { three_point::block_cuda(view, negate, correlations.data()); });
  return correlations.object();
}

}  // namespace
}  // namespace hapforge

PYBIND11_MODULE(_cuda, m, pybind11::mod_gil_not_used()) {
  namespace py = pybind11;
  using namespace hapforge;
  m.doc() = "Kernels of hapforge on CUDA devices. Private: use hapforge.kernels.";
  m.def("device_count", &cuda::device_count,
        "Devices this process can use; 0 where there is no driver.");
  register_cuda_arrays(m);
  register_cuda_gibbs(m);
#if defined(HAPFORGE_NVRTC)
  register_cuda_compiler(m);
#endif
  m.def("allele_counts", &bind_allele_counts, py::arg("words"), py::arg("num_sites"));
  m.def("pack", &bind_pack, py::arg("dense"));
  m.def("unpack", &bind_unpack, py::arg("words"), py::arg("num_sites"));
  m.def("transpose", &bind_transpose, py::arg("words"), py::arg("num_sites"));
  m.def("select_sites", &bind_select_sites, py::arg("words"), py::arg("num_sites"),
        py::arg("index").noconvert());
  m.def("padded_row", &bind_padded_row, py::arg("words"), py::arg("num_sites"));
  m.def("pairwise_hamming", &bind_pairwise_hamming, py::arg("a"), py::arg("b"),
        py::arg("num_sites"));
  m.def("hamming_histogram", &bind_hamming_histogram, py::arg("a"), py::arg("b"),
        py::arg("num_sites"));
  m.def("joint_counts", &bind_joint_counts, py::arg("words"), py::arg("num_sites"));
  m.def("joint_counts_of_pairs", &bind_joint_counts_of_pairs, py::arg("words"),
        py::arg("num_sites"), py::arg("pairs").noconvert());
  m.def("ld_matrix", &bind_ld_matrix, py::arg("words"), py::arg("num_sites"), py::arg("statistic"));
  m.def("ld_decay", &bind_ld_decay, py::arg("words"), py::arg("num_sites"),
        py::arg("position").noconvert(), py::arg("contig_end").noconvert(),
        py::arg("first_index").noconvert(), py::arg("edges").noconvert());
  m.def("nearest_neighbours", &bind_nearest_neighbours, py::arg("queries"), py::arg("targets"),
        py::arg("num_sites"), py::arg("k"), py::arg("exclude_self"));
  m.def("joint_nearest_neighbours", &bind_joint_nearest_neighbours, py::arg("a"), py::arg("b"),
        py::arg("num_sites"), py::arg("k"), py::arg("within"));
  m.def("nearest_set", &bind_nearest_set, py::arg("a"), py::arg("b"), py::arg("num_sites"));
  m.def("three_point", &bind_three_point, py::arg("words"), py::arg("num_sites"),
        py::arg("triplets").noconvert(), py::arg("negate"));
  m.def("three_point_block", &bind_three_point_block, py::arg("words"), py::arg("num_sites"),
        py::arg("negate"));
}
