#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/patches.h>

#include <torch/script.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

// One of so many examples is held out.
constexpr std::int64_t kHeldOut = 8;
// At most this many values of patches at a time, unless one example has more: some 16 MiB.
constexpr std::int64_t kPatchElements = std::int64_t{1} << 22;

const torch::Tensor& like_output(const LayerValues& values) {
  return values.output.defined() ? values.output : values.original;
}

// The factor, for each output, that turns a difference behind the affines into one before them; 0
// for a channel that they remove, whose error nobody can know.
torch::Tensor before_affines(const Layer& layer) {
  return bounded_reciprocal(layer.scale).expand({layer.weight.size(0)}).to(torch::kFloat);
}

// The error of the output at all places. If a sum repeats the output, this is the mean error of the
// repetitions: one value can do no better for all of them.
torch::Tensor lacking_everywhere(const Layer& layer, const LayerValues& values) {
  auto found = difference(values.original, values.now);
  const double repetitions =
      static_cast<double>(found.numel()) / static_cast<double>(values.output.numel());
  found = found.sum_to_size(values.output.sizes()) / repetitions;
  if (layer.scale.defined()) {
    found =
        found * beside(before_affines(layer), found.dim(), layer.channel_dim()).to(found.dtype());
  }
  return found;
}

// Some of the examples.
LayerValues part(const LayerValues& values,
                 const std::function<torch::Tensor(const torch::Tensor&)>& of) {
  const auto of_defined = [&](const torch::Tensor& tensor) {
    return tensor.defined() ? of(tensor) : tensor;
  };
  return {.input = of(values.input),
          .original = of(values.original),
          .output = of_defined(values.output),
          .now = of_defined(values.now),
          .site_input = of_defined(values.site_input)};
}

// Gives the site's input the shape of the layer's input, and compared values that of the output.
LayerValues aligned(const Layer& layer, LayerValues values) {
  if (values.site_input.defined()) {
    values.site_input = values.site_input.reshape(values.input.sizes());
  }
  // A sum may repeat the output.
  if (values.now.defined() && values.now.sizes() != values.output.sizes()) {
    values.original = lacking_everywhere(layer, values);
    values.now = torch::Tensor();  // the difference is done
  }
  return values;
}

torch::Tensor lacking_at(const Layer& layer, const LayerValues& values, const torch::Tensor& places,
                         const torch::Tensor& x) {
  const auto original = values_at(layer, values.original, places);
  if (values.now.defined()) {
    const auto found = difference(original, values_at(layer, values.now, places));
    return layer.scale.defined()
               ? found * before_affines(layer).reshape({layer.geometry.groups, 1, -1})
               : found;
  }
  if (values.output.defined()) {
    return original;
  }
  auto y = torch::bmm(x, weight_of_rows(layer, layer.weight));
  if (layer.bias.defined()) {
    y += layer.bias.to(torch::kFloat).reshape({layer.geometry.groups, 1, -1});
  }
  return difference(original, y);
}

// Places in `which` of the examples from `first` on that this process has.
torch::Tensor owned_of(const torch::Tensor& which, std::int64_t first, std::int64_t own) {
  return torch::nonzero(which.ge(first).logical_and(which.lt(first + own))).squeeze(1);
}

// Numbers the rows of these examples, counting the wanted rows of all examples.
torch::Tensor numbers_of_rows(const torch::Tensor& wanted, const torch::Tensor& examples,
                              std::int64_t places) {
  const auto before = (wanted.cumsum(0) - 1).index_select(0, examples);
  return (before.unsqueeze(1) * places + torch::arange(places)).flatten();
}

LayerRows chosen_of(const LayerRows& rows, const torch::Tensor& chosen) {
  const auto of = [&](const torch::Tensor& tensor, std::int64_t dim) {
    return tensor.defined() ? tensor.index_select(dim, chosen) : tensor;
  };
  return {.x = of(rows.x, 1),
          .lacking = of(rows.lacking, 1),
          .site_input = of(rows.site_input, 1),
          .inside = of(rows.inside, 0)};
}

}  // namespace

