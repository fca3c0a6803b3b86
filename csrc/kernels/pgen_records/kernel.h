// pgen_records: whether variant records of a PLINK 2 .pgen are whole, before a library reads them.
//
// A record of hard calls has a main track (two bits a person, or differences from what is common
// or from the record before), other ALT alleles of some calls, and the phase of heterozygous ones.
// See section 2 of the PLINK 2 file format specification draft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hapforge::pgen_records {

// Records that follow each other in `data`: record j has length[j] bytes, is of type kind[j] (bits
// 5 to 7, dosages, are not set) and of a site of num_alts[j] ALT alleles. The lengths add up to the
// size of `data`.
struct Records {
  std::span<const std::uint8_t> data;
  const std::int64_t* length;
  const std::uint8_t* kind;
  const std::int64_t* num_alts;
  std::size_t count;
};

// The number of the first record that is not what its type says, to its last bit; records.count if
// there is none. `before`, a category (0 to 3) of each person, is that of the last record before
// these which stands for itself, and then that of the last of these.
std::size_t first_damaged(const Records& records, std::span<std::uint8_t> before);

}  // namespace hapforge::pgen_records
