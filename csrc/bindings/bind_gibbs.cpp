#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/gibbs_arguments.h"
#include "bindings/register.h"
#include "core/philox.h"
#include "kernels/gibbs/kernel.h"
#include "kernels/gibbs/unit_draw.h"

namespace hapforge {
namespace {

gibbs::Layer make_layer(const Array<std::int32_t>& weights, const Array<std::int32_t>& bias,
                        const std::string& backend, std::size_t threads) {
  const std::int32_t* weight_data = checked_data(weights, 2, "weights");
  const std::int32_t* bias_data = checked_data(bias, 1, "bias");
  const auto& kernels = find_backend(gibbs::implementations(), backend);
  const std::size_t num_out = extent(weights, 0);
  const std::size_t num_in = extent(weights, 1);
  check_bias(extent(bias, 0), num_out);
  const py::gil_scoped_release unlocked;
  for (std::size_t j = 0; j < num_out; ++j) {
    gibbs::check_magnitude(gibbs::magnitude_of(weight_data + j * num_in, num_in, bias_data[j]), j);
  }
  return {weight_data, bias_data, num_out, num_in, kernels, threads};
}

// Unit-major bits of a layer's units.
const std::uint64_t* unit_bits(const Array<std::uint64_t>& bits, std::size_t num_units,
                               std::size_t num_lanes, const char* name) {
  const BitMatrixView view = view_of(bits, num_lanes, name);
  check_rows(view.num_rows, num_units, name, "one a unit");
  return view.words;
}

Array<std::int32_t> bind_fields(const gibbs::Layer& layer, const Array<std::uint64_t>& bits,
                                std::size_t num_lanes, std::size_t threads) {
  const std::uint64_t* in = unit_bits(bits, layer.num_in(), num_lanes, "bits");
  auto fields = empty<std::int32_t>(layer.num_out(), num_lanes);
  std::int32_t* out = fields.mutable_data();
  const py::gil_scoped_release unlocked;
  gibbs::fields(layer, in, num_lanes, out, threads);
  return fields;
}

// Units of both layers: the visible ones as bits, unit-major, the hidden ones likewise or, where
// they are rectified, as float32 (num_chains, num_hidden). Without `visible` a start is drawn.
py::tuple bind_run(const gibbs::Layer& to_hidden, const gibbs::Layer& to_visible, bool rectified,
                   const std::optional<Array<std::uint64_t>>& visible, std::size_t num_chains,
                   const std::optional<Array<std::uint64_t>>& clamp, int fixed_point_bits,
                   std::uint64_t seed, std::uint32_t first_chain, std::uint32_t first_step,
                   std::uint32_t steps, std::size_t threads) {
  const std::size_t num_visible = to_visible.num_out();
  const std::size_t num_hidden = to_hidden.num_out();
  if (to_hidden.num_in() != num_visible || to_visible.num_in() != num_hidden ||
      &to_hidden.kernels() != &to_visible.kernels()) {
    throw py::value_error("to_visible: expected the layer that leads back from to_hidden");
  }
  check_draw(fixed_point_bits, num_chains, first_chain);
  check_steps(first_step, steps);
  const std::size_t words = words_for_bits(num_chains);
  const std::uint64_t* held = clamp ? unit_bits(*clamp, num_visible, num_chains, "clamp") : nullptr;
  const std::uint64_t* start =
      visible ? unit_bits(*visible, num_visible, num_chains, "visible") : nullptr;
  auto last_visible = empty<std::uint64_t>(num_visible, words);
  auto hidden_bits = rectified ? Array<std::uint64_t>() : empty<std::uint64_t>(num_hidden, words);
  auto hidden_values = rectified ? empty<float>(num_chains, num_hidden) : Array<float>();
  float* values = rectified ? hidden_values.mutable_data() : nullptr;
  const gibbs::Chains chains{num_chains,
                             last_visible.mutable_data(),
                             rectified ? nullptr : hidden_bits.mutable_data(),
                             held,
                             seed,
                             first_chain,
                             first_step,
                             steps,
                             fixed_point_bits};
  {
    const py::gil_scoped_release unlocked;
    if (start != nullptr) {
      std::copy_n(start, num_visible * words, chains.visible);
    } else {
      gibbs::draw_start(to_visible, chains, threads);
    }
    if (rectified) {
      gibbs::run_rectified(to_hidden, to_visible, chains, values, threads);
    } else {
      if (steps == 0) std::fill_n(chains.hidden, num_hidden * words, 0);
      gibbs::run(to_hidden, to_visible, chains, threads);
    }
  }
  if (rectified) return py::make_tuple(last_visible, hidden_values);
  return py::make_tuple(last_visible, hidden_bits);
}

Array<std::int64_t> bind_draw_values(const Array<std::int32_t>& fields, int fixed_point_bits,
                                     std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                                     std::uint32_t first_chain) {
  const std::int32_t* in = checked_data(fields, 3, "fields");
  const std::size_t num_chains = extent(fields, 0);
  const std::size_t num_units = extent(fields, 1);
  const std::size_t num_values = extent(fields, 2);
  if (num_values < 1 || num_values >= std::size_t{1} << 16) {
    throw py::value_error("fields: expected 1 to 65535 values, found " +
                          std::to_string(num_values));
  }
  check_draw(fixed_point_bits, num_chains, first_chain);
  auto values = empty<std::int64_t>(num_chains, num_units);
  std::int64_t* out = values.mutable_data();
  const gibbs::Draw draw{seed, step, layer, fixed_point_bits};
  const py::gil_scoped_release unlocked;
  gibbs::draw_values(in, num_chains, num_units, num_values, first_chain, draw, out);
  return values;
}

Array<std::int64_t> bind_counts(const Array<std::uint64_t>& visible,
                                const Array<std::uint64_t>& hidden, std::size_t num_chains,
                                const std::string& backend, std::size_t threads) {
  const BitMatrixView visible_bits = view_of(visible, num_chains, "visible");
  const BitMatrixView hidden_bits = view_of(hidden, num_chains, "hidden");
  const auto& kernels = find_backend(popcount_tile::implementations(), backend);
  auto counts = empty<std::int64_t>(visible_bits.num_rows, hidden_bits.num_rows);
  std::int64_t* out = counts.mutable_data();
  const py::gil_scoped_release unlocked;
  gibbs::joint_counts(visible_bits, hidden_bits, out, kernels, threads);
  return counts;
}

py::tuple bind_philox(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                      std::uint32_t key0, std::uint32_t key1) {
  const philox::Words out = philox::philox4x32({{c0, c1, c2, c3}}, key0, key1);
  return py::make_tuple(out.w[0], out.w[1], out.w[2], out.w[3]);
}

}  // namespace

void register_gibbs(py::module_& m) {
  py::class_<gibbs::Layer>(m, "GibbsLayer")
      .def(py::init(&make_layer), py::arg("weights").noconvert(), py::arg("bias").noconvert(),
           py::arg("backend"), py::arg("threads"))
      .def("fields", &bind_fields, py::arg("bits").noconvert(), py::arg("num_lanes"),
           py::arg("threads"));
  m.def("gibbs_run", &bind_run, py::arg("to_hidden"), py::arg("to_visible"), py::arg("rectified"),
        py::arg("visible").noconvert().none(true), py::arg("num_chains"),
        py::arg("clamp").noconvert().none(true), py::arg("fixed_point_bits"), py::arg("seed"),
        py::arg("first_chain"), py::arg("first_step"), py::arg("steps"), py::arg("threads"));
  m.def("gibbs_draw_values", &bind_draw_values, py::arg("fields").noconvert(),
        py::arg("fixed_point_bits"), py::arg("seed"), py::arg("step"), py::arg("layer"),
        py::arg("first_chain"));
  m.def("gibbs_counts", &bind_counts, py::arg("visible").noconvert(), py::arg("hidden").noconvert(),
        py::arg("num_chains"), py::arg("backend"), py::arg("threads"));
  m.def("philox4x32", &bind_philox, py::arg("c0"), py::arg("c1"), py::arg("c2"), py::arg("c3"),
        py::arg("key0"), py::arg("key1"), "Philox4x32-10 of one counter and key, four words.");
}

}  // namespace hapforge
