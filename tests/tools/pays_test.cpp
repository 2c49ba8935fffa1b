// Whether a swap pays, asked before any training; and the way to ONNX.
#include "scratch.h"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Pays : public InScratch {
 protected:
  Words inspect(const Words& more) const {
    Words words = {"inspect", model_file("scripted_module.pt")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};
class Onnx : public InScratch {};

TEST_F(Pays, IsSaidForEachSetting) {
  const auto outcome =
      run_here(inspect({"--input", "2x3x8x8", "--pays", "--rounds", "8", "--json"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json["sites_swapped"], 3);
  ASSERT_EQ(json["results"].size(), 3U);
  const Words settings = {"plain", "frozen", "optimized"};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const auto& result = json["results"][i];
    EXPECT_EQ(result["setting"], settings[i]);
    EXPECT_EQ(result["original"]["runs_ms"].size(), 8U);
    EXPECT_EQ(result["swapped"]["runs_ms"].size(), 8U);
    const auto& ends = result["swapped"]["ratio_interval"];
    const auto expected = !result["swapped"]["doubt"].get<std::string>().empty() ? "doubtful"
                          : ends[1] < 1.0                                        ? "yes"
                          : ends[0] > 1.0                                        ? "no"
                                                                                 : "not told apart";
    EXPECT_EQ(result["pays"], expected) << result;
  }
}

TEST_F(Pays, AsATable) {
  const auto outcome = run_here(inspect({"--input", "2x3x8x8", "--pays", "--keep", "stem*"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_GE(lines.size(), 6U) << outcome.out;
  EXPECT_EQ(lines[0], "2 of 3 sites swapped, not trained");
  EXPECT_EQ(lines[2].rfind("plain ", 0), 0U) << outcome.out;
  EXPECT_EQ(lines[3].rfind("frozen ", 0), 0U) << outcome.out;
  EXPECT_EQ(lines[4].rfind("optimized ", 0), 0U) << outcome.out;
}

TEST_F(Pays, NeedsAnInputAndASwap) {
  expect_failure(run_here(inspect({"--pays"})), 2, {"--pays", "--input"});
  expect_failure(run_here(inspect({"--rounds", "5", "--input", "2x3x8x8"})), 2,
                 {"--rounds", "--pays"});
  expect_failure(run_here(inspect({"--pays", "--input", "2x3x8x8", "--keep", "*"})), 2,
                 {"nothing"});
}

TEST_F(Onnx, IsAnsweredWithTheWayThere) {
  const auto model = model_file("scripted_module.pt");
  write("blended.pt", "");
  ASSERT_EQ(run_here({"blend", model, "-o", "blended.pt"}).code, 0);
  const std::vector<Words> calls = {{"convert", model, "-o", "net.onnx"},
                                    {"blend", model, "-o", "net.ONNX"},
                                    {"collapse", "blended.pt", "-o", "net.onnx"}};
  for (const auto& outcome : run_all(calls)) {
    expect_failure(outcome, 2,
                   {"torch.onnx.export(torch.jit.load('net.pt').eval(), (inputs,), 'net.",
                    "dynamo=False", "examples/onnx/export.py"});
  }
}

TEST_F(Onnx, TheExampleGoesThere) {
  const auto model = model_file("scripted_module.pt");
  ASSERT_EQ(run_here({"convert", model, "-o", "relu.pt", "-q"}).code, 0);
  const auto command =
      std::string("cd '") + path("") + "' && " + ACTSWAP_PYTHON + " " + ACTSWAP_SOURCE_DIR +
      "/examples/onnx/export.py relu.pt -o relu.onnx --input 2x3x8x8 --original '" + model +
      "' > said 2>&1";
  const int code = WEXITSTATUS(std::system(command.c_str()));
  if (code == 77) {
    GTEST_SKIP() << read_file(path("said"));
  }
  EXPECT_EQ(code, 0) << read_file(path("said"));
  EXPECT_TRUE(contains(read_file(path("said")), "pays in ONNX Runtime: "))
      << read_file(path("said"));
}

}  // namespace
}  // namespace tool_test
