// hapforge._cuda: a map of the module. It is importable without a driver; only calls need one.
#include "bindings/arrays.h"
#include "core/cuda_device.h"
#include "kernels/allele_counts/cuda.h"
#include "kernels/nearest_neighbours/cuda.h"

namespace hapforge {
namespace {

Array<std::int64_t> bind_allele_counts(const Array<std::uint64_t>& words, std::size_t num_sites) {
  const BitMatrixView view = view_of(words, num_sites, "words");
  auto counts = empty<std::int64_t>(num_sites);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  allele_counts::count_cuda(view, out);
  return counts;
}

// One search's result, which grows with the lists.
struct Found {
  Array<std::int64_t> index;
  Array<std::uint32_t> distance;

  Found(std::size_t rows, std::size_t k)
      : index(empty<std::int64_t>(rows, k)), distance(empty<std::uint32_t>(rows, k)) {}

  nearest_neighbours::Lists lists(std::size_t k) {
    return {k, index.mutable_data(), distance.mutable_data()};
  }
  py::tuple tuple() const { return py::make_tuple(index, distance); }
};

py::tuple bind_nearest_neighbours(const Array<std::uint64_t>& queries,
                                  const Array<std::uint64_t>& targets, std::size_t num_sites,
                                  std::size_t k, bool exclude_self) {
  const BitMatrixView from = view_of(queries, num_sites, "queries");
  const BitMatrixView to = view_of(targets, num_sites, "targets");
  Found found(from.num_rows, k);
  const nearest_neighbours::Lists out = found.lists(k);
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::search_cuda(from, to, exclude_self, out);
  }
  return found.tuple();
}

// (ab, ba), or with `within` (aa, ab, ba, bb).
py::list bind_joint_nearest_neighbours(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                                       std::size_t num_sites, std::size_t k, bool within) {
  const BitMatrixView first = view_of(a, num_sites, "a");
  const BitMatrixView second = view_of(b, num_sites, "b");
  const std::size_t inside = within ? k : 0;
  Found aa(first.num_rows, inside), ab(first.num_rows, k), ba(second.num_rows, k),
      bb(second.num_rows, inside);
  const nearest_neighbours::JointLists out{aa.lists(inside), ab.lists(k), ba.lists(k),
                                           bb.lists(inside)};
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::joint_cuda(first, second, out);
  }
  py::list found;
  if (within) found.append(aa.tuple());
  found.append(ab.tuple());
  found.append(ba.tuple());
  if (within) found.append(bb.tuple());
  return found;
}

}  // namespace
}  // namespace hapforge

PYBIND11_MODULE(_cuda, m, pybind11::mod_gil_not_used()) {
  m.doc() = "Kernels of hapforge on CUDA devices. Private: use hapforge.kernels.";
  m.def("device_count", &hapforge::cuda::device_count,
        "Devices this process can use; 0 where there is no driver.");
  m.def("allele_counts", &hapforge::bind_allele_counts, pybind11::arg("words").noconvert(),
        pybind11::arg("num_sites"));
  m.def("nearest_neighbours", &hapforge::bind_nearest_neighbours,
        pybind11::arg("queries").noconvert(), pybind11::arg("targets").noconvert(),
        pybind11::arg("num_sites"), pybind11::arg("k"), pybind11::arg("exclude_self"));
  m.def("joint_nearest_neighbours", &hapforge::bind_joint_nearest_neighbours,
        pybind11::arg("a").noconvert(), pybind11::arg("b").noconvert(), pybind11::arg("num_sites"),
        pybind11::arg("k"), pybind11::arg("within"));
}
