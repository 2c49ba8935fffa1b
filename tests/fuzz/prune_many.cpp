// Cuts units out of many models in one process, for prune.py.
//
//   prune_many        reads one JSON object a line, answers each with one
//
// A request has the paths `model`, `inputs` (a tuple of tensors by torch.save) and `out` (what is
// written begins with it), the `share` of each group that goes, and a `seed` that says which. The
// answer has the `groups` (name, count), the `rest` (name, reason) and the `cost` before and after:
//
//   OUT.cut.pt      the model without them
//   OUT.silent.pt   the model at full size, with nothing that reads them
//
// Where a step fails the answer has its message as `error` and its kind as `kind`: "usage", or
// "other", which is a bug.
#include <actswap/base/error.h>
#include <actswap/data/load.h>
#include <actswap/graph/model.h>
#include <actswap/graph/thaw.h>
#include <actswap/prune/units.h>

#include <torch/script.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

json cost_json(const actswap::Cost& cost) {
  return {{"multiplications", cost.multiplications}, {"parameters", cost.parameters}};
}

actswap::KeptUnits random_keep(const actswap::Units& units, double share, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto keep = actswap::keep_all(units);
  for (auto& group : keep) {
    const auto stays = random() % group.size();
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i] = i == stays || std::uniform_real_distribution<>(0.0, 1.0)(random) >= share;
    }
  }
  return keep;
}

json answer(const json& request) {
  json found;
  auto model = actswap::load(request.at("model").get<std::string>());
  if (request.value("thaw", false)) {
    actswap::thaw(model);
  }
  std::vector<torch::Tensor> inputs;
  for (auto& [name, tensor] : actswap::read_tensors(request.at("inputs").get<std::string>())) {
    inputs.push_back(std::move(tensor));
  }
  const auto start = std::chrono::steady_clock::now();
  const auto units = actswap::find_units(model.module, inputs);
  found["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& group : units.groups) {
    found["groups"].push_back({group.name, group.count, group.multiplications, group.parameters});
  }
  for (const auto& each : units.rest) {
    found["rest"].push_back({each.name, each.reason});
  }
  const auto keep = random_keep(units, request.at("share").get<double>(),
                                request.at("seed").get<std::uint64_t>());
  found["before"] = cost_json(actswap::cost(units, actswap::keep_all(units)));
  found["after"] = cost_json(actswap::cost(units, keep));
  const auto out = request.at("out").get<std::string>();
  auto smaller = actswap::cut(model.module, units, keep);
  found["parameters"] = actswap::parameter_count(smaller);
  smaller.save(out + ".cut.pt");
  actswap::silence(model.module, units, keep);
  model.module.save(out + ".silent.pt");
  return found;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    json found;
    try {
      found = answer(json::parse(line));
    } catch (const actswap::UsageError& error) {
      found = {{"error", error.what()}, {"kind", "usage"}};
    } catch (const std::exception& error) {
      found = {{"error", error.what()}, {"kind", "other"}};
    }
    std::cout << found.dump() << std::endl;
  }
  return 0;
}
