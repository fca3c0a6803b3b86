// The kernels by the names that users know them by, and the backends that each has here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hapforge {

std::vector<std::string> kernel_names();

// Backends of a kernel that this CPU can run, fastest first; nothing if no kernel has this name.
std::optional<std::vector<std::string>> backends_of(std::string_view kernel);

}  // namespace hapforge
