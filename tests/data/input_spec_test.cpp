#include <actswap/base/error.h>
#include <actswap/measure/input_spec.h>
#include <torch/script.h>
#include <torch/utils.h>

#include "files.h"

namespace {

using actswap::make_inputs;
using actswap::UsageError;
using Shape = std::vector<std::int64_t>;

TEST(InputSpec, GivesShapesAndTypes) {
  const auto inputs = make_inputs({"8x3x2x4", "1x128:int64<30522;5", "2:bool"});
  ASSERT_EQ(inputs.size(), 4U);
  EXPECT_EQ(inputs[0].sizes(), (Shape{8, 3, 2, 4}));
  EXPECT_EQ(inputs[0].scalar_type(), torch::kFloat32);
  EXPECT_EQ(inputs[1].sizes(), (Shape{1, 128}));
  EXPECT_EQ(inputs[1].scalar_type(), torch::kInt64);
  EXPECT_GT(inputs[1].max().item<std::int64_t>(), 2);
  EXPECT_EQ(inputs[2].sizes(), (Shape{5}));
  EXPECT_EQ(inputs[3].scalar_type(), torch::kBool);
  EXPECT_EQ(make_inputs({"2:float64"})[0].scalar_type(), torch::kFloat64);
  EXPECT_EQ(make_inputs({"2:float16"})[0].scalar_type(), torch::kFloat16);
  EXPECT_EQ(make_inputs({"2:bfloat16"})[0].scalar_type(), torch::kBFloat16);
  EXPECT_EQ(make_inputs({"2:int32"})[0].scalar_type(), torch::kInt32);
  EXPECT_EQ(make_inputs({"2:uint8<256"})[0].scalar_type(), torch::kUInt8);
  EXPECT_TRUE(make_inputs({}).empty());
}

TEST(InputSpec, DrawsFromTheDistributionsItNames) {
  const auto inputs = make_inputs({"20000", "20000:int64<5", "20000:int32"});
  EXPECT_NEAR(inputs[0].mean().item<double>(), 0.0, 0.05);
  EXPECT_NEAR(inputs[0].std().item<double>(), 1.0, 0.05);
  const auto counts = torch::bincount(inputs[1]);
  EXPECT_EQ(counts.numel(), 5);
  EXPECT_GT(counts.min().item<std::int64_t>(), 3500);
  EXPECT_EQ(inputs[2].max().item<int>(), 1);
  EXPECT_EQ(inputs[2].min().item<int>(), 0);
}

TEST(InputSpec, DependsOnTheSeedAlone) {
  const auto first = make_inputs({"3x4", "6:int64<100"}, 7);
  torch::manual_seed(1);
  const auto global = torch::rand({4});
  torch::manual_seed(1);
  const auto again = make_inputs({"3x4;6:int64<100"}, 7);
  EXPECT_TRUE(torch::equal(torch::rand({4}), global)) << "the global generator is left alone";
  EXPECT_TRUE(torch::equal(first[0], again[0]));
  EXPECT_TRUE(torch::equal(first[1], again[1]));
  EXPECT_FALSE(torch::equal(first[0], make_inputs({"3x4"}, 8)[0]));
}

TEST(InputSpec, ReadsTensorFiles) {
  const auto inputs = make_inputs({data_test::model_file("data_tuple.pt"), "2x2"});
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(inputs[0].sizes(), (Shape{10, 3}));
  EXPECT_EQ(inputs[1].scalar_type(), torch::kInt64);
  EXPECT_EQ(inputs[2].sizes(), (Shape{2, 2}));
  EXPECT_THROW(make_inputs({ACTSWAP_SOURCE_DIR "/CMakeLists.txt"}), actswap::FileError);
}

TEST(InputSpec, TakesNamesInBraces) {
  const std::vector<std::string> names = {"x", "ids", "mask"};
  const auto inputs = make_inputs({"2x3", "{mask: 1x4:bool, ids : 1x4:int64<30522}"}, 0, names);
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(inputs[0].sizes(), (Shape{2, 3}));
  EXPECT_EQ(inputs[1].scalar_type(), torch::kInt64) << "in the order of the model";
  EXPECT_EQ(inputs[2].scalar_type(), torch::kBool);
  EXPECT_EQ(make_inputs({"2x3;{ids: 4, mask: 4}"}, 0, names).size(), 3U);
}

TEST(InputSpec, RefusesNamesThatTheModelDoesNotTake) {
  const std::vector<std::string> names = {"x", "ids", "mask"};
  for (const char* spec : {"{ids: 4, masks: 4}", "{ids: 4, ids: 4}", "{x: 4, mask: 4}", "{}",
                           "{ids: 4", "{ids 4}", "{: 4}", "{ids: 4,}", "{ids: 4x}"}) {
    EXPECT_THROW(make_inputs({spec}, 0, names), UsageError) << spec;
  }
  data_test::expect_error<UsageError>([&] { make_inputs({"{ids: 4, masks: 4}"}, 0, names); },
                                      {"the model takes x, ids, mask"});
  data_test::expect_error<UsageError>([] { make_inputs({"{ids: 4}"}); },
                                      {"the model takes no inputs by name"});
}

TEST(InputSpec, ANamedFileFollowsTheModel) {
  const auto file = data_test::model_file("data_dict.pt");  // x and y
  const auto as_stored = make_inputs({file});
  const auto by_name = make_inputs({file}, 0, {"y", "x"});
  ASSERT_EQ(by_name.size(), 2U);
  EXPECT_TRUE(torch::equal(by_name[0], as_stored[1]));
  EXPECT_TRUE(torch::equal(make_inputs({file}, 0, {"a", "b"})[0], as_stored[0]))
      << "names that are not the model's say nothing";
}

TEST(InputSpec, RefusesWhatItCannotRead) {
  const std::vector<std::string> bad = {"",
                                        "x",
                                        "8x",
                                        "x8",
                                        "8xx3",
                                        "8x-1",
                                        "0x3",
                                        "8 x3",
                                        "8x3.5",
                                        "8x3;",
                                        ";8",
                                        "8:",
                                        "8:float",
                                        "8:int64<",
                                        "8:int64<0",
                                        "8:int64<-3",
                                        "8:int64<1.5",
                                        "8<5",
                                        "8:float32<5",
                                        "8:bool<3",
                                        "8:uint8<257",
                                        "8:int64<5<6",
                                        "8:int64:int64",
                                        "8:int32<9999999999",
                                        "99999999999999999999",
                                        "9999999999x9999999999",
                                        "missing/file.pt",
                                        "4611686018427387904",
                                        "300000000000000000",
                                        "/tmp",
                                        std::string(5000, 'a')};
  for (const auto& spec : bad) {
    SCOPED_TRACE(spec.substr(0, 80));
    try {
      make_inputs({spec});
      ADD_FAILURE() << "accepted";
    } catch (const UsageError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("8x3x224x224"), std::string::npos) << message;
    }
  }
  data_test::expect_error<UsageError>([] { make_inputs({"missing.pt"}); }, {"no such file"});
}

}  // namespace
