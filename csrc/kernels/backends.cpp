#include "kernels/backends.h"

#include "kernels/allele_counts/kernel.h"
#include "kernels/bcf_calls/kernel.h"
#include "kernels/convolution/kernel.h"
#include "kernels/gibbs/kernel.h"
#include "kernels/joint_counts/kernel.h"
#include "kernels/kmers/kernel.h"
#include "kernels/normalisation/kernel.h"
#include "kernels/pack/kernel.h"
#include "kernels/popcount_tile/kernel.h"
#include "kernels/three_point/kernel.h"

namespace hapforge {
namespace {

struct Entry {
  const char* kernel;
  std::vector<std::string> (*backends)();
};

template <auto implementations>
std::vector<std::string> names() {
  return backend_names(implementations());
}

constexpr Entry kEntries[] = {
    {"allele_counts", names<allele_counts::implementations>},
    {"bcf_calls", names<bcf_calls::implementations>},
    {"convolution", names<convolution::implementations>},
    {"gibbs", names<gibbs::implementations>},
    {"hamming", names<popcount_tile::implementations>},
    {"joint_counts", names<joint_counts::implementations>},
    {"kmers", names<kmers::implementations>},
    {"nearest_neighbours", names<popcount_tile::implementations>},
    {"nearest_set", names<popcount_tile::implementations>},
    {"normalisation", names<normalisation::implementations>},
    {"pack", names<pack::implementations>},
    {"three_point", names<three_point::implementations>},
};

}  // namespace

std::vector<std::string> kernel_names() {
  std::vector<std::string> all;
  for (const Entry& entry : kEntries) all.emplace_back(entry.kernel);
  return all;
}

std::optional<std::vector<std::string>> backends_of(std::string_view kernel) {
  for (const Entry& entry : kEntries) {
    if (kernel == entry.kernel) return entry.backends();
  }
  return std::nullopt;
}

}  // namespace hapforge
