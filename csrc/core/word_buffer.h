// Working memory for packed words: aligned to a cache line, not initialised, large pages where the
// system offers them (a first touch of small pages costs as much as filling them).
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace hapforge {

class WordBuffer {
 public:
  // Throws std::bad_alloc.
  explicit WordBuffer(std::size_t num_words) {
    const std::size_t large_page = std::size_t{2} << 20;
    const std::size_t bytes = num_words * sizeof(std::uint64_t);
    const std::size_t alignment = bytes < 2 * large_page ? 64 : large_page;
    words_.reset(static_cast<std::uint64_t*>(
        std::aligned_alloc(alignment, (bytes / alignment + 1) * alignment)));
    if (words_ == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == large_page) madvise(words_.get(), bytes, MADV_HUGEPAGE);  // a hint only
#endif
  }

  std::uint64_t* data() noexcept { return words_.get(); }
  const std::uint64_t* data() const noexcept { return words_.get(); }

 private:
  struct Free {
    void operator()(std::uint64_t* words) const noexcept { std::free(words); }
  };
  std::unique_ptr<std::uint64_t[], Free> words_;
};

}  // namespace hapforge
