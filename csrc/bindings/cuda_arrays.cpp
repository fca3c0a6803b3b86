#include "bindings/cuda_arrays.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <string>

#include "bindings/dlpack.h"

namespace hapforge {
namespace {

std::vector<std::int64_t> c_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// A Python object that lives as long as this.
std::shared_ptr<void> kept(py::object object) {
  if (object.is_none()) return nullptr;
  return {object.release().ptr(), [](void* owned) {
            const py::gil_scoped_acquire locked;
            Py_DECREF(static_cast<PyObject*>(owned));
          }};
}

// The owner of an array that a consumer reads on a stream of its own: the memory goes back behind
// what is queued there by then.
std::shared_ptr<void> lent(const DeviceArray& array, cuda::StreamHandle consumer) {
  return {array.data, [owner = array.owner, stream_owner = array.stream_owner,
                       device = array.device, stream = array.stream, consumer](void*) mutable {
            try {
              const cuda::On on(device, stream);
              cuda::order(consumer, stream);
            } catch (const std::runtime_error&) {
              // The driver has shut down, or the consumer's stream has gone, with all its work.
            }
            owner.reset();
          }};
}

// ---- DLPack

dlpack::TypeCode code_of(char kind) {
  return kind == 'b'   ? dlpack::kBool
         : kind == 'i' ? dlpack::kInt
         : kind == 'u' ? dlpack::kUInt
                       : dlpack::kFloat;
}

// What a capsule needs beside the tensor.
template <class Managed>
struct Exported {
  Managed managed{};
  std::vector<std::int64_t> shape, strides;
  std::shared_ptr<void> owner;
};

template <class Managed>
py::capsule export_capsule(const DeviceArray& array, std::shared_ptr<void> owner) {
  auto exported = std::make_unique<Exported<Managed>>();
  exported->shape = array.shape;
  exported->strides = array.strides;
  exported->owner = std::move(owner);
  exported->managed.tensor = {
      array.data,
      {dlpack::kCuda, array.device},
      static_cast<std::int32_t>(array.shape.size()),
      {code_of(array.kind), static_cast<std::uint8_t>(8 * array.itemsize), 1},
      exported->shape.data(),
      exported->strides.data(),
      0};
  exported->managed.context = exported.get();
  exported->managed.deleter = [](Managed* managed) {
    delete static_cast<Exported<Managed>*>(managed->context);
  };
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>) exported->managed.major = 1;
  const auto unused = [](PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, Managed::kName)) return;  // somebody took it
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
    managed->deleter(managed);
  };
  PyObject* capsule = PyCapsule_New(&exported->managed, Managed::kName, unused);
  if (capsule == nullptr) throw py::error_already_set();
  (void)exported.release();  // the capsule's now
  return py::reinterpret_steal<py::capsule>(capsule);
}

template <class Managed>
DeviceArray import_capsule(py::capsule capsule) {
  auto* managed = capsule.get_pointer<Managed>();
  const dlpack::Tensor& tensor = managed->tensor;
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>) {
    if (managed->major != 1) {
      throw py::buffer_error("expected DLPack 1, found " + std::to_string(managed->major));
    }
  }
  if (tensor.device.type != dlpack::kCuda && tensor.device.type != dlpack::kCudaManaged) {
    throw py::buffer_error("expected memory of a CUDA device, found DLPack device type " +
                           std::to_string(tensor.device.type));
  }
  const dlpack::DataType type = tensor.dtype;
  if (type.lanes != 1 || type.bits % 8 != 0)
    throw py::buffer_error("expected items of whole bytes");
  DeviceArray array;
  array.kind = type.code == dlpack::kBool    ? 'b'
               : type.code == dlpack::kInt   ? 'i'
               : type.code == dlpack::kUInt  ? 'u'
               : type.code == dlpack::kFloat ? 'f'
                                             : 'V';
  array.itemsize = type.bits / 8;
  array.data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  array.shape.assign(tensor.shape, tensor.shape + tensor.ndim);
  array.strides = tensor.strides == nullptr
                      ? c_strides(array.shape)
                      : std::vector(tensor.strides, tensor.strides + tensor.ndim);
  array.device = tensor.device.id;
  capsule.set_name(Managed::kUsed);
  array.owner = {managed, [](void* owned) {
                   auto* taken = static_cast<Managed*>(owned);
                   if (taken->deleter != nullptr) taken->deleter(taken);
                 }};
  return array;
}

