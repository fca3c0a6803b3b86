// Identical rows are one kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hapforge::sketch {

struct Kinds {
  std::vector<const std::uint64_t*> row;  // one of each kind
  std::vector<std::uint32_t> members;     // rows by kind, those of a kind ascending
  std::vector<std::uint32_t> begin;       // of each kind in `members`, and the end of the last

  std::size_t size() const noexcept { return row.size(); }
  std::span<const std::uint32_t> of(std::size_t kind) const noexcept {
    return {members.data() + begin[kind], members.data() + begin[kind + 1]};
  }
};

// Kinds of fewer than 2^32 rows of `words` words each, by a hash and, where it is equal, by
// comparison.
Kinds find_kinds(std::span<const std::uint64_t* const> rows, std::size_t words,
                 std::size_t threads);

}  // namespace hapforge::sketch
