/* Packs four haplotypes of 70 sites and prints the nearest neighbour of each. */
#include <hapforge/hapforge.h>
#include <stdio.h>

#define ROWS 4
#define SITES 70
#define WORDS ((SITES + 63) / 64)

static int failed(const char *what, int status) {
  if (status != HF_OK) fprintf(stderr, "%s: %s\n", what, hf_status_message(status));
  return status != HF_OK;
}

int main(void) {
  uint8_t dense[ROWS * SITES] = {0};
  uint64_t words[ROWS * WORDS];
  int64_t index[ROWS];
  uint32_t distance[ROWS];
  int threads = 2;
  int i;

  if (hf_abi_version() != HF_ABI_VERSION) return 1;
  dense[1 * SITES + 69] = 1;
  dense[2 * SITES + 3] = dense[2 * SITES + 4] = dense[2 * SITES + 69] = 1;
  dense[3 * SITES + 3] = dense[3 * SITES + 4] = dense[3 * SITES + 5] = 1;
  if (failed("pack", hf_pack(dense, ROWS, SITES, SITES, words, HF_BACKEND_AUTO, threads)) ||
      failed("nearest_neighbours",
             hf_nearest_neighbours(words, ROWS, WORDS, NULL, 0, 0, SITES, 1, 1, index, distance,
                                   HF_BACKEND_AUTO, threads))) {
    return 1;
  }
  for (i = 0; i < ROWS; ++i) printf("%d: %d at %u\n", i, (int)index[i], (unsigned)distance[i]);
  return 0;
}
