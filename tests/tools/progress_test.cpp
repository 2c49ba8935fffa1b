// The progress bar: on a terminal only, within its width, and gone at the end.
#include "scratch.h"

#include <regex>

namespace tool_test {
namespace {

/// What a terminal shows in the end: lines, of which "\r" and erasing rewrite the last.
Words screen_of(const std::string& text) {
  Words lines = {""};
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      lines.emplace_back();
      column = 0;
    } else if (text[i] == '\r') {
      column = 0;
    } else if (text.compare(i, 2, "\033[") == 0) {
      const auto end = text.find_first_of("Km", i);
      if (end == std::string::npos) {
        break;
      }
      if (text[end] == 'K') {
        lines.back().resize(column);
      }
      i = end;
    } else {
      lines.back().resize(std::max(lines.back().size(), column + 1), ' ');
      lines.back()[column++] = text[i];
    }
  }
  return lines;
}

/// The drawings of the bar, in their order.
Words frames_of(const std::string& text) {
  static const std::string kBegin = "\r\033[K";
  Words frames;
  for (auto at = text.find(kBegin); at != std::string::npos;) {
    at += kBegin.size();
    const auto next = text.find_first_of("\r\033\n", at);
    const auto frame = text.substr(at, next - at);
    if (frame.find('[') != std::string::npos) {
      frames.push_back(frame);
    }
    at = text.find(kBegin, at);
  }
  return frames;
}

class ProgressBar : public InScratch {
 protected:
  Outcome train(unsigned short columns, const Words& more = {}) const {
    write_images("data.pt", 64);
    Words words = {"convert",  model_file("scripted_module.pt"),
                   "-o",       "out.pt",
                   "--recipe", "ramp",
                   "--train",  "data.pt",
                   "--epochs", "3",
                   "--batch",  "4"};
    words.insert(words.end(), more.begin(), more.end());
    auto options = here();
    options.columns = columns;
    return run(words, options);
  }
};

TEST_F(ProgressBar, ShowsWhereTheTrainingIs) {
  const auto outcome = train(160);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto frames = frames_of(outcome.err);
  ASSERT_GE(frames.size(), 2U) << outcome.err;
  const std::regex pattern(
      ".*epoch ([0-9.]+).* step ([0-9]+)/48.* t ([0-9.]+).* loss ([0-9.]+).* rate ([0-9.e+-]+).* "
      "([0-9]+) s left.*");
  int last_step = 0;
  for (const auto& frame : frames) {
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(frame, parts, pattern)) << frame;
    const int step = std::stoi(parts[2]);
    EXPECT_GT(step, last_step) << frame;
    EXPECT_NEAR(std::stod(parts[1]), step / 16.0, 0.006) << frame;
    // The ramp's end is 0.9 epochs: t rises by 1 / 14.4 a step.
    EXPECT_NEAR(std::stod(parts[3]), std::min(1.0, (step - 1) / 14.4), 0.001) << frame;
    last_step = step;
  }
  EXPECT_EQ(last_step, 48);
  // The results go where they always go, and the bar is gone.
  EXPECT_TRUE(contains(outcome.out, "sites swapped"));
  EXPECT_EQ(outcome.out.find('\r'), std::string::npos);
  Words epochs;
  for (const auto& line : screen_of(outcome.err)) {
    EXPECT_EQ(line.find(" left"), std::string::npos) << line;
    EXPECT_TRUE(line.empty() || line.rfind("info: ", 0) == 0) << line;
    if (line.rfind("info: retarget: epoch ", 0) == 0) {
      epochs.push_back(line);
    }
  }
  EXPECT_EQ(epochs.size(), 3U);
}

// A line that wraps is not erased by the next one: the screen fills up.
TEST_F(ProgressBar, FitsTheTerminal) {
  for (const unsigned short columns : {80, 40}) {
    const auto outcome = train(columns);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto frames = frames_of(outcome.err);
    ASSERT_FALSE(frames.empty());
    for (const auto& frame : frames) {
      EXPECT_LE(frame.size(), columns) << frame;
    }
    if (columns == 80) {
      EXPECT_TRUE(contains(frames.back(), "48/48"));
    }
  }
}

TEST_F(ProgressBar, NotWhereItIsNotWanted) {
  const auto quiet = train(120, {"-q"});
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.err, "");
  const auto piped = train(0);
  EXPECT_EQ(piped.code, 0);
  EXPECT_EQ(piped.err.find_first_of("\r\033"), std::string::npos) << piped.err;
  EXPECT_EQ(lines_with(piped.err, "info: retarget: epoch ").size(), 3U) << piped.err;
}

}  // namespace
}  // namespace tool_test
