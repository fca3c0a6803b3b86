#include <signal.h>
#include <unistd.h>

#include <string>

#include "bindings/register.h"

namespace hapforge {

namespace py = pybind11;

namespace {

std::string message;  // set once, before the handler is

// Only calls that a signal handler may make.
void say_and_end(int) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, message.data(), message.size());
  _exit(2);
}

// A mapped file whose part another program cut off is no error that a read returns, but SIGBUS.
void bind_explain_bus_errors(const std::string& line) {
  message = line;
  struct sigaction action = {};
  action.sa_handler = say_and_end;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

void register_bus_errors(py::module_& m) {
  m.def("explain_bus_errors", &bind_explain_bus_errors, py::arg("line"));
}

}  // namespace hapforge
