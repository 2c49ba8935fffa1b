#include <actswap/run/joined_runs.h>

#include <torch/script.h>

#include <cstdint>

namespace actswap {

namespace {

void append(std::vector<torch::Tensor>& all, const std::vector<torch::Tensor>& more,
            std::int64_t least_dims) {
  all.resize(more.size());
  for (std::size_t i = 0; i < more.size(); ++i) {
    const auto rows = more[i].dim() < least_dims ? more[i].unsqueeze(0) : more[i];
    all[i] = all[i].defined() ? torch::cat({all[i], rows}) : rows;
  }
}

}  // namespace

void append_outputs(std::vector<torch::Tensor>& all, const std::vector<torch::Tensor>& more) {
  append(all, more, 1);
}

void append_values(std::vector<torch::Tensor>& all, const std::vector<torch::Tensor>& more) {
  append(all, more, 2);
}

}  // namespace actswap
