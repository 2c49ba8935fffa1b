// The part of LabelledRun that follows numbers: sizes of tensors, and what the code does with them.
#include <actswap/prune/labelled_run.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace actswap {

namespace {

// Whether a count of this dimension counts units.
bool counts_units(const Count& count, const Labels& labels) {
  if (!count.follows || !count.array.defined()) {
    return false;
  }
  const auto entries = count.array.flatten();
  for (std::int64_t i = 0; i < entries.numel(); ++i) {
    if (!labels.is_frozen(entries[i].item<Label>())) {
      return true;
    }
  }
  return false;
}

// Whether the labels of a dimension are those of its first entries, over and over.
bool repeats(const at::Tensor& array, std::int64_t dim, std::int64_t period) {
  const auto size = array.size(dim);
  if (period < 1 || size % period != 0) {
    return false;
  }
  const auto first = array.narrow(dim, 0, period);
  for (std::int64_t begin = period; begin < size; begin += period) {
    if (!array.narrow(dim, begin, period).equal(first)) {
      return false;
    }
  }
  return true;
}

}  // namespace

void LabelledRun::count(const OperatorCall& call, std::size_t input, std::int64_t element,
                        const LabelledShape& shape, std::int64_t dim, std::int64_t begin,
                        std::int64_t end, std::int64_t stride) {
  const auto* cell = cell_of(*frame_, call.node, input, element);
  const bool is_list = cell != nullptr && cell->is_sized && cell->value.isIntList();
  const bool is_shape = is_list && cell->sizes_of != nullptr && element < cell->sizes_of->dim();
  const bool follows = cell != nullptr && cell->is_dynamic && !is_shape;
  Count found{
      .is_in_computed_list = is_list,
      .follows = follows,
      .dim = dim,
      .begin = begin,
      .end = end,
      .stride = stride,
      .is_computed = cell != nullptr && cell->is_sized && (!follows || !cell->channels.empty())};
  if (follows) {
    found.number = whole_number(cell->value);
    found.factor = cell->factor;
  }
  counted_.insert(input);
  for (const auto& array : shape.arrays) {
    if (cell != nullptr && cell->is_chosen && depends_on(array, dim)) {
      algebra_.freeze(array, "values or a branch of the code say how many there are");
    }
  }
  if (cell != nullptr && cell->is_given) {
    for (const auto& array : shape.arrays) {
      algebra_.freeze(array, "an argument or an attribute that changes says how many there are");
    }
  }
  if (!is_list) {
    found.place = place_of(*frame_, call.node, input, element);
    found.functions = functions_around(*frame_);
  }
  if (is_shape || (cell != nullptr && cell->dim >= 0)) {
    found.size_of = cell->sizes_of;
    found.size_dim = is_shape ? element : cell->dim;
  }
  for (const auto& array : shape.arrays) {
    if (!depends_on(array, dim)) {
      continue;
    }
    found.array = array;
    counts_.push_back(found);
  }
  if (!found.array.defined()) {
    counts_.push_back(found);  // of entries that stay
  }
}

void LabelledRun::count_size(const OperatorCall& call, std::size_t input, std::int64_t element,
                             const at::Tensor& output, std::int64_t dim) {
  count(call, input, element, shape_of(output), dim, 0, output.size(dim));
}

bool LabelledRun::depends_on_inputs(const OperatorCall& call, std::size_t input,
                                    std::int64_t element) const {
  const auto* cell = cell_of(*frame_, call.node, input, element);
  return cell != nullptr && cell->is_dynamic;
}

bool LabelledRun::counts_by_inputs() const {
  return std::any_of(counts_.begin(), counts_.end(),
                     [&](const Count& count) { return counts_units(count, labels_); });
}

std::map<Place, std::set<std::int64_t>> LabelledRun::numbers_by_inputs() const {
  std::map<Place, std::set<std::int64_t>> numbers;
  for (const auto& count : counts_) {
    if (count.place && count.number) {
      numbers[*count.place].insert(*count.number);
    }
  }
  return numbers;
}

void LabelledRun::settle_counts(const std::map<Place, std::set<std::int64_t>>& on_others) {
  for (auto& count : counts_) {
    if (!counts_units(count, labels_) || count.is_computed) {
      continue;
    }
    const auto others = count.place ? on_others.find(*count.place) : on_others.end();
    if (count.factor != nullptr && count.begin == 0 && count.stride == 1 &&
        count.end == count.array.size(count.dim) &&
        repeats(count.array, count.dim, count.factor->number)) {
      count.place = count.factor->place;
      count.functions = count.factor->functions;
      count.end = count.factor->number;
      count.follows = false;
    } else if (others != on_others.end() && count.number &&
               others->second == std::set{*count.number}) {
      count.follows = false;
    }
  }
}

