#include <actswap/train/output_form.h>

#include <gtest/gtest.h>

#include "train/modules.h"

namespace actswap {
namespace {

using Kind = OutputKind;

OutputForm form_of(const torch::Tensor& output, const OutputHints& hints = {}) {
  return find_output_forms({output}, hints).front();
}

torch::Tensor randn(at::IntArrayRef sizes) {
  torch::manual_seed(7);
  return torch::randn(sizes);
}

struct Case {
  const char* name;
  torch::Tensor output;
  Kind kind;
  std::int64_t dim;
};

void PrintTo(const Case& each, std::ostream* out) {
  *out << each.name;
}

class Kinds : public ::testing::TestWithParam<Case> {};

TEST_P(Kinds, AreToldByShapeAndRange) {
  const auto form = form_of(GetParam().output);
  EXPECT_EQ(form.kind, GetParam().kind) << to_string(form);
  EXPECT_EQ(form.dim, GetParam().dim) << to_string(form);
}

torch::Tensor with_channel_means(const torch::Tensor& values, std::int64_t dim) {
  auto shape = std::vector<std::int64_t>(static_cast<std::size_t>(values.dim()), 1);
  shape[static_cast<std::size_t>(dim)] = values.size(dim);
  return values + 3.0 * torch::arange(values.size(dim)).reshape(shape);
}

INSTANTIATE_TEST_SUITE_P(
    All, Kinds,
    ::testing::Values(
        Case{"energies", randn({32}), Kind::values, 0},
        Case{"one column", randn({32, 1}), Kind::values, 0},
        Case{"classes or values", 4.0 * randn({32, 10}), Kind::scores, 1},
        Case{"softmax", randn({32, 10}).softmax(1), Kind::probabilities, 1},
        Case{"softmax of each place", randn({4, 20, 50}).softmax(2), Kind::probabilities, 2},
        Case{"softmax of channels", randn({4, 5, 8, 8}).softmax(1), Kind::probabilities, 1},
        Case{"half", randn({32, 10}).softmax(1).to(torch::kHalf), Kind::probabilities, 1},
        Case{"log softmax", randn({32, 10}).log_softmax(1), Kind::log_probabilities, 1},
        Case{"one sigmoid", randn({32, 1}).sigmoid(), Kind::values, 0},
        Case{"sigmoids", randn({32, 10}).sigmoid(), Kind::values, 1},
        Case{"tanh", randn({32, 9}).tanh(), Kind::values, 1},
        Case{"unit vectors", randn({32, 16}) / randn({32, 16}).norm(2, 1, true), Kind::embeddings,
             1},
        Case{"unequal channels", randn({32, 3}) * torch::tensor({1.0, 50.0, 2.0}), Kind::values, 1},
        Case{"an image", randn({4, 1, 8, 8}) * 5.0, Kind::values, 0},
        Case{"channels second", with_channel_means(randn({8, 6, 30}), 1), Kind::scores, 1},
        Case{"channels last", with_channel_means(randn({8, 30, 6}), 2), Kind::scores, 2},
        Case{"boxes and sigmoids",
             torch::cat({100.0 * randn({8, 4, 30}), randn({8, 3, 30}).sigmoid()}, 1), Kind::values,
             1},
        Case{"indices", torch::arange(32), Kind::ignored, 0},
        Case{"a mask", torch::ones({32}, torch::kBool), Kind::ignored, 0},
        Case{"constant", torch::full({32, 4}, 0.25), Kind::ignored, 0},
        Case{"nothing finite", torch::full({32, 4}, std::nan("")), Kind::ignored, 0}));

TEST(OutputForm, LabelsSayWhatIsAClassAndWhatIsAValue) {
  const auto logits = 4.0 * randn({32, 10});
  EXPECT_EQ(form_of(logits, {.class_dim = 1}).kind, Kind::logits);
  EXPECT_EQ(form_of(logits, {.class_dim = -1}).dim, 1);
  EXPECT_EQ(form_of(logits, {.is_regression = true}).kind, Kind::values);
  EXPECT_EQ(form_of(logits.softmax(1), {.class_dim = 1}).kind, Kind::probabilities);
  EXPECT_EQ(form_of(logits.log_softmax(1), {.class_dim = 1}).kind, Kind::log_probabilities);
  const auto forms = find_output_forms({logits, logits}, {.class_dim = 1});
  EXPECT_EQ(forms[1].kind, Kind::scores) << "labels are of the first output";
  EXPECT_EQ(find_output_forms({logits, logits}, {.class_dim = 1, .is_of_all = true})[1].kind,
            Kind::logits);
}

TEST(OutputForm, AClassDimensionThatIsNoneIsRefused) {
  EXPECT_NE(usage_error([] { form_of(randn({32, 10}), {.class_dim = 2}); }).find("but got 2"),
            std::string::npos);
  EXPECT_NE(usage_error([] { form_of(randn({32}), {.class_dim = 1}); }).find("[32]"),
            std::string::npos);
  EXPECT_NE(usage_error([] {
              form_of(randn({32, 1}), {.class_dim = 1});
            }).find("two classes or more in dimension 1"),
            std::string::npos);
}

double distance(const torch::Tensor& output, const torch::Tensor& original, const OutputForm& form,
                double temperature = 1.0) {
  return output_distance(output, original, form, temperature).item<double>();
}

// Whatever the kind, the original's mean is about 1 away from it.
TEST(OutputDistance, IsAShareOfWhatVaries) {
  const auto energies = 30.0 * randn({200}) - 500.0;
  EXPECT_NEAR(
      distance(torch::full({200}, energies.mean().item<float>()), energies, form_of(energies)), 1.0,
      1e-4);
  const auto p = (3.0 * randn({200, 6})).softmax(1);
  EXPECT_NEAR(distance(p.mean(0, true).expand_as(p), p, form_of(p)), 1.0, 1e-4);
  const auto q = (3.0 * randn({200, 6})).log_softmax(1);
  EXPECT_NEAR(distance(p.mean(0, true).log().expand_as(p), q, form_of(q)), 1.0, 1e-4);
  const auto shifted = randn({200, 16}) + 1.0;
  const auto vectors = shifted / shifted.norm(2, 1, true);
  EXPECT_NEAR(distance(vectors.mean(0, true).expand_as(vectors), vectors, form_of(vectors)), 1.0,
              1e-4);
  for (const auto& same : {energies, p, q, vectors}) {
    EXPECT_NEAR(distance(same, same, form_of(same)), 0.0, 1e-5);
  }
}

// The scale of no channel counts, and scores in [0, 1] are one half however many channels they are.
TEST(OutputDistance, OfBoxesAndScoresInOneTensor) {
  const auto boxes = torch::cat({100.0 * randn({16, 1, 50}), 2.0 * randn({16, 1, 50})}, 1);
  auto scores = randn({16, 3, 50}).sigmoid();
  scores.select(1, 2) *= 1e-6;  // a class that is in none of the examples
  const auto original = torch::cat({boxes, scores}, 1);
  const auto form = form_of(original);
  const auto mean = original.mean({0, 2}, true).expand_as(original);
  EXPECT_NEAR(distance(mean, original, form), 1.0, 1e-3);
  const auto boxes_alone = torch::cat({mean.slice(1, 0, 2), scores}, 1);
  EXPECT_NEAR(distance(boxes_alone, original, form), 0.5, 1e-3);
  auto one_box = original.clone();
  one_box.select(1, 1) = mean.select(1, 1);
  EXPECT_NEAR(distance(one_box, original, form), 0.25, 1e-3);
  auto never_seen = original.clone();
  never_seen.select(1, 2 + 2) += 1e-3;
  EXPECT_LT(distance(never_seen, original, form), 1e-4) << "relative to a variance of next to 0";
}

TEST(OutputDistance, OfClassesIsTheDivergenceOfTheirProbabilities) {
  const auto logits = 3.0 * randn({50, 6});
  const auto other = logits * 0.5;
  const auto p = logits.softmax(1);
  const auto divergence = ((p * (p.log() - other.log_softmax(1))).sum(1).mean()).item<double>();
  const auto form = form_of(p);
  EXPECT_NEAR(distance(other.softmax(1), p, form), divergence / form.divergence, 1e-5);
  const auto told = form_of(logits, {.class_dim = 1});
  EXPECT_NEAR(distance(other, logits, told), divergence / told.divergence, 1e-5);
  EXPECT_NEAR(distance(other + 7.0, logits, told), divergence / told.divergence, 1e-5);
  const auto unknown = form_of(logits);
  EXPECT_GT(distance(logits + 7.0, logits, unknown), 1.0) << "it may be no logits";
  EXPECT_NE(distance(other, logits, told, 2.0), distance(other, logits, told));
}

TEST(OutputDistance, EqualInfinitiesAreNoError) {
  auto original = 3.0 * randn({50, 6});
  original.select(1, 2).fill_(-std::numeric_limits<double>::infinity());
  auto output = original.clone();
  EXPECT_EQ(distance(output, original, form_of(original)), 0.0);
  output.select(1, 0) += 1.0;
  const double found = distance(output, original, form_of(original));
  EXPECT_TRUE(std::isfinite(found) && found > 0.0) << found;
}

TEST(OutputDistance, AnotherShapeIsRefused) {
  const auto original = randn({16, 6, 30});
  const auto form = form_of(with_channel_means(original, 1));
  const auto more = randn({16, 7, 30});
  EXPECT_NE(usage_error([&] { output_distance(more, original, form, 1.0); }).find("[16, 7, 30]"),
            std::string::npos);
  EXPECT_NE(usage_error([&] { output_distance(more, more, form, 1.0); }).find("[16, 6, 30]"),
            std::string::npos);
}

}  // namespace
}  // namespace actswap