DeviceArray from_dlpack(const py::capsule& capsule, cuda::StreamHandle stream,
                        py::object stream_owner, bool wait) {
  const std::string name = capsule.name() == nullptr ? "" : capsule.name();
  DeviceArray array;
  if (name == dlpack::ManagedVersioned::kName) {
    array = import_capsule<dlpack::ManagedVersioned>(capsule);
  } else if (name == dlpack::Managed::kName) {
    array = import_capsule<dlpack::Managed>(capsule);
  } else {
    throw py::buffer_error("expected a DLPack capsule that nobody has used, found '" + name + "'");
  }
  array.stream = stream;
  array.stream_owner = kept(std::move(stream_owner));
  array.wait = wait;
  return array;
}

// `stream` as in the protocol: none is the default stream, -1 none at all.
py::capsule to_dlpack(const DeviceArray& array, const std::optional<std::int64_t>& stream,
                      const std::optional<std::pair<int, int>>& max_version,
                      const std::optional<std::pair<int, int>>& dl_device,
                      const std::optional<bool>& copy) {
  if (dl_device && *dl_device != std::pair<int, int>(dlpack::kCuda, array.device)) {
    throw py::buffer_error("dl_device: expected the device that the array is on");
  }
  if (copy.value_or(false)) throw py::buffer_error("copy: expected None or False");
  std::shared_ptr<void> owner = array.owner;
  if (stream.value_or(1) != -1) {
    const auto consumer = static_cast<cuda::StreamHandle>(stream.value_or(1));
    const cuda::On on(array.device, array.stream);
    cuda::order(array.stream, consumer);
    owner = lent(array, consumer);
  }
  return max_version && max_version->first >= 1
             ? export_capsule<dlpack::ManagedVersioned>(array, std::move(owner))
             : export_capsule<dlpack::Managed>(array, std::move(owner));
}

// ---- __cuda_array_interface__

DeviceArray from_interface(std::uintptr_t data, std::vector<std::int64_t> shape,
                           const std::string& typestr,
                           const std::optional<std::vector<std::int64_t>>& byte_strides,
                           cuda::StreamHandle stream, py::object owner, bool wait) {
  DeviceArray array;
  if (typestr.size() < 3 || typestr[0] == '>') {
    throw py::type_error("expected a little-endian dtype, found '" + typestr + "'");
  }
  array.kind = typestr[1];
  array.itemsize = std::stoul(typestr.substr(2));
  array.data = reinterpret_cast<void*>(data);
  array.strides = c_strides(shape);
  if (byte_strides) {
    if (byte_strides->size() != shape.size()) throw py::value_error("expected a stride an axis");
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const auto item = static_cast<std::int64_t>(array.itemsize);
      if ((*byte_strides)[i] % item != 0) throw py::value_error("expected strides of whole items");
      array.strides[i] = (*byte_strides)[i] / item;
    }
  }
  array.shape = std::move(shape);
  array.device = data == 0 ? cuda::current_device() : cuda::device_of(array.data);
  if (array.device < 0) throw py::value_error("expected memory of a CUDA device");
  array.stream = stream;
  array.wait = wait;
  array.owner = kept(std::move(owner));
  return array;
}

std::string typestr_of(const DeviceArray& array) {
  return std::string{array.itemsize == 1 ? '|' : '<', array.kind} + std::to_string(array.itemsize);
}

py::dict interface_of(const DeviceArray& array) {
  py::list byte_strides;
  for (const std::int64_t stride : array.strides) {
    byte_strides.append(stride * static_cast<std::int64_t>(array.itemsize));
  }
  py::dict interface;
  interface["shape"] = py::tuple(py::cast(array.shape));
  interface["typestr"] = typestr_of(array);
  interface["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(array.data), false);
  interface["version"] = 3;
  interface["strides"] = py::tuple(byte_strides);
  interface["stream"] = array.stream == 0 ? 1 : array.stream;
  return interface;
}

// ---- from and to the host

DeviceArray from_host(const py::array& given, int device, cuda::StreamHandle stream) {
  const auto host = py::array::ensure(given, py::array::c_style);
  const cuda::On on(device, stream);
  DeviceArray array(host.dtype().kind(), static_cast<std::size_t>(host.itemsize()),
                    {host.shape(), host.shape() + host.ndim()}, stream);
  const void* values = host.data();
  const auto bytes = static_cast<std::size_t>(host.nbytes());
  const py::gil_scoped_release unlocked;
  cuda::copy(array.data, values, bytes);
  cuda::synchronize();
  return array;
}

py::array to_host(const DeviceArray& array) {
  if (!array.c_contiguous()) throw py::value_error("expected a C-contiguous array");
  py::array host(py::dtype(typestr_of(array)), array.shape);
  const cuda::On on(array.device, array.stream);
  void* values = host.mutable_data();
  {
    const py::gil_scoped_release unlocked;
    cuda::copy(values, array.data, array.size() * array.itemsize);
    cuda::synchronize();
  }
  return host;
}

}  // namespace

