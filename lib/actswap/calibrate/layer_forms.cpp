#include <actswap/calibrate/layer_forms.h>

#include <torch/csrc/jit/ir/constants.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

enum class Kind { linear, product, convolution, recurrent };

struct Row {
  const char* name;
  Kind kind;
  std::size_t input;
  std::size_t weight;
  std::optional<std::size_t> bias;
};

constexpr Row kForms[] = {
    {"linear", Kind::linear, 0, 1, 2},
    {"addmm", Kind::product, 1, 2, 0},
    {"matmul", Kind::product, 0, 1, {}},
    {"mm", Kind::product, 0, 1, {}},
    {"conv1d", Kind::convolution, 0, 1, 2},
    {"conv2d", Kind::convolution, 0, 1, 2},
    {"conv3d", Kind::convolution, 0, 1, 2},
    {"convolution", Kind::convolution, 0, 1, 2},
    {"_convolution", Kind::convolution, 0, 1, 2},
    {"_convolution_mode", Kind::convolution, 0, 1, 2},
    {"conv_transpose1d", Kind::convolution, 0, 1, 2},
    {"conv_transpose2d", Kind::convolution, 0, 1, 2},
    {"conv_transpose3d", Kind::convolution, 0, 1, 2},
    {"lstm", Kind::recurrent, 0, 1, {}},
    {"gru", Kind::recurrent, 0, 1, {}},
};

const Row* row_of(const jit::Node* node) {
  for (const auto& row : kForms) {
    if (node->kind() == c10::Symbol::aten(row.name)) {
      return &row;
    }
  }
  return nullptr;
}

bool is_number(const jit::Value* value, double wanted) {
  const auto constant = jit::toIValue(const_cast<jit::Value*>(value));
  return constant && constant->isScalar() && constant->toScalar().to<double>() == wanted;
}

// x + y, with no factor, of two tensors.
bool is_sum(const jit::Node* node) {
  static const auto kAdd = c10::Symbol::aten("add_");
  return (node->kind() == c10::aten::add || node->kind() == kAdd) && node->inputs().size() == 3 &&
         is_number(node->input(2), 1.0) &&
         node->input(0)->type()->isSubtypeOf(*c10::TensorType::get()) &&
         node->input(1)->type()->isSubtypeOf(*c10::TensorType::get());
}

// addmm(bias, x, w, beta, alpha) with other factors than 1, or of another type.
bool is_scaled(const jit::Node* node) {
  return node->kind() == c10::aten::addmm &&
         !(node->inputs().size() == 5 && is_number(node->input(3), 1.0) &&
           is_number(node->input(4), 1.0));
}

std::optional<std::vector<std::int64_t>> constant_ints(jit::Value* value) {
  const auto constant = jit::toIValue(value);
  if (!constant) {
    return std::nullopt;
  }
  if (constant->isInt()) {
    return std::vector<std::int64_t>{constant->toInt()};
  }
  return constant->isIntList() ? std::optional(constant->toIntVector()) : std::nullopt;
}

// Or the name of one: "same" gives no numbers.
std::optional<std::vector<std::int64_t>> constant_padding(jit::Value* value) {
  const auto constant = jit::toIValue(value);
  if (!constant || !constant->isString()) {
    return constant_ints(value);
  }
  if (constant->toStringRef() == "same") {
    return std::vector<std::int64_t>();
  }
  return constant->toStringRef() == "valid" ? std::optional(std::vector<std::int64_t>{0})
                                            : std::nullopt;
}

// Outputs x 1 x ... x 1, with a 1 for each dimension of the kernel, behind more dimensions of 1.
bool is_one_for_each_output(const torch::Tensor& tensor, const torch::Tensor& weight) {
  const auto outputs = weight.size(0);
  const auto behind = weight.dim() - 2;
  return tensor.numel() == outputs && tensor.dim() > behind &&
         tensor.size(tensor.dim() - 1 - behind) == outputs;
}

}  // namespace

bool may_be_layer(const jit::Node* node) {
  return row_of(node) != nullptr;
}

// conv2d(x, weight, bias, stride, padding, dilation, groups);
// conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation);
// _convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups, ...)
std::optional<Geometry> geometry_of(jit::Node* node) {
  const auto* row = row_of(node);
  if (row == nullptr || row->kind != Kind::convolution) {
    return std::nullopt;
  }
  const std::string name = row->name;
  const bool is_general = name == "_convolution" || name == "convolution";
  const bool is_transposed = name.starts_with("conv_transpose");
  const auto transposed = is_general ? jit::toIValue(node->input(6)) : std::nullopt;
  const auto stride = constant_ints(node->input(3));
  const auto padding = constant_padding(node->input(4));
  const auto dilation = constant_ints(node->input(is_transposed ? 7 : 5));
  const auto groups = constant_ints(node->input(is_general ? 8 : 6));
  if (!stride || !padding || !dilation || !groups || (is_general && !transposed)) {
    return std::nullopt;
  }
  Geometry found{.stride = *stride,
                 .padding = *padding,
                 .dilation = *dilation,
                 .groups = groups->front(),
                 .is_transposed = is_transposed || (transposed && transposed->toBool())};
  return found.is_transposed && found.groups != 1 ? std::nullopt : std::optional(found);
}

