// hapforge._core: a map of the module. Each register_* is in bind_<name>.cpp.
#include "bindings/register.h"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "Kernels of hapforge on the CPU. Private: use hapforge.kernels.";
  m.attr("compiler") = HAPFORGE_COMPILER;
  hapforge::register_backends(m);
  hapforge::register_bus_errors(m);
  hapforge::register_pack(m);
  hapforge::register_bcf_calls(m);
  hapforge::register_pgen_records(m);
  hapforge::register_hamming(m);
  hapforge::register_nearest_neighbours(m);
  hapforge::register_nearest_set(m);
  hapforge::register_allele_counts(m);
  hapforge::register_joint_counts(m);
  hapforge::register_gibbs(m);
  hapforge::register_three_point(m);
  hapforge::register_kmers(m);
  hapforge::register_convolution(m);
  hapforge::register_normalisation(m);
}
