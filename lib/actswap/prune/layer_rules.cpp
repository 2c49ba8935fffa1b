#include <actswap/prune/layer_rules.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

namespace actswap {

namespace {

constexpr std::int64_t kHeads = 3;  // attention's dimension of heads, counted from the end

// The array that depends on a dimension, and only on that.
std::optional<at::Tensor> along(LabelledRun& run, LabelledShape& shape, std::int64_t dim) {
  for (auto& array : shape.arrays) {
    if (depends_on(array, dim)) {
      array = run.algebra().tie_to(array, dim, kOtherStays);
      return array;
    }
  }
  return std::nullopt;
}

// One number for each channel, beside a tensor that has them in this dimension.
LabelledShape beside(const LabelledShape& numbers, const LabelledShape& shape, std::int64_t dim) {
  LabelledShape found{.sizes = std::vector<std::int64_t>(shape.sizes.size(), 1), .is_weight = true};
  std::int64_t count = 1;
  for (const auto size : numbers.sizes) {
    count *= size;
  }
  found.sizes.at(static_cast<std::size_t>(dim)) = count;
  for (const auto& array : numbers.arrays) {
    if (array.numel() == count) {
      found.arrays.push_back(placed(array, shape.dim(), dim));
    }
  }
  return found;
}

// A sum over one dimension of each of two tensors. It ties labels along this dimension if one
// tensor is a weight; in a product of two values no layer could make up for removed entries.
void contract(LabelledRun& run, LabelledShape& a, std::int64_t a_dim, LabelledShape& b,
              std::int64_t b_dim) {
  const auto first = along(run, a, a_dim);
  const auto second = along(run, b, b_dim);
  const auto& algebra = run.algebra();
  if (!a.is_weight && !b.is_weight) {
    for (const auto& array : {first, second}) {
      if (array) {
        algebra.freeze(*array, "is summed over in a product of two values");
      }
    }
  } else if (first && second) {
    algebra.tie(first->flatten(), second->flatten(), kOtherStays);
    run.note_role(b.is_weight ? *second : *first, SliceRole::input);
  } else if (first || second) {
    algebra.freeze(first ? *first : *second, first.has_value() == a.is_weight
                                                 ? "reads values whose channels stay"
                                                 : "is read by a product with fixed numbers");
  }
  for (auto* side : {&a, &b}) {
    const auto dim = side == &a ? a_dim : b_dim;
    std::erase_if(side->arrays, [&](const at::Tensor& array) { return depends_on(array, dim); });
    side->sizes.at(static_cast<std::size_t>(dim)) = 1;
  }
}

std::int64_t numel(const LabelledShape& shape) {
  std::int64_t count = 1;
  for (const auto size : shape.sizes) {
    count *= size;
  }
  return count;
}

// a (..., m, k) times b (..., k, n), as the product has them: (..., m, 1) and (..., 1, n).
LabelledShape product(LabelledRun& run, LabelledShape a, LabelledShape b) {
  const auto& algebra = run.algebra();
  if (a.dim() < 2 || b.dim() < 2) {
    algebra.freeze(a, "is in a product with a vector");
    algebra.freeze(b, "is in a product with a vector");
    return {};
  }
  const auto inner = a.sizes.back();
  const double multiplications = static_cast<double>(inner) * static_cast<double>(b.sizes.back());
  // Labels that depend on a dimension of both batches follow only that.
  const auto shared = std::min(a.dim(), b.dim()) - 2;
  const auto split_off = [&](LabelledShape& shape, const LabelledShape& other) {
    for (auto& array : shape.arrays) {
      for (std::int64_t i = 0; i < shared; ++i) {
        const auto d = shape.dim() - 3 - i;
        if (depends_on(array, d) &&
            other.sizes.at(static_cast<std::size_t>(other.dim() - 3 - i)) > 1) {
          array = algebra.tie_to(array, d, kOtherStays);
          break;
        }
      }
    }
  };
  split_off(a, b);
  split_off(b, a);
  std::optional<at::Tensor> heads;
  for (const auto& array : a.arrays) {
    if (!a.is_weight && !b.is_weight && only_dim(array) >= 0 && only_dim(array) < a.dim() - 2) {
      heads = array;
    }
  }
  if (a.is_weight || b.is_weight) {
    const auto& weight = b.is_weight ? b : a;
    const auto& values = b.is_weight ? a : b;
    const auto batch = numel(weight) / (weight.sizes.back() * weight.sizes.end()[-2]);
    run.note_uses(weight, static_cast<double>(numel(values)) / static_cast<double>(inner * batch) /
                              run.examples());
  }
  const double rows = static_cast<double>(numel(a)) / static_cast<double>(inner);
  if (!a.is_weight && !b.is_weight) {
    const double all = rows * multiplications / run.examples();
    run.note_values(heads ? *heads : at::full({1}, kFixed, at::kLong), all);
  }
  contract(run, a, a.dim() - 1, b, b.dim() - 2);
  if (a.is_weight || b.is_weight) {
    for (const auto& array : (b.is_weight ? b : a).arrays) {
      run.note_role(array, SliceRole::output);
    }
  }
  return algebra.combined(a, b, kOtherStays);
}

void add_bias(LabelledRun& run, LabelledShape& result, const LabelledShape& bias) {
  result = run.algebra().combined(result, bias, kOtherStays);
}

LabelledShape transposed(const LabelledRun& run, const LabelledShape& shape) {
  auto found =
      run.algebra().moved(shape, [](const at::Tensor& labels) { return labels.transpose(-1, -2); });
  found.sizes = shape.sizes;
  std::swap(found.sizes.at(found.sizes.size() - 1), found.sizes.at(found.sizes.size() - 2));
  return found;
}

// A layer's output may have more trailing dimensions than its parts.
LabelledShape with_dimensions_of(const at::Tensor& output, LabelledShape shape) {
  for (auto& array : shape.arrays) {
    while (array.dim() < output.dim()) {
      array = array.unsqueeze(0);
    }
  }
  return shape;
}

struct Groups {
  std::int64_t count = 1;
  std::size_t input = 0;  // of the operator
  bool is_transposed = false;
};

Groups groups_of(const OperatorCall& call) {
  const auto name = call.name();
  const bool is_general = name == "_convolution" || name == "convolution";
  Groups found{.input = is_general ? 8U : 6U,
               .is_transposed = name.starts_with("conv_transpose") ||
                                (is_general && call.inputs.at(6).toBool())};
  found.count = call.inputs.at(found.input).toInt();
  return found;
}

// In each group inputs and outputs go together.
void tie_groups(LabelledRun& run, const at::Tensor& inputs, const at::Tensor& outputs,
                std::int64_t groups) {
  const auto first = inputs.reshape({groups, -1});
  const auto second = outputs.reshape({groups, -1});
  run.algebra().tie(first, first.narrow(1, 0, 1), kOtherStays);
  run.algebra().tie(second, first.narrow(1, 0, 1), kOtherStays);
}

}  // namespace

// linear(x, weight, bias)
void linear_rule(const OperatorCall& call, LabelledRun& run) {
  if (call.shape(0).dim() == 1) {
    const auto& x = call.shape(0);
    const auto& weight = call.shape(1);
    run.algebra().freeze(x, "is in a product with a vector");
    run.algebra().freeze(weight, "is in a product with a vector");
    return;
  }
  auto result = product(run, call.shape(0), transposed(run, call.shape(1)));
  if (call.is_tensor(2)) {
    add_bias(run, result, call.shape(2));
  }
  run.give(call.output(), with_dimensions_of(call.output(), result));
}

void product_rule(const OperatorCall& call, LabelledRun& run) {
  run.give(call.output(),
           with_dimensions_of(call.output(), product(run, call.shape(0), call.shape(1))));
}

void sum_of_product_rule(const OperatorCall& call, LabelledRun& run) {
  auto result = product(run, call.shape(1), call.shape(2));
  add_bias(run, result, call.shape(0));
  run.give(call.output(), with_dimensions_of(call.output(), result));
}

// Keys or values of grouped-query attention, each head repeated for the queries that read it.
LabelledShape for_each_head(const LabelledRun& run, const LabelledShape& shape,
                            std::int64_t heads) {
  return run.algebra().moved(shape, [heads](const at::Tensor& labels) {
    const auto dim = labels.dim() - kHeads;
    return labels.repeat_interleave(heads / labels.size(dim), dim);
  });
}

// scaled_dot_product_attention(query, key, value, mask, dropout, is_causal, scale, enable_gqa)
void attention_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& queries = call.shape(0);
  auto keys = call.shape(1);
  auto values = call.shape(2);
  if (call.inputs.size() > 7 && call.inputs[7].toBool() && queries.dim() >= kHeads) {
    const auto heads = queries.sizes.end()[-kHeads];
    keys = for_each_head(run, keys, heads);
    values = for_each_head(run, values, heads);
  }
  auto weights = product(run, queries, transposed(run, keys));
  if (call.is_tensor(3)) {
    weights = run.algebra().combined(weights, call.shape(3), kOtherStays);
  }
  run.give(call.output(), with_dimensions_of(call.output(), product(run, weights, values)));
}

