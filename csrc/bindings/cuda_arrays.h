// Arrays on devices, and calls whose arguments are there, on the host, or both.
#pragma once

#include <pybind11/pybind11.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "core/cuda_device.h"

namespace hapforge {

// An array on a device. It is somebody else's, or a result: then C-contiguous.
struct DeviceArray {
  void* data = nullptr;
  char kind = 'u';  // as in NumPy's dtypes
  std::size_t itemsize = 0;
  std::vector<std::int64_t> shape, strides;  // strides in items
  int device = 0;
  cuda::StreamHandle stream = 0;       // by which its values are ordered
  std::shared_ptr<void> stream_owner;  // that stream lives as long
  bool wait = false;  // its memory may be used again when a call returns, whatever is queued
  std::shared_ptr<void> owner;

  // On the current device; values are not set.
  DeviceArray(char kind, std::size_t itemsize, std::vector<std::int64_t> shape,
              cuda::StreamHandle stream);
  DeviceArray() = default;

  std::size_t size() const;
  bool c_contiguous() const;
};

// As view_of, for an argument that may be on a device.
BitMatrixView packed_view(const py::object& words, std::size_t num_sites, const char* name);

// One call: it runs where its first array on a device is, on that one's stream; without any on the
// current device and the default stream. Results are where it runs or, without such an array, on
// the host. Arrays on two devices are a ValueError.
class Call {
 public:
  explicit Call(std::initializer_list<py::handle> arrays);

  // A result of these extents.
  template <class T>
  class Output {
   public:
    T* data() const { return data_; }
    const py::object& object() const { return object_; }

   private:
    friend class Call;
    T* data_ = nullptr;
    py::object object_;
  };

  template <class T, class... Extent>
  Output<T> output(Extent... extent) const {
    Output<T> out;
    if (on_) {
      constexpr char kKind = std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
      DeviceArray array(kKind, sizeof(T), {static_cast<std::int64_t>(extent)...}, stream_);
      array.stream_owner = stream_owner_;
      out.data_ = static_cast<T*>(array.data);
      out.object_ = py::cast(std::move(array));
    } else {
      auto array = empty<T>(extent...);
      out.data_ = array.mutable_data();
      out.object_ = std::move(array);
    }
    return out;
  }

  // work(), without the GIL; then waits for it if the host has part in it. Streams of other
  // arguments wait for it, so that they do not take back what it still reads.
  template <class Work>
  void run(const Work& work) const {
    const py::gil_scoped_release unlocked;
    work();
    for (const cuda::StreamHandle other : others_) cuda::order(stream_, other);
    if (wait_ || !on_) cuda::synchronize();  // without arrays at all results are on the host, too
  }

 private:
  bool wait_ = false;
  cuda::StreamHandle stream_ = 0;
  std::shared_ptr<void> stream_owner_;
  std::vector<cuda::StreamHandle> others_;
  std::optional<cuda::On> on_;
};

void register_cuda_arrays(py::module_& m);
void register_cuda_gibbs(py::module_& m);

}  // namespace hapforge
