#include <actswap/base/error.h>
#include <actswap/calibrate/layer_rows.h>
#include <actswap/prune/layer_sums.h>
#include <actswap/prune/survey.h>
#include <actswap/prune/unit_readers.h>

#include <torch/script.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <ranges>
#include <set>
#include <utility>

namespace actswap {

namespace {

bool pads(const Layer& layer) {
  const auto& padding = layer.geometry.padding;
  return layer.is_convolution &&
         (layer.geometry.is_transposed || padding.empty() ||
          std::ranges::any_of(padding, [](std::int64_t size) { return size != 0; }));
}

class Survey {
 public:
  Survey(const Units& units, Program& program, const Neighbourhood& neighbours, BothModels& models,
         const std::vector<std::int64_t>& least, const SurveyLimits& limits)
      : units_(units),
        program_(program),
        layers_(neighbours.layers),
        models_(models),
        least_(least),
        limits_(limits),
        found_(units.groups.size()),
        gathered_(units.groups.size()) {
    begin_groups();
    choose_exact_ones();
  }

  std::vector<SurveyedGroup> run(
      const std::function<void(std::size_t done, std::size_t count)>& on_layer) {
    const auto order = in_order_of_program();
    plan(order);
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (on_layer) {
        on_layer(i, order.size());
      }
      models_.begin_step(i);
      read(order[i]);
    }
    models_.end_steps();
    if (on_layer) {
      on_layer(order.size(), order.size());
    }
    return std::move(found_);
  }

 private:
  // What has been gathered of a group so far.
  struct Gathered {
    std::vector<UnitReader> readers = {};
    torch::Tensor prices;  // of the cheaper score: one for each unit
    std::vector<bool> is_dead = {};
    std::vector<bool> is_constant = {};
    std::size_t missing = 0;  // readers that have not run yet
  };

  void begin_groups() {
    auto readers = find_readers(units_, program_.module(), layers_);
    for (std::size_t g = 0; g < units_.groups.size(); ++g) {
      const auto count = units_.groups[g].count;
      if (least_[g] >= count) {
        found_[g].loss = {0.0};
        continue;
      }
      found_[g].obstacle = readers.obstacles[g];
      auto& gathered = gathered_[g];
      gathered.missing = readers.counts[g];
      gathered.prices = torch::zeros({count}, torch::kDouble);
      gathered.is_dead.assign(static_cast<std::size_t>(count), true);
      gathered.is_constant.assign(static_cast<std::size_t>(count), true);
    }
    for (auto& [layer, readings] : readers.of_layer) {
      std::erase_if(readings, [&](const UnitReading& reading) {
        return least_[reading.group] >= units_.groups[reading.group].count;
      });
      if (!readings.empty()) {
        readings_.emplace(layer, std::move(readings));
      }
    }
  }

  std::int64_t matrices_of(std::size_t g) const {
    std::int64_t bytes = 0;
    for (const auto& [layer, readings] : readings_) {
      for (const auto& reading : readings) {
        if (reading.group == g) {
          bytes += Elimination::bytes_for(features_of(layers_[layer])) / 3 *
                   layers_[layer].geometry.groups;
        }
      }
    }
    return bytes;
  }

  // Groups whose readers are narrow enough, as many as fit into the memory.
  void choose_exact_ones() {
    std::vector<bool> is_narrow(found_.size(), true);
    for (const auto& [layer, readings] : readings_) {
      for (const auto& reading : readings) {
        const auto features = features_of(layers_[layer]);
        is_narrow[reading.group] = is_narrow[reading.group] && features <= limits_.max_features &&
                                   Elimination::bytes_for(features) <= limits_.memory;
      }
    }
    std::int64_t waiting = 0;  // for their last reader, at worst all at once
    for (std::size_t g = 0; g < found_.size(); ++g) {
      const auto bytes = matrices_of(g);
      const bool has_several = gathered_[g].missing > 1;
      found_[g].is_exact = is_narrow[g] && waiting + bytes <= limits_.memory;
      if (found_[g].is_exact && has_several) {
        waiting += bytes;
      }
    }
    free_ = std::max<std::int64_t>(0, limits_.memory - waiting);
  }

  std::vector<std::size_t> in_order_of_program() const {
    std::vector<std::size_t> order;
    order.reserve(readings_.size());
    for (const auto& [layer, readings] : readings_) {
      order.push_back(layer);
    }
    std::ranges::sort(order, {}, [&](std::size_t layer) {
      return program_.position(layers_[layer].compared->node());
    });
    return order;
  }

  // No layer may need what an earlier one has settled.
  void plan(const std::vector<std::size_t>& order) {
    const auto end = program_.position(program_.graph().return_node());
    BothModels::Settled settled = {end, end};
    std::vector<BothModels::Settled> steps(order.size());
    for (std::size_t i = order.size(); i-- > 0;) {
      const auto& layer = layers_[order[i]];
      settled.fitted = std::min(settled.fitted, program_.position(layer.node));
      settled.original = std::min(settled.original, program_.position(layer.compared->node()));
      steps[i] = settled;
    }
    models_.plan(steps, limits_.kept);
  }

  void read(std::size_t number) {
    const auto& layer = layers_[number];
    const auto& readings = readings_.at(number);
    const bool is_exact = std::ranges::any_of(
        readings, [&](const UnitReading& reading) { return found_[reading.group].is_exact; });
    const auto sums = layer_sums(models_, layer, !is_exact);
    for (const auto& reading : readings) {
      if (!sums.squares.defined()) {
        found_[reading.group].obstacle = layer.name + " reads its units without a batch dimension";
      } else {
        take(reading, layer, sums);
      }
      if (--gathered_[reading.group].missing == 0) {
        finish(reading.group);
      }
    }
  }

