#include <actswap/calibrate/copy_values.h>

#include <torch/script.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(CopyValues, WhatIsWrittenToTheCopyIsNotSeen) {
  const auto x = torch::zeros({2, 3});
  const auto copies = copy_values({x, 5, c10::IValue()});
  copies[0].toTensor().fill_(1.0);
  EXPECT_EQ(x.sum().item<double>(), 0.0);
  EXPECT_EQ(copies[1].toInt(), 5);
  EXPECT_TRUE(copies[2].isNone());
}

TEST(CopyValues, AViewStaysAView) {
  const auto x = torch::arange(12).reshape({3, 4});
  const auto column = x.slice(1, 1, 4, 2);
  const auto copies = copy_values({column, c10::List<torch::Tensor>({x, x.t()})});
  const auto list = copies[1].toTensorList();
  EXPECT_TRUE(torch::equal(copies[0].toTensor(), column));
  EXPECT_TRUE(torch::equal(list.get(1), x.t()));
  copies[0].toTensor().fill_(-1);
  EXPECT_EQ(list.get(0)[2][3].item<int>(), -1);
  EXPECT_EQ(list.get(1)[1][0].item<int>(), -1);
  EXPECT_EQ(x[2][3].item<int>(), 11);
}

TEST(CopyValues, AListStaysOneList) {
  const c10::List<std::int64_t> list({1, 2});
  const auto copies = copy_values({list, c10::ivalue::Tuple::create({list})});
  copies[0].toIntList().push_back(3);
  EXPECT_EQ(copies[1].toTupleRef().elements()[0].toIntList().size(), 3U);
  EXPECT_EQ(list.size(), 2U);
}

TEST(CopyValues, SharedMemoryCountsOnce) {
  const auto x = torch::zeros({10, 10});
  EXPECT_EQ(memory_of({x, x.t(), c10::List<torch::Tensor>({x[3]}), 7}), 400);
  EXPECT_EQ(memory_of({x, x.clone()}), 800);
}

TEST(CopyValues, WhatRunsAsideHoldsMemoryToo) {
  const auto future = c10::make_intrusive<c10::ivalue::Future>(c10::TensorType::get());
  future->markCompleted(torch::zeros({5}));
  EXPECT_EQ(memory_of({future, torch::zeros({10})}), 60);
}

}  // namespace
}  // namespace actswap
