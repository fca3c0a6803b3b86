// What linkage disequilibrium needs to know of each site.
#pragma once

#include <vector>

#include "kernels/joint_counts/kernel.h"

namespace hapforge::joint_counts {

// Carriers c of each site, in double precision.
std::vector<double> carriers_of(const Panels& sites, const Kernels& kernels, std::size_t threads);

// 1 / (c (n - c)), NaN where a site is monomorphic.
std::vector<double> inverse_spread(const std::vector<double>& carriers, double n);

}  // namespace hapforge::joint_counts
