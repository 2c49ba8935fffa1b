#include <actswap/graph/flatten.h>
#include <actswap/graph/input_evidence.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <string>
#include <unordered_map>
#include <vector>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr std::int64_t kLeastSize = 8;
constexpr std::int64_t kMostSize = 1024;

// How an operator reads the input that stands at 0.
enum class Reads {
  convolution,   // weight at 1: channels in dimension 1, rank of the weight
  transposed,    // the same with the weight's dimension 0
  linear,        // weight at 1: the last dimension
  matrix,        // matrix at 1: the last dimension is its last but one
  batch_norm,    // weight or mean at 1 or 3: dimension 1
  layer_norm,    // shape at 1: the last dimensions
  shape_keeper,  // gives a tensor of its shape
  broadcast,     // the same, and the other operand says sizes
};

const std::unordered_map<std::string, Reads>& operators() {
  static const std::unordered_map<std::string, Reads> kOperators = {
      {"aten::_convolution", Reads::convolution},
      {"aten::conv1d", Reads::convolution},
      {"aten::conv2d", Reads::convolution},
      {"aten::conv3d", Reads::convolution},
      {"aten::convolution", Reads::convolution},
      {"aten::conv_transpose1d", Reads::transposed},
      {"aten::conv_transpose2d", Reads::transposed},
      {"aten::linear", Reads::linear},
      {"aten::matmul", Reads::matrix},
      {"aten::mm", Reads::matrix},
      {"aten::batch_norm", Reads::batch_norm},
      {"aten::layer_norm", Reads::layer_norm},
      {"aten::to", Reads::shape_keeper},
      {"aten::type_as", Reads::shape_keeper},
      {"aten::contiguous", Reads::shape_keeper},
      {"aten::clone", Reads::shape_keeper},
      {"aten::detach", Reads::shape_keeper},
      {"aten::dropout", Reads::shape_keeper},
      {"aten::float", Reads::shape_keeper},
      {"aten::clamp", Reads::shape_keeper},
      {"aten::relu", Reads::shape_keeper},
      {"aten::silu", Reads::shape_keeper},
      {"aten::gelu", Reads::shape_keeper},
      {"aten::mish", Reads::shape_keeper},
      {"aten::tanh", Reads::shape_keeper},
      {"aten::sigmoid", Reads::shape_keeper},
      {"aten::neg", Reads::shape_keeper},
      {"aten::add", Reads::broadcast},
      {"aten::sub", Reads::broadcast},
      {"aten::mul", Reads::broadcast},
      {"aten::div", Reads::broadcast}};
  return kOperators;
}

class Search {
 public:
  Search(const jit::Module& module, const InputLayout& layout)
      : module_(module), graph_(flatten(module)) {
    found_.inputs.resize(layout.places().size());
    for (std::size_t i = 0; i < layout.places().size(); ++i) {
      const auto& place = layout.places()[i];
      auto* value = graph_->inputs().at(place.argument + 1);
      if (place.key.empty()) {
        inputs_[value] = i;
      } else {
        parts_[{value, place.key}] = i;
      }
    }
  }

  CodeEvidence run() {
    for_each_node(graph_->block(), [this](jit::Node* node) { visit(node); });
    std::erase_if(found_.sizes,
                  [](std::int64_t size) { return size < kLeastSize || size > kMostSize; });
    return std::move(found_);
  }

 private:
  void visit(jit::Node* node) {
    note_numbers(node);
    if (node->inputs().empty()) {
      return;
    }
    if (take_apart(node)) {
      return;
    }
    if (node->kind() == c10::aten::embedding) {
      note_table(node);
      return;
    }
    const auto known = operators().find(node->kind().toQualString());
    const auto input = inputs_.find(node->input(0));
    if (input != inputs_.end()) {
      note_flattened(node, input->second);
    }
    if (known == operators().end()) {
      return;
    }
    if (known->second == Reads::convolution && node->inputs().size() > 3) {
      note_stride(node);
    }
    if (known->second == Reads::broadcast) {
      broadcast(node);
    } else if (input != inputs_.end()) {
      read(node, known->second, input->second);
    }
  }

