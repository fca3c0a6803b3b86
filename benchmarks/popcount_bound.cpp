// What the execution ports allow: loops on registers alone, in cycles per 512 bits of a pair.
//
// "classic": xor, population count, addition, the three operations a pair of vectors takes at
// least when it is counted for itself. "falls": what popcount_tile does, two xors, a ternary
// operation, a count and an addition for two vectors. The clock is measured by a chain of dependent
// rotations, one a cycle. Prints JSON; benchmarks/bench_popcount_bound.py compiles and runs it.
#include <time.h>

#include <algorithm>
#include <cstdio>

namespace {

constexpr long kRounds = 20'000;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Body>
double least_seconds(Body body) {
  double least = 1e9;
  for (int i = 0; i < 40; ++i) {
    const double start = cpu_seconds();
    for (long round = 0; round < kRounds; ++round) body();
    least = std::min(least, cpu_seconds() - start);
  }
  return least;
}

// Four of twelve independent sums at a time; zmm30 and zmm31 stand for the rows.
#define CLASSIC(T, SUM)               \
  "vpxorq %%zmm30, %%zmm31, %%zmm" #T \
  "\n"                                \
  "vpopcntq %%zmm" #T ", %%zmm" #T    \
  "\n"                                \
  "vpaddq %%zmm" #T ", %%zmm" #SUM ", %%zmm" #SUM "\n"
#define FALLS(U, V, W, SUM)                              \
  "vpxorq %%zmm30, %%zmm31, %%zmm" #V                    \
  "\n"                                                   \
  "vpxorq %%zmm30, %%zmm31, %%zmm" #W                    \
  "\n"                                                   \
  "vpternlogq $0x74, %%zmm" #W ", %%zmm" #V ", %%zmm" #U \
  "\n"                                                   \
  "vpopcntq %%zmm" #U ", %%zmm" #U                       \
  "\n"                                                   \
  "vpaddq %%zmm" #U ", %%zmm" #SUM ", %%zmm" #SUM "\n"

void classic() {  // 10 x 12 vectors
  asm volatile(".rept 10\n" CLASSIC(12, 0) CLASSIC(13, 1) CLASSIC(14, 2) CLASSIC(15, 3)
                   CLASSIC(12, 4) CLASSIC(13, 5) CLASSIC(14, 6) CLASSIC(15, 7) CLASSIC(12, 8)
                       CLASSIC(13, 9) CLASSIC(14, 10) CLASSIC(15, 11) ".endr" ::
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                             "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

void falls() {  // 10 x 16 vectors; u and w of a sum change places
  asm volatile(".rept 10\n" FALLS(4, 12, 8, 0) FALLS(5, 13, 9, 1) FALLS(6, 14, 10, 2)
                   FALLS(7, 15, 11, 3) FALLS(8, 12, 4, 0) FALLS(9, 13, 5, 1) FALLS(10, 14, 6, 2)
                       FALLS(11, 15, 7, 3) ".endr" ::
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                             "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

}  // namespace

int main() {
  unsigned long x = 1;
  const auto chain = [&] { asm volatile(".rept 64\n rol $1, %0\n .endr" : "+r"(x)); };
  const double hertz = 64 * kRounds / least_seconds(chain);
  const double per_vector = hertz / kRounds;
  std::printf("{\"gigahertz\": %.3f, \"classic\": %.4f, \"falls\": %.4f}\n", hertz / 1e9,
              least_seconds(classic) * per_vector / 120, least_seconds(falls) * per_vector / 160);
}
