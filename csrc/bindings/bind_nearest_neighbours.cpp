#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/nearest_neighbours/exhaustive.h"
#include "kernels/nearest_neighbours/kernel.h"
#include "kernels/nearest_neighbours/pruned.h"

namespace hapforge {
namespace {

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

py::tuple bind_search(const Array<std::uint64_t>& queries,
                      const std::optional<Array<std::uint64_t>>& targets, std::size_t num_sites,
                      std::size_t k, bool exclude_self, const std::string& backend,
                      std::size_t threads) {
  const BitMatrixView from = view_of(queries, num_sites, "queries");
  const BitMatrixView to = targets ? view_of(*targets, num_sites, "targets") : from;
  const sketch::Backend with = sketch::backend_named(backend);
  const std::size_t excluded = exclude_self && to.num_rows > 0 ? 1 : 0;
  if (k < 1 || k > to.num_rows - excluded) {
    throw py::value_error("k: expected 1 to " + std::to_string(to.num_rows - excluded) +
                          ", found " + std::to_string(k));
  }
  auto index = empty<std::int64_t>(from.num_rows, k);
  auto distance = empty<std::uint32_t>(from.num_rows, k);
  std::int64_t* out_index = index.mutable_data();
  std::uint32_t* out_distance = distance.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    nearest_neighbours::search(from, to, exclude_self, {k, out_index, out_distance}, with, threads);
  }
  return py::make_tuple(index, distance);
}

// (ab, ba), or with `within` (aa, ab, ba, bb). `prune`: None lets the sizes decide.
py::list bind_joint(const Array<std::uint64_t>& a, const Array<std::uint64_t>& b,
                    std::size_t num_sites, std::size_t k, bool within, std::optional<bool> prune,
                    const std::string& backend, std::size_t threads) {
  const BitMatrixView first = view_of(a, num_sites, "a");
  const BitMatrixView second = view_of(b, num_sites, "b");
  const sketch::Backend with = sketch::backend_named(backend);
  std::size_t most = std::min(first.num_rows, second.num_rows);
  if (within && most > 0) --most;
  if (prune.value_or(false)) most = std::min(most, nearest_neighbours::kMostPruned);
  if (k < 1 || k > most) {
    throw py::value_error("k: expected 1 to " + std::to_string(most) + ", found " +
                          std::to_string(k));
  }
  Found ab(first.num_rows, k), ba(second.num_rows, k);
  nearest_neighbours::JointLists out{{}, ab.lists(k), ba.lists(k), {}};
  std::optional<Found> aa, bb;
  if (within) {
    out.aa = aa.emplace(first.num_rows, k).lists(k);
    out.bb = bb.emplace(second.num_rows, k).lists(k);
  }
  {
    const py::gil_scoped_release unlocked;
    if (prune.value_or(nearest_neighbours::prunes(first, second, out))) {
      nearest_neighbours::pruned(first, second, out, with, threads);
    } else {
      nearest_neighbours::exhaustive::joint(first, second, out, with.tiles, threads);
    }
  }
  py::list found;
  if (within) found.append(aa->tuple());
  found.append(ab.tuple());
  found.append(ba.tuple());
  if (within) found.append(bb->tuple());
  return found;
}

}  // namespace

void register_nearest_neighbours(py::module_& m) {
  m.def(
      "prunes",
      [](std::size_t rows_a, std::size_t rows_b, std::size_t k) {
        const nearest_neighbours::Lists list{k};
        return nearest_neighbours::prunes({nullptr, rows_a}, {nullptr, rows_b},
                                          {{}, list, list, {}});
      },
      py::arg("rows_a"), py::arg("rows_b"), py::arg("k"));
  m.def("nearest_neighbours", &bind_search, py::arg("queries").noconvert(),
        py::arg("targets").noconvert().none(true), py::arg("num_sites"), py::arg("k"),
        py::arg("exclude_self"), py::arg("backend"), py::arg("threads"));
  m.def("joint_nearest_neighbours", &bind_joint, py::arg("a").noconvert(), py::arg("b").noconvert(),
        py::arg("num_sites"), py::arg("k"), py::arg("within"), py::arg("prune").none(true),
        py::arg("backend"), py::arg("threads"));
}

}  // namespace hapforge
