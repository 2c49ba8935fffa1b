#include <actswap/base/error.h>
#include <actswap/data/column.h>
#include <actswap/data/prepare.h>

#include <cmath>
#include <sstream>

namespace actswap {

namespace {

torch::Tensor per_channel(const std::vector<double>& values, const torch::Tensor& input,
                          const char* option) {
  const auto channels = input.dim() > 1 ? input.size(1) : 1;
  const auto count = static_cast<std::int64_t>(values.size());
  if (count != 1 && count != channels) {
    throw UsageError("Expected --" + std::string(option) + " to have one value" +
                     (channels > 1 ? " or " + std::to_string(channels) : "") + ", but got " +
                     std::to_string(count));
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(input.dim()), 1);
  if (input.dim() > 1) {
    shape[1] = count;
  }
  return torch::tensor(values, torch::kDouble).reshape(shape).to(input.scalar_type());
}

std::string list_of(const std::vector<double>& values) {
  std::ostringstream text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    text << (i == 0 ? "" : ",") << values[i];
  }
  return text.str();
}

}  // namespace

void check_options(const DataOptions& options) {
  for (const double mean : options.mean) {
    if (!std::isfinite(mean)) {
      throw UsageError("Expected --mean to be a number, but got " + std::to_string(mean));
    }
  }
  for (const double deviation : options.deviation) {
    if (!(deviation > 0.0) || !std::isfinite(deviation)) {
      throw UsageError("Expected --deviation above 0, but got " + std::to_string(deviation));
    }
  }
  if (options.limit < 0) {
    throw UsageError("Expected --limit of at least 0, but got " + std::to_string(options.limit));
  }
  if (options.images.interpolation != Interpolation::bilinear && options.images.resize.empty()) {
    throw UsageError("Expected --resize with --interpolation bicubic");
  }
}

torch::Tensor prepare_input(torch::Tensor input, const DataOptions& options) {
  if (input.scalar_type() == torch::kUInt8) {
    if (input.dim() == 3) {
      input = input.unsqueeze(1);
    }
    input = input.to(torch::kFloat32).div_(255.0);
  }
  if (!input.is_floating_point()) {
    return input;
  }
  if (!options.mean.empty()) {
    input = input - per_channel(options.mean, input, "mean");
  }
  if (!options.deviation.empty()) {
    input = input / per_channel(options.deviation, input, "deviation");
  }
  return input;
}

torch::Tensor prepare_target(const torch::Tensor& target) {
  const bool whole = c10::isIntegralType(target.scalar_type(), /*includeBool=*/true);
  return whole ? target.to(torch::kInt64) : target;
}

std::string describe_input(const torch::Tensor& stored, const DataOptions& options) {
  const bool is_scaled = stored.scalar_type() == torch::kUInt8;
  const auto type = type_name(stored.scalar_type());
  if (!is_scaled && !stored.is_floating_point()) {
    return type + " as they are";
  }
  const auto values = is_scaled ? std::string("uint8 / 255") : type;
  if (options.mean.empty() && options.deviation.empty()) {
    return values + ", not normalised";
  }
  return values + (options.mean.empty() ? "" : ", less " + list_of(options.mean)) +
         (options.deviation.empty() ? "" : ", divided by " + list_of(options.deviation));
}

}  // namespace actswap
