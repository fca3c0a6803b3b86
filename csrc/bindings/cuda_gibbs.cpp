// gibbs of hapforge._cuda.
#include <optional>
#include <string>

#include "bindings/arrays.h"
#include "bindings/cuda_arrays.h"
#include "bindings/gibbs_arguments.h"
#include "kernels/gibbs/cuda.h"

namespace hapforge {
namespace {

struct Int32 {
  const std::int32_t* data;
  std::vector<std::size_t> shape;
};

// C-contiguous int32, on the host or on a device.
Int32 int32_of(const py::object& array, std::size_t ndim, const char* name) {
  const std::string expected = std::string(name) + ": expected C-contiguous int32 of " +
                               std::to_string(ndim) + " dimension(s)";
  Int32 found{};
  if (py::isinstance<DeviceArray>(array)) {
    const auto& device = py::cast<const DeviceArray&>(array);
    if (device.kind != 'i' || device.itemsize != 4 || !device.c_contiguous()) {
      throw py::type_error(expected);
    }
    found.data = static_cast<const std::int32_t*>(device.data);
    found.shape.assign(device.shape.begin(), device.shape.end());
  } else {
    if (!py::isinstance<Array<std::int32_t>>(array)) throw py::type_error(expected);
    const auto host = py::reinterpret_borrow<Array<std::int32_t>>(array);
    found.data = checked_data(host, static_cast<py::ssize_t>(ndim), name);
    found.shape.assign(host.shape(), host.shape() + host.ndim());
  }
  if (found.shape.size() != ndim) throw py::type_error(expected);
  return found;
}

// `like`, an array or None, only says where the layer is wanted if the weights are on the host.
gibbs::CudaLayer make_layer(const py::object& weights, const py::object& bias, bool transposed,
                            const py::object& like) {
  const Call call({weights, bias, like});
  const Int32 w = int32_of(weights, 2, "weights"), b = int32_of(bias, 1, "bias");
  const std::size_t num_out = w.shape[transposed ? 1 : 0], num_in = w.shape[transposed ? 0 : 1];
  check_bias(b.shape[0], num_out);
  std::optional<gibbs::CudaLayer> layer;
  call.run([&] { layer.emplace(w.data, b.data, num_out, num_in, transposed); });
  return std::move(*layer);
}

// A call that a layer takes part in: where its first array on a device is, which is the layer's;
// without one on the device of the layer and the default stream.
class LayerCall {
 public:
  LayerCall(const gibbs::CudaLayer& layer, std::initializer_list<py::handle> arrays)
      : on_(layer.device(), 0), call(arrays) {
    if (cuda::current_device() != layer.device()) {
      throw py::value_error("expected arrays on the device of the weights, " +
                            std::to_string(layer.device()) + ", found " +
                            std::to_string(cuda::current_device()));
    }
  }

 private:
  cuda::On on_;

