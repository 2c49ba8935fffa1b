#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/calibrate/difference.h>
#include <actswap/graph/model.h>
#include <actswap/train/losses.h>
#include <actswap/train/signals.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

namespace actswap {

namespace {

using torch::Tensor;

struct Row {
  Signal signal;
  const char* name;
  bool needs_target;
  bool needs_original;
  Tensor (*value)(const LossInputs&, const LossOptions&);
};

void expect_as_many(const LossInputs& inputs) {
  if (inputs.outputs.size() != inputs.original_outputs.size()) {
    throw UsageError("Expected the model to give as many tensors as the original (" +
                     std::to_string(inputs.original_outputs.size()) + "), but got " +
                     std::to_string(inputs.outputs.size()));
  }
}

// The sum over all pairs of floating-point outputs.
template <typename Compare>
Tensor over_outputs(const LossInputs& inputs, Compare compare) {
  const auto& ours = inputs.outputs;
  const auto& theirs = inputs.original_outputs;
  expect_as_many(inputs);
  Tensor sum;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (!ours[i].is_floating_point()) {
      continue;  // an index or a mask: nothing that a gradient could move
    }
    const auto loss = compare(ours[i], theirs[i]);
    sum = sum.defined() ? sum + loss : loss;
  }
  if (!sum.defined()) {
    throw UsageError("Expected the model to give a floating-point tensor, but it gives none");
  }
  return sum;
}

Tensor target_of(const LossInputs& inputs) {
  return inputs.targets.empty() ? Tensor() : inputs.targets.front();
}

// Of the kinds that can be learnt, each as much as the others.
Tensor value_of_outputs(const LossInputs& inputs, const LossOptions& options) {
  if (options.outputs.size() != inputs.original_outputs.size()) {
    throw UsageError(
        "Expected the forms of as many outputs as the original gives (" +
        std::to_string(inputs.original_outputs.size()) +
        ") for the loss outputs (TrainOptions::outputs, by find_output_forms), but got " +
        std::to_string(options.outputs.size()));
  }
  expect_as_many(inputs);
  Tensor sum;
  double count = 0.0;
  for (std::size_t i = 0; i < options.outputs.size(); ++i) {
    const auto& form = options.outputs[i];
    if (form.kind == OutputKind::ignored) {
      continue;
    }
    const auto distance =
        output_distance(inputs.outputs[i], inputs.original_outputs[i], form, options.temperature);
    sum = sum.defined() ? sum + distance : distance;
    ++count;
  }
  if (!sum.defined()) {
    throw UsageError(
        "Expected the model to give floating-point values that vary with its inputs, "
        "for the loss outputs, but it gives none");
  }
  return sum / count;
}

Tensor value_of_labels(const LossInputs& inputs, const LossOptions& options) {
  const auto& output = main_output(inputs.outputs);
  const auto kind = options.outputs.empty() ? OutputKind::logits : options.outputs.front().kind;
  return cross_entropy(logits_of(output, kind), target_of(inputs), options.class_dim);
}

Tensor value_of_sites(const LossInputs& inputs, const LossOptions&) {
  return site_loss(inputs.sites, inputs.original_sites, inputs.together);
}

constexpr std::array<Row, 9> kRows = {{
    {Signal::cross_entropy, "cross-entropy", true, false, value_of_labels},
    {Signal::mse, "mse", true, false,
     [](const LossInputs& in, const LossOptions&) {
       return mean_squared_error(main_output(in.outputs), target_of(in));
     }},
    {Signal::outputs, "outputs", false, true, value_of_outputs},
    {Signal::distil, "distil", false, true,
     [](const LossInputs& in, const LossOptions& options) {
       return over_outputs(in, [&](const Tensor& ours, const Tensor& theirs) {
         return distillation(ours, theirs, options.temperature, options.class_dim);
       });
     }},
    {Signal::distil_mse, "distil-mse", false, true,
     [](const LossInputs& in, const LossOptions&) { return over_outputs(in, mean_squared_error); }},
    {Signal::distil_cosine, "distil-cosine", false, true,
     [](const LossInputs& in, const LossOptions&) { return over_outputs(in, cosine_distance); }},
    {Signal::sites, "sites", false, true, value_of_sites},
    {Signal::layers, "layers", false, true,
     [](const LossInputs& in, const LossOptions&) { return in.layer_error; }},
    {Signal::module, "module", false, false, nullptr},
}};

const Row& row_of(Signal signal) {
  for (const auto& row : kRows) {
    if (row.signal == signal) {
      return row;
    }
  }
  throw UsageError("Expected a known signal, but got number " +
                   std::to_string(static_cast<int>(signal)));
}

std::string known_names() {
  std::string names;
  for (const auto& row : kRows) {
    names += (names.empty() ? "" : row.signal == Signal::module ? " or " : ", ");
    names += row.name;
  }
  return names + ":PATH";
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

double parse_weight(std::string_view text) {
  double weight = 0.0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, weight);
  if (error != std::errc() || stop != end || text.empty()) {
    throw UsageError("Expected a number before the * in the loss, but got '" + std::string(text) +
                     "'");
  }
  return weight;
}

Term parse_term(std::string_view text) {
  constexpr std::string_view kModule = "module:";
  Term term;
  auto name = trimmed(text);
  const auto path = name.find(kModule);
  if (const auto star = name.find('*'); star < path) {
    term.weight = parse_weight(trimmed(name.substr(0, star)));
    name = trimmed(name.substr(star + 1));
  }
  if (name.starts_with(kModule)) {
    term.signal = Signal::module;
    term.path = name.substr(kModule.size());
    return term;
  }
  for (const auto& row : kRows) {
    if (name == row.name && row.signal != Signal::module) {
      term.signal = row.signal;
      return term;
    }
  }
  throw UsageError("Unknown loss '" + std::string(name) + "'; expected " + known_names() +
                   ", or a sum like distil+0.5*cross-entropy");
}

Tensor value_of_module(torch::jit::Module module, const LossInputs& inputs,
                       const std::string& path) {
  std::vector<c10::IValue> arguments(inputs.outputs.begin(), inputs.outputs.end());
  arguments.insert(arguments.end(), inputs.targets.begin(), inputs.targets.end());
  const auto fail = [&](const std::string& what) {
    throw UsageError("The loss module '" + path + "', called with the model's outputs (" +
                     std::to_string(inputs.outputs.size()) + ") and the targets (" +
                     std::to_string(inputs.targets.size()) + "), " + what);
  };
  c10::IValue value;
  try {
    value = module.forward(std::move(arguments));
  } catch (const c10::Error& error) {
    fail("fails: " + libtorch_cause(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    fail("fails: " + libtorch_cause(error.what()));
  }
  if (!value.isTensor() || value.toTensor().numel() != 1 || !value.toTensor().is_floating_point()) {
    fail("was expected to give a tensor with one floating-point number, but gives " +
         (value.isTensor() ? describe(value.toTensor()) : value.tagKind()));
  }
  return value.toTensor().reshape({});
}

}  // namespace

bool Loss::has(Signal signal) const {
  return std::any_of(terms.begin(), terms.end(),
                     [&](const Term& term) { return term.signal == signal; });
}

bool Loss::needs_target() const {
  return std::any_of(terms.begin(), terms.end(),
                     [](const Term& term) { return row_of(term.signal).needs_target; });
}

bool Loss::needs_original() const {
  return std::any_of(terms.begin(), terms.end(),
                     [](const Term& term) { return row_of(term.signal).needs_original; });
}

Loss Loss::without(Signal signal) const {
  auto others = terms;
  std::erase_if(others, [&](const Term& term) { return term.signal == signal; });
  return others.empty() ? Loss(Signal::outputs) : Loss(std::move(others));
}

void Loss::validate() const {
  if (terms.empty()) {
    throw UsageError("Expected a loss with at least one signal, but got none");
  }
  for (const auto& term : terms) {
    if (!std::isfinite(term.weight) || !(term.weight > 0.0)) {
      std::ostringstream text;
      text << "Expected a weight above 0 for " << row_of(term.signal).name
           << " in the loss, but got " << term.weight;
      throw UsageError(text.str());
    }
    if (term.signal == Signal::module && term.path.empty()) {
      throw UsageError("Expected a file after module: in the loss, but got none");
    }
  }
}

Loss parse_loss(std::string_view text) {
  std::vector<Term> terms;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('+', begin), text.size());
    terms.push_back(parse_term(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  Loss loss(std::move(terms));
  loss.validate();
  return loss;
}

std::string to_string(const Loss& loss) {
  std::ostringstream text;
  text.precision(std::numeric_limits<double>::digits10);
  for (const auto& term : loss.terms) {
    text << (text.tellp() > 0 ? "+" : "");
    if (term.weight != 1.0) {
      text << term.weight << "*";
    }
    text << row_of(term.signal).name << (term.signal == Signal::module ? ":" + term.path : "");
  }
  return text.str();
}

LossFunction::LossFunction(const Loss& loss, const LossOptions& options)
    : loss_(loss), options_(options) {
  loss_.validate();
  for (const auto& term : loss_.terms) {
    modules_.emplace_back();
    if (term.signal == Signal::module) {
      modules_.back() = load(term.path).module;
    }
  }
}

namespace {

// Losses are means of squares and of logarithms: half has too few digits for them.
LossInputs widened(LossInputs inputs) {
  for (auto* values :
       {&inputs.outputs, &inputs.original_outputs, &inputs.sites, &inputs.original_sites}) {
    for (auto& value : *values) {
      value = actswap::widened(value);
    }
  }
  return inputs;
}

}  // namespace

Tensor LossFunction::operator()(const LossInputs& inputs) const {
  if (inputs.targets.size() > 1 && loss_.needs_target() && !loss_.has(Signal::module)) {
    throw UsageError("Expected one target for the loss " + to_string(loss_) +
                     ", but the data has " + std::to_string(inputs.targets.size()) +
                     "; name it with --target");
  }
  const auto wide = widened(inputs);  // but for modules, which may ask for the type
  Tensor sum;
  for (std::size_t i = 0; i < loss_.terms.size(); ++i) {
    const auto& term = loss_.terms[i];
    auto value = modules_[i] ? value_of_module(*modules_[i], inputs, term.path)
                             : row_of(term.signal).value(wide, options_);
    value = term.weight == 1.0 ? value : value * term.weight;
    sum = sum.defined() ? sum + value : value;
  }
  return sum;
}

}  // namespace actswap