std::int64_t features_of(const Layer& layer) {
  return layer.weight.numel() / layer.weight.size(0);
}

std::int64_t taps_of(const Layer& layer) {
  return features_of(layer) / layer.weight.size(1);
}

torch::Tensor weight_of_rows(const Layer& layer, const torch::Tensor& weight) {
  return weight.reshape({layer.geometry.groups, -1, features_of(layer)})
      .transpose(1, 2)
      .to(torch::kFloat);
}

RowDraw::RowDraw(const Layer& layer, std::int64_t rows, std::size_t batches)
    : layer_(layer),
      rows_of_batch_(rows / static_cast<std::int64_t>(batches) + 1),
      batches_(static_cast<std::int64_t>(batches)) {}

// places x features; undefined where nothing is padding.
torch::Tensor RowDraw::padding_of(const LayerValues& values, const torch::Tensor& places) const {
  if (!layer_.is_convolution) {
    return {};
  }
  const auto first = values.input.narrow(0, 0, 1);
  const auto found =
      patches(layer_, torch::ones(first.sizes()), like_output(values).narrow(0, 0, 1), places)[0];
  return found.min().item<float>() == 1.0F ? torch::Tensor() : found;
}

void RowDraw::draw(const LayerValues& given, const std::function<void(LayerRows)>& take) {
  const auto own = given.input.size(0);
  const auto examples = given.examples > 0 ? given.examples : own;
  const auto places = some_numbers(places_of(layer_, like_output(given)),
                                   (rows_of_batch_ + examples - 1) / examples, batch_++);
  // There may be more examples than rows, if they are parts of others: tokens, windows.
  const auto which = some_numbers(examples, rows_of_batch_, batch_);
  const auto number = std::exchange(examples_, examples_ + examples) + which;
  const bool are_few = batches_ * examples < kHeldOut;
  const auto is_held_out = number.remainder(kHeldOut).eq(kHeldOut - 1);
  const auto owned = owned_of(which, given.first, own);
  auto values = aligned(layer_, given);
  if (which.numel() < examples) {
    const auto chosen = which.index_select(0, owned) - given.first;
    values = part(values, [&](const auto& tensor) { return tensor.index_select(0, chosen); });
  }
  const auto inside = given.site_input.defined() ? padding_of(given, places) : torch::Tensor();
  const auto step = std::clamp<std::int64_t>(
      kPatchElements / (layer_.geometry.groups * features_of(layer_) * places.numel()), 1,
      which.numel());
  for (std::int64_t begin = 0; begin < which.numel(); begin += step) {
    const auto end = std::min(begin + step, which.numel());
    // Of those in this part that this process has.
    const auto first = owned.lt(begin).sum().item<std::int64_t>();
    const auto count = owned.lt(end).sum().item<std::int64_t>() - first;
    if (count == 0) {
      continue;
    }
    const auto some =
        part(values, [&](const auto& tensor) { return tensor.narrow(0, first, count); });
    LayerRows all;
    all.x = patches(layer_, some.input, like_output(some), places);
    all.lacking = lacking_at(layer_, some, places, all.x);
    if (some.site_input.defined()) {
      all.site_input = patches(layer_, some.site_input, like_output(some), places);
      all.inside = inside.defined() ? inside.repeat({count, 1}) : inside;
    }
    const auto held_out = is_held_out.narrow(0, begin, end - begin);
    const auto in_part = owned.narrow(0, first, count) - begin;
    for (const bool is_wanted : {false, true}) {
      const auto wanted = are_few ? torch::ones_like(held_out) : held_out.eq(is_wanted);
      const auto chosen =
          torch::nonzero(wanted.index_select(0, in_part).repeat_interleave(places.numel()))
              .squeeze(1);
      if (chosen.numel() == 0) {
        continue;
      }
      auto rows = chosen_of(all, chosen);
      rows.is_held_out = is_wanted;
      if (own < examples) {
        rows.number = numbers_of_rows(wanted, in_part, places.numel()).index_select(0, chosen);
      }
      take(std::move(rows));
    }
  }
}

}  // namespace actswap