  void take(const UnitReading& reading, const Layer& layer, const LayerSums& sums) {
    const auto& group = units_.groups[reading.group];
    const auto& slice = group.slices[reading.slice];
    auto& gathered = gathered_[reading.group];
    note_constants(reading, layer, sums);
    const auto taps = torch::arange(taps_of(layer));
    UnitReader reader;
    std::vector<torch::Tensor> features;
    for (std::int64_t unit = 0; unit < group.count; ++unit) {
      const auto& entries = slice.entries[static_cast<std::size_t>(unit)];
      if (!entries.empty()) {
        reader.units.push_back(unit);
        features.push_back(
            (torch::tensor(entries, torch::kLong).unsqueeze(1) * taps.numel() + taps).flatten());
      }
    }
    reader.features = torch::stack(features);
    reader.whole = sums.whole;
    if (!found_[reading.group].is_exact) {
      const auto price = (sums.squares * sums.weights).sum(0) / sums.whole;
      gathered.prices.index_add_(0, torch::tensor(reader.units, torch::kLong),
                                 price.index({reader.features}).sum(1));
      return;
    }
    for (std::int64_t i = 0; i < layer.geometry.groups; ++i) {
      auto of_group = reader;
      of_group.xx = sums.xx[i].clone();
      of_group.xy = sums.xy[i].clone();
      gathered.readers.push_back(std::move(of_group));
    }
  }

  // A convolution that pads with zeros sees another number at its border.
  void note_constants(const UnitReading& reading, const Layer& layer, const LayerSums& sums) {
    const auto& group = units_.groups[reading.group];
    const auto& slice = group.slices[reading.slice];
    auto& gathered = gathered_[reading.group];
    const bool takes_constants = layer.bias.defined() && !pads(layer) && layer.geometry.groups == 1;
    const auto in_group = layer.weight.size(1);
    ConstantUnits constants = {
        .slice = reading.slice, .bias = layer.bias, .units = {}, .values = {}};
    for (std::int64_t unit = 0; unit < group.count; ++unit) {
      const auto i = static_cast<std::size_t>(unit);
      const auto entries = torch::tensor(slice.entries[i], torch::kLong);
      const auto channels =
          (torch::arange(layer.geometry.groups).unsqueeze(1) * in_group + entries);
      const auto least = sums.least.index({channels});
      const auto most = sums.most.index({channels});
      const bool is_fixed = torch::equal(least, most);
      const bool is_zero = is_fixed && !least.any().item<bool>();
      gathered.is_dead[i] = gathered.is_dead[i] && is_zero;
      gathered.is_constant[i] =
          gathered.is_constant[i] && (is_zero || (is_fixed && takes_constants));
      if (is_fixed && !is_zero && takes_constants) {
        constants.units.push_back(unit);
        constants.values.push_back(least[0]);
      }
    }
    found_[reading.group].constants.push_back(std::move(constants));
  }

  void finish(std::size_t g) {
    auto& found = found_[g];
    auto gathered = std::exchange(gathered_[g], {});
    if (!found.obstacle.empty()) {
      found.constants.clear();
      return;
    }
    std::vector<std::int64_t> first;
    for (std::size_t i = 0; i < gathered.is_dead.size(); ++i) {
      if (gathered.is_constant[i]) {
        first.push_back(static_cast<std::int64_t>(i));
        ++(gathered.is_dead[i] ? found.dead : found.constant);
      }
    }
    if (found.is_exact) {
      eliminate(found, std::move(gathered.readers), first, g);
    } else {
      sort_by_price(found, gathered, first);
    }
  }

  void eliminate(SurveyedGroup& found, std::vector<UnitReader> readers,
                 const std::vector<std::int64_t>& first, std::size_t g) {
    std::optional<Elimination> elimination;
    try {
      elimination.emplace(units_.groups[g].count, std::move(readers));
    } catch (const UsageError& error) {
      found.obstacle = error.what();
      return;
    }
    auto curve = elimination->eliminate(least_[g], first);
    found.order = std::move(curve.order);
    found.loss = std::move(curve.loss);
    if (const auto bytes = matrices_of(g); bytes <= free_) {
      free_ -= bytes;
      found.elimination = std::move(elimination);
    }
  }

  void sort_by_price(SurveyedGroup& found, const Gathered& gathered,
                     const std::vector<std::int64_t>& first) {
    const std::set<std::int64_t> is_first(first.begin(), first.end());
    const auto* price = gathered.prices.const_data_ptr<double>();
    found.order.resize(gathered.is_dead.size());
    std::iota(found.order.begin(), found.order.end(), 0);
    std::ranges::stable_sort(found.order, {}, [&](std::int64_t unit) {
      return is_first.contains(unit) ? -1.0 : price[unit];
    });
    found.loss.push_back(0.0);
    for (const auto unit : found.order) {
      found.loss.push_back(found.loss.back() + (is_first.contains(unit) ? 0.0 : price[unit]));
    }
  }

  const Units& units_;
  Program& program_;
  const std::vector<Layer>& layers_;
  BothModels& models_;
  const std::vector<std::int64_t>& least_;
  SurveyLimits limits_;
  std::map<std::size_t, std::vector<UnitReading>> readings_;  // by layer
  std::vector<SurveyedGroup> found_;
  std::vector<Gathered> gathered_;
  std::int64_t free_ = 0;  // bytes for matrices that are kept
};

}  // namespace

std::vector<SurveyedGroup> survey(
    const Units& units, Program& program, const Neighbourhood& neighbours, BothModels& models,
    const std::vector<std::int64_t>& least, const SurveyLimits& limits,
    const std::function<void(std::size_t done, std::size_t count)>& on_layer) {
  return Survey(units, program, neighbours, models, least, limits).run(on_layer);
}

}  // namespace actswap
