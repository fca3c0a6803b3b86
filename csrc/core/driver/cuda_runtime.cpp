#include "core/driver/cuda_runtime.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include "core/driver/functions.h"

namespace {

// ---- the driver
using hapforge::driver::Context;
using hapforge::driver::Copy2D;
using hapforge::driver::DevicePointer;
using hapforge::driver::PointerAttribute;

struct Driver : hapforge::driver::Functions {
  std::vector<int> devices;  // handles, by number
  cudaError_t status = cudaErrorInsufficientDriver;

  Driver() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto find = [library](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
      return function != nullptr;
    };
    bool complete = true;
#define HAPFORGE_FIND(name, symbol, parameters) complete = complete && find(name, #symbol);
    HAPFORGE_DRIVER_FUNCTIONS(HAPFORGE_FIND)
#undef HAPFORGE_FIND
    if (!complete) return;
    int count = 0;
    status = init(0);
    if (status == cudaSuccess) status = device_get_count(&count);
    for (int number = 0; status == cudaSuccess && number < count; ++number) {
      devices.push_back(0);
      status = device_get(&devices.back(), number);
    }
    if (status == cudaSuccess && count == 0) status = cudaErrorNoDevice;
  }
};

const Driver& driver() {
  static const Driver one;
  return one;
}

DevicePointer device_pointer(const void* data) { return reinterpret_cast<DevicePointer>(data); }

// Whether there is a driver, and then a context of this thread: as in the runtime that of device 0
// where nobody chose.
cudaError_t ready() {
  const Driver& api = driver();
  if (api.status != cudaSuccess) return api.status;
  Context context = nullptr;
  const cudaError_t status = api.context_get_current(&context);
  return status != cudaSuccess || context != nullptr ? status : cudaSetDevice(0);
}

// call() on the driver, if all is ready for it.
template <class Call>
cudaError_t with_driver(const Call& call) {
  const cudaError_t status = ready();
  return status == cudaSuccess ? call(driver()) : status;
}

}  // namespace

// ---- the runtime
const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorInsufficientDriver) return "no CUDA driver, or one older than 11.2";
  const char* text = nullptr;
  const bool known = driver().status != cudaErrorInsufficientDriver &&
                     driver().get_error_string(error, &text) == cudaSuccess && text != nullptr;
  return known ? text : "an unknown error";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = static_cast<int>(driver().devices.size());
  return driver().status;
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  const Driver& api = driver();
  if (api.status != cudaSuccess) return api.status;
  Context context = nullptr;
  cudaError_t status = api.context_get_current(&context);
  if (status != cudaSuccess || context == nullptr) return status;
  int handle = 0;
  status = api.context_get_device(&handle);
  for (std::size_t number = 0; number < api.devices.size(); ++number) {
    if (api.devices[number] == handle) *device = static_cast<int>(number);
  }
  return status;
}

