#include <actswap/base/error.h>
#include <actswap/measure/agreement_measure.h>
#include <actswap/pipeline/gates.h>

#include <cmath>
#include <string>

namespace actswap {

namespace {

// An accuracy is a number even if the outputs are not: each argmax is some class.
bool is_number(const Evaluation& evaluation) {
  return std::isfinite(evaluation.value) && std::isfinite(evaluation.mean_loss);
}

[[noreturn]] void fail(const ConversionState& state, const std::string& text) {
  throw Error(ErrorKind::accuracy, text + "; '" + state.run.output + "' was not written");
}

[[noreturn]] void fail_for_no_number(const ConversionState& state, const std::string& model) {
  fail(state, "The " + state.run.original->metric + " of the " + model +
                  " on the validation data is no finite number, so no drop can be accepted "
                  "(max_drop)");
}

void check_agreement(const ConversionState& state) {
  const double least = *state.options.min_agreement;
  const double found = value_of(state.options.agreement, *state.run.agreement);
  if (!(found >= least)) {
    fail(state, "Expected a " + to_string(state.options.agreement) + " of " + number(least) +
                    " or more with the original, but got " + number(found));
  }
}

void check_drop(const ConversionState& state) {
  if (!is_number(*state.run.retargeted)) {
    fail_for_no_number(state, "converted model");
  }
  const double fall = drop(*state.run.original, *state.run.retargeted);
  if (!(fall <= *state.options.max_drop)) {
    fail(state, "The " + state.run.original->metric + " fell by " + number(fall) + " (from " +
                    number(state.run.original->value) + " to " +
                    number(state.run.retargeted->value) + "), more than the " +
                    number(*state.options.max_drop) + " allowed");
  }
}

}  // namespace

void expect_gate_can_pass(const ConversionState& state) {
  if (state.options.max_drop && !is_number(*state.run.original)) {
    fail_for_no_number(state, "original");
  }
}

void expect_gate_passed(const ConversionState& state) {
  if (state.options.max_drop) {
    check_drop(state);
  }
  if (state.options.min_agreement) {
    check_agreement(state);
  }
}

}  // namespace actswap
