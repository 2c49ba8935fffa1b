#include <actswap/base/error.h>
#include <actswap/prune/elimination.h>

#include <torch/script.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

namespace actswap {

namespace {

// A group of many units is emptied in about this many steps.
constexpr std::int64_t kSteps = 128;
// The search ends once this many kept units have found no exchange.
constexpr std::size_t kAttempts = 32;
// Floating-point operations for a search for exchanges: some seconds. A move counts as at least
// kLeastWork.
constexpr double kWork = 2e10;
constexpr double kLeastWork = 1e7;
// An exchange must lower the loss by this share, or rounding might keep it going for ever.
constexpr double kLeastGain = 1e-4;
constexpr double kLeastLoss = 1e-9;
// The diagonal's mean counts as at least this share of the matrix's largest number.
constexpr double kLeastShare = 1e-12;

// The size that a ridge is a share of: the mean of the diagonal, which has nothing below 0. If
// inputs hardly vary around their mean, rounding leaves next to nothing there; then a share of the
// largest number left anywhere. Above 0.
double size_of(const torch::Tensor& matrix) {
  const auto mean = matrix.diagonal().mean().item<double>();
  const auto largest = matrix.abs().max().item<double>();
  const double size = std::max(mean, kLeastShare * largest);
  return size > 0.0 ? size : 1.0;
}

torch::Tensor index_of(const std::vector<std::int64_t>& numbers) {
  return torch::tensor(numbers, torch::kLong);
}

// Positive definite blocks: the inverse of each.
torch::Tensor inverses(const torch::Tensor& blocks) {
  return torch::cholesky_inverse(torch::linalg_cholesky(blocks));
}

}  // namespace

Elimination::Elimination(std::int64_t units, std::vector<UnitReader> readers, double ridge)
    : is_kept_(static_cast<std::size_t>(units), true) {
  for (auto& reader : readers) {
    tableaus_.push_back(set_up(std::move(reader), units, ridge));
  }
}

// Keeps all units. If the ridge is too weak to make up for rounding, it grows, at worst above all
// other numbers.
Elimination::Tableau Elimination::set_up(UnitReader reader, std::int64_t units, double ridge) {
  if (!torch::isfinite(reader.xx).all().item<bool>() ||
      !torch::isfinite(reader.xy).all().item<bool>()) {
    throw UsageError(
        "Expected finite values in front of a layer that reads units, but found others");
  }
  Tableau tableau;
  auto matrix = std::exchange(reader.xx, {});
  auto diagonal = matrix.diagonal();
  diagonal.clamp_min_(0.0);
  const double size = size_of(matrix);
  torch::Tensor factor;
  for (double added = 0.0, wanted = ridge;; wanted = std::max(1e-12, 10.0 * wanted)) {
    diagonal += (wanted - added) * size + (added == 0.0 ? 1e-12 : 0.0);
    added = wanted;
    torch::Tensor failed;
    std::tie(factor, failed) = torch::linalg_cholesky_ex(matrix, /*upper=*/true);
    if (failed.item<std::int64_t>() == 0) {
      break;
    }
  }
  tableau.coefficients = torch::cholesky_solve(reader.xy, factor, /*upper=*/true);
  tableau.matrix = torch::cholesky_inverse(factor, /*upper=*/true).neg_();
  tableau.row_of.assign(static_cast<std::size_t>(units), -1);
  for (std::size_t i = 0; i < reader.units.size(); ++i) {
    tableau.row_of.at(static_cast<std::size_t>(reader.units[i])) = static_cast<std::int64_t>(i);
  }
  reader.xy.reset();
  tableau.reader = std::move(reader);
  return tableau;
}

torch::Tensor Elimination::prices() const {
  auto prices = torch::zeros({static_cast<std::int64_t>(is_kept_.size())}, torch::kDouble);
  for (const auto& tableau : tableaus_) {
    const auto& [reader, matrix, coefficients, row_of] = tableau;
    const auto& features = reader.features;
    std::vector<double> sign;
    sign.reserve(reader.units.size());
    for (const auto unit : reader.units) {
      sign.push_back(is_kept_[static_cast<std::size_t>(unit)] ? -1.0 : 1.0);
    }
    const auto blocks = matrix.index({features.unsqueeze(2), features.unsqueeze(1)}) *
                        torch::tensor(sign, torch::kDouble).reshape({-1, 1, 1});
    const auto values = coefficients.index({features});
    const auto products = torch::bmm(values, values.transpose(1, 2));
    const auto costs = (inverses(blocks) * products).sum({1, 2}) / reader.whole;
    prices.index_add_(0, index_of(reader.units), costs.clamp_min(0.0));
  }
  return prices;
}

void Elimination::toggle(const std::vector<std::int64_t>& units) {
  if (units.empty()) {
    return;
  }
  const bool removes = is_kept_.at(static_cast<std::size_t>(units.front()));
  for (auto& tableau : tableaus_) {
    toggle(tableau, units, removes);
  }
  for (const auto unit : units) {
    is_kept_.at(static_cast<std::size_t>(unit)) = !removes;
  }
}

// With D the block of these units, P its columns and V the coefficients: all others become
// A - P D^-1 P^T and V - P D^-1 V_D.
void Elimination::toggle(Tableau& tableau, const std::vector<std::int64_t>& units, bool removes) {
  auto& [reader, matrix, coefficients, row_of] = tableau;
  std::vector<std::int64_t> rows;
  for (const auto unit : units) {
    if (const auto row = row_of[static_cast<std::size_t>(unit)]; row >= 0) {
      rows.push_back(row);
    }
  }
  if (rows.empty()) {
    return;
  }
  const auto at = reader.features.index_select(0, index_of(rows)).flatten();
  const double sign = removes ? -1.0 : 1.0;
  const auto lines = matrix.index_select(0, at);  // P^T
  const auto inverse = inverses(sign * lines.index_select(1, at)) * sign;
  const auto scaled = torch::mm(inverse, lines);
  const auto values = coefficients.index_select(0, at);
  const auto scaled_values = torch::mm(inverse, values);
  loss_ -= (values * scaled_values).sum().item<double>() / reader.whole;
  matrix.addmm_(lines.t(), scaled, 1.0, -1.0);
  matrix.index_copy_(0, at, sign * scaled);
  matrix.index_copy_(1, at, sign * scaled.t());
  matrix.index_put_({at.unsqueeze(1), at.unsqueeze(0)}, -inverse);
  coefficients.addmm_(lines.t(), scaled_values, 1.0, -1.0);
  coefficients.index_copy_(0, at, sign * scaled_values);
}

void Elimination::go_to(const std::vector<std::int64_t>& kept) {
  std::vector<bool> wanted(is_kept_.size(), false);
  for (const auto unit : kept) {
    wanted.at(static_cast<std::size_t>(unit)) = true;
  }
  std::vector<std::int64_t> removed;
  std::vector<std::int64_t> returned;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (is_kept_[i] != wanted[i]) {
      (wanted[i] ? returned : removed).push_back(static_cast<std::int64_t>(i));
    }
  }
  toggle(returned);
  toggle(removed);
}

