// Sixteen floats at a time on any ISA: the same operations in the same lanes, hence the same bits.
//
// For files per ISA, after their target pragma and HAPFORGE_REGISTER, the floats that a register
// holds (16 is AVX-512's): everything here belongs to the file that includes it.
#pragma once

#include <cstddef>
#include <cstdint>

#if HAPFORGE_REGISTER >= 8
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// For lambdas, whose bodies are else called where they are used twice.
#define HAPFORGE_INLINE __attribute__((always_inline))

// No function below is called across files.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace hapforge {
namespace {

constexpr std::size_t kLanes = 16;

using Register [[gnu::vector_size(HAPFORGE_REGISTER * sizeof(float))]] = float;

// a b + c, rounded once.
HAPFORGE_INLINE inline Register multiply_add(const Register& a, const Register& b,
                                             const Register& c) noexcept {
#if HAPFORGE_REGISTER == 16
  return _mm512_fmadd_ps(a, b, c);
#elif HAPFORGE_REGISTER == 8
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  Register sum;
  for (int i = 0; i < HAPFORGE_REGISTER; ++i) sum[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return sum;
#endif
}

// Members, not an array: GCC 12 keeps arrays of registers in memory.
template <class Half>
struct Two {
  Half low, high;

  friend HAPFORGE_INLINE inline Two operator+(const Two& a, const Two& b) noexcept {
    return {a.low + b.low, a.high + b.high};
  }
  friend HAPFORGE_INLINE inline Two operator-(const Two& a, const Two& b) noexcept {
    return {a.low - b.low, a.high - b.high};
  }
  friend HAPFORGE_INLINE inline Two operator*(const Two& a, const Two& b) noexcept {
    return {a.low * b.low, a.high * b.high};
  }
};

HAPFORGE_INLINE inline void spread(float value, Register& out) noexcept {
  out = value - Register{};  // x + 0 would be an addition: it is not x where x is -0
}

template <class Half>
HAPFORGE_INLINE inline void spread(float value, Two<Half>& out) noexcept {
  spread(value, out.low);
  spread(value, out.high);
}

// By registers: GCC 12 takes a struct of them over the stack.
HAPFORGE_INLINE inline void read(const float* p, Register& v) noexcept {
  __builtin_memcpy(&v, p, sizeof v);
}

template <class Half>
HAPFORGE_INLINE inline void read(const float* p, Two<Half>& v) noexcept {
  read(p, v.low);
  read(p + sizeof(Half) / sizeof(float), v.high);
}

HAPFORGE_INLINE inline void write(float* p, const Register& v) noexcept {
  __builtin_memcpy(p, &v, sizeof v);
}

template <class Half>
HAPFORGE_INLINE inline void write(float* p, const Two<Half>& v) noexcept {
  write(p, v.low);
  write(p + sizeof(Half) / sizeof(float), v.high);
}

// a where y > 0, else b.
HAPFORGE_INLINE inline Register where_positive(const Register& y, const Register& a,
                                               const Register& b) noexcept {
  return y > 0 ? a : b;
}

template <class Half>
HAPFORGE_INLINE inline Two<Half> where_positive(const Two<Half>& y, const Two<Half>& a,
                                                const Two<Half>& b) noexcept {
  return {where_positive(y.low, a.low, b.low), where_positive(y.high, a.high, b.high)};
}

#if HAPFORGE_REGISTER == 16
using Lanes = Register;
#elif HAPFORGE_REGISTER == 8
using Lanes = Two<Register>;
#else
using Lanes = Two<Two<Register> >;
#endif
static_assert(sizeof(Lanes) == kLanes * sizeof(float));

HAPFORGE_INLINE inline Lanes every(float value) noexcept {
  Lanes v;
  spread(value, v);
  return v;
}

#if HAPFORGE_REGISTER == 8
// -1 in the first n of sixteen numbers, from `from` on.
HAPFORGE_INLINE inline __m256i mask_of(std::size_t n, std::size_t from) noexcept {
  alignas(64) static constexpr int kMask[2 * kLanes] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                        -1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + kLanes - n + from));
}
#endif

// The n <= 16 floats at p, zeros behind them.
HAPFORGE_INLINE inline Lanes load(const float* p, std::size_t n) noexcept {
  Lanes v;
  if (n == kLanes) {
    read(p, v);
    return v;
  }
#if HAPFORGE_REGISTER == 16
  v = _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), p);
#elif HAPFORGE_REGISTER == 8
  v.low = _mm256_maskload_ps(p, mask_of(n, 0));
  v.high = _mm256_maskload_ps(p + 8, mask_of(n, 8));
