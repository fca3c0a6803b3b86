#include "core/cpu_features.h"

namespace hapforge::cpu {

bool always() noexcept { return true; }

#if HAPFORGE_X86
bool has_avx2() noexcept {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma");
}

bool has_avx512() noexcept {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_popcnt() noexcept {
  return has_avx512() && __builtin_cpu_supports("avx512vpopcntdq");
}
#else
bool has_avx2() noexcept { return false; }
bool has_avx512() noexcept { return false; }
bool has_avx512_popcnt() noexcept { return false; }
#endif

}  // namespace hapforge::cpu
