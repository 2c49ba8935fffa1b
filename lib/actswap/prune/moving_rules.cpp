#include <actswap/prune/moving_rules.h>

#include <algorithm>
#include <string>
#include <vector>

namespace actswap {

namespace {

void ties_over(const OperatorCall& call, LabelledRun& run, std::int64_t dim,
               const std::string& reason) {
  for (const auto& shapes : call.shapes) {
    for (const auto& shape : shapes) {
      for (const auto& array : shape.arrays) {
        run.algebra().tie_over(array, shape.wrap(dim), reason);
      }
    }
  }
}

// Sizes in code follow those of what comes out.
void count_sizes(const OperatorCall& call, LabelledRun& run, std::size_t sizes_at,
                 std::int64_t first_dim) {
  const auto sizes = one_or_more(call.inputs.at(sizes_at));
  const auto output = call.output();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] >= 0) {
      run.count_size(call, sizes_at,
                     call.inputs[sizes_at].isInt() ? -1 : static_cast<std::int64_t>(i), output,
                     first_dim + static_cast<std::int64_t>(i));
    }
  }
}

// Entries that a number in code repeats (a mask, for each head of attention) can go like those that
// they meet.
void label_repeated(const OperatorCall& call, LabelledRun& run) {
  const auto output = call.output();
  const auto& shape = call.shape();
  auto result = run.shape_of(output);
  for (std::int64_t d = 0; d < output.dim() && !shape.is_weight; ++d) {
    const auto from = d - (output.dim() - shape.dim());
    const bool repeats =
        output.size(d) > 1 && (from < 0 || shape.sizes.at(static_cast<std::size_t>(from)) == 1);
    if (repeats && !run.depends_on_inputs(call, 1, d)) {
      const auto first = run.labels().fresh(output.size(d), Labels::kNoOwner, /*gives_way=*/true);
      result.arrays.push_back(
          placed(at::arange(output.size(d), at::kLong) + first, output.dim(), d));
    }
  }
  run.give(output, std::move(result));
}

// Parts of a dimension that must stay equally large: entries at the same place of each go together.
void tie_parts(const LabelledShape& shape, std::int64_t dim, std::int64_t parts, LabelledRun& run) {
  const auto size = shape.sizes.at(static_cast<std::size_t>(dim));
  for (const auto& array : shape.arrays) {
    if (!depends_on(array, dim)) {
      continue;
    }
    if (parts < 1 || size % parts != 0) {
      run.algebra().freeze(array, "is split into parts of different sizes");
      continue;
    }
    for (std::int64_t i = 1; i < parts; ++i) {
      run.algebra().tie(array.narrow(dim, 0, size / parts),
                        array.narrow(dim, i * (size / parts), size / parts), kOtherStays);
    }
  }
}

}  // namespace

void view_rule(const OperatorCall& call, LabelledRun& run) {
  if (!call.inputs.at(1).isIntList()) {
    run.move(call);  // as another type, which changes the last dimension
    ties_over(call, run, -1, "is seen as another type");
    return;
  }
  run.move(call);
  count_sizes(call, run, 1, 0);
}

void expand_rule(const OperatorCall& call, LabelledRun& run) {
  run.move(call);
  label_repeated(call, run);
  count_sizes(call, run, 1, 0);
}

void unflatten_rule(const OperatorCall& call, LabelledRun& run) {
  run.move(call);
  count_sizes(call, run, 2, call.shape().wrap(call.inputs.at(1).toInt()));
}

// One entry of a dimension: all others have to stay where they are.
void select_rule(const OperatorCall& call, LabelledRun& run) {
  ties_over(call, run, call.inputs.at(1).toInt(), "is picked by its number");
  run.move(call);
}

void unbind_rule(const OperatorCall& call, LabelledRun& run) {
  ties_over(call, run, call.inputs.at(1).toInt(), "is picked by its number");
  run.move(call);
}

// constant_pad_nd(x, pad, value), pad(x, pad, mode, value): entries added along the channels stay;
// entries added along other dimensions go with their channel.
void pads_rule(const OperatorCall& call, LabelledRun& run) {
  const auto pad = call.inputs.at(1).toIntVector();
  const auto name = call.name();
  const bool is_constant =
      name == "constant_pad_nd" || (name == "pad" && call.inputs.at(2).toStringRef() == "constant");
  auto result = call.shape();
  for (auto& array : result.arrays) {
    std::vector<std::int64_t> along(pad.size(), 0);
    for (std::size_t i = 0; i < pad.size(); ++i) {
      const auto dim = result.dim() - 1 - static_cast<std::int64_t>(i / 2);
      if (!is_constant && pad[i] != 0) {
        array = run.algebra().fixed_along(array, dim, "is mirrored or repeated by pad");
      }
      along[i] = depends_on(array, dim) ? pad[i] : 0;
    }
    array = at::constant_pad_nd(array, along, kFixed);
  }
  run.algebra().tidy(result);
  run.give(call.output(), std::move(result));
}

