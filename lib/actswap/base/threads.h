// How many threads OpenMP starts.
#pragma once

#include <actswap/base/export.h>

namespace actswap {

/// Where OMP_NUM_THREADS asks for more than eight threads for each processor, says so on stderr and
/// begins the program anew with as many as there are processors. OpenMP would start them all, and
/// die where the system has no more; it has read the variable before main, and what is set later
/// counts for one thread alone. To be called first in main.
ACTSWAP_API void limit_openmp_threads(char** arguments);

}  // namespace actswap
