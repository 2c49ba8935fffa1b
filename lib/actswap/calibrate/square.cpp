#include <actswap/calibrate/square.h>

#include <torch/script.h>

#include <algorithm>
#include <cstdint>

namespace actswap {

namespace {

// So many rows of the matrix at a time, so that what is below the diagonal need not be made.
constexpr std::int64_t kGramBlock = 256;

}  // namespace

void add_square(const torch::Tensor& x, torch::Tensor& to) {
  const auto features = x.size(2);
  const auto transposed = x.transpose(1, 2);
  for (std::int64_t begin = 0; begin < features; begin += kGramBlock) {
    const auto rows = std::min(kGramBlock, features - begin);
    const auto columns = features - begin;
    to.narrow(1, begin, rows).narrow(2, begin, columns) +=
        torch::bmm(transposed.narrow(1, begin, rows), x.narrow(2, begin, columns));
  }
}

}  // namespace actswap