#else
  alignas(Lanes) float each[kLanes] = {};
  for (std::size_t i = 0; i < n; ++i) each[i] = p[i];
  read(each, v);
#endif
  return v;
}

HAPFORGE_INLINE inline void store(float* p, const Lanes& v, std::size_t n) noexcept {
  if (n == kLanes) {
    write(p, v);
    return;
  }
#if HAPFORGE_REGISTER == 16
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
#elif HAPFORGE_REGISTER == 8
  _mm256_maskstore_ps(p, mask_of(n, 0), v.low);
  _mm256_maskstore_ps(p + 8, mask_of(n, 8), v.high);
#else
  alignas(Lanes) float each[kLanes];
  write(each, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = each[i];
#endif
}

// Lane i is p[i] for begin <= i < end <= 16, else 0; nothing else is read.
HAPFORGE_INLINE inline Lanes load_between(const float* p, std::size_t begin,
                                          std::size_t end) noexcept {
  Lanes v;
#if HAPFORGE_REGISTER == 16
  v = _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << end) - (1U << begin)), p);
#elif HAPFORGE_REGISTER == 8
  v.low = _mm256_maskload_ps(p, _mm256_andnot_si256(mask_of(begin, 0), mask_of(end, 0)));
  v.high = _mm256_maskload_ps(p + 8, _mm256_andnot_si256(mask_of(begin, 8), mask_of(end, 8)));
#else
  alignas(Lanes) float each[kLanes] = {};
  for (std::size_t i = begin; i < end; ++i) each[i] = p[i];
  read(each, v);
#endif
  return v;
}

// Lane i is p[2 i] for begin <= i < end <= 16, else 0; nothing outside of those is read.
HAPFORGE_INLINE inline Lanes load_every_other(const float* p, std::size_t begin,
                                              std::size_t end) noexcept {
  Lanes v;
#if HAPFORGE_REGISTER == 16
  const __mmask32 wanted =
      static_cast<__mmask32>((std::uint64_t{1} << (2 * end)) - (std::uint64_t{1} << (2 * begin))) &
      0x55555555U;
  const __m512 a = _mm512_maskz_loadu_ps(static_cast<__mmask16>(wanted), p);
  const __m512 b = _mm512_maskz_loadu_ps(static_cast<__mmask16>(wanted >> 16), p + 16);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  v = _mm512_permutex2var_ps(a, even, b);
#else
  alignas(Lanes) float each[kLanes] = {};
  for (std::size_t i = begin; i < end; ++i) each[i] = p[2 * i];
  read(each, v);
#endif
  return v;
}

// p[2 i] = a, p[2 i + 1] = b of lane i, for i < n <= 16.
HAPFORGE_INLINE inline void store_interleaved(float* p, const Lanes& a, const Lanes& b,
                                              std::size_t n) noexcept {
#if HAPFORGE_REGISTER == 16
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i high =
      _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const auto wanted = static_cast<__mmask32>((std::uint64_t{1} << (2 * n)) - 1);
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(wanted), _mm512_permutex2var_ps(a, low, b));
  _mm512_mask_storeu_ps(p + 16, static_cast<__mmask16>(wanted >> 16),
                        _mm512_permutex2var_ps(a, high, b));
#else
  alignas(Lanes) float even[kLanes], odd[kLanes];
  write(even, a);
  write(odd, b);
  for (std::size_t i = 0; i < n; ++i) {
    p[2 * i] = even[i];
    p[2 * i + 1] = odd[i];
  }
#endif
}

// The first n <= 16 lanes, zeros behind them.
HAPFORGE_INLINE inline Lanes first(const Lanes& v, std::size_t n) noexcept {
  if (n == kLanes) return v;
  constexpr float kNumbers[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return where_positive(every(static_cast<float>(n)) - load(kNumbers, kLanes), v, every(0));
}

// The sum of all lanes, in one order on every ISA: lane i takes i + 8, then i + 4, i + 2, i + 1.
HAPFORGE_INLINE inline float sum(const Lanes& v) noexcept {
  using Four [[gnu::vector_size(4 * sizeof(float))]] = float;
  alignas(Lanes) float each[kLanes];
  write(each, v);
  Four four[4];
  __builtin_memcpy(four, each, sizeof four);
  Four all = (four[0] + four[2]) + (four[1] + four[3]);
  all += __builtin_shufflevector(all, all, 2, 3, 0, 1);
  return all[0] + all[1];
}

}  // namespace
}  // namespace hapforge
