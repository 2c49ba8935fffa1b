#include <actswap/base/error.h>
#include <actswap/measure/agreement_measure.h>

#include <gtest/gtest.h>
#include <torch/script.h>

namespace actswap {
namespace {

TEST(AgreementMeasure, IsOneForTheOriginal) {
  Agreement same;
  same.same_prediction = 100.0;
  for (const char* name : {"same-prediction", "cosine", "error"}) {
    EXPECT_EQ(value_of(parse_agreement_measure(name), same), 1.0) << name;
  }
  const Agreement other{.relative_error = 0.2, .mean_cosine = 0.9, .same_prediction = 75.0};
  EXPECT_EQ(value_of(AgreementMeasure::same_prediction, other), 0.75);
  EXPECT_EQ(value_of(AgreementMeasure::cosine, other), 0.9);
  EXPECT_EQ(value_of(AgreementMeasure::explained, other), 0.8);
  EXPECT_EQ(value_of(AgreementMeasure::same_prediction, Agreement{}), 0.0)
      << "there are no classes";
  EXPECT_THROW(parse_agreement_measure("accuracy"), UsageError);
}

TEST(AgreementMeasure, FollowsTheOutputs) {
  const auto measure = [](const std::vector<torch::Tensor>& outputs, bool has_classes = false) {
    return default_agreement(find_output_forms(
        outputs, {.class_dim = has_classes ? std::optional<std::int64_t>(1) : std::nullopt}));
  };
  const auto scores = torch::randn({40, 10});
  EXPECT_EQ(measure({scores}), AgreementMeasure::same_prediction);
  EXPECT_EQ(measure({scores.softmax(1)}), AgreementMeasure::same_prediction);
  EXPECT_EQ(measure({scores / scores.norm(2, {1}, true)}), AgreementMeasure::cosine);
  EXPECT_EQ(measure({torch::randn({40})}), AgreementMeasure::explained);
  EXPECT_EQ(measure({torch::randn({40, 1})}), AgreementMeasure::explained);
  EXPECT_EQ(measure({scores, torch::randn({40, 3})}), AgreementMeasure::explained);
  EXPECT_EQ(measure({torch::randn({4, 84, 20})}), AgreementMeasure::explained);
  EXPECT_EQ(measure({torch::randn({4, 21, 8, 8})}, true), AgreementMeasure::same_prediction);
  EXPECT_EQ(measure({}), AgreementMeasure::explained);
}

}  // namespace
}  // namespace actswap
