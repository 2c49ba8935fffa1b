// Finds the units of a layer that cost least, by exact least squares on sums over rows.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace actswap {

/// A layer that reads units, or one group of a grouped convolution. The layer may change its
/// weights W when units go. The cost is the error of the best W for the remaining features,
///
///   min over W of  sum over rows |W^T x - y|^2 + ridge |W|^2,
///
/// minus that of the best W for all features.
struct UnitReader {
  torch::Tensor xx;  ///< features x features, double: the sum of x x^T, in its upper triangle
  torch::Tensor xy;  ///< features x outputs, double: the sum of x y^T
  /// The divisor of all costs, above 0: the sum of y's squared deviations, say.
  double whole = 1.0;
  std::vector<std::int64_t> units;  ///< those with features here, ascending
  torch::Tensor features;           ///< units x width, int64: the features of each
};

/// The units of one group, each kept or removed, and the sum of their readers' losses. Stores a
/// matrix in double for each reader: minus the inverse of xx for kept features, the Schur
/// complement for removed ones. A unit's block in it gives the price of moving the unit across, and
/// one product of low rank moves it (the sweep operator, Goodnight 1979).
class Elimination {
 public:
  /// A share of the diagonal's mean in xx.
  static constexpr double kRidge = 1e-3;

  /// Begins with all units kept. @throws UsageError if a reader's sums are not finite
  Elimination(std::int64_t units, std::vector<UnitReader> readers, double ridge = kRidge);

  /// For each kept unit the loss that its removal would add, for each removed one the loss that its
  /// return would save, >= 0, in double.
  torch::Tensor prices() const;
  /// Moves these units to the other side; all must be on one side.
  void toggle(const std::vector<std::int64_t>& units);
  void go_to(const std::vector<std::int64_t>& kept);

  /// >= 0; 0 if all units are kept.
  double loss() const { return std::max(0.0, loss_); }
  std::vector<std::int64_t> kept() const;

  struct Curve {
    std::vector<std::int64_t> order;  ///< the units in the order in which they go
    std::vector<double> loss;         ///< loss[i]: after the first i went; loss[0] = 0
  };
  /// Removes the cheapest unit again and again until `least` are left. If there are many units,
  /// several go in one step and share its loss evenly.
  /// @param first units that go first, whatever they cost
  Curve eliminate(std::int64_t least, const std::vector<std::int64_t>& first = {});

  /// Exchanges a kept unit for a removed one as long as that lowers the loss, beginning with the
  /// kept ones that cost least. With large matrices it ends early, after a fixed amount of work.
  /// @return how many exchanges it made
  std::int64_t exchange();

  /// Bytes that a reader of this many features takes during its setup; a third of them stays.
  static std::int64_t bytes_for(std::int64_t features) {
    return std::int64_t{24} * features * features;
  }

 private:
  struct Tableau {
    UnitReader reader;           // without xx
    torch::Tensor matrix;        // features x features
    torch::Tensor coefficients;  // features x outputs: W, or the products of x with what y lacks
    std::vector<std::int64_t> row_of;  // of each unit in reader.features; -1: none
  };

  static Tableau set_up(UnitReader reader, std::int64_t units, double ridge);
  void toggle(Tableau& tableau, const std::vector<std::int64_t>& units, bool removes);
  std::vector<std::int64_t> in_order_of(const torch::Tensor& prices, bool of_kept) const;

  std::vector<Tableau> tableaus_;
  std::vector<bool> is_kept_;
  double loss_ = 0.0;
};

}  // namespace actswap
