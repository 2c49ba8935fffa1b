#include <actswap/calibrate/patches.h>

#include <torch/script.h>

#include <ATen/CPUGeneratorImpl.h>

namespace actswap {

namespace {

std::int64_t of_dimension(const std::vector<std::int64_t>& values, std::size_t dimension) {
  return values.size() == 1 ? values[0] : values.at(dimension);
}

struct Gather {
  torch::Tensor index;  // places x kernel: into the flattened image
  torch::Tensor valid;  // where that is within it
};

// Dimension by dimension: output o reads input o * stride - padding + k * dilation; of a transposed
// convolution (o + padding - k * dilation) / stride, where that is a whole number.
Gather gather(const Layer& layer, const torch::Tensor& input, const torch::Tensor& output,
              const torch::Tensor& places) {
  const auto kernel = layer.weight.sizes().slice(2);
  auto rest = places;
  Gather found;
  std::int64_t step = 1;         // of the image, between neighbours of this dimension
  std::int64_t kernel_size = 1;  // of the dimensions done
  for (auto i = kernel.size(); i-- > 0;) {
    const auto dim = static_cast<std::int64_t>(i) + 2;
    const auto out = rest.remainder(output.size(dim)).unsqueeze(1);
    rest = rest.div(output.size(dim), "floor");
    const auto stride = of_dimension(layer.geometry.stride, i);
    const auto dilation = of_dimension(layer.geometry.dilation, i);
    const auto padding = layer.geometry.padding.empty() ? dilation * (kernel[i] - 1) / 2
                                                        : of_dimension(layer.geometry.padding, i);
    const auto taps = torch::arange(kernel[i]) * dilation;
    const auto size = input.size(dim);
    auto at = out * stride - padding + taps;
    auto valid = torch::ones_like(at, torch::kBool);
    if (layer.geometry.is_transposed) {
      at = out + padding - taps;
      valid = at.remainder(stride).eq(0);
      at = at.div(stride, "floor");
    }
    valid = valid.logical_and(at.ge(0)).logical_and(at.lt(size));
    const auto index = at.clamp(0, size - 1) * step;
    // This dimension of the kernel is the outer one.
    kernel_size *= kernel[i];
    found.index = found.index.defined()
                      ? (index.unsqueeze(2) + found.index.unsqueeze(1)).reshape({-1, kernel_size})
                      : index;
    found.valid =
        found.valid.defined()
            ? valid.unsqueeze(2).logical_and(found.valid.unsqueeze(1)).reshape({-1, kernel_size})
            : valid;
    step *= size;
  }
  return found;
}

// examples x places x features
torch::Tensor rows(const torch::Tensor& values, const torch::Tensor& places) {
  return values.reshape({values.size(0), -1, values.size(-1)}).index_select(1, places);
}

}  // namespace

std::int64_t places_of(const Layer& layer, const torch::Tensor& output) {
  return output.numel() / (output.size(0) * layer.weight.size(0));
}

torch::Tensor patches(const Layer& layer, const torch::Tensor& input, const torch::Tensor& output,
                      const torch::Tensor& places) {
  if (!layer.is_convolution) {
    return rows(input, places).to(torch::kFloat).reshape({1, -1, input.size(-1)});
  }
  const auto [index, valid] = gather(layer, input, output, places);
  const auto found = input.flatten(2).index_select(2, index.flatten()).to(torch::kFloat) *
                     valid.flatten().to(torch::kFloat);
  const auto in_group = layer.weight.size(1);
  return found
      .reshape({input.size(0), layer.geometry.groups, in_group, places.numel(), index.size(1)})
      .permute({1, 0, 3, 2, 4})
      .reshape({layer.geometry.groups, -1, in_group * index.size(1)});
}

torch::Tensor values_at(const Layer& layer, const torch::Tensor& output,
                        const torch::Tensor& places) {
  if (!layer.is_convolution) {
    return rows(output, places).to(torch::kFloat).reshape({1, -1, output.size(-1)});
  }
  const auto outputs = layer.weight.size(0) / layer.geometry.groups;
  return output.flatten(2)
      .index_select(2, places)
      .to(torch::kFloat)
      .reshape({output.size(0), layer.geometry.groups, outputs, -1})
      .permute({1, 0, 3, 2})
      .reshape({layer.geometry.groups, -1, outputs});
}

torch::Tensor some_numbers(std::int64_t count, std::int64_t wanted, std::int64_t seed) {
  if (wanted >= count) {
    return torch::arange(count);
  }
  const auto generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(seed));
  return torch::randperm(count, generator).narrow(0, 0, wanted);
}

}  // namespace actswap
