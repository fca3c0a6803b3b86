// One register_* per bind_<name>.cpp; core_module.cpp calls them.
#pragma once

#include <pybind11/pybind11.h>

namespace hapforge {

void register_pack(pybind11::module_& m);
void register_bcf_calls(pybind11::module_& m);
void register_pgen_records(pybind11::module_& m);
void register_hamming(pybind11::module_& m);
void register_nearest_neighbours(pybind11::module_& m);
void register_nearest_set(pybind11::module_& m);
void register_allele_counts(pybind11::module_& m);
void register_joint_counts(pybind11::module_& m);
void register_gibbs(pybind11::module_& m);
void register_three_point(pybind11::module_& m);
void register_kmers(pybind11::module_& m);
void register_convolution(pybind11::module_& m);
void register_normalisation(pybind11::module_& m);
void register_backends(pybind11::module_& m);
void register_bus_errors(pybind11::module_& m);

}  // namespace hapforge
