// nearest_set on the device: memory and launches. The kernel's body is in cuda.cuh.
#include "kernels/nearest_set/cuda.cuh"

#include "core/cuda_check.cuh"
#include "kernels/nearest_neighbours/cuda_pass.h"
#include "kernels/nearest_set/cuda.h"

namespace hapforge::nearest_set {
namespace {

// The nearest of each row of a set in either one.
struct Nearest {
  explicit Nearest(std::size_t num_rows) : in_first(num_rows), in_second(num_rows) {
    in_first.fill(0xFF);  // kNone
    in_second.fill(0xFF);
  }

  void choose(const NearestSets& out) const {
    const cuda::Result<std::uint32_t> distance(out.distance, in_first.size());
    const cuda::Result<unsigned char> sets(out.sets, in_first.size());
    const ChooseSets choose{in_first.data(), in_second.data(), in_first.size(), distance.data(),
                            sets.data()};
    cuda::launch("ChooseSets", choose.blocks(), choose);
    distance.finish();
    sets.finish();
  }

  cuda::Buffer<Key> in_first, in_second;
};

}  // namespace

void search_cuda(const BitMatrixView& a, const BitMatrixView& b, const NearestSets& of_a,
                 const NearestSets& of_b) {
  const Nearest first(a.num_rows), second(b.num_rows);
  nearest_neighbours::Passes({a, b}).run(
      false, {{{first.in_first.data(), nullptr}, {first.in_second.data(), nullptr}},
              {{second.in_first.data(), nullptr}, {second.in_second.data(), nullptr}}});
  first.choose(of_a);
  second.choose(of_b);
}

}  // namespace hapforge::nearest_set
