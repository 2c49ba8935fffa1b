#include <actswap/run/compare.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include <cmath>
#include <limits>

namespace actswap {
namespace {

constexpr double kTolerance = 1e-5;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Verification compare(const c10::IValue& expected, const c10::IValue& found) {
  return compare_outputs(outputs_in(expected), outputs_in(found), kTolerance);
}

void expect_equal(const c10::IValue& expected, const c10::IValue& found) {
  const auto result = compare(expected, found);
  EXPECT_TRUE(result.verified) << result.reason;
  EXPECT_FALSE(result.differs);
}

void expect_different(const c10::IValue& expected, const c10::IValue& found,
                      const std::string& reason) {
  const auto result = compare(expected, found);
  EXPECT_FALSE(result.verified);
  EXPECT_TRUE(result.differs);
  EXPECT_NE(result.reason.find(reason), std::string::npos) << result.reason;
}

void expect_undecided(const c10::IValue& output, const std::string& reason) {
  const auto result = compare(output, output);
  EXPECT_FALSE(result.verified) << output;
  EXPECT_FALSE(result.differs);
  EXPECT_NE(result.reason.find(reason), std::string::npos) << result.reason;
}

TEST(CompareOutputs, UpToTheToleranceRelativeToTheLargestValue) {
  const auto expected = torch::tensor({0.001F, 100.0F});
  expect_equal(expected, torch::tensor({0.0015F, 100.0F}));
  expect_different(expected, torch::tensor({0.001F, 100.002F}), "largest relative difference");
  const auto result = compare(expected, torch::tensor({0.001F, 100.002F}));
  EXPECT_NEAR(result.max_abs_diff, 0.002, 1e-5);
  EXPECT_NEAR(result.max_rel_diff, 2e-5, 1e-7);
  EXPECT_EQ(result.outputs, 1);
}

TEST(CompareOutputs, TypesAndShapesCount) {
  const auto x = torch::ones({2, 3});
  expect_different(x, x.to(torch::kFloat16), "Half");
  expect_different(x, x.to(torch::kFloat64), "Double");
  expect_different(x, x.reshape({3, 2}), "[3, 2]");
  expect_different(1.5, torch::scalar_tensor(1.5, torch::kFloat64), "a tensor of Double");
  expect_different(1, 1.0, "Double");
  expect_different(c10::ivalue::Tuple::create({x, x}), x, "2 values");
  expect_different(c10::ivalue::Tuple::create({x}), c10::List<torch::Tensor>({x, x}), "1 values");
}

TEST(CompareOutputs, BothPartsOfComplexNumbers) {
  const auto real = torch::ones({4});
  const auto expected = torch::complex(real, real);
  expect_equal(expected, torch::complex(real, real));
  expect_different(expected, torch::complex(real, -real), "relative difference");
  expect_different(c10::complex<double>(1, 2), c10::complex<double>(1, 3), "relative difference");
}

TEST(CompareOutputs, NumbersBoolsAndStrings) {
  expect_equal(2.5, 2.5);
  expect_different(2.5, 2.6, "relative difference");
  expect_different(torch::tensor({100000, 7}), torch::tensor({100001, 7}), "1 of 2 numbers");
  expect_different(torch::tensor({true, false}), torch::tensor({true, true}), "1 of 2 numbers");
  expect_equal(torch::tensor({true, false}), torch::tensor({true, false}));
  expect_different(std::string("cat"), std::string("dog"), "'dog'");
  expect_equal(std::string("cat"), std::string("cat"));
  expect_different(std::string("cat"), c10::IValue(), "None");
}

TEST(CompareOutputs, InfinitiesAndNaN) {
  const auto masked = torch::tensor({1.0F, -kInfinity, kNaN});
  expect_equal(masked, masked.clone());
  expect_different(masked, torch::tensor({1.0F, kInfinity, kNaN}), "finite");
  expect_different(masked, torch::tensor({1.0F, -kInfinity, 0.0F}), "finite");
  expect_different(masked, torch::tensor({1.0F, kNaN, kNaN}), "finite");
  expect_different(masked, torch::tensor({kNaN, -kInfinity, kNaN}), "finite");
}

TEST(CompareOutputs, WhatHoldsNothingFiniteIsNotVerified) {
  expect_undecided(torch::tensor({kNaN, kInfinity}), "no finite output");
  expect_undecided(kNaN, "no finite output");
  expect_undecided(torch::empty({0, 4}), "no output");
  expect_undecided(c10::IValue(), "no output");
  expect_undecided(c10::List<torch::Tensor>(), "no output");
  // A mask beside them says nothing about the numbers.
  expect_undecided(c10::ivalue::Tuple::create({torch::tensor({kNaN}), torch::tensor({true})}),
                   "no finite output");
  expect_equal(c10::ivalue::Tuple::create({torch::tensor({kNaN}), torch::tensor({1.0F})}),
               c10::ivalue::Tuple::create({torch::tensor({kNaN}), torch::tensor({1.0F})}));
}

TEST(CompareOutputs, SparseAndQuantizedTensorsByTheirValues) {
  const auto x = torch::tensor({{0.0F, 2.0F}, {0.0F, 0.0F}});
  expect_equal(x.to_sparse(), x.to_sparse());
  expect_different(x.to_sparse(), (2.0 * x).to_sparse(), "relative difference");
  const auto quantized = torch::quantize_per_tensor(x, 0.5, 0, torch::kQInt8);
  expect_equal(quantized, quantized.clone());
}

TEST(CompareOutputs, TwoComparisonsTogether) {
  const Verification equal{.verified = true, .max_rel_diff = 1e-7, .outputs = 2};
  const Verification different{.differs = true, .reason = "other", .max_rel_diff = 0.5};
  const Verification undecided{.reason = "nothing finite", .is_random = true};
  EXPECT_TRUE(combined(equal, different).differs);
  EXPECT_FALSE(combined(equal, different).verified);
  EXPECT_EQ(combined(different, equal).reason, "other");
  EXPECT_EQ(combined(equal, different).max_rel_diff, 0.5);
  EXPECT_TRUE(combined(undecided, equal).verified);
  EXPECT_TRUE(combined(undecided, equal).reason.empty());
  EXPECT_TRUE(combined(equal, undecided).verified);
  EXPECT_TRUE(combined(equal, undecided).is_random);
  EXPECT_EQ(combined(undecided, undecided).reason, "nothing finite");
}

TEST(OutputDifference, EqualInfinitiesAreNone) {
  const auto y0 = torch::tensor({1.0F, -kInfinity, kNaN, -kInfinity, 2.0F});
  const auto y = torch::tensor({3.0F, -kInfinity, kNaN, kInfinity, kNaN});
  const auto difference = output_difference(y, y0);
  EXPECT_EQ(difference[0].item<double>(), 2.0);
  EXPECT_EQ(difference[1].item<double>(), 0.0);
  EXPECT_EQ(difference[2].item<double>(), 0.0);
  EXPECT_TRUE(std::isinf(difference[3].item<double>()));
  EXPECT_TRUE(std::isnan(difference[4].item<double>()));
  EXPECT_EQ(output_difference(torch::complex(y0, y0), torch::complex(y0, y0)).sizes(),
            (std::vector<std::int64_t>{5, 2}));
  EXPECT_EQ(finite_part(y0).sum().item<double>(), 3.0);
}

}  // namespace
}  // namespace actswap