// conv(x, weight, bias, ...): the weight is outputs x inputs / groups x kernel, or, transposed,
// inputs x outputs / groups x kernel.
void convolution_rule(const OperatorCall& call, LabelledRun& run) {
  auto x = call.shape(0);
  auto weight = call.shape(1);
  const auto groups = groups_of(call);
  const auto channel_dim = x.dim() - weight.dim() + 1;
  const auto output = call.output();
  const std::int64_t row_dim = groups.is_transposed ? 1 : 0;
  for (std::int64_t d = 2; d < weight.dim(); ++d) {
    run.algebra().freeze_along(weight, d, "is of a convolution's kernel");
    run.algebra().freeze_along(x, channel_dim + d - 1, "lies in a dimension that is convolved");
  }
  const double places = static_cast<double>(
      groups.is_transposed ? numel(x) / x.sizes.at(static_cast<std::size_t>(channel_dim))
                           : output.numel() / output.size(channel_dim));
  run.note_uses(weight, places / run.examples());
  LabelledShape result{.sizes = output.sizes().vec()};
  std::optional<at::Tensor> rows;
  if (groups.count == 1) {
    rows = along(run, weight, row_dim);
    if (rows) {
      run.note_role(*rows, SliceRole::output);
      rows = rows->flatten();
    }
    contract(run, x, channel_dim, weight, 1 - row_dim);
  } else {
    // Whole groups go. A transposed one has its outputs in the groups of its inputs.
    run.algebra().freeze_along(weight, 1, "is within a group of a convolution");
    const auto inputs = along(run, x, channel_dim);
    const auto blocks = along(run, weight, 0);
    const auto outputs = output.size(channel_dim);
    if (inputs && blocks) {
      tie_groups(run, inputs->flatten(), blocks->flatten(), groups.count);
      const auto first = blocks->reshape({groups.count, -1}).narrow(1, 0, 1).flatten();
      rows = first.repeat_interleave(outputs / groups.count);
      run.count(call, groups.input, -1, weight, 0, 0, blocks->numel(),
                blocks->numel() / groups.count);
    } else if (inputs) {
      run.algebra().freeze(*inputs, "is in a grouped convolution with fixed numbers");
    } else if (blocks) {
      run.algebra().freeze(*blocks, "reads values whose channels stay");
    }
    std::erase_if(x.arrays,
                  [&](const at::Tensor& array) { return depends_on(array, channel_dim); });
  }
  for (const auto& array : x.arrays) {
    if (only_dim(array) == 0 && channel_dim > 0) {
      result.arrays.push_back(array);
    } else {
      run.algebra().freeze(array, "lies in a dimension that is convolved");
    }
  }
  if (rows && rows->numel() == output.size(channel_dim)) {
    result.arrays.push_back(placed(*rows, output.dim(), channel_dim));
  }
  if (call.is_tensor(2)) {
    result =
        run.algebra().combined(result, beside(call.shape(2), result, channel_dim), kOtherStays);
  }
  run.algebra().tidy(result);
  run.give(output, result);
}

