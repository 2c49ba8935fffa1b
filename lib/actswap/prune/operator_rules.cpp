#include <actswap/prune/layer_rules.h>
#include <actswap/prune/operator_rules.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <unordered_map>

namespace actswap {

namespace {

using Rule = void (*)(const OperatorCall&, LabelledRun&);

const std::string kOtherStays = "is combined with values whose channels stay";

void elementwise(const OperatorCall& call, LabelledRun& run) {
  LabelledShape result;
  bool is_first = true;
  for (const auto& shapes : call.shapes) {
    for (const auto& shape : shapes) {
      result = is_first ? shape : run.algebra().combined(result, shape, kOtherStays);
      is_first = false;
    }
  }
  result.source = -1;
  run.give(call.output(), std::move(result));
}

// What follows the form of its first tensor: x.to(other), x.type_as(other).
void of_first(const OperatorCall& call, LabelledRun& run) {
  run.give(call.output(), call.shape());
}

void moves(const OperatorCall& call, LabelledRun& run) {
  run.move(call);
}

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

std::vector<std::int64_t> numbers(const c10::IValue& value) {
  return value.isInt() ? std::vector<std::int64_t>{value.toInt()} : value.toIntVector();
}

// view, reshape, expand, unflatten: sizes in code follow those of what comes out.
void reshape(const OperatorCall& call, LabelledRun& run, std::size_t sizes_at,
             std::int64_t first_dim) {
  run.move(call);
  const auto sizes = numbers(call.inputs.at(sizes_at));
  const auto output = call.output();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] >= 0) {
      run.count_size(call, sizes_at,
                     call.inputs[sizes_at].isInt() ? -1 : static_cast<std::int64_t>(i), output,
                     first_dim + static_cast<std::int64_t>(i));
    }
  }
}

void view(const OperatorCall& call, LabelledRun& run) {
  if (!call.inputs.at(1).isIntList()) {
    run.move(call);  // as another type, which changes the last dimension
    ties_over(call, run, -1, "is seen as another type");
    return;
  }
  reshape(call, run, 1, 0);
}

void expand(const OperatorCall& call, LabelledRun& run) {
  reshape(call, run, 1, 0);
}

void unflatten(const OperatorCall& call, LabelledRun& run) {
  reshape(call, run, 2, call.shape().wrap(call.inputs.at(1).toInt()));
}

// One entry of a dimension: all others have to stay where they are.
void select(const OperatorCall& call, LabelledRun& run) {
  ties_over(call, run, call.inputs.at(1).toInt(), "is picked by its number");
  run.move(call);
}

void unbind(const OperatorCall& call, LabelledRun& run) {
  ties_over(call, run, call.inputs.at(1).toInt(), "is picked by its number");
  run.move(call);
}

// roll, cumsum, sort and the like move or mix entries of a dimension.
void mixes_dim(const OperatorCall& call, LabelledRun& run) {
  const auto at = call.argument("dim").value_or(call.argument("dims").value_or(1));
  const auto& shape = call.shape();
  const auto freeze = [&](std::int64_t dim) {
    run.algebra().freeze_along(shape, shape.wrap(dim),
                               "is mixed with the other channels by " + call.name());
  };
  const auto& dims = call.inputs.at(at);
  if (dims.isNone() || (dims.isIntList() && dims.toIntVector().empty())) {
    run.algebra().freeze(shape, "is mixed with all others by " + call.name());
  } else {
    for (const auto dim : numbers(dims)) {
      freeze(dim);
    }
  }
  for (const auto& output : call.outputs) {
    if (output.isTensor() && output.toTensor().sizes().vec() == shape.sizes) {
      run.give(output.toTensor(), shape);
    } else if (output.isTensor()) {
      run.algebra().freeze(shape, "its channels cannot be followed through " + call.name());
    }
  }
}

