#include "bindings/arrays.h"
#include "bindings/register.h"
#include "core/philox.h"
#include "kernels/bernoulli_units/kernel.h"

namespace hapforge {
namespace {

// One binding for both field types and both outputs: float32 0/1, or packed words.
template <class Field>
py::array bind_draw(const Array<Field>& field, int fixed_point_bits, std::uint64_t seed,
                    std::uint32_t step, std::uint32_t layer, std::uint32_t first_chain, bool packed,
                    const std::string& backend, std::size_t threads) {
  const Field* data = checked_data(field, 2, "field");
  const auto& kernels = find_backend(bernoulli_units::implementations(), backend);
  const std::size_t chains = extent(field, 0);
  const std::size_t units = extent(field, 1);
  if (fixed_point_bits < 1 || fixed_point_bits > 20) {
    throw py::value_error("fixed_point_bits: expected 1 to 20, found " +
                          std::to_string(fixed_point_bits));
  }
  if (first_chain + chains > std::uint64_t{1} << 32) {
    throw py::value_error("first_chain: expected chains below 2^32");
  }
  auto words =
      packed ? empty<std::uint64_t>(chains, words_for_bits(units)) : Array<std::uint64_t>();
  auto dense = packed ? Array<float>() : empty<float>(chains, units);
  std::uint64_t* out_words = packed ? words.mutable_data() : nullptr;
  float* out_units = packed ? nullptr : dense.mutable_data();
  const bernoulli_units::Draw draw{seed, first_chain, step, layer, fixed_point_bits};
  bool exact = true;
  {
    const py::gil_scoped_release unlocked;
    if constexpr (std::is_same_v<Field, float>) {
      exact =
          bernoulli_units::draw(data, chains, units, draw, out_words, out_units, kernels, threads);
    } else {
      bernoulli_units::draw(data, chains, units, draw, out_words, out_units, kernels, threads);
    }
  }
  if (!exact) throw py::value_error("field: expected integers in [-2^31, 2^31)");
  if (packed) return words;
  return dense;
}

template <class Field>
void define_draw(py::module_& m) {
  m.def("bernoulli_units", &bind_draw<Field>, py::arg("field").noconvert(),
        py::arg("fixed_point_bits"), py::arg("seed"), py::arg("step"), py::arg("layer"),
        py::arg("first_chain"), py::arg("packed"), py::arg("backend"), py::arg("threads"));
}

py::tuple bind_philox(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                      std::uint32_t key0, std::uint32_t key1) {
  const philox::Words out = philox::philox4x32({{c0, c1, c2, c3}}, key0, key1);
  return py::make_tuple(out.w[0], out.w[1], out.w[2], out.w[3]);
}

}  // namespace

void register_bernoulli_units(py::module_& m) {
  define_draw<std::int32_t>(m);
  define_draw<float>(m);
  m.def("philox4x32", &bind_philox, py::arg("c0"), py::arg("c1"), py::arg("c2"), py::arg("c3"),
        py::arg("key0"), py::arg("key1"), "Philox4x32-10 of one counter and key, four words.");
}

}  // namespace hapforge