cudaError_t cudaSetDevice(int device) {
  const Driver& api = driver();
  if (api.status != cudaSuccess) return api.status;
  if (device < 0 || static_cast<std::size_t>(device) >= api.devices.size()) {
    return cudaErrorInvalidDevice;
  }
  // Primary contexts, those of the runtime, too: kept until the process ends.
  static std::mutex mutex;
  static std::vector<Context> contexts(api.devices.size());
  const std::lock_guard lock(mutex);
  Context& context = contexts[static_cast<std::size_t>(device)];
  if (context == nullptr) {
    const int handle = api.devices[static_cast<std::size_t>(device)];
    const cudaError_t status = api.primary_context_retain(&context, handle);
    if (status != cudaSuccess) return status;
  }
  return api.context_set_current(context);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  return with_driver([&](const Driver& api) {
    unsigned type = 0, managed = 0;
    int device = -1;
    PointerAttribute wanted[] = {hapforge::driver::kMemoryType, hapforge::driver::kIsManaged,
                                 hapforge::driver::kDeviceOrdinal};
    void* found[] = {&type, &managed, &device};
    const cudaError_t status = api.pointer_get_attributes(3, wanted, found, device_pointer(data));
    // What the driver does not know is the host's.
    attributes->type = managed != 0                              ? cudaMemoryTypeManaged
                       : type == hapforge::driver::kDeviceMemory ? cudaMemoryTypeDevice
                       : type == hapforge::driver::kHostMemory   ? cudaMemoryTypeHost
                                                                 : cudaMemoryTypeUnregistered;
    attributes->device = device;
    return status;
  });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return with_driver([&](const Driver& api) { return api.stream_create(stream, flags); });
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return with_driver([&](const Driver& api) { return api.stream_destroy(stream); });
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return with_driver([&](const Driver& api) { return api.stream_synchronize(stream); });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  return with_driver(
      [&](const Driver& api) { return api.stream_wait_event(stream, event, flags); });
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return with_driver([&](const Driver& api) { return api.event_create(event, flags); });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return with_driver([&](const Driver& api) { return api.event_record(event, stream); });
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return with_driver([&](const Driver& api) { return api.event_destroy(event); });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return with_driver([&](const Driver& api) { return api.memory_info(free, total); });
}
cudaError_t cudaMallocAsync(void** data, std::size_t size, cudaStream_t stream) {
  return with_driver([&](const Driver& api) {
    DevicePointer found = 0;
    const cudaError_t status = api.allocate(&found, size, stream);
    *data = reinterpret_cast<void*>(found);
    return status;
  });
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  return with_driver([&](const Driver& api) { return api.free(device_pointer(data), stream); });
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t size, cudaStream_t stream) {
  return with_driver([&](const Driver& api) {
    return api.set_bytes(device_pointer(to), static_cast<unsigned char>(value), size, stream);
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size, cudaMemcpyKind,
                            cudaStream_t stream) {
  return with_driver([&](const Driver& api) {
    return api.copy(device_pointer(to), device_pointer(from), size, stream);
  });
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind, cudaStream_t stream) {
  Copy2D copy{};
  copy.width_bytes = width;
  copy.height = height;
  const auto describe = [](Copy2D::Side& side, const void* data, std::size_t pitch) {
    cudaPointerAttributes attributes{};
    const cudaError_t status = cudaPointerGetAttributes(&attributes, data);
    const bool on_host =
        attributes.type == cudaMemoryTypeUnregistered || attributes.type == cudaMemoryTypeHost;
    side.memory_type = on_host ? hapforge::driver::kHostMemory : hapforge::driver::kDeviceMemory;
    side.host = on_host ? data : nullptr;
    side.device = on_host ? 0 : device_pointer(data);
    side.pitch = pitch;
    return status;
  };
  cudaError_t status = describe(copy.from, from, from_pitch);
  if (status == cudaSuccess) status = describe(copy.to, to, to_pitch);
  return status == cudaSuccess ? driver().copy_2d(&copy, stream) : status;
}

// ---- kernels
namespace hapforge::driver {
namespace {

std::mutex compiler_mutex;

Compiler& current_compiler() {
  static auto* one = new Compiler;  // never destroyed: it may hold what outlives no static object
  return *one;
}

std::string name_of(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : type.name();
}

void* function_of(const std::type_info& type, std::size_t size, int device) {
  static std::map<std::pair<std::type_index, int>, void*> functions;
  const std::pair key{std::type_index(type), device};
  Compiler compiler;
  {
    const std::lock_guard lock(compiler_mutex);
    const auto found = functions.find(key);
    if (found != functions.end()) return found->second;
    compiler = current_compiler();
  }
  // Without the lock, as it may wait for other threads that launch; two may compile the same.
  if (!compiler) throw std::logic_error("nothing compiles kernels");
  auto* function = reinterpret_cast<void*>(compiler(name_of(type).c_str(), size, device));
  const std::lock_guard lock(compiler_mutex);
  return functions.emplace(key, function).first->second;
}

}  // namespace

void set_compiler(Compiler compiler) {
  const std::lock_guard lock(compiler_mutex);
  current_compiler() = std::move(compiler);
}

cudaError_t launch(const std::type_info& type, std::size_t size, const void* body, unsigned blocks,
                   unsigned threads, cudaStream_t stream) {
  return with_driver([&](const Driver& api) {
    int device = 0;
    const cudaError_t status = cudaGetDevice(&device);
    if (status != cudaSuccess) return status;
    void* arguments[] = {const_cast<void*>(body)};
    return api.launch(function_of(type, size, device), blocks, 1, 1, threads, 1, 1, 0, stream,
                      arguments, nullptr);
  });
}

}  // namespace hapforge::driver
