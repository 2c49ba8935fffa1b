// Which units of a layer cost least, and how much: exact least squares on sums over rows.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace actswap {

/// A layer that reads units, or one group of a grouped convolution. The layer is free to change its
/// weights W when units go: a cost is what the best W of the remaining features lacks,
///
///   min over W of  sum over rows |W^T x - y|^2 + ridge |W|^2,
///
/// beyond what the best W of all features lacks.
struct UnitReader {
  torch::Tensor xx;  ///< features x features, double: the sum of x x^T; the upper triangle is read
  torch::Tensor xy;  ///< features x outputs, double: the sum of x y^T
  /// What costs are divided by, above 0: the sum of y's squared deviations, say.
  double whole = 1.0;
  std::vector<std::int64_t> units;  ///< those with features here, ascending
  torch::Tensor features;           ///< units x width, int64: the features of each
};

/// The units of one group, each kept or removed, and the losses of all of their readers added up.
/// Keeps a matrix in double for each reader: minus the inverse of xx where features are kept, the
/// Schur complement where they are not. A block of it is the price of its unit either way, and one
/// product of low rank moves a unit across (the sweep operator, Goodnight 1979).
class Elimination {
 public:
  /// Of the mean of the diagonal of xx.
  static constexpr double kRidge = 1e-3;

  /// All units are kept. @throws UsageError where a reader's sums are not finite
  Elimination(std::int64_t units, std::vector<UnitReader> readers, double ridge = kRidge);

  /// For each kept unit the loss that its removal would add, for each removed one the loss that its
  /// return would take away, >= 0; in double.
  torch::Tensor prices() const;
  /// Moves these units to the other side; all must be on one side.
  void toggle(const std::vector<std::int64_t>& units);
  void go_to(const std::vector<std::int64_t>& kept);

  /// >= 0; 0 where all are kept.
  double loss() const { return std::max(0.0, loss_); }
  std::vector<std::int64_t> kept() const;

  struct Curve {
    std::vector<std::int64_t> order;  ///< the units that go, the first one first
    std::vector<double> loss;         ///< after as many of them as the index says; loss[0] = 0
  };
  /// Removes the cheapest unit again and again until `least` are left. Of many units several go in
  /// one step, and share its loss evenly.
  /// @param first units that go first, whatever they cost
  Curve eliminate(std::int64_t least, const std::vector<std::int64_t>& first = {});

  /// Exchanges a kept unit for a removed one as long as that lowers the loss: first the kept ones
  /// that cost least. Ends early for large matrices, by the amount of work.
  /// @return how many exchanges were made
  std::int64_t exchange();

  /// Bytes that a reader of so many features takes while it is set up; a third of it stays.
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