std::vector<std::int64_t> Elimination::kept() const {
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < is_kept_.size(); ++i) {
    if (is_kept_[i]) {
      found.push_back(static_cast<std::int64_t>(i));
    }
  }
  return found;
}

std::vector<std::int64_t> Elimination::in_order_of(const torch::Tensor& prices,
                                                   bool of_kept) const {
  std::vector<std::int64_t> units;
  for (std::size_t i = 0; i < is_kept_.size(); ++i) {
    if (is_kept_[i] == of_kept) {
      units.push_back(static_cast<std::int64_t>(i));
    }
  }
  const auto* price = prices.const_data_ptr<double>();
  std::stable_sort(units.begin(), units.end(),
                   [&](std::int64_t a, std::int64_t b) { return price[a] < price[b]; });
  return units;
}

Elimination::Curve Elimination::eliminate(std::int64_t least,
                                          const std::vector<std::int64_t>& first) {
  Curve curve;
  curve.loss.push_back(loss_);
  auto left = static_cast<std::int64_t>(kept().size()) - least;
  const auto step = std::max<std::int64_t>(1, static_cast<std::int64_t>(is_kept_.size()) / kSteps);
  const auto remove = [&](std::vector<std::int64_t> units) {
    units.resize(static_cast<std::size_t>(
        std::min<std::int64_t>(left, static_cast<std::int64_t>(units.size()))));
    const double before = loss_;
    toggle(units);
    for (std::size_t i = 1; i <= units.size(); ++i) {
      curve.loss.push_back(before + (loss_ - before) * static_cast<double>(i) /
                                        static_cast<double>(units.size()));
    }
    curve.order.insert(curve.order.end(), units.begin(), units.end());
    left -= static_cast<std::int64_t>(units.size());
  };
  if (left > 0 && !first.empty()) {
    remove(first);
  }
  while (left > 0) {
    auto units = in_order_of(prices(), true);
    units.resize(std::min(units.size(), static_cast<std::size_t>(step)));
    remove(std::move(units));
  }
  return curve;
}

std::int64_t Elimination::exchange() {
  double work = 0.0;  // of moving one unit
  for (const auto& tableau : tableaus_) {
    const auto features = static_cast<double>(tableau.matrix.size(0));
    work += 2.0 * features * features *
            static_cast<double>(std::max<std::int64_t>(8, tableau.reader.features.size(1)));
  }
  auto moves = static_cast<std::int64_t>(kWork / std::max(kLeastWork, work));
  std::int64_t exchanges = 0;
  for (bool has_gained = true; has_gained && moves > 0 && loss_ > kLeastLoss;) {
    has_gained = false;
    auto candidates = in_order_of(prices(), true);
    candidates.resize(std::min(candidates.size(), kAttempts));
    for (const auto unit : candidates) {
      if ((moves -= 2) < 0) {
        break;
      }
      const double before = loss_;
      toggle({unit});
      const auto gains = prices();
      const auto best = in_order_of(gains, false).back();
      if (loss_ - gains[best].item<double>() < before * (1.0 - kLeastGain)) {
        toggle({best});
        ++exchanges;
        has_gained = true;
        break;
      }
      toggle({unit});
    }
  }
  return exchanges;
}

}  // namespace actswap