// embedding(weight, indices, ...)
void embedding_rule(const OperatorCall& call, LabelledRun& run) {
  auto weight = call.shape(0);
  run.algebra().freeze_along(weight, 0, "is looked up by an index");
  run.algebra().freeze(call.shape(1), "is an index");
  LabelledShape result;
  if (weight.dim() == 2) {
    if (const auto rows = along(run, weight, 1)) {
      run.note_role(*rows, SliceRole::output);
      result.arrays.push_back(
          placed(rows->flatten(), call.output().dim(), call.output().dim() - 1));
    }
  }
  run.give(call.output(), result);
}

// batch_norm(x, weight, bias, mean, variance, ...), instance_norm(the same)
void channel_norm_rule(const OperatorCall& call, LabelledRun& run) {
  auto result = call.shape(0);
  if (call.name() == "instance_norm") {
    for (std::int64_t d = 2; d < result.dim(); ++d) {
      run.algebra().freeze_along(result, d, "lies in a dimension that a norm goes over");
    }
  }
  for (std::size_t i = 1; i < 5; ++i) {
    if (call.is_tensor(i)) {
      result = run.algebra().combined(result, beside(call.shape(i), result, 1), kOtherStays);
    }
  }
  run.give(call.output(), result);
}

// layer_norm(x, shape, weight, bias, ...)
void layer_norm_rule(const OperatorCall& call, LabelledRun& run) {
  auto result = call.shape(0);
  const auto count = static_cast<std::int64_t>(call.inputs.at(1).toIntVector().size());
  for (std::int64_t d = result.dim() - count; d < result.dim(); ++d) {
    run.algebra().freeze_along(result, d, "a layer norm goes over it, with all of its channels");
  }
  for (std::size_t i = 2; i < 4; ++i) {
    if (call.is_tensor(i)) {
      result = run.algebra().combined(result, call.shape(i), kOtherStays);
    }
  }
  run.give(call.output(), result);
}

