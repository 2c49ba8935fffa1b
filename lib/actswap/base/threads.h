// How many threads OpenMP starts.
#pragma once

namespace actswap {

/// Where OMP_NUM_THREADS asks for more than eight threads for each processor, says so on stderr and
/// sets it to the number of processors. OpenMP would start them all, and die where the system has
/// no more. To be called before LibTorch is loaded: OpenMP reads the variable then.
void limit_openmp_threads();

}  // namespace actswap
