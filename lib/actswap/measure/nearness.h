// The sums of a comparison with an original's outputs, batch after batch.
#pragma once

#include <actswap/measure/judge.h>
#include <actswap/train/output_form.h>

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace actswap {

class Nearness {
 public:
  /// @param form of the first output: whether it has classes, and where
  /// @throws UsageError where the outputs do not have the same shapes
  void add(const std::vector<torch::Tensor>& original, const std::vector<torch::Tensor>& outputs,
           const OutputForm& form);
  /// Batches that come after these.
  void append(const Nearness& later);
  Agreement result() const;

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("errors", errors_);
    fields("cosines", cosines_);
    fields("same", same_);
    fields("predictions", predictions_);
  }

 private:
  void add_main(const torch::Tensor& original, const torch::Tensor& output, const OutputForm& form);

  struct Errors {
    std::vector<torch::Tensor> squares;  // |y - y0|^2 of each example
    double norm = 0.0;                   // sum of |y0|^2
    bool is_finite = false;              // any of the y0
    template <typename Fields>
    void visit_fields(Fields& fields) {
      fields("squares", squares);
      fields("norm", norm);
      fields("is_finite", is_finite);
    }
  };
  std::vector<Errors> errors_;  // of each floating-point or complex output
  std::vector<torch::Tensor> cosines_;
  double same_ = 0.0;
  std::int64_t predictions_ = 0;
};

}  // namespace actswap
