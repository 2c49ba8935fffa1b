#include <actswap/base/error.h>
#include <actswap/measure/sensitivity.h>
#include <actswap/pipeline/site_order.h>
#include <actswap/run/observed_model.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace actswap {

namespace {

constexpr std::array<std::pair<SiteOrder, const char*>, 4> kOrders = {
    {{SiteOrder::together, "together"},
     {SiteOrder::forward, "forward"},
     {SiteOrder::backward, "backward"},
     {SiteOrder::sensitivity, "sensitivity"}}};

std::vector<std::string> swapped_sites(const Plan& plan) {
  std::vector<std::string> ids;
  for (const auto& planned : plan.sites) {
    if (planned.target) {
      ids.push_back(planned.site.id);
    }
  }
  return ids;
}

// Stable: what the keys do not tell apart stays in the order of the plan.
void sort_by(std::vector<std::string>& ids, const std::map<std::string, double>& keys) {
  std::stable_sort(ids.begin(), ids.end(), [&](const std::string& a, const std::string& b) {
    return keys.at(a) < keys.at(b);
  });
}

void sort_by_time(std::vector<std::string>& ids, const Model& model,
                  const std::vector<torch::Tensor>& inputs) {
  if (inputs.empty()) {
    throw UsageError("Expected an input to see in which order the sites run; give --input");
  }
  ObservedModel observed(model);
  std::map<std::string, double> places;
  SiteObserver observer;
  observer.before = [&](std::size_t site, const torch::Tensor&) {
    places.emplace(observed.sites()[site], static_cast<double>(places.size()));
  };
  observer.after = [](std::size_t, const torch::Tensor&) {};
  observed.run(inputs, observer);
  for (const auto& id : ids) {
    places.emplace(id, static_cast<double>(observed.sites().size()));
  }
  sort_by(ids, places);
}

}  // namespace

SiteOrder parse_site_order(std::string_view name) {
  for (const auto& [order, text] : kOrders) {
    if (name == text) {
      return order;
    }
  }
  throw UsageError(
      "Expected together, forward, backward or sensitivity as the order of the sites, "
      "but got '" +
      std::string(name) + "'");
}

std::string to_string(SiteOrder order) {
  for (const auto& [known, text] : kOrders) {
    if (order == known) {
      return text;
    }
  }
  return "";
}

std::vector<std::string> order_sites(SiteOrder order, const Model& model, const Plan& plan,
                                     const std::vector<torch::Tensor>& inputs, const Dataset* data,
                                     const std::function<bool()>& should_stop) {
  auto ids = swapped_sites(plan);
  if (order == SiteOrder::forward || order == SiteOrder::backward) {
    sort_by_time(ids, model, inputs);
  }
  if (order == SiteOrder::backward) {
    std::reverse(ids.begin(), ids.end());
  }
  if (order == SiteOrder::sensitivity) {
    if (data == nullptr) {
      throw UsageError(
          "Expected data to measure the sensitivity of the sites on, but there is none");
    }
    SensitivityOptions options;
    options.judging.should_stop = should_stop;
    std::map<std::string, double> losses;
    for (const auto& site : measure_sensitivity(model, plan, *data, options).sites) {
      losses[site.id] = site.loss;
    }
    sort_by(ids, losses);
  }
  return ids;
}

}  // namespace actswap
