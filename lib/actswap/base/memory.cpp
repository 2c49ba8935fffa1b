#include <actswap/base/memory.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
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

void give_back_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

std::int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace actswap
