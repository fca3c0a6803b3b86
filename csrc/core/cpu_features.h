// What this CPU can run, asked once at run time; the build itself assumes only the baseline ISA.
#pragma once

#if defined(__x86_64__)
#define HAPFORGE_X86 1
#elif defined(__aarch64__)
#define HAPFORGE_NEON 1
#endif

namespace hapforge::cpu {

bool always() noexcept;             // scalar code; NEON on aarch64, where it is the baseline
bool has_avx2() noexcept;           // AVX2
bool has_avx512() noexcept;         // AVX-512 F, BW, DQ, VL (Skylake-X, Zen 4 and later)
bool has_avx512_popcnt() noexcept;  // the above and VPOPCNTDQ (Ice Lake, Zen 4 and later)

}  // namespace hapforge::cpu