  // A dict, tuple or list of inputs: which value is which.
  bool take_apart(jit::Node* node) {
    const auto note = [&](jit::Value* output, const std::string& key) {
      const auto part = parts_.find({node->input(0), key});
      if (part != parts_.end()) {
        inputs_[output] = part->second;
      }
      return part != parts_.end();
    };
    if (node->kind() == c10::aten::__getitem__) {
      const auto key = jit::toIValue(node->input(1));
      return key &&
             (key->isString() ? note(node->output(), key->toStringRef())
                              : key->isInt() && note(node->output(), std::to_string(key->toInt())));
    }
    bool is_known = false;
    if (node->kind() == c10::prim::ListUnpack || node->kind() == c10::prim::TupleUnpack) {
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        is_known = note(node->output(i), std::to_string(i)) || is_known;
      }
    }
    return is_known;
  }

  void read(jit::Node* node, Reads reads, std::size_t i) {
    auto& input = found_.inputs[i];
    const auto weight = node->inputs().size() > 1 ? tensor(node->input(1)) : torch::Tensor();
    const auto note = [&](std::int64_t dimension, std::int64_t size) {
      input.type = input.type.value_or(weight.scalar_type());
      input.sizes.emplace(dimension, size);
    };
    switch (reads) {
      case Reads::convolution:
      case Reads::transposed:
        if (weight.defined() && weight.dim() >= 3) {
          input.rank = weight.dim();
          note(1, reads == Reads::convolution ? weight.size(1) * groups_of(node) : weight.size(0));
        }
        break;
      case Reads::linear:
        if (weight.defined() && weight.dim() >= 1) {
          note(-1, weight.size(-1));
        }
        break;
      case Reads::matrix:
        if (weight.defined() && weight.dim() >= 2) {
          note(-1, weight.size(-2));
        }
        break;
      case Reads::batch_norm:
        if (weight.defined() && weight.dim() == 1) {
          note(1, weight.size(0));
        }
        inputs_.emplace(node->output(), i);
        break;
      case Reads::layer_norm:
        for (std::int64_t k = 1; const auto size : std::views::reverse(numbers(node->input(1)))) {
          input.sizes.emplace(-k++, size);
        }
        inputs_.emplace(node->output(), i);
        break;
      case Reads::shape_keeper:
      case Reads::broadcast:
        inputs_.emplace(node->output(), i);
        break;
    }
  }

  // A sum with a parameter has its sizes.
  void broadcast(jit::Node* node) {
    for (std::size_t side = 0; side < 2 && side < node->inputs().size(); ++side) {
      const auto input = inputs_.find(node->input(side));
      if (input == inputs_.end()) {
        continue;
      }
      const auto other = tensor(node->input(1 - side));
      for (std::int64_t k = 1; other.defined() && k <= other.dim(); ++k) {
        if (other.size(-k) > 1) {
          found_.inputs[input->second].sizes.emplace(-k, other.size(-k));
        }
      }
      const auto is_tensor = node->input(1 - side)->type()->isSubtypeOf(*c10::TensorType::get());
      if (!is_tensor || other.defined()) {
        inputs_.emplace(node->output(), input->second);
      }
      return;
    }
  }

  void note_table(jit::Node* node) {
    const auto table = tensor(node->input(0));
    const auto input = inputs_.find(node->input(1));
    if (input == inputs_.end() || !table.defined() || table.dim() != 2) {
      return;
    }
    auto& evidence = found_.inputs[input->second];
    evidence.type = torch::kInt64;
    evidence.bound = evidence.bound == 0 ? table.size(0) : std::min(evidence.bound, table.size(0));
  }

  // x.flatten(1), x.view(-1, 784)
  void note_flattened(jit::Node* node, std::size_t i) {
    static const auto kFlatten = c10::Symbol::aten("flatten");
    static const auto kView = c10::Symbol::aten("view");
    static const auto kReshape = c10::Symbol::aten("reshape");
    auto& elements = found_.inputs[i].elements;
    if (node->kind() == kFlatten) {
      for (const auto& use : node->output()->uses()) {
        const bool is_linear = use.user->kind() == c10::aten::linear && use.offset == 0;
        const auto weight = is_linear ? tensor(use.user->input(1)) : torch::Tensor();
        if (weight.defined()) {
          elements = weight.size(-1);
          found_.inputs[i].type = weight.scalar_type();
        }
      }
    } else if (node->kind() == kView || node->kind() == kReshape) {
      std::int64_t product = 1;
      for (const auto size : numbers(node->input(1))) {
        product *= size > 0 && product * size < kMostSize * kMostSize ? size : 1;
      }
      elements = product > 1 ? std::optional(product) : elements;
    }
  }

  // Of a list, those that are constants.
  static std::vector<std::int64_t> numbers(jit::Value* list) {
    if (const auto constant = jit::toIValue(list); constant && constant->isIntList()) {
      return constant->toIntVector();
    }
    std::vector<std::int64_t> found;
    if (list->node()->kind() == c10::prim::ListConstruct) {
      for (auto* input : list->node()->inputs()) {
        const auto constant = jit::toIValue(input);
        found.push_back(constant && constant->isInt() ? constant->toInt() : -1);
      }
    }
    return found;
  }

  // What sizes are compared with.
  void note_numbers(jit::Node* node) {
    if (node->kind() != c10::aten::eq && node->kind() != c10::aten::ne) {
      return;
    }
    for (auto* input : node->inputs()) {
      const auto constant = jit::toIValue(input);
      if (constant && constant->isInt()) {
        found_.sizes.insert(constant->toInt());
      }
      const auto list = numbers(input);
      found_.sizes.insert(list.begin(), list.end());
    }
  }

  // Patches of an image are as large as their stride; a table of positions has a row for each, and
  // one more for a class token.
  void note_stride(jit::Node* node) {
    const auto weight = tensor(node->input(1));
    if (!weight.defined() || weight.dim() != 4 || inputs_.find(node->input(0)) == inputs_.end()) {
      return;
    }
    const auto side = weight.size(3);
    for (const auto& parameter : module_.parameters(/*recurse=*/true)) {
      const auto dim = parameter.dim();
      if (dim < 2 || dim > 3 || (dim == 3 && parameter.size(0) != 1) ||
          parameter.size(-1) != weight.size(0)) {
        continue;
      }
      for (const auto rows : {parameter.size(-2), parameter.size(-2) - 1}) {
        const auto root = std::llround(std::sqrt(static_cast<double>(rows)));
        if (root > 1 && root * root == rows) {
          found_.sizes.insert(root * side);
        }
      }
    }
  }

  // "groups" of a convolution: its last whole number, but for the flags of _convolution.
  static std::int64_t groups_of(jit::Node* node) {
    std::int64_t groups = 1;
    for (const auto* input : node->inputs()) {
      const auto constant = jit::toIValue(input);
      groups = constant && constant->isInt() ? constant->toInt() : groups;
    }
    return std::clamp<std::int64_t>(groups, 1, 1 << 20);
  }

  // Of the model, as the code reads it.
  std::optional<c10::IValue> attribute(const jit::Value* value) const {
    if (value == graph_->inputs().at(0)) {
      return c10::IValue(module_._ivalue());
    }
    const auto* node = value->node();
    if (node->kind() != c10::prim::GetAttr) {
      return jit::toIValue(value);
    }
    const auto owner = attribute(node->input(0));
    return owner && owner->isObject() &&
                   owner->toObjectRef().type()->findAttributeSlot(node->s(c10::attr::name))
               ? std::optional(owner->toObjectRef().getAttr(node->s(c10::attr::name)))
               : std::nullopt;
  }

  torch::Tensor tensor(const jit::Value* value) const {
    static const auto kT = c10::Symbol::aten("t");
    if (value->node()->kind() == kT) {
      const auto matrix = tensor(value->node()->input(0));
      return matrix.defined() && matrix.dim() <= 2 ? matrix.t() : torch::Tensor();
    }
    const auto found = attribute(value);
    return found && found->isTensor() ? found->toTensor() : torch::Tensor();
  }

  const jit::Module& module_;
  std::shared_ptr<jit::Graph> graph_;
  CodeEvidence found_;
  std::unordered_map<const jit::Value*, std::size_t> inputs_;  // values of an input's shape
  std::map<std::pair<const jit::Value*, std::string>, std::size_t> parts_;  // of dicts and the like
};

}  // namespace

CodeEvidence input_evidence(const jit::Module& module, const InputLayout& layout) {
  return Search(module, layout).run();
}

}  // namespace actswap
