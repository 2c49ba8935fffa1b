#include <actswap/base/clock.h>
#include <actswap/measure/median.h>
#include <actswap/measure/padded.h>
#include <actswap/measure/site_cost.h>
#include <actswap/run/observed_model.h>

#include <chrono>

namespace actswap {

using Clock = std::chrono::steady_clock;

std::map<std::string, SiteCost> measure_sites(const Model& model,
                                              const std::vector<torch::Tensor>& inputs,
                                              int rounds) {
  constexpr int kWarmUp = 2;
  ObservedModel observed(model);
  const auto count = observed.sites().size();
  std::vector<SiteCost> costs(count);
  std::vector<std::vector<double>> times(count);
  std::vector<std::vector<double>> shares(count);
  for (int round = -kWarmUp; round < rounds; ++round) {
    std::vector<double> spent(count, 0.0);
    std::vector<Clock::time_point> entered(count);
    for (auto& cost : costs) {
      cost.calls = 0;
    }
    SiteObserver observer;
    observer.before = [&](std::size_t site, const torch::Tensor& input) {
      costs[site].shape = padded(input).sizes().vec();
      costs[site].dtype = c10::toString(input.scalar_type());
      entered[site] = Clock::now();
    };
    observer.after = [&](std::size_t site, const torch::Tensor&) {
      spent[site] += milliseconds_since(entered[site]);
      ++costs[site].calls;
    };
    observed.run(inputs, observer);
    const double whole = observed.milliseconds();
    for (std::size_t site = 0; round >= 0 && site < count; ++site) {
      times[site].push_back(spent[site]);
      shares[site].push_back(spent[site] / whole);
    }
  }
  std::map<std::string, SiteCost> result;
  for (std::size_t site = 0; site < count; ++site) {
    if (costs[site].calls > 0) {
      costs[site].milliseconds = median(times[site]);
      costs[site].share = median(shares[site]);
      result.emplace(observed.sites()[site], costs[site]);
    }
  }
  return result;
}

}  // namespace actswap