// Which numbers are sizes of a tensor with labels: x.size(1), x.shape[1], b, c, h, w = x.shape.
void LabelledRun::note_sizes(Frame& frame, const OperatorCall& call) {
  const auto* node = call.node;
  const auto name = call.name();
  const auto give = [&](std::size_t output, std::shared_ptr<const LabelledShape> shape,
                        std::int64_t dim) {
    auto& cell = frame.cells.at(node->output(output));
    cell.sizes_of = std::move(shape);
    cell.dim = dim;
    cell.channels.clear();
    for (std::int64_t d = 0; d < cell.sizes_of->dim(); ++d) {
      for (const auto& array : cell.sizes_of->arrays) {
        if ((dim < 0 || d == dim) && depends_on(array, d)) {
          cell.channels.emplace_back(cell.sizes_of, d);
          cell.is_dynamic = cell.is_dynamic && !(dim >= 0 && counts_labels(array, d));
        }
      }
    }
  };
  if (name == "size" && !call.shape().arrays.empty()) {
    const auto shape = std::make_shared<const LabelledShape>(call.shape());
    give(0, shape, call.inputs.size() > 1 ? shape->wrap(call.inputs[1].toInt()) : -1);
    return;
  }
  const auto of_list =
      node->inputs().empty() ? frame.cells.end() : frame.cells.find(node->input(0));
  if (of_list == frame.cells.end() || of_list->second.sizes_of == nullptr ||
      !of_list->second.value.isIntList()) {
    return;
  }
  const auto shape = of_list->second.sizes_of;
  if (name == "slice") {
    auto& channels = frame.cells.at(node->output(0)).channels;
    const auto bound = [&](std::size_t input, std::int64_t otherwise) {
      const auto& given = call.inputs.at(input);
      return std::clamp<std::int64_t>(shape->wrap(given.isNone() ? otherwise : given.toInt()), 0,
                                      shape->dim());
    };
    std::erase_if(channels,
                  [&, begin = bound(1, 0), end = bound(2, shape->dim())](const auto& size) {
                    return size.second < begin || size.second >= end;
                  });
  }
  if (name == "__getitem__") {
    give(0, shape, shape->wrap(call.inputs[1].toInt()));
  }
  for (std::size_t i = 0; name == "ListUnpack" && i < node->outputs().size(); ++i) {
    give(i, shape, static_cast<std::int64_t>(i));
  }
}

// Which numbers are products of one that depends on the inputs and one that does not: batch *
// heads.
void LabelledRun::note_factor(Frame& frame, const OperatorCall& call) {
  const auto* node = call.node;
  if (node->outputs().size() != 1 || !whole_number(call.outputs[0])) {
    return;
  }
  auto& factor = frame.cells.at(node->output()).factor;
  if (call.inputs.size() == 1 && whole_number(call.inputs[0])) {  // another type
    factor = frame.cells.at(node->input(0)).factor;
  }
  if (call.name() != "mul" || !whole_number(call.inputs[0]) || !whole_number(call.inputs[1])) {
    return;
  }
  for (const std::size_t i : {0U, 1U}) {
    const auto& number = frame.cells.at(node->input(i));
    if (!number.is_dynamic && frame.cells.at(node->input(1 - i)).is_dynamic) {
      factor = std::make_shared<const Factor>(Factor{.place = place_of(frame, node, i, -1),
                                                     .functions = functions_around(frame),
                                                     .number = *whole_number(number.value)});
    }
  }
}

// Compares a size with the number that it must be, as norms and attention check, or two equal
// sizes. @return whether the result stays the same without some of the channels
bool LabelledRun::count_comparison(const Frame& frame, const OperatorCall& call) {
  static const std::set<std::string> kNames = {"eq", "ne", "lt", "le", "gt", "ge"};
  if (!kNames.contains(call.name()) || !call.inputs.at(0).isInt() || !call.inputs.at(1).isInt() ||
      call.inputs[0].toInt() != call.inputs[1].toInt()) {
    return false;
  }
  bool is_counted = false;
  for (const std::size_t i : {0U, 1U}) {
    const auto& size = frame.cells.at(call.node->input(i));
    const auto& number = frame.cells.at(call.node->input(1 - i));
    if (size.sizes_of != nullptr && size.dim >= 0 && !number.is_sized) {
      count(call, 1 - i, -1, *size.sizes_of, size.dim, 0, size.value.toInt());
      is_counted = true;
    }
  }
  return is_counted ||
         tie_equal_sizes(frame.cells.at(call.node->input(0)), frame.cells.at(call.node->input(1)));
}

// So that they stay the same.
bool LabelledRun::tie_equal_sizes(const Cell& a, const Cell& b) {
  const auto channels_of = [](const Cell& cell) {
    at::Tensor found;
    for (std::size_t i = 0; cell.dim >= 0 && i < cell.sizes_of->arrays.size(); ++i) {
      const auto& array = cell.sizes_of->arrays[i];
      if (depends_only_on(array, cell.dim)) {
        found = array.flatten();
      }
    }
    return found;
  };
  const auto first = channels_of(a);
  const auto second = channels_of(b);
  if (!first.defined() || !second.defined()) {
    return false;
  }
  algebra_.tie(first, second, "its number is compared with another one");
  return true;
}

// x * x.size(1) ** -0.5 changes without some of the channels. The bounds of a slice enter nothing.
void LabelledRun::freeze_sizes_in_values(const Frame& frame, const OperatorCall& call) {
  const auto gives_tensor = [](const c10::IValue& output) {
    return output.isTensor() || output.isTensorList();
  };
  if (call.node->maybeSchema() == nullptr || call.name() == "slice" ||
      std::ranges::none_of(call.outputs, gives_tensor)) {
    return;
  }
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    if (!counted_.contains(i)) {
      freeze_sizes(frame.cells.at(call.node->input(i)), "how many there are enters values");
    }
  }
}

void LabelledRun::freeze_sizes(const Cell& cell, const std::string& reason) {
  for (const auto& [shape, dim] : cell.channels) {
    algebra_.freeze_along(*shape, dim, reason);
  }
}

}  // namespace actswap
