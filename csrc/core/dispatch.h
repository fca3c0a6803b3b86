// Choosing an implementation by name. Each kernel's dispatch.cpp lists its own, fastest first.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace hapforge {

template <class Kernel>
struct Implementation {
  const char* name;              // "avx512", "avx2", "neon" or "scalar"
  bool (*supported)() noexcept;  // by this CPU
  Kernel kernel;                 // a function pointer, or a struct of them
};

// Names of the implementations this CPU can run, fastest first.
template <class Kernel>
std::vector<std::string> backend_names(std::span<const Implementation<Kernel>> all) {
  std::vector<std::string> names;
  for (const auto& one : all) {
    if (one.supported()) names.emplace_back(one.name);
  }
  return names;
}

// The implementation called `name`. Never another one: throws std::invalid_argument where this CPU
// or this build lacks it. ("auto" is resolved by the Python layer.)
template <class Kernel>
const Kernel& find_backend(std::span<const Implementation<Kernel>> all, std::string_view name) {
  for (const auto& one : all) {
    if (name == one.name && one.supported()) return one.kernel;
  }
  throw std::invalid_argument("backend '" + std::string(name) + "' is not available here");
}

}  // namespace hapforge
