// What a trace was made with, as its file says.
#include <actswap/archive/recorded_inputs.h>

#include <gtest/gtest.h>

#include "models.h"
#include "zip_writer.h"

namespace actswap {
namespace {

std::string unicode(const std::string& value) {
  return "X" + little_endian(value.size(), 4) + value;
}

std::string tensor(const std::string& type, const std::string& sizes) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + unicode("storage") + "ctorch\n" + type + "\n" +
         unicode("0") + unicode("cpu") + "K\x06tQK" + std::string(1, '\0') + sizes + sizes +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}

std::vector<RecordedInput> recorded(const std::string& arguments) {
  const auto bytes =
      zip_of({{"traced_inputs.pkl", "\x80\x02}(" + unicode("forward") + arguments + "u."},
              {"traced_inputs/0", ""}});
  return read_recorded_inputs(ZipArchive(bytes, "a.pt"));
}

const std::string kTwoByOne = "(K\x02K\x01t";

TEST(RecordedInputs, AreThoseThatPyTorchWrites) {
  const auto model = load(test_model("encoder_traced.pt"));
  const auto inputs = actswap::recorded("encoder_traced").inputs;
  ASSERT_EQ(model.recorded_inputs.size(), inputs.size());
  EXPECT_EQ(model.recorded_inputs[0].sizes, inputs[0].sizes().vec());
  EXPECT_EQ(model.recorded_inputs[0].storage, "FloatStorage");
  EXPECT_TRUE(load(test_model("encoder.pt")).recorded_inputs.empty()) << "it was scripted";
}

TEST(RecordedInputs, HaveTheirPlaces) {
  const auto found =
      recorded("](" + tensor("FloatStorage", kTwoByOne) + "}(" + unicode("ids") +
               tensor("LongStorage", "(K\x02t") + "u(" + tensor("HalfStorage", "(t") + "Nte");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].argument, 0U);
  EXPECT_EQ(found[0].key, "");
  EXPECT_EQ(found[0].sizes, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(found[1].argument, 1U);
  EXPECT_EQ(found[1].key, "ids");
  EXPECT_EQ(found[1].storage, "LongStorage");
  EXPECT_EQ(found[2].argument, 2U);
  EXPECT_EQ(found[2].key, "0");
  EXPECT_TRUE(found[2].sizes.empty());
}

// The model does not need them, and LibTorch does not read them.
TEST(RecordedInputs, DamagedOnesAreNone) {
  for (const std::string& arguments :
       std::vector<std::string>{"", "N", "]",
                                "](K\x01"
                                "e",
                                "](" + tensor("FloatStorage", "(K\x09t") + "e", "](((", "h\x07"}) {
    EXPECT_TRUE(recorded(arguments).empty()) << arguments;
  }
  const auto bytes = zip_of({{"traced_inputs.pkl", "no pickle"}});
  EXPECT_TRUE(read_recorded_inputs(ZipArchive(bytes, "a.pt")).empty());
  const auto nothing = zip_of({{"data.pkl", ""}});
  EXPECT_TRUE(read_recorded_inputs(ZipArchive(nothing, "a.pt")).empty());
}

// Tuples of a tuple twice, 60 levels: 2^60 places, which nobody may visit.
TEST(RecordedInputs, SharedValuesAreNotUnfolded) {
  std::string value = tensor("FloatStorage", kTwoByOne) + "q\x01";
  for (int i = 0; i < 60; ++i) {
    value += "h\x01\x86q\x01";
  }
  EXPECT_TRUE(recorded("](" + value + "e").empty());
}

}  // namespace
}  // namespace actswap
