// TensorBoard's event file, byte by byte; tests/event_file.py reads one by the tensorboard package.
#include <actswap/report/event_file.h>
#include <actswap/report/run_curves.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace actswap {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t little_endian(const std::string& text, std::size_t at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(
                 static_cast<unsigned char>(text.at(at + static_cast<std::size_t>(i))))
             << (8 * i);
  }
  return value;
}

// The data of its records.
std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  for (std::size_t at = 0; at < file.size();) {
    const auto length = little_endian(file, at, 8);
    records.push_back(file.substr(at + 12, length));
    at += 16 + length;
  }
  return records;
}

// The checksums are those of masked_crc32c in the tensorboard package 2.21.
TEST(EventFile, BeginsWithItsVersion) {
  RecordedRun run;
  run.record = {{"schema", 1}};
  const auto file = event_file(run);
  const std::string first =
      std::string("\x09", 1) + std::string(8, '\0') + "\x1a\x0d" + "brain.Event:2";
  EXPECT_EQ(records_of(file).front(), first);
  EXPECT_EQ(little_endian(file, 0, 8), first.size());
  EXPECT_EQ(little_endian(file, 8, 4), 0x224b7fa3U);
  EXPECT_EQ(little_endian(file, 12 + first.size(), 4), 0xa328dfeeU);
}

TEST(EventFile, HoldsEachScalarWithItsStep) {
  RecordedRun run;
  run.record = {{"schema", 1}, {"swap_alone", 80.5}};
  run.metrics = {{{"time", "1970-01-02T00:00:00.500Z"},
                  {"phase", "retarget"},
                  {"event", "step"},
                  {"step", 300},
                  {"loss", 0.25}}};
  const auto records = records_of(event_file(run));
  // Event: wall_time 86400.5, step 300; Summary, Value: tag, simple_value 0.25.
  std::string expected = std::string("\x09") + std::string("\0\0\0\0\x08\x18\xf5\x40", 8) +
                         "\x10\xac\x02" + "\x2a\x16\x0a\x14\x0a\x0dretarget/loss\x15" +
                         std::string("\0\0\x80\x3e", 4);
  EXPECT_NE(std::ranges::find(records, expected), records.end());
  EXPECT_NE(records.back().find("metric/swap_alone"), std::string::npos);
}

TEST(RunCurves, ComeFromTheLinesOfTheRunOrItsEpochs) {
  RecordedRun run;
  run.record = {
      {"epochs", {{{"step", 10}, {"loss", 0.5}, {"checks", {{{"step", 5}, {"value", 80.0}}}}}}},
      {"control_epochs", {{{"step", 10}, {"loss", 0.25}}}}};
  auto curves = curves_of(run);
  ASSERT_EQ(curves.size(), 3U);
  EXPECT_EQ(curves[0].phase + "/" + curves[0].quantity, "retarget/loss");
  EXPECT_EQ(curves[1].phase + "/" + curves[1].quantity, "retarget/check");
  EXPECT_EQ(curves[2].phase + "/" + curves[2].quantity, "control/loss");
  // A training that went back to step 1.
  for (const int step : {1, 2, 3, 2}) {
    run.metrics.push_back({{"time", "2026-11-28T19:30:00.000Z"},
                           {"phase", "retarget"},
                           {"seed", 7},
                           {"event", "step"},
                           {"step", step},
                           {"loss", 1.0 / step}});
  }
  run.metrics.push_back({{"event", "message"}, {"step", 9}, {"loss", 9.0}});
  curves = curves_of(run);
  ASSERT_EQ(curves.size(), 1U);
  EXPECT_EQ(curves[0].phase, "retarget, seed 7");
  ASSERT_EQ(curves[0].points.size(), 2U);
  EXPECT_EQ(curves[0].points[1].step, 2.0);
  EXPECT_EQ(curves[0].points[1].time, 1795894200.0);
}

}  // namespace
}  // namespace actswap