LayerForms::LayerForms(Program& program, const ProgramTensors& tensors)
    : block_(program.graph().block()), tensors_(tensors) {
  for (jit::Node* node : program.graph().nodes()) {
    if (const auto form = form_of(node)) {
      forms_.emplace(node, *form);
      by_output_.emplace(form->output, node);
    }
  }
}

const LayerForm* LayerForms::at(const jit::Node* node) const {
  const auto found = forms_.find(node);
  return found == forms_.end() ? nullptr : &found->second;
}

const jit::Value* LayerForms::unknown_product(const jit::Node* node) const {
  static const auto kEinsum = c10::Symbol::aten("einsum");
  if (node->kind() == kEinsum) {
    for (const jit::Value* operand : node->input(1)->node()->inputs()) {
      if (tensors_.is_parameter(operand)) {
        return operand;
      }
    }
  }
  return nullptr;
}

const LayerForm* LayerForms::giving(const jit::Value* output) const {
  const auto found = by_output_.find(output);
  return found == by_output_.end() ? nullptr : at(found->second);
}

std::optional<LayerForm> LayerForms::form_of(jit::Node* node) const {
  const auto* row = row_of(node);
  if (row == nullptr) {
    return std::nullopt;
  }
  LayerForm form{.node = node,
                 .input = node->input(row->input),
                 .weight = node->input(row->weight),
                 .output = node->output(0),
                 .is_convolution = row->kind == Kind::convolution};
  if (row->bias && !tensors_.is_none(node->input(*row->bias))) {
    form.bias = node->input(*row->bias);
  }
  if (row->kind == Kind::linear || row->kind == Kind::product) {
    const auto matrix = ProgramTensors::matrix_of(form.weight);
    const auto tensor = tensors_.tensor_of(matrix.read);
    if (row->kind == Kind::product && (!tensor.defined() || tensor.dim() != 2 ||
                                       !tensors_.is_parameter(matrix.read) || is_scaled(node))) {
      return std::nullopt;  // of two values, or with something that the model does not learn
    }
    form.weight = matrix.read;
    form.has_inputs_first = (row->kind == Kind::product) != matrix.is_transposed;
  }
  if (row->kind != Kind::recurrent && form.bias == nullptr) {
    find_bias_behind(form);
  }
  return form;
}

void LayerForms::find_bias_behind(LayerForm& form) const {
  const auto& uses = form.output->uses();
  const auto weight = weight_of(form);
  if (uses.size() != 1 || uses[0].user->owningBlock() != block_ || !is_sum(uses[0].user) ||
      !weight.defined() || weight.dim() < 2) {
    return;
  }
  const jit::Value* other = uses[0].user->input(uses[0].offset == 0 ? 1 : 0);
  const auto tensor = tensors_.own_tensor(other);
  if (tensor.defined() && tensors_.is_parameter(other) && is_one_for_each_output(tensor, weight)) {
    form.bias = other;
    form.output = uses[0].user->output();
  }
}

torch::Tensor LayerForms::weight_of(const LayerForm& form) const {
  const auto weight = tensors_.own_tensor(form.weight);
  if (!weight.defined() || weight.dim() < 2) {
    return weight;
  }
  const auto geometry = form.is_convolution ? geometry_of(form.node) : std::nullopt;
  const bool has_inputs_first =
      form.has_inputs_first || (geometry.has_value() && geometry->is_transposed);
  return has_inputs_first ? weight.transpose(0, 1) : weight;
}

torch::Tensor LayerForms::bias_of(const LayerForm& form) const {
  const auto bias = form.bias == nullptr ? torch::Tensor() : tensors_.own_tensor(form.bias);
  const auto weight = weight_of(form);
  if (!bias.defined()) {
    return {};
  }
  if (bias.dim() == 1) {
    return !weight.defined() || bias.numel() == weight.size(0) ? bias : torch::Tensor();
  }
  return weight.defined() && weight.dim() >= 2 && is_one_for_each_output(bias, weight)
             ? bias.view({weight.size(0)})
             : torch::Tensor();
}

}  // namespace actswap
