// How far a training is, and what it has recorded so far.
#pragma once

#include <actswap/train/trainer.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

template <typename Fields>
void visit(Fields& fields, CheckRecord& check) {
  fields("step", check.step);
  fields("t", check.t);
  fields("value", check.value);
  fields("drop", check.drop);
  fields("best", check.best);
  fields("ramp", check.ramp);
}

template <typename Fields>
void visit(Fields& fields, EpochRecord& epoch) {
  fields("epoch", epoch.epoch);
  fields("step", epoch.step);
  fields("t", epoch.t);
  fields("mean_loss", epoch.mean_loss);
  fields("learning_rate", epoch.learning_rate);
  fields("seconds", epoch.seconds);
  fields("waited", epoch.waited);
  fields("checks", epoch.checks);
}

struct TrainingPlace {
  std::int64_t epoch = 0;  ///< from 0
  std::int64_t batch = 0;  ///< of this epoch: the next one
  std::int64_t step = 0;   ///< steps done
  double t = 0.0;          ///< that the last was taken with
  /// What follows a step (a check, the end) is still to be done.
  bool is_check_due = false;
  bool is_over = false;  ///< early
  double seconds = 0.0;  ///< that it took so far
  // Of this epoch:
  double sum_of_losses = 0.0;
  double learning_rate = 0.0;  ///< of its last step
  double waited = 0.0;
  std::vector<CheckRecord> checks = {};
  std::vector<EpochRecord> epochs = {};  ///< those that are done

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("epoch", epoch);
    fields("batch", batch);
    fields("step", step);
    fields("t", t);
    fields("is_check_due", is_check_due);
    fields("is_over", is_over);
    fields("seconds", seconds);
    fields("sum_of_losses", sum_of_losses);
    fields("learning_rate", learning_rate);
    fields("waited", waited);
    fields("checks", checks);
    fields("epochs", epochs);
  }
};

/// Going back after an explosion.
struct Retries {
  std::int64_t count = 0;
  double factor = 1.0;  ///< of the rate

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("count", count);
    fields("factor", factor);
  }
};

}  // namespace actswap
