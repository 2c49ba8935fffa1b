#include <actswap/ranks/together.h>

#include <torch/script.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>

namespace actswap {

namespace {

// Sends contiguous memory: tensors of one type together.
void replace_all(const std::vector<torch::Tensor>& tensors,
                 const std::function<void(const torch::Tensor&)>& replace) {
  const torch::NoGradGuard no_grad;
  std::map<torch::ScalarType, std::vector<torch::Tensor>> of_type;
  for (const auto& tensor : tensors) {
    if (tensor.defined()) {
      of_type[tensor.scalar_type()].push_back(tensor.detach());
    }
  }
  for (auto& [type, some] : of_type) {
    if (some.size() == 1 && some.front().is_contiguous()) {
      replace(some.front());
      continue;
    }
    std::vector<torch::Tensor> flat;
    std::transform(some.begin(), some.end(), std::back_inserter(flat),
                   [](const torch::Tensor& tensor) { return tensor.reshape({-1}); });
    const auto sent = torch::cat(flat);
    replace(sent);
    std::int64_t begin = 0;
    for (auto& tensor : some) {
      tensor.copy_(sent.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
      begin += tensor.numel();
    }
  }
}

template <typename T>
torch::Tensor one_number(T value) {
  return torch::scalar_tensor(value, torch::CppTypeToScalarType<T>::value);
}

}  // namespace

Share Together::share() const {
  return is_alone() ? Share{} : Share{.number = ranks_->rank(), .count = ranks_->size()};
}

void Together::add_up(const std::vector<torch::Tensor>& tensors) const {
  if (!is_alone()) {
    replace_all(tensors, [&](const torch::Tensor& tensor) { ranks_->add_up({tensor}); });
  }
}

double Together::sum(double own) const {
  if (is_alone()) {
    return own;
  }
  const auto number = one_number(own);
  add_up({number});
  return number.item<double>();
}

std::int64_t Together::sum(std::int64_t own) const {
  if (is_alone()) {
    return own;
  }
  const auto number = one_number(own);
  add_up({number});
  return number.item<std::int64_t>();
}

std::vector<std::int64_t> Together::of_all(std::int64_t own) const {
  if (is_alone()) {
    return {own};
  }
  const auto share = this->share();
  const auto numbers = torch::zeros({share.count}, torch::kLong);
  numbers[share.number] = own;
  add_up({numbers});
  const auto* begin = numbers.data_ptr<std::int64_t>();
  return {begin, begin + share.count};
}

void Together::take_from_first(const std::vector<torch::Tensor>& tensors) const {
  if (!is_alone()) {
    replace_all(tensors, [&](const torch::Tensor& tensor) { ranks_->take_from_first({tensor}); });
  }
}

double Together::of_first(double own) const {
  if (is_alone()) {
    return own;
  }
  const auto number = one_number(own);
  take_from_first({number});
  return number.item<double>();
}

std::int64_t Together::of_first(std::int64_t own) const {
  if (is_alone()) {
    return own;
  }
  const auto number = one_number(own);
  take_from_first({number});
  return number.item<std::int64_t>();
}

std::string Together::of_first(const std::string& own) const {
  if (is_alone()) {
    return own;
  }
  const auto size = of_first(static_cast<std::int64_t>(own.size()));
  auto bytes = torch::zeros({std::max<std::int64_t>(1, size)}, torch::kUInt8);
  if (is_first()) {
    std::copy(own.begin(), own.end(), bytes.data_ptr<std::uint8_t>());
  }
  take_from_first({bytes});
  const auto* begin = bytes.data_ptr<std::uint8_t>();
  return {begin, begin + size};
}

// The value is the sum to the last bit: own - own is 0.
torch::Tensor Together::sum_with_gradient(const torch::Tensor& own) const {
  if (is_alone()) {
    return own;
  }
  const auto sum = own.detach().clone(torch::MemoryFormat::Contiguous);
  add_up({sum});
  if (!torch::GradMode::is_enabled() || !own.requires_grad()) {
    return sum;
  }
  const auto found = own - own.detach() + sum;
  found.register_hook([together = *this](const torch::Tensor& gradient) {
    const auto of_all = gradient.detach().clone(torch::MemoryFormat::Contiguous);
    together.add_up({of_all});
    return of_all;
  });
  return found;
}

torch::Tensor Together::joined(const torch::Tensor& own, std::int64_t dim) const {
  if (is_alone()) {
    return own;
  }
  const auto lengths = of_all(own.size(dim));
  const auto at = lengths.begin() + share().number;
  auto sizes = own.sizes().vec();
  sizes[static_cast<std::size_t>(dim)] = std::accumulate(lengths.begin(), lengths.end(), 0L);
  auto all = torch::zeros(sizes, own.options().requires_grad(false));
  // Zeros elsewhere: the sum holds all.
  all.narrow(dim, std::accumulate(lengths.begin(), at, 0L), own.size(dim)).copy_(own);
  add_up({all});
  return all;
}

void Together::expect_same(const std::string& facts) const {
  if (!is_alone()) {
    expect_same_on_all(*ranks_, facts);
  }
}

}  // namespace actswap
