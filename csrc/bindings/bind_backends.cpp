#include <pybind11/stl.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bindings/register.h"
#include "kernels/allele_counts/kernel.h"
#include "kernels/bcf_calls/kernel.h"
#include "kernels/bernoulli_units/kernel.h"
#include "kernels/pack/kernel.h"
#include "kernels/popcount_tile/kernel.h"

namespace hapforge {
namespace {

using Names = std::vector<std::string>;

// One entry per kernel name of the package.
const std::map<std::string, std::function<Names()>>& backends() {
  static const auto tile = [] { return backend_names(popcount_tile::implementations()); };
  static const std::map<std::string, std::function<Names()>> all = {
      {"pack", [] { return backend_names(pack::implementations()); }},
      {"bcf_calls", [] { return backend_names(bcf_calls::implementations()); }},
      {"hamming", tile},
      {"nearest_neighbours", tile},
      {"joint_counts", tile},
      {"allele_counts", [] { return backend_names(allele_counts::implementations()); }},
      {"bernoulli_units", [] { return backend_names(bernoulli_units::implementations()); }},
  };
  return all;
}

Names available_backends(const std::string& name) {
  const auto found = backends().find(name);
  if (found == backends().end()) {
    std::string known;
    for (const auto& [kernel, names] : backends()) known += (known.empty() ? "" : ", ") + kernel;
    throw pybind11::value_error("unknown kernel '" + name + "'; known: " + known);
  }
  return found->second();
}

}  // namespace

void register_backends(pybind11::module_& m) {
  m.def("available_backends", &available_backends, pybind11::arg("name"),
        "CPU backends of a kernel that this machine can run, fastest first.");
}

}  // namespace hapforge
