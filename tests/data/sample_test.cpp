#include <actswap/base/error.h>
#include <actswap/data/sample.h>

#include <gtest/gtest.h>
#include <torch/script.h>

namespace actswap {
namespace {

TEST(Sample, TheSameInputsForASeedHoweverTheyAreBatched) {
  const TensorDataset data({torch::arange(10)}, {});
  const auto order = shuffled_indices(10, 3, 0);
  for (const std::int64_t batch_size : {1, 4, 100}) {
    const auto batches = sample_inputs(data, 7, batch_size, 3);
    std::vector<torch::Tensor> inputs;
    for (const auto& batch : batches) {
      EXPECT_LE(batch[0].size(0), batch_size);
      inputs.push_back(batch[0]);
    }
    const auto all = torch::cat(inputs);
    ASSERT_EQ(all.size(0), 7);
    for (std::int64_t i = 0; i < 7; ++i) {
      EXPECT_EQ(all[i].item<std::int64_t>(), order[static_cast<std::size_t>(i)]);
    }
  }
  EXPECT_EQ(sample_inputs(data, 100, 100, 0)[0][0].size(0), 10);
  EXPECT_EQ(sample_inputs(data, 9, 8, 0)[1][0].size(0), 4) << "no batch of one";
  EXPECT_THROW(sample_inputs(data, 0, 1, 0), UsageError);
  EXPECT_THROW(sample_inputs(data, 1, 0, 0), UsageError);
}

TEST(Sample, AStreamBeginsAgainAfterTheLast) {
  const TensorDataset data({torch::arange(10)}, {});
  const InputStream stream(data, {4, 2, 9}, 2);
  EXPECT_TRUE(torch::equal(stream.batch(0)[0], torch::tensor({4, 2})));
  EXPECT_TRUE(torch::equal(stream.batch(1)[0], torch::tensor({9, 4})));
  EXPECT_TRUE(torch::equal(stream.batch(3)[0], torch::tensor({4, 2})));
  EXPECT_EQ(stream.examples(1), 2);
  EXPECT_EQ(stream.examples(2), 3);
  EXPECT_TRUE(torch::equal(InputStream(data, {1}, 3).batch(0)[0], torch::tensor({1, 1, 1})));
}

TEST(Sample, TheFirstInputs) {
  const TensorDataset data({torch::arange(10)}, torch::ones({10}));
  EXPECT_TRUE(torch::equal(first_inputs(data, 3)[0], torch::arange(3)));
  EXPECT_EQ(first_inputs(data, 100)[0].size(0), 10);
  EXPECT_EQ(FirstExamples(data, 3).size(), 3);
  EXPECT_EQ(FirstExamples(data, 100).size(), 10);
  const std::int64_t index = 2;
  EXPECT_EQ(FirstExamples(data, 3).get({&index, 1}).inputs[0].item<std::int64_t>(), 2);
}

}  // namespace
}  // namespace actswap
