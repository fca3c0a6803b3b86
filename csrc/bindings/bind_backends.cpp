#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/register.h"
#include "kernels/backends.h"

namespace hapforge {
namespace {

std::vector<std::string> available_backends(const std::string& name) {
  const auto found = backends_of(name);
  if (!found) {
    std::string known;
    for (const auto& kernel : kernel_names()) known += (known.empty() ? "" : ", ") + kernel;
    throw pybind11::value_error("unknown kernel '" + name + "'; known: " + known);
  }
  return *found;
}

}  // namespace

void register_backends(pybind11::module_& m) {
  m.def("available_backends", &available_backends, pybind11::arg("name"),
        "CPU backends of a kernel that this machine can run, fastest first.");
}

}  // namespace hapforge