 public:
  const Call call;
};

// by_chain: words have a row for each chain, else for each unit.
py::object bind_fields(const gibbs::CudaLayer& layer, const py::object& bits,
                       std::size_t num_chains, bool by_chain) {
  const LayerCall on(layer, {bits});
  const BitMatrixView units = packed_view(bits, by_chain ? layer.num_in() : num_chains, "bits");
  check_rows(units.num_rows, by_chain ? num_chains : layer.num_in(), "bits",
             by_chain ? "one a chain" : "one a unit");
  const auto fields = on.call.output<std::int32_t>(layer.num_out(), num_chains);
  on.call.run([&] { gibbs::fields_cuda(layer, units, by_chain, fields.data()); });
  return fields.object();
}

// Chain-major words of the visible and the hidden units. Without `visible` a start is drawn; `like`
// is an array that only says where the result is wanted, or None.
py::tuple bind_run(const gibbs::CudaLayer& to_hidden, const gibbs::CudaLayer& to_visible,
                   const py::object& visible, std::size_t num_chains, const py::object& clamp,
                   int fixed_point_bits, std::uint64_t seed, std::uint32_t first_chain,
                   std::uint32_t first_step, std::uint32_t steps, const py::object& like) {
  const std::size_t num_visible = to_visible.num_out(), num_hidden = to_hidden.num_out();
  if (to_hidden.num_in() != num_visible || to_visible.num_in() != num_hidden ||
      to_hidden.device() != to_visible.device()) {
    throw py::value_error("to_visible: expected the layer that leads back from to_hidden");
  }
  check_draw(fixed_point_bits, num_chains, first_chain);
  check_steps(first_step, steps);
  if (num_chains >= std::size_t{1} << 31) {
    throw py::value_error("num_chains: expected fewer than 2^31");
  }
  const LayerCall on(to_hidden, {visible, clamp, like});
  const auto words_of = [&](const py::object& words, const char* name) -> const std::uint64_t* {
    if (words.is_none()) return nullptr;
    const BitMatrixView view = packed_view(words, num_visible, name);
    check_rows(view.num_rows, num_chains, name, "one a chain");
    return view.words;
  };
  const std::uint64_t* start = words_of(visible, "visible");
  const std::uint64_t* held = words_of(clamp, "clamp");
  const auto last_visible = on.call.output<std::uint64_t>(num_chains, words_for_bits(num_visible));
  const auto last_hidden = on.call.output<std::uint64_t>(num_chains, words_for_bits(num_hidden));
  on.call.run([&] {
    gibbs::run_cuda(to_hidden, to_visible,
                    {num_chains, start, held, last_visible.data(), last_hidden.data(), seed,
                     first_chain, first_step, steps, fixed_point_bits});
  });
  return py::make_tuple(last_visible.object(), last_hidden.object());
}

// (visible, hidden, both). by_chain: words have a row for each chain, else for each unit.
py::tuple bind_counts(const py::object& visible, const py::object& hidden, std::size_t num_visible,
                      std::size_t num_hidden, std::size_t num_chains, bool by_chain) {
  const Call call({visible, hidden});
  const BitMatrixView v = packed_view(visible, by_chain ? num_visible : num_chains, "visible");
  const BitMatrixView h = packed_view(hidden, by_chain ? num_hidden : num_chains, "hidden");
  check_rows(v.num_rows, by_chain ? num_chains : num_visible, "visible", "as many as there are");
  check_rows(h.num_rows, by_chain ? num_chains : num_hidden, "hidden", "as many as there are");
  const auto ones_visible = call.output<std::int64_t>(num_visible);
  const auto ones_hidden = call.output<std::int64_t>(num_hidden);
  const auto both = call.output<std::int64_t>(num_visible, num_hidden);
  call.run([&] {
    gibbs::counts_cuda(v, h, by_chain, {ones_visible.data(), ones_hidden.data(), both.data()});
  });
  return py::make_tuple(ones_visible.object(), ones_hidden.object(), both.object());
}

}  // namespace

void register_cuda_gibbs(py::module_& m) {
  py::class_<gibbs::CudaLayer>(m, "GibbsLayer")
      .def(py::init(&make_layer), py::arg("weights"), py::arg("bias"), py::arg("transposed"),
           py::arg("like"))
      .def("fields", &bind_fields, py::arg("bits"), py::arg("num_chains"), py::arg("by_chain"));
  m.def("gibbs_run", &bind_run, py::arg("to_hidden"), py::arg("to_visible"), py::arg("visible"),
        py::arg("num_chains"), py::arg("clamp"), py::arg("fixed_point_bits"), py::arg("seed"),
        py::arg("first_chain"), py::arg("first_step"), py::arg("steps"), py::arg("like"));
  m.def("gibbs_counts", &bind_counts, py::arg("visible"), py::arg("hidden"), py::arg("num_visible"),
        py::arg("num_hidden"), py::arg("num_chains"), py::arg("by_chain"));
}

}  // namespace hapforge
