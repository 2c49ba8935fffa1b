#include <actswap/report/page/steps.h>

#include <algorithm>
#include <array>

namespace actswap::page {

namespace {

struct Step {
  std::string_view name;
  std::string_view value;  // where the record has it
  std::string_view title;
  std::string_view about;
};
constexpr std::array kSteps = {
    Step{"original", "original", "original", "the model before any change"},
    Step{"swap_alone", "swap_alone", "swap", "new functions, old parameters"},
    Step{"calibrated", "calibrated", "calibration", "layers fitted to the original without labels"},
    Step{"pruned", "pruning/after_pruning/value", "pruning",
         "units cut, their readers solved anew"},
    Step{"refitted", "pruning/after_joint_fit/value", "fit", "the smaller layers fitted together"},
    Step{"retargeted", "retargeted", "training", "the exported model"},
    Step{"control", "control", "control", "the original trained on with the same budget"},
};

// "pruning/after_pruning/value", from object to object.
std::optional<double> number_at(const Json& record, std::string_view path) {
  const Json* found = &record;
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    found = &field(*found, {path.substr(begin, end - begin)});
    begin = end + 1;
  }
  return number(*found);
}

}  // namespace

std::vector<MeasuredStep> measured_steps(const Json& record) {
  std::vector<MeasuredStep> found;
  for (const auto& step : kSteps) {
    const auto value = number_at(record, step.value);
    if (!value) {
      continue;
    }
    // Where nothing was trained, what is exported is no training.
    const bool is_training = step.name != "retargeted" || is_true(record, {"trained"});
    found.push_back({.name = std::string(step.name),
                     .title = std::string(is_training ? step.title : "exported"),
                     .about = std::string(step.about),
                     .value = *value,
                     .mean_loss = number(record, {"evaluations", step.name, "mean_loss"})});
  }
  return found;
}

}  // namespace actswap::page