// group_norm(x, groups, weight, bias, ...)
void group_norm_rule(const OperatorCall& call, LabelledRun& run) {
  auto result = call.shape(0);
  const auto groups = call.inputs.at(1).toInt();
  for (std::int64_t d = 2; d < result.dim(); ++d) {
    run.algebra().freeze_along(result, d, "lies in a dimension that a norm goes over");
  }
  for (std::size_t i = 2; i < 4; ++i) {
    if (call.is_tensor(i)) {
      result = run.algebra().combined(result, beside(call.shape(i), result, 1), kOtherStays);
    }
  }
  if (const auto channels = along(run, result, 1)) {
    if (groups == 1) {
      run.algebra().freeze(*channels, "a norm goes over all of its channels");
    } else {
      tie_groups(run, channels->flatten(), channels->flatten(), groups);
      run.count(call, 1, -1, result, 1, 0, channels->numel(), channels->numel() / groups);
    }
  }
  for (auto& array : result.arrays) {
    array = run.algebra().compressed(array);
  }
  run.algebra().tidy(result);
  run.give(call.output(), result);
}

// prelu(x, weight): one number, or one for each channel
void prelu_rule(const OperatorCall& call, LabelledRun& run) {
  const auto dim = call.shape(0).dim() > 1 ? 1 : 0;
  run.give(call.output(),
           run.algebra().combined(call.shape(0), beside(call.shape(1), call.shape(0), dim),
                                  kOtherStays));
}

}  // namespace actswap
