#include <actswap/prune/layer_rules.h>
#include <actswap/prune/moving_rules.h>
#include <actswap/prune/operator_rules.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <unordered_map>

namespace actswap {

namespace {

using Rule = void (*)(const OperatorCall&, LabelledRun&);

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
    for (const auto dim : one_or_more(dims)) {
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
    for (const auto dim : one_or_more(call.inputs[*at])) {
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
    for (const auto dim : dims) {
      array = run.algebra().fixed_along(array, dim,
                                        "is mixed with the other channels by " + call.name());
    }
    if (array.numel() > 1) {
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

// Pooling and resizing: they may change the number of places, which are the last dimensions, as
// many as the name says (max_pool2d_with_indices), and treat all else by itself.
void spatial(const OperatorCall& call, LabelledRun& run) {
  const auto& shape = call.shape();
  const auto name = call.name();
  const std::int64_t places = name[name.find_first_of("123")] - '0';
  LabelledShape result;
  for (const auto& array : shape.arrays) {
    bool is_place = false;
    for (std::int64_t d = std::max<std::int64_t>(shape.dim() - places, 0); d < shape.dim(); ++d) {
      is_place = is_place || depends_on(array, d);
    }
    if (is_place) {
      run.algebra().freeze(array, "lies in a dimension that " + name + " goes over");
    } else {
      result.arrays.push_back(array);
    }
  }
  for (const auto& output : call.outputs) {
    run.give(output.toTensor(), result);
  }
}

// max(x, y) is elementwise, max(x, dim) is not.
void reduces_or_compares(const OperatorCall& call, LabelledRun& run) {
  call.is_tensor(1) ? elementwise(call, run) : reduces(call, run);
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
  add_names(
      table, of_first,
      "to type_as contiguous clone detach data alias float half double bfloat16 int long bool "
      "fill zero");
  add_names(table, moves,
            "permute transpose t numpy_T mT swapaxes swapdims movedim moveaxis unsqueeze squeeze "
            "flatten pixel_shuffle pixel_unshuffle flip repeat_interleave repeat");
  add_names(table, view_rule, "view reshape _unsafe_view");
  add_names(table, expand_rule, "expand");
  add_names(table, unflatten_rule, "unflatten");
  add_names(table, select_rule, "select");
  add_names(table, unbind_rule, "unbind");
  add_names(table, concatenates_rule, "cat concat stack");
  add_names(table, slices_rule, "slice");
  add_names(table, narrows_rule, "narrow");
  add_names(table, chunks_rule, "chunk");
  add_names(table, splits_rule, "split split_with_sizes");
  add_names(table, glu_rule, "glu");
  add_names(table, pads_rule,
            "constant_pad_nd pad reflection_pad1d reflection_pad2d reflection_pad3d "
            "replication_pad1d replication_pad2d replication_pad3d");
  add_names(table, mixes_dim, "softmax _softmax log_softmax cumsum roll softmin");
  add_names(table, reduces,
            "mean sum amax amin var std prod any all logsumexp argmax norm "
            "linalg_vector_norm");
  add_names(table, reduces_or_compares, "max min");
  add_names(table, looks_up_rule, "index index_select");
  add_names(table, shuffles_rule, "channel_shuffle");
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
