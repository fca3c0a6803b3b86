#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/convolution/kernel.h"

namespace hapforge {
namespace {

using Floats = Array<float>;

// The shape of a convolution of x, with y as its result.
convolution::Shape shape_of(const Floats& x, const Floats& w, const Floats& y, std::size_t stride,
                            std::size_t padding) {
  checked_data(x, 3, "x");
  checked_data(w, 3, "w");
  checked_data(y, 3, "y");
  if (stride < 1 || stride > 2) throw py::value_error("stride: expected 1 or 2");
  if (padding > 1) throw py::value_error("padding: expected 0 or 1");
  const convolution::Shape shape{extent(x, 0), extent(x, 1), extent(y, 1), extent(x, 2),
                                 extent(y, 2), stride,       padding};
  if (x.size() == 0 || y.size() == 0) throw py::value_error("x, y: expected values, found none");
  if (extent(w, 0) != shape.out || extent(w, 1) != shape.in || extent(w, 2) != convolution::kTaps) {
    throw py::value_error("w: expected (channels of y, channels of x, 3)");
  }
  if (extent(y, 0) != shape.rows) throw py::value_error("y: expected as many rows as in x");
  if ((shape.out_length - 1) * stride + convolution::kTaps != shape.length + 2 * padding) {
    throw py::value_error(
        "x, y: expected (length of y - 1) * stride + 3 = length of x + 2 padding");
  }
  return shape;
}

void bind_convolution_forward(const Floats& x, const Floats& w, std::size_t stride,
                              std::size_t padding, Floats& y, const std::string& backend) {
  const auto& kernels = find_backend(convolution::implementations(), backend);
  const convolution::Shape shape = shape_of(x, w, y, stride, padding);
  float* const to = y.mutable_data();
  const py::gil_scoped_release unlocked;
  convolution::forward(shape, x.data(), w.data(), to, kernels);
}

void bind_transposed(const Floats& y, const Floats& w, std::size_t stride, std::size_t padding,
                     Floats& x, const std::string& backend) {
  const auto& kernels = find_backend(convolution::implementations(), backend);
  const convolution::Shape shape = shape_of(x, w, y, stride, padding);
  float* const to = x.mutable_data();
  const py::gil_scoped_release unlocked;
  convolution::transposed(shape, y.data(), w.data(), to, kernels);
}

void bind_by_weight(const Floats& x, const Floats& y, std::size_t stride, std::size_t padding,
                    Floats& w, const std::string& backend) {
  const auto& kernels = find_backend(convolution::implementations(), backend);
  const convolution::Shape shape = shape_of(x, w, y, stride, padding);
  float* const to = w.mutable_data();
  const py::gil_scoped_release unlocked;
  convolution::by_weight(shape, x.data(), y.data(), to, kernels);
}

}  // namespace

void register_convolution(py::module_& m) {
  m.def("convolve", &bind_convolution_forward, py::arg("x").noconvert(), py::arg("w").noconvert(),
        py::arg("stride"), py::arg("padding"), py::arg("y").noconvert(), py::arg("backend"));
  m.def("convolve_transposed", &bind_transposed, py::arg("y").noconvert(), py::arg("w").noconvert(),
        py::arg("stride"), py::arg("padding"), py::arg("x").noconvert(), py::arg("backend"));
  m.def("convolve_by_weight", &bind_by_weight, py::arg("x").noconvert(), py::arg("y").noconvert(),
        py::arg("stride"), py::arg("padding"), py::arg("w").noconvert(), py::arg("backend"));
}

}  // namespace hapforge