DeviceArray::DeviceArray(char kind_, std::size_t itemsize_, std::vector<std::int64_t> shape_,
                         cuda::StreamHandle stream_)
    : kind(kind_),
      itemsize(itemsize_),
      shape(std::move(shape_)),
      strides(c_strides(shape)),
      device(cuda::current_device()),
      stream(stream_),
      owner(cuda::device_memory(size() * itemsize)) {
  data = owner.get();
}

std::size_t DeviceArray::size() const {
  std::size_t product = 1;
  for (const std::int64_t n : shape) product *= static_cast<std::size_t>(n);
  return product;
}

bool DeviceArray::c_contiguous() const {
  const std::vector<std::int64_t> wanted = c_strides(shape);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return true;
    if (shape[i] > 1 && strides[i] != wanted[i]) return false;
  }
  return true;
}

BitMatrixView packed_view(const py::object& words, std::size_t num_sites, const char* name) {
  if (!py::isinstance<DeviceArray>(words)) {
    if (!py::isinstance<Array<std::uint64_t>>(words)) {
      throw py::type_error(std::string(name) + ": expected C-contiguous uint64");
    }
    return view_of(py::reinterpret_borrow<Array<std::uint64_t>>(words), num_sites, name);
  }
  const auto& array = py::cast<const DeviceArray&>(words);
  if (array.kind != 'u' || array.itemsize != 8 || array.shape.size() != 2 ||
      !array.c_contiguous() || reinterpret_cast<std::uintptr_t>(array.data) % 8 != 0) {
    throw py::type_error(std::string(name) + ": expected two-dimensional C-contiguous uint64");
  }
  const BitMatrixView view{static_cast<const std::uint64_t*>(array.data),
                           static_cast<std::size_t>(array.shape[0]),
                           static_cast<std::size_t>(array.shape[1]), num_sites};
  check_view(view, name);
  return view;
}

Call::Call(std::initializer_list<py::handle> arrays) {
  const DeviceArray* first = nullptr;
  for (const py::handle one : arrays) {
    if (!py::isinstance<DeviceArray>(one)) {
      wait_ = wait_ || !one.is_none();
      continue;
    }
    const auto& array = py::cast<const DeviceArray&>(one);
    wait_ = wait_ || array.wait;
    if (first == nullptr) {
      first = &array;
      stream_ = array.stream;
      stream_owner_ = array.stream_owner;
      on_.emplace(array.device, array.stream);
    } else if (array.device != first->device) {
      throw py::value_error("expected arrays on one device, found devices " +
                            std::to_string(first->device) + " and " + std::to_string(array.device));
    } else if (array.stream != stream_) {
      cuda::order(array.stream, stream_);
      others_.push_back(array.stream);
    }
  }
}

void register_cuda_arrays(py::module_& m) {
  py::class_<DeviceArray>(m, "DeviceArray",
                          "An array on a CUDA device, for whatever takes DLPack or "
                          "__cuda_array_interface__.")
      .def_static("from_dlpack", &from_dlpack, py::arg("capsule"), py::arg("stream"),
                  py::arg("stream_owner"), py::arg("wait"))
      .def_static("from_interface", &from_interface, py::arg("data"), py::arg("shape"),
                  py::arg("typestr"), py::arg("byte_strides"), py::arg("stream"), py::arg("owner"),
                  py::arg("wait"))
      .def_static("from_host", &from_host, py::arg("array"), py::arg("device"), py::arg("stream"))
      .def("to_host", &to_host)
      .def("__dlpack__", &to_dlpack, py::kw_only(), py::arg("stream") = py::none(),
           py::arg("max_version") = py::none(), py::arg("dl_device") = py::none(),
           py::arg("copy") = py::none())
      .def("__dlpack_device__",
           [](const DeviceArray& array) {
             return py::make_tuple(static_cast<int>(dlpack::kCuda), array.device);
           })
      .def_property_readonly("__cuda_array_interface__", &interface_of)
      .def_property_readonly(
          "shape", [](const DeviceArray& array) { return py::tuple(py::cast(array.shape)); })
      .def_property_readonly("dtype",
                             [](const DeviceArray& array) { return py::dtype(typestr_of(array)); })
      .def_property_readonly("c_contiguous", &DeviceArray::c_contiguous)
      .def_readonly("device", &DeviceArray::device)
      .def_readonly("stream", &DeviceArray::stream)
      .def("__len__", [](const DeviceArray& array) {
        if (array.shape.empty()) throw py::type_error("a number has no length");
        return array.shape[0];
      });
}

}  // namespace hapforge
