// How many threads OpenMP starts.
#pragma once

namespace actswap {

/// If OMP_NUM_THREADS asks for more than eight threads for each processor, says so on stderr and
/// sets it to the number of processors. OpenMP would start them all, and die if the system refuses
/// one. To be called before LibTorch is loaded, when OpenMP reads the variable.
void limit_openmp_threads();

}  // namespace actswap
