#include <actswap/base/error.h>
#include <actswap/graph/insert.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/tensor_times.h>
#include <actswap/prune/choice.h>
#include <actswap/prune/size_model.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Counts = std::vector<std::int64_t>;

// Trials of a latency: the share is then known to a hundredth.
constexpr int kTrials = 7;
constexpr std::int64_t kRounds = 15;
constexpr int kRepetitions = 4;  // of these rounds, where the machine is too busy

// Share of the budget: multiples may be too coarse for a small model.
constexpr double kNear = 0.95;

std::string rounded(double value) {
  auto text = std::to_string(std::round(value * 1000.0) / 1000.0);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

class Chooser {
 public:
  Chooser(const jit::Module& module, const Units& units, std::vector<SurveyedGroup>& surveyed,
          const PruneOptions& options)
      : module_(module), units_(units), surveyed_(surveyed), options_(options) {
    for (std::size_t g = 0; g < units.groups.size(); ++g) {
      const auto& found = surveyed[g];
      const auto count = units.groups[g].count;
      is_free_.push_back(found.obstacle.empty());
      all_.push_back(count);
      curves_.push_back({.units = count,
                         .least = is_free_.back() ? 1 : count,
                         .dead = found.dead + found.constant,
                         .loss = found.loss});
    }
    if (std::ranges::none_of(is_free_, [](bool free) { return free; })) {
      throw UsageError("There is nothing to prune: " + reasons());
    }
    sizes_ = size_model(module, units, is_free_);
  }

  Choice run() {
    const auto counts = counts_within_budget();
    Choice choice = {.keep = keep_all(units_),
                     .loss = std::vector<double>(counts.size(), 0.0),
                     .exchanges = Counts(counts.size(), 0)};
    for (std::size_t g = 0; g < counts.size(); ++g) {
      if (counts[g] < all_[g]) {
        choose(g, counts[g], choice);
      }
    }
    return choice;
  }

 private:
  std::string reasons() const {
    std::string text;
    const auto add = [&](const std::string& name, const std::string& reason) {
      text += "\n  " + name + ": " + reason;
    };
    for (std::size_t g = 0; g < units_.groups.size(); ++g) {
      add(units_.groups[g].name, surveyed_[g].obstacle);
    }
    for (const auto& rest : units_.rest) {
      add(rest.name, rest.reason);
    }
    return text.empty() ? "the model has no layer whose units can be followed" : text;
  }

  Counts by(const std::function<double(const Counts&)>& size, double target) const {
    const auto counts = choose_counts(curves_, size, target, options_.round);
    const bool is_near = size(counts) <= target && size(counts) >= kNear * target;
    return options_.round > 0 || is_near ? counts : choose_counts(curves_, size, target, 1);
  }

  Counts by_share(double share, const SizeModel& sizes) const {
    const auto size = [&](const Counts& kept) { return sizes.prunable_multiplications(kept); };
    return by(size, (1.0 - share) * size(all_));
  }

  Counts counts_within_budget() const {
    const double wanted = options_.budget.value;
    switch (options_.budget.kind) {
      case PruneBudget::Kind::multiplications: {
        const auto counts = by_share(wanted, sizes_);
        const double left =
            sizes_.prunable_multiplications(counts) / sizes_.prunable_multiplications(all_);
        if (left > 1.0 - wanted) {
          fail("at most " + rounded(100.0 * (1.0 - left)) + " % can go");
        }
        return counts;
      }
      case PruneBudget::Kind::parameters: {
        const auto size = [this](const Counts& kept) { return sizes_.parameters(kept); };
        if (size(all_) <= wanted) {
          fail("the model has " + rounded(size(all_)) + " already");
        }
        const auto counts = by(size, wanted);
        if (size(counts) > wanted) {
          fail("at least " + rounded(size(counts)) + " stay");
        }
        return counts;
      }
      case PruneBudget::Kind::latency:
        return by_latency(wanted);
    }
    return all_;
  }

  [[noreturn]] void fail(const std::string& found) const {
    throw UsageError("Expected to prune " + to_string(options_.budget) + ", but " + found);
  }

  // By the milliseconds that layers take, or by multiplications if no time was measured in them.
  SizeModel measured_sizes() const {
    const auto model = collapsed(module_);
    auto times = time_model(model, units_, is_free_,
                            tensor_milliseconds(model, options_.latency_inputs, kRounds));
    return times.prunable_multiplications(all_) > 0.0 ? times : sizes_;
  }

  // The queue counts milliseconds saved. But other code takes time too, and the time of layers does
  // not quite follow their size. So trials find the smallest share that meets the latency, to a
  // hundredth.
  Counts by_latency(double wanted) const {
    if (options_.latency_inputs.empty()) {
      throw UsageError("Expected an input to measure the latency on (--input), but there is none");
    }
    const auto sizes = measured_sizes();
    double too_little = 0.0;
    double enough = 1.0;
    auto found = by_share(1.0, sizes);
    if (const double least = latency_of(found); least > wanted) {
      fail("the least that can be reached on the input is " + rounded(least) + "x");
    }
    for (int trial = 0; trial < kTrials; ++trial) {
      const double share = 0.5 * (too_little + enough);
      const auto counts = by_share(share, sizes);
      if (latency_of(counts) <= wanted) {
        enough = share;
        found = counts;
      } else {
        too_little = share;
      }
    }
    return found;
  }

  // Keeps the units that the order takes last: the latency does not depend on which ones stay. Uses
  // the quickest runs, which other programs disturb least.
  double latency_of(const Counts& counts) const {
    auto keep = keep_all(units_);
    for (std::size_t g = 0; g < counts.size(); ++g) {
      for (auto i = counts[g]; i < all_[g]; ++i) {
        keep[g][static_cast<std::size_t>(
            surveyed_[g].order.at(static_cast<std::size_t>(i - counts[g])))] = false;
      }
    }
    const std::vector<jit::Module> models = {collapsed(module_),
                                             collapsed(cut(module_, units_, keep))};
    double before = std::numeric_limits<double>::infinity();
    double after = before;
    bool is_doubtful = true;
    for (int i = 0; is_doubtful && i < kRepetitions; ++i) {
      const auto times = measure_latency(models, options_.latency_inputs, RuntimeSetting::plain,
                                         {.rounds = kRounds});
      before = std::min(before, times[0].minimum_ms);
      after = std::min(after, times[1].minimum_ms);
      is_doubtful = !times[0].doubt.empty() || !times[1].doubt.empty();
    }
    return after / before;
  }

  void choose(std::size_t g, std::int64_t count, Choice& choice) {
    auto& found = surveyed_[g];
    const auto gone = static_cast<std::size_t>(all_[g] - count);
    auto& keep = choice.keep[g];
    choice.loss[g] = found.loss.at(gone);
    for (std::size_t i = 0; i < gone; ++i) {
      keep[static_cast<std::size_t>(found.order.at(i))] = false;
    }
    if (!found.elimination) {
      return;
    }
    Counts kept;
    for (std::size_t unit = 0; unit < keep.size(); ++unit) {
      if (keep[unit]) {
        kept.push_back(static_cast<std::int64_t>(unit));
      }
    }
    found.elimination->go_to(kept);
    choice.exchanges[g] = found.elimination->exchange();
    choice.loss[g] = found.elimination->loss();
    keep.assign(keep.size(), false);
    for (const auto unit : found.elimination->kept()) {
      keep[static_cast<std::size_t>(unit)] = true;
    }
  }

  const jit::Module& module_;
  const Units& units_;
  std::vector<SurveyedGroup>& surveyed_;
  const PruneOptions& options_;
  std::vector<bool> is_free_;
  Counts all_;
  std::vector<GroupCurve> curves_;
  SizeModel sizes_;
};

}  // namespace

Choice choose_units(const jit::Module& module, const Units& units,
                    std::vector<SurveyedGroup>& surveyed, const PruneOptions& options) {
  return Chooser(module, units, surveyed, options).run();
}

}  // namespace actswap
