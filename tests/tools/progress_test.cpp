// The progress bar: on a terminal only, within its width, and gone at the end.
#include "scratch.h"

#include <algorithm>
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

std::size_t lines_containing(const std::string& text, const std::string& part) {
  const auto lines = lines_of(text);
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [&](const auto& line) { return contains(line, part); }));
}

class ProgressBar : public InScratch {
 protected:
  Outcome train(unsigned short columns, const Words& more = {}, const Words& settings = {}) const {
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
    options.settings = settings;
    return run(words, options);
  }
};

TEST_F(ProgressBar, ShowsWhereTheTrainingIs) {
  const auto outcome = train(160);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto frames = frames_of(outcome.err);
  ASSERT_GE(frames.size(), 2U) << outcome.err;
  const std::regex pattern(
      "retarget \\[([#.]+)\\] ([0-9:?]+) left  step ([0-9]+)/48  t ([0-9.]+)  loss ([0-9.e+-]+)  "
      "rate ([0-9.e+-]+)  epoch ([0-9.]+)");
  int last_step = 0;
  std::size_t last_filled = 0;
  for (const auto& frame : frames) {
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(frame, parts, pattern)) << frame;
    const auto bar = parts[1].str();
    last_filled = static_cast<std::size_t>(std::ranges::count(bar, '#'));
    const int step = std::stoi(parts[3]);
    EXPECT_GT(step, last_step) << frame;
    EXPECT_NEAR(std::stod(parts[7]), step / 16.0, 0.006) << frame;
    // The ramp's end is 0.9 epochs: t rises by 1 / 14.4 a step.
    EXPECT_NEAR(std::stod(parts[4]), std::min(1.0, (step - 1) / 14.4), 0.001) << frame;
    last_step = step;
  }
  EXPECT_EQ(last_step, 48);
  EXPECT_EQ(last_filled, 16U);
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
      EXPECT_LT(frame.size(), columns) << frame;
      EXPECT_TRUE(contains(frame, " left")) << frame;  // the time is what a narrow one keeps
    }
    if (columns == 80) {
      EXPECT_TRUE(contains(frames.back(), "0:00 left  step 48/48  t 1.000")) << frames.back();
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

// The whole run: which phase of how many, and its time with that of the control to come.
TEST_F(ProgressBar, IsOfTheWholeRun) {
  const auto outcome = train(160, {"--val", "data.pt", "--control"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto frames = frames_of(outcome.err);
  ASSERT_GE(frames.size(), 2U);
  std::size_t phase = 1;
  for (const auto& frame : frames) {
    phase = contains(frame, "control") ? 2 : phase;
    const auto begin = phase == 1 ? "retarget 1/2 [" : "control 2/2 [";
    EXPECT_EQ(frame.rfind(begin, 0), 0U) << frame;
    if (contains(frame, "retarget") && contains(frame, "48/48")) {
      EXPECT_FALSE(contains(frame, "[################]")) << frame;  // half of it is to come
    }
  }
  EXPECT_EQ(phase, 2U);
}

// Every 30 seconds, or as the environment says.
TEST_F(ProgressBar, WithoutATerminalALineNowAndThen) {
  auto piped = train(0);
  EXPECT_EQ(lines_containing(piped.err, " left  step "), 0U) << piped.err;
  const auto often = train(0, {}, {"ACTSWAP_PROGRESS_SECONDS=0.0001"});
  ASSERT_EQ(often.code, 0) << often.err;
  EXPECT_GE(lines_containing(often.err, " left  step "), 10U) << often.err;
  EXPECT_EQ(lines_with(often.err, "info: retarget 0:00 left  step 48/48  t 1.000  loss ").size(),
            1U)
      << often.err;
}

TEST_F(ProgressBar, NotOnATerminalThatCannotErase) {
  const auto outcome = train(80, {}, {"TERM=dumb"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(frames_of(outcome.err).empty()) << outcome.err;
}

class Log : public ProgressBar {};

TEST_F(Log, ColoursAreForTerminalsThatWantThem) {
  const std::string kEscape = "\033[";
  const auto has_colours = [&](const Words& settings) {
    auto options = here();
    options.columns = 80;
    options.settings = settings;
    const auto outcome = run({"inspect", "missing.pt"}, options);
    EXPECT_EQ(outcome.code, 3);
    return contains(outcome.err, kEscape);
  };
  EXPECT_TRUE(has_colours({"TERM=xterm"}));
  EXPECT_TRUE(has_colours({"TERM=xterm", "NO_COLOR="}));
  EXPECT_FALSE(has_colours({"TERM=xterm", "NO_COLOR=1"}));
}

// Everything, whatever the terminal shows.
TEST_F(Log, GoesIntoAFileToo) {
  const auto outcome =
      train(0, {"-q", "--log-file", "run.log"}, {"ACTSWAP_PROGRESS_SECONDS=0.0001"});
  ASSERT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  const auto log = read_file(path("run.log"));
  EXPECT_GE(lines_containing(log, " left  step "), 10U) << log;
  EXPECT_EQ(lines_containing(log, " info: retarget: epoch "), 3U) << log;
  EXPECT_GE(lines_containing(log, " debug: "), 1U) << log;
  EXPECT_TRUE(std::regex_search(log, std::regex("^20..-..-.. ..:..:..\\.... ")));

  EXPECT_EQ(run_here({"inspect", "missing.pt", "--log-file", "error.log"}).code, 3);
  EXPECT_TRUE(contains(read_file(path("error.log")), " error: ")) << read_file(path("error.log"));

  const auto nowhere = run_here({"inspect", "missing.pt", "--log-file", "."});
  EXPECT_EQ(nowhere.code, 3);
  EXPECT_TRUE(contains(nowhere.err, "(--log-file)")) << nowhere.err;
}

}  // namespace
}  // namespace tool_test
