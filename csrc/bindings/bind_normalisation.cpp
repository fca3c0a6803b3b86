#include "bindings/arrays.h"
#include "bindings/register.h"
#include "kernels/normalisation/kernel.h"

namespace hapforge {
namespace {

using Floats = Array<float>;

normalisation::Shape shape_of(const Floats& x, const Floats& weight, const Floats& bias,
                              bool over_rows) {
  checked_data(x, 3, "x");
  const normalisation::Shape shape{extent(x, 0), extent(x, 1), extent(x, 2), over_rows};
  if (x.size() == 0) throw py::value_error("x: expected rows, channels and values, found none");
  checked_data(weight, 1, "weight");
  checked_data(bias, 1, "bias");
  if (extent(weight, 0) != shape.channels || extent(bias, 0) != shape.channels) {
    throw py::value_error("weight, bias: expected one of each channel");
  }
  return shape;
}

const float* like(const Floats& values, const Floats& x, const char* name) {
  checked_data(values, 3, name);
  for (py::ssize_t axis = 0; axis < 3; ++axis) {
    if (values.shape(axis) != x.shape(axis)) {
      throw py::value_error(std::string(name) + ": expected the shape of x");
    }
  }
  return values.data();
}

// Written in place: what is not writeable raises ValueError.
float* result(Floats& values, const Floats& x, const char* name) {
  like(values, x, name);
  return values.mutable_data();
}

normalisation::Statistics statistics_of(Floats& mean, Floats& variance,
                                        const normalisation::Shape& shape) {
  checked_data(mean, 1, "mean");
  checked_data(variance, 1, "variance");
  if (extent(mean, 0) != shape.groups() || extent(variance, 0) != shape.groups()) {
    throw py::value_error("mean, variance: expected one of each group");
  }
  return {mean.mutable_data(), variance.mutable_data()};
}

void bind_normalisation_forward(const Floats& x, const Floats& weight, const Floats& bias,
                                bool over_rows, Floats& z, Floats& mean, Floats& variance,
                                const std::string& backend) {
  const auto& kernels = find_backend(normalisation::implementations(), backend);
  const normalisation::Shape shape = shape_of(x, weight, bias, over_rows);
  const auto out = statistics_of(mean, variance, shape);
  float* const to = result(z, x, "z");
  const py::gil_scoped_release unlocked;
  normalisation::forward(shape, {weight.data(), bias.data()}, x.data(), to, out, kernels);
}

py::tuple bind_normalisation_backward(const Floats& gz, const Floats& x, const Floats& weight,
                                      const Floats& bias, bool over_rows, Floats& mean,
                                      Floats& variance, Floats& gx, const std::string& backend) {
  const auto& kernels = find_backend(normalisation::implementations(), backend);
  const normalisation::Shape shape = shape_of(x, weight, bias, over_rows);
  const auto of_x = statistics_of(mean, variance, shape);
  const float* const from = like(gz, x, "gz");
  float* const to = result(gx, x, "gx");
  auto gweight = empty<float>(shape.channels);
  auto gbias = empty<float>(shape.channels);
  float *const to_weight = gweight.mutable_data(), *const to_bias = gbias.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    normalisation::backward(shape, {weight.data(), bias.data()}, from, x.data(), of_x, to,
                            to_weight, to_bias, kernels);
  }
  return py::make_tuple(gweight, gbias);
}

Floats bind_twice(const Floats& u, const Floats& gz, const Floats& x, const Floats& weight,
                  const Floats& bias, bool over_rows, Floats& mean, Floats& variance, Floats& of_gz,
                  Floats& of_x, const std::string& backend) {
  const auto& kernels = find_backend(normalisation::implementations(), backend);
  const normalisation::Shape shape = shape_of(x, weight, bias, over_rows);
  const auto statistics = statistics_of(mean, variance, shape);
  const float *const of_slopes = like(u, x, "u"), *const from = like(gz, x, "gz");
  float *const to_gz = result(of_gz, x, "of_gz"), *const to_x = result(of_x, x, "of_x");
  auto of_weight = empty<float>(shape.channels);
  float* const to_weight = of_weight.mutable_data();
  const py::gil_scoped_release unlocked;
  normalisation::twice(shape, {weight.data(), bias.data()}, of_slopes, from, x.data(), statistics,
                       to_gz, to_x, to_weight, kernels);
  return of_weight;
}

}  // namespace

void register_normalisation(py::module_& m) {
  m.def("normalise", &bind_normalisation_forward, py::arg("x").noconvert(),
        py::arg("weight").noconvert(), py::arg("bias").noconvert(), py::arg("over_rows"),
        py::arg("z").noconvert(), py::arg("mean").noconvert(), py::arg("variance").noconvert(),
        py::arg("backend"));
  m.def("normalise_backward", &bind_normalisation_backward, py::arg("gz").noconvert(),
        py::arg("x").noconvert(), py::arg("weight").noconvert(), py::arg("bias").noconvert(),
        py::arg("over_rows"), py::arg("mean").noconvert(), py::arg("variance").noconvert(),
        py::arg("gx").noconvert(), py::arg("backend"));
  m.def("normalise_twice", &bind_twice, py::arg("u").noconvert(), py::arg("gz").noconvert(),
        py::arg("x").noconvert(), py::arg("weight").noconvert(), py::arg("bias").noconvert(),
        py::arg("over_rows"), py::arg("mean").noconvert(), py::arg("variance").noconvert(),
        py::arg("of_gz").noconvert(), py::arg("of_x").noconvert(), py::arg("backend"));
}

}  // namespace hapforge
