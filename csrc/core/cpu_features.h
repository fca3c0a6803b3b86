// What this CPU can run, asked once at run time; the build itself assumes only the baseline ISA.
#pragma once

#if defined(__x86_64__)
#define HAPFORGE_X86 1
#elif defined(__aarch64__)
#define HAPFORGE_NEON 1
#endif

namespace hapforge::cpu {

// Scalar code, and NEON on aarch64, where it is the baseline.
bool always() noexcept;
// AVX2, BMI2 and FMA (Haswell, Zen and later).
bool has_avx2() noexcept;
// Those and AVX-512 F, BW, DQ, VL (Skylake-X, Zen 4 and later).
bool has_avx512() noexcept;
// Those and VPOPCNTDQ (Ice Lake, Zen 4 and later).
bool has_avx512_popcnt() noexcept;

}  // namespace hapforge::cpu