// cat(list, dim): where it does not lie along the channels, those of all tensors are the same.
void concatenates_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& shapes = call.shapes.at(0);
  const auto dim = call.inputs.at(1).toInt();
  run.move(call);
  if (shapes.empty()) {
    return;
  }
  const bool is_stack = call.name() == "stack";
  const auto& output = call.output();
  const auto at_dim = dim < 0 ? dim + output.dim() : dim;
  const bool along =
      !is_stack && std::any_of(shapes.begin(), shapes.end(), [&](const LabelledShape& shape) {
        return std::any_of(shape.arrays.begin(), shape.arrays.end(), [&](const at::Tensor& array) {
          return array.dim() > at_dim && depends_on(array, at_dim);
        });
      });
  if (!along) {
    auto result = run.shape_of(output);
    for (auto& array : result.arrays) {
      array = run.algebra().tie_over(array, at_dim, kOtherStays);
    }
    run.algebra().tidy(result);
    run.give(output, std::move(result));
  }
}

// slice(x, dim, start, end, step)
void slices_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const auto dim = shape.wrap(call.inputs.at(1).toInt());
  const auto size = shape.sizes.at(static_cast<std::size_t>(dim));
  const auto bound = [&](std::size_t input, std::int64_t otherwise) {
    const auto given = call.inputs.at(input).isNone() ? otherwise : call.inputs[input].toInt();
    return std::clamp<std::int64_t>(given < 0 ? given + size : given, 0, size);
  };
  const auto begin = bound(2, 0);
  const auto end = bound(3, size);
  if (begin == 0 && end == size && call.inputs.at(4).toInt() == 1) {
    run.give(call.output(), shape);
    return;
  }
  if (call.inputs.at(4).toInt() != 1) {
    run.algebra().freeze_along(shape, dim, "is one of every few that a slice takes");
  }
  if (begin > 0) {
    run.count(call, 2, -1, shape, dim, 0, begin);
  }
  if (end < size) {
    run.count(call, 3, -1, shape, dim, 0, end);
  }
  run.move(call);
}

// narrow(x, dim, start, length)
void narrows_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const auto dim = shape.wrap(call.inputs.at(1).toInt());
  const auto begin = call.inputs.at(2).toInt();
  if (begin < 0) {
    run.algebra().freeze_along(shape, dim, "is counted from the end by narrow");
  } else {
    run.count(call, 2, -1, shape, dim, 0, begin);
    run.count(call, 3, -1, shape, dim, begin, begin + call.inputs.at(3).toInt());
  }
  run.move(call);
}

// chunk(x, parts, dim)
void chunks_rule(const OperatorCall& call, LabelledRun& run) {
  tie_parts(call.shape(), call.shape().wrap(call.inputs.at(2).toInt()), call.inputs.at(1).toInt(),
            run);
  run.move(call);
}

// split(x, size, dim); split_with_sizes(x, sizes, dim), also as split
void splits_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const auto dim = shape.wrap(call.inputs.at(2).toInt());
  if (call.inputs.at(1).isInt()) {
    const auto part = call.inputs.at(1).toInt();
    const auto size = shape.sizes.at(static_cast<std::size_t>(dim));
    tie_parts(shape, dim, size % part == 0 ? size / part : 0, run);
    run.count(call, 1, -1, shape, dim, 0, part);
  } else {
    std::int64_t begin = 0;
    const auto sizes = call.inputs.at(1).toIntVector();
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      run.count(call, 1, static_cast<std::int64_t>(i), shape, dim, begin, begin + sizes[i]);
      begin += sizes[i];
    }
  }
  run.move(call);
}

// channel_shuffle(x, groups): each group is dealt out, and has to stay as large as the others.
void shuffles_rule(const OperatorCall& call, LabelledRun& run) {
  tie_parts(call.shape(), 1, call.inputs.at(1).toInt(), run);
  run.move(call);
}

// index(x, [i, None, j, ...]), index_select(x, dim, i)
void looks_up_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const std::string reason = "is looked up by an index";
  if (call.name() == "index_select") {
    run.algebra().freeze_along(shape, shape.wrap(call.inputs.at(1).toInt()), reason);
  } else {
    std::int64_t dim = 0;
    for (const c10::IValue& index : call.inputs.at(1).toListRef()) {
      const bool is_given = index.isTensor() && index.toTensor().defined();
      const auto dims =
          is_given && index.toTensor().scalar_type() == at::kBool ? index.toTensor().dim() : 1;
      for (std::int64_t i = 0; i < dims; ++i, ++dim) {
        if (is_given) {
          run.algebra().freeze_along(shape, dim, reason);
        }
      }
    }
  }
  run.move(call);
}

// glu(x, dim): the first half times the sigmoid of the second
void glu_rule(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const auto dim = shape.wrap(call.inputs.at(1).toInt());
  tie_parts(shape, dim, 2, run);
  LabelledShape result;
  for (const auto& array : shape.arrays) {
    const auto size = array.size(dim);
    result.arrays.push_back(
        run.algebra().compressed(size > 1 ? array.narrow(dim, 0, size / 2) : array));
  }
  run.algebra().tidy(result);
  run.give(call.output(), std::move(result));
}

}  // namespace actswap
