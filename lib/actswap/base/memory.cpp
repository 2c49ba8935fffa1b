#include <actswap/base/memory.h>

#include <cstdlib>
#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace actswap {

bool keep_freed_memory() {
#ifdef __GLIBC__
  // No blocks of their own, which go back when they are freed, and no end of the heap that does.
  return ::mallopt(M_MMAP_MAX, 0) == 1 &&
         ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max()) == 1;
#else
  return false;
#endif
}

}  // namespace actswap