// mean, sum, amax and the like over dimensions, which vanish or become 1.
void reduces(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const auto at = call.argument("dim");
  std::set<std::int64_t> dims;
  if (at && !call.inputs.at(*at).isNone()) {
    for (const auto dim : numbers(call.inputs[*at])) {
      dims.insert(shape.wrap(dim));
    }
  }
  if (dims.empty()) {
    for (std::int64_t d = 0; d < shape.dim(); ++d) {
      dims.insert(d);
    }
  }
  LabelledShape result{.is_weight = shape.is_weight};
  const bool keeps = call.outputs.at(0).toTensor().dim() == shape.dim();
  for (auto array : shape.arrays) {
    bool is_left = true;
    for (const auto dim : dims) {
      if (depends_on(array, dim)) {
        run.algebra().freeze(array, "is mixed with the other channels by " + call.name());
        is_left = false;
      }
    }
    if (is_left) {
      for (auto dim = dims.rbegin(); !keeps && dim != dims.rend(); ++dim) {
        array = array.squeeze(*dim);
      }
      result.arrays.push_back(array);
    }
  }
  for (const auto& output : call.outputs) {
    run.give(output.toTensor(), result);
  }
}

// Pooling and resizing: each channel for itself, as many places as there come to be.
void spatial(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  LabelledShape result;
  for (const auto& array : shape.arrays) {
    const auto dim = only_dim(array);
    if (dim == 1 || (dim == 0 && shape.dim() > 3)) {
      result.arrays.push_back(array);
    } else {
      run.algebra().freeze(array, "lies in a dimension that " + call.name() + " goes over");
    }
  }
  for (const auto& output : call.outputs) {
    run.give(output.toTensor(), result);
  }
}

// constant_pad_nd(x, pad, value), pad(x, pad, mode, value): entries that come in stay.
void pads(const OperatorCall& call, LabelledRun& run) {
  const bool is_general = call.name() == "pad";
  if (is_general && call.inputs.at(2).toStringRef() != "constant") {
    const auto pad = call.inputs.at(1).toIntVector();
    for (std::size_t i = 0; i < pad.size() / 2; ++i) {
      run.algebra().freeze_along(call.shape(),
                                 call.shape().dim() - 1 - static_cast<std::int64_t>(i),
                                 "is mirrored or repeated by pad");
    }
    run.move(call);
    return;
  }
  run.move(call, is_general ? 3 : 2);
}

