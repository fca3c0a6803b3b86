#include "bindings/cuda_compiler.h"

#include <cuda_runtime.h>

#include <cstdint>

namespace hapforge {

namespace py = pybind11;

void register_cuda_compiler(py::module_& m) {
  m.def(
      "set_compiler",
      [](py::function compile) {
        // Never destroyed, since the interpreter may end first.
        const auto* kept = new py::function(std::move(compile));
        driver::set_compiler([kept](const char* body, std::size_t size, int device) {
          const py::gil_scoped_acquire locked;
          return (*kept)(body, size, device).cast<std::uintptr_t>();
        });
      },
      py::arg("compile"));
}

}  // namespace hapforge