// cat(list, dim): where it does not lie along the channels, those of all tensors are the same.
void concatenates(const OperatorCall& call, LabelledRun& run) {
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
void slices(const OperatorCall& call, LabelledRun& run) {
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
void narrows(const OperatorCall& call, LabelledRun& run) {
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

// Parts of a dimension that have to stay equally many: what is at one place of one goes with what
// is there in the others.
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

// chunk(x, parts, dim)
void chunks(const OperatorCall& call, LabelledRun& run) {
  tie_parts(call.shape(), call.shape().wrap(call.inputs.at(2).toInt()), call.inputs.at(1).toInt(),
            run);
  run.move(call);
}

// split(x, size, dim); split_with_sizes(x, sizes, dim), also as split
void splits(const OperatorCall& call, LabelledRun& run) {
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
void shuffles(const OperatorCall& call, LabelledRun& run) {
  tie_parts(call.shape(), 1, call.inputs.at(1).toInt(), run);
  run.move(call);
}

// index(x, [i, None, j, ...]), index_select(x, dim, i)
void looks_up(const OperatorCall& call, LabelledRun& run) {
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

// max(x, y) is elementwise, max(x, dim) is not.
void reduces_or_compares(const OperatorCall& call, LabelledRun& run) {
  call.is_tensor(1) ? elementwise(call, run) : reduces(call, run);
}

// glu(x, dim): the first half times the sigmoid of the second
void glu(const OperatorCall& call, LabelledRun& run) {
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

void add_names(std::unordered_map<std::string, Rule>& table, Rule rule, const char* names) {
  std::istringstream words(names);
  for (std::string name; words >> name;) {
    table.emplace(name, rule);
  }
}

// By the name without the underscore of an operator in place.
std::unordered_map<std::string, Rule> make_table() {
  std::unordered_map<std::string, Rule> table;
  add_names(table, elementwise,
            "add sub rsub mul div true_divide floor_divide remainder fmod pow neg abs sign square "
            "sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p erf erfc sin cos tan asin "
            "acos atan sinh cosh tanh asinh acosh atanh sigmoid logit log_sigmoid relu relu6 "
            "hardtanh hardswish hardsigmoid silu mish gelu elu selu celu softplus leaky_relu "
            "threshold hardshrink softshrink rrelu clamp clamp_min clamp_max clip round floor ceil "
            "trunc frac maximum minimum fmax fmin where masked_fill lerp addcmul addcdiv eq ne lt "
            "le gt ge logical_and logical_or logical_not logical_xor isnan isinf isfinite "
            "nan_to_num expand_as zeros_like ones_like full_like dropout feature_dropout "
            "alpha_dropout blend");
  add_names(table, of_first,
            "to type_as contiguous clone detach alias float half double bfloat16 int long bool "
            "fill zero");
  add_names(table, moves,
            "permute transpose t numpy_T mT swapaxes swapdims movedim moveaxis unsqueeze squeeze "
            "flatten pixel_shuffle pixel_unshuffle flip repeat_interleave repeat "
            "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d "
            "replication_pad2d replication_pad3d");
  add_names(table, view, "view reshape _unsafe_view");
  add_names(table, expand, "expand");
  add_names(table, unflatten, "unflatten");
  add_names(table, select, "select");
  add_names(table, unbind, "unbind");
  add_names(table, concatenates, "cat concat stack");
  add_names(table, slices, "slice");
  add_names(table, narrows, "narrow");
  add_names(table, chunks, "chunk");
  add_names(table, splits, "split split_with_sizes");
  add_names(table, glu, "glu");
  add_names(table, pads, "constant_pad_nd pad");
  add_names(table, mixes_dim, "softmax _softmax log_softmax cumsum roll softmin");
  add_names(table, reduces,
            "mean sum amax amin var std prod any all logsumexp argmax norm "
            "linalg_vector_norm");
  add_names(table, reduces_or_compares, "max min");
  add_names(table, looks_up, "index index_select");
  add_names(table, shuffles, "channel_shuffle");
  add_names(table, spatial,
            "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d "
            "avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
            "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d upsample_nearest1d "
            "upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d "
            "upsample_bicubic2d upsample_trilinear3d _upsample_bilinear2d_aa");
  add_names(table, linear_rule, "linear");
  add_names(table, product_rule, "matmul mm bmm");
  add_names(table, sum_of_product_rule, "addmm baddbmm");
  add_names(table, attention_rule, "scaled_dot_product_attention");
  add_names(table, convolution_rule,
            "conv1d conv2d conv3d convolution _convolution _convolution_mode conv_transpose1d "
            "conv_transpose2d conv_transpose3d");
  add_names(table, embedding_rule, "embedding");
  add_names(table, channel_norm_rule, "batch_norm instance_norm");
  add_names(table, layer_norm_rule, "layer_norm");
  add_names(table, group_norm_rule, "group_norm");
  add_names(table, prelu_rule, "prelu");
  return table;
}

}  // namespace

bool apply_rule(const OperatorCall& call, LabelledRun& run) {
  static const auto kTable = make_table();
  auto name = call.name();
  if (!name.starts_with('_') && name.ends_with('_')) {
    name.pop_back();
  }
  const auto found = kTable.find(name);
  if (found == kTable.end()) {
    return false;
  }
  found->second(call, run);
  return true;
}

bool asks_for_form(const std::string& name) {
  static const std::set<std::string> kNames = {
      "dim",          "dtype",         "device",        "layout",       "is_floating_point",
      "is_complex",   "requires_grad", "is_cuda",       "is_nested",    "is_sparse",
      "is_quantized", "is_mkldnn",     "is_contiguous", "element_size", "__is__",
      "__isnot__",    "get_device",    "is_mps",        "is_xla"};
  return kNames.contains(name);
}

}  // namespace actswap
