// What the command answers to a command line that makes no sense, to --help and to --version.
#include "scratch.h"

#include <actswap/activation/activation.h>
#include <actswap/kernel/blend_kernel.h>

#include <nlohmann/json.hpp>

#include <map>
#include <regex>
#include <set>

namespace tool_test {
namespace {

class Usage : public InScratch {
 protected:
  struct Case {
    Words arguments;
    Words parts;
  };

  void expect_failures(int code, const std::vector<Case>& cases) const {
    std::vector<Words> calls;
    for (const auto& each : cases) {
      calls.push_back(each.arguments);
    }
    const auto outcomes = run_all(calls);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(::testing::PrintToString(cases[i].arguments));
      expect_failure(outcomes[i], code, cases[i].parts);
    }
  }
};
class Help : public InScratch {};
class Streams : public InScratch {};

TEST_F(Help, VersionIsOneLine) {
  const auto outcome = run_here({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(std::regex_match(outcome.out, std::regex("actswap [0-9.]+ \\(LibTorch [0-9.]+\\)\n")))
      << outcome.out;
}

TEST_F(Help, OverviewListsTheSubcommands) {
  const auto outcome = run_here({"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const char* name : {"activations", "inspect", "convert", "eval", "bench", "verify"}) {
    EXPECT_TRUE(std::regex_search(outcome.out, std::regex("\n +" + std::string(name) + " +[A-Z]")))
        << name << " in\n"
        << outcome.out;
  }
}

TEST_F(Help, EverySubcommandShowsItsOptionsWithDefaults) {
  struct Case {
    const char* subcommand;
    std::vector<std::pair<std::string, std::string>> defaults;
  };
  const Case cases[] = {
      {"activations", {}},
      {"inspect", {{"--to", "relu"}}},
      {"convert",
       {{"--to", "relu"},
        {"--epochs", "1"},
        {"--loss", "auto"},
        {"--optimizer", "adamw"},
        {"--lr", "search or calibrated"},
        {"--curve", "linear"},
        {"--order", "together"},
        {"--seed", "0"}}},
      {"eval", {{"--batch", "256"}, {"--limit", "0"}}},
      {"bench", {{"--rounds", "20"}, {"--warmup", "3"}}},
      {"verify", {{"--tolerance", "1e-05"}}},
  };
  std::vector<Words> calls;
  for (const auto& each : cases) {
    calls.push_back({each.subcommand, "--help"});
  }
  const auto outcomes = run_all(calls);
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const auto& [subcommand, defaults] = cases[i];
    const auto& outcome = outcomes[i];
    EXPECT_EQ(outcome.code, 0) << subcommand;
    EXPECT_EQ(outcome.err, "") << subcommand;
    for (const char* option : {"--config", "--json", "--quiet", "--verbose"}) {
      EXPECT_TRUE(contains(outcome.out, option)) << subcommand;
    }
    // The text of an option, up to the next one, in one line.
    const auto text = std::regex_replace(outcome.out, std::regex("\\s+"), " ");
    for (const auto& [option, value] : defaults) {
      const auto begin = text.find(" " + option + " ");
      ASSERT_NE(begin, std::string::npos) << subcommand << " " << option;
      EXPECT_TRUE(contains(text.substr(begin, text.find(" --", begin + 1) - begin),
                           "default: " + value + "]"))
          << subcommand;
    }
  }
}

TEST_F(Usage, NamesTheWordThatIsWrong) {
  const auto model = model_file("scripted_module.pt");
  expect_failures(
      2, {
             {{}, {"Usage: actswap SUBCOMMAND", "\n  convert "}},
             {{"convret", model, "-o", "out.pt"}, {"convret", "did you mean 'convert'", "--help"}},
             {{"convert", model, "-o", "out.pt", "--ephocs", "2"}, {"did you mean '--epochs'"}},
             {{"convert", model, "-o", "out.pt", "--epochs"}, {"Expected NUMBER after --epochs"}},
             {{"convert", "--mean", "0.4", "0.4", "0.4", model, "-o", "out.pt"},
              {"commas", "--mean 0.4,0.4,0.4"}},
             {{"convert", "--source", "mish", "silu", model, "-o", "out.pt"},
              {"commas", "--source mish,silu"}},
             {{"--frobnicate"}, {"--help"}},
             {{"convert", model, "-o", "out.pt", "--frobnicate"}, {"--frobnicate", "--help"}},
             {{"inspect", model, "another.pt"}, {"another.pt"}},
             {{"convert", model}, {"--output", "required"}},
             {{"convert", model, "-o", ""}, {"--output", "the path of a file", "''"}},
             {{"convert", "-o", "out.pt"}, {"model", "required"}},
             {{"eval", model}, {"--data", "required"}},
             {{"bench", model}, {"--input", "required"}},
             {{"convert", model, "-o", "out.pt", "--epochs", "many"}, {"--epochs", "many"}},
             {{"convert", model, "-o", "out.pt", "--ramp-unit", "hours"},
              {"--ramp-unit", "epochs or steps", "hours"}},
             {{"completion"}, {"bash, zsh, fish"}},
             {{"completion", "bash", "zsh"}, {"zsh"}},
             {{"completion", "tcsh"}, {"bash, zsh or fish", "tcsh"}},
         });
  EXPECT_EQ(files(), Words{});
}

TEST_F(Usage, ValuesThatMakeNoSense) {
  write_images("data.pt", 8);
  write_tensors(path("empty.pt"), {{"x", torch::zeros({0, 3, 8, 8})}});
  const auto model = model_file("scripted_module.pt");
  const auto convert = [&](const Words& more) {
    Words words = {"convert", model, "-o", "out.pt"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  expect_failures(
      2,
      {
          {convert({"--to", "rellu"}), {"rellu", "did you mean 'relu'"}},
          {convert({"--source", "mosh"}), {"mosh", "did you mean 'mish'"}},
          {convert({"--site", "stem.2"}), {"PATTERN=TARGET", "stem.2"}},
          {convert({"--only", "nowhere*"}), {"--only", "nowhere*", "stem.2"}},
          {convert({"--keep", "nowhere*"}), {"--keep", "nowhere*", "stem.2"}},
          {convert({"--site", "nowhere*=relu"}), {"--site", "nowhere*", "stem.2"}},
          {convert({"--loss", "hinge"}), {"hinge", "cross-entropy"}},
          {convert({"--optimizer", "lion"}), {"lion", "adamw"}},
          {convert({"--train", "data.pt", "--curve", "circle"}), {"circle", "cosine"}},
          {convert({"--train", "data.pt", "--recipe", "soup"}), {"soup", "calibrated"}},
          {convert({"--train", "data.pt", "--recipe", "hard", "--ramp-end", "1"}),
           {"--ramp-end has no effect without", "--recipe ramp"}},
          {convert({"--calibrate", "data.pt", "--train", "data.pt", "--recipe", "ramp"}),
           {"--calibrate has no effect without", "--recipe calibrated"}},
          {convert({"--calibrate", "data.pt", "--calibrate-inputs", "0"}), {"inputs", "0"}},
          {convert({"--train", "data.pt", "--epochs", "-1"}), {"epochs", "-1"}},
          {convert({"--train", "data.pt", "--ramp-end", "2"}), {"epoch 2", "train for longer"}},
          {convert({"--train", "data.pt", "--ramp-unit", "steps"}), {"--ramp-end"}},
          {convert({"--input", "2x"}), {"2x", "8x3x224x224"}},
          {convert({"--input", "2x5"}), {"[2, 5]"}},
          {convert({"--max-drop", "-1"}), {"--max-drop: expected 0 or more, but got '-1'"}},
          {convert({"--min-agreement", "1.5"}),
           {"--min-agreement: expected 0 to 1, but got '1.5'"}},
          {convert({"--calibrate-memory", "much"}), {"a size such as 500MB or 4GiB", "much"}},
          {convert({"--calibrate-memory", "8"}), {"a size with its unit, such as 500MB", "8"}},
          {convert({"--calibrate", ""}), {"--calibrate", "expected the path of a file", "''"}},
          {convert({"--config", ""}), {"--config", "expected the path of a file", "''"}},
          {convert({"--to", "relu", "--to", "mish"}), {"--to", "expected once, but given 2 times"}},
          {{"verify", model, "--tolerance", "-1"}, {"--tolerance: expected 0 or more"}},
          {convert({"--train", "data.pt", "--seed", "-1"}), {"--seed", "-1"}},
          {convert({"--train", "data.pt", "--seed", "18446744073709551616"}),
           {"--seed", "18446744073709551616", "from 0 to 18446744073709551615"}},
          {convert({"--train", "data.pt", "--batch", "9223372036854775808"}), {"--batch"}},
          {convert({"--train", "data.pt", "--momentum", "nan"}), {"--momentum", "finite", "nan"}},
          {convert({"--train", "data.pt", "--epochs", "1e999"}), {"--epochs", "1e999"}},
          {convert({"--train", "data.pt", "--lr", "inf"}), {"learning rate", "inf"}},
          {convert({"--train", "data.pt", "--hold", "inf"}), {"--hold", "inf"}},
          {convert({"--train", "empty.pt"}), {"training data", "there are none"}},
          {convert({"--train", "data.pt", "--val", "empty.pt"}), {"validation data"}},
          {{"bench", model, "--input", "2x3x8x8", "--rounds", "0"}, {"rounds", "0"}},
          {{"bench", model, "--input", "2x5"}, {"[2, 5]"}},
          {{"eval", model, "--data", "data.pt", "--batch", "0"}, {"batch", "0"}},
          {{"eval", model, "--data", "data.pt", "--mean", "1,2"}, {"--mean", "3", "2"}},
      });
  EXPECT_EQ(files(), (Words{"data.pt", "empty.pt"}));
}

// The help says each range, and the command keeps to it, in the same words.
TEST_F(Usage, NumbersOutsideOfTheRangeInTheHelp) {
  const auto model = model_file("scripted_module.pt");
  const std::regex option("[^\\\\]\n  (?:-., |    )(--[a-z-]+) (?:NUMBER|N)\\s");
  const std::map<std::string, std::string> outside = {{"0 or more", "-1"},
                                                      {"1 or more", "0"},
                                                      {"above 0", "0"},
                                                      {"0 to 1", "1.5"},
                                                      {"0 or more and below 1", "1"}};
  std::vector<Case> cases;
  for (const Words& begin :
       {Words{"convert", model, "-o", "out.pt"}, Words{"bench", model, "--input", "2x3x8x8"},
        Words{"eval", model, "--data", "data.pt"},
        Words{"sensitivity", model, "--val", "data.pt"}}) {
    const auto help = run_here({begin[0], "--help"}).out;
    for (std::sregex_iterator found(help.begin(), help.end(), option), end; found != end; ++found) {
      const auto name = (*found)[1].str();
      const auto rest = std::regex_replace(
          help.substr(static_cast<std::size_t>(found->position()) + 4), std::regex("\\s+"), " ");
      const auto text = rest.substr(0, rest.find(" --", 8));
      for (const auto& [range, value] : outside) {
        if (contains(text, "[" + range + ";") || contains(text, "[" + range + "]")) {
          Words words = begin;
          words.insert(words.end(), {name, value});
          cases.push_back({words, {name + ": expected " + range + ", but got '" + value + "'"}});
        }
      }
    }
  }
  EXPECT_GT(cases.size(), 25U);
  expect_failures(2, cases);
}

// Whoever gives an option expects something of it. tests/pipeline/recipe_test.cpp has each need of
// convert's; here is that the command looks.
TEST_F(Usage, OptionsWithoutEffectAreRefused) {
  write_images("data.pt", 8);
  const auto model = model_file("scripted_module.pt");
  const Words convert = {"convert", model, "-o", "out.pt"};
  const auto with = [](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Words blend = {"blend", model, "-o", "out.pt"};
  const Words sensitivity = {"sensitivity", model, "--val", "data.pt"};
  const std::string none = " has no effect without ";
  expect_failures(
      2,
      {
          {with(convert, {"--lr", "0.1", "--curve", "cosine"}), {"--curve" + none, "--train"}},
          {with(convert, {"--lr", "0.1"}), {"--lr" + none, "--train"}},
          {with(convert, {"--batch", "64"}), {"--batch" + none, "--train"}},
          {with(convert, {"--blend-code", "fused"}), {"--blend-code" + none, "--train"}},
          {with(convert, {"--train", "data.pt", "--momentum", "0.9"}), {"--momentum" + none}},
          {with(convert, {"--calibrate-draw", "once"}), {"--calibrate-draw" + none}},
          {with(convert, {"--keep-best", "--train", "data.pt"}), {"--keep-best" + none, "--val"}},
          {with(convert, {"--mean", "0.5"}), {"--mean" + none + "--train, --val or --calibrate"}},
          {with(blend, {"--calibrate-inputs", "8"}), {"--calibrate-inputs" + none + "--calibrate"}},
          {with(blend, {"--seed", "1"}), {"--seed" + none + "--calibrate"}},
          {with(blend, {"--target", "y"}), {"--target" + none + "--calibrate"}},
          {with(sensitivity, {"--seed", "1"}), {"--seed" + none + "--calibrate"}},
          {{"verify", model, "--input", "2x3x8x8"}, {"--input" + none + "--against"}},
          {{"inspect", model, "-q", "-v"}, {"--quiet", "--verbose"}},
      });
  EXPECT_EQ(files(), Words{"data.pt"});
  // Words that leave the choice to the command, and a dry run, which shows the plan of any command.
  for (const auto& words : {with(convert, {"--loss", "auto", "--recipe", "auto"}),
                            with(convert, {"--dry-run", "--lr", "0.1", "--mean", "0.5"})}) {
    EXPECT_EQ(run_here(words).code, 0);
  }
}

// All that the help lists but what acts on a plain swap: an option that is added is tried as well.
TEST_F(Usage, NoOptionOfATrainingIsTakenByAPlainSwap) {
  const std::set<std::string> effective = {
      "--help",     "--config",  "--json",        "--load-library",  "--verbose",
      "--quiet",    "--output",  "--train",       "--val",           "--input",
      "--run-dir",  "--dry-run", "--calibrate",   "--thaw",          "--to",
      "--source",   "--only",    "--keep",        "--site",          "--self-test",
      "--force",    "--confine", "--max-memory",  "--max-file-size", "--max-processor-time",
      "--log-file", "--resume",  "--rank-timeout"};
  const std::map<std::string, std::string> words = {{"--recipe", "ramp"},
                                                    {"--loss", "mse"},
                                                    {"--augment", "flip"},
                                                    {"--optimizer", "sgd"},
                                                    {"--lr", "0.1"},
                                                    {"--curve", "cubic"},
                                                    {"--order", "forward"},
                                                    {"--checkpoint-every", "10min"},
                                                    {"--prune-keep", "head"},
                                                    {"--calibrate-draw", "once"},
                                                    {"--calibrate-memory", "1GB"},
                                                    {"--batch-norm", "running"},
                                                    {"--ramp-unit", "epochs"},
                                                    {"--blend-code", "stock"},
                                                    {"--agreement", "cosine"},
                                                    {"--inputs", "x"},
                                                    {"--interpolation", "bicubic"},
                                                    {"--target", "y"}};
  const auto help = run_here({"convert", "--help"}).out;
  const std::regex line("[^\\\\]\n  (?:-., |    )(--[a-z-]+)(?: ([A-Z]+)\\S*)?");
  std::vector<Case> cases;
  for (std::sregex_iterator found(help.begin(), help.end(), line), end; found != end; ++found) {
    const auto name = (*found)[1].str();
    const auto type = (*found)[2].str();
    if (effective.contains(name)) {
      continue;
    }
    Words command = {"convert", model_file("scripted_module.pt"), "-o", "out.pt", name};
    if (words.contains(name)) {
      command.push_back(words.at(name));
    } else if (type == "NUMBER" || type == "N" || type == "SIZE") {
      command.emplace_back(type == "NUMBER" ? "0.5" : "1");
    } else {
      ASSERT_TRUE(type.empty()) << "a value of " << name << " is needed here";
    }
    cases.push_back({command, {name + " has no effect without "}});
  }
  EXPECT_GT(cases.size(), 35U) << help;
  expect_failures(2, cases);
  EXPECT_EQ(files(), Words{});
}

// Found out before the hours of training, not after them.
TEST_F(Usage, TheGateNeedsLabelsBeforeTheTraining) {
  write_images("data.pt", 8);
  const auto outcome = run_here({"convert", model_file("scripted_module.pt"), "-o", "out.pt",
                                 "--train", "data.pt", "--max-drop", "1"});
  expect_failure(outcome, 2, {"labelled validation data"});
  EXPECT_TRUE(lines_with(outcome.err, "info: training").empty()) << outcome.err;
}

// Without data there is nothing to train on: what was asked for cannot be done.
TEST_F(Usage, TrainingOptionsWithoutTrainingData) {
  const auto model = model_file("scripted_module.pt");
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--epochs", "3"}), 2, {"train"});
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--control"}), 2, {"train"});
  EXPECT_EQ(files(), Words{});
}

TEST_F(Usage, APlanThatSwapsNothingSaysWhyForEachSite) {
  const auto model = model_file("scripted_module.pt");
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--keep", "*"}), 2,
                 {"nothing to swap", "stem.2/forward/0", "cells.0.act/forward/0",
                  "cells.1.act/forward/0", "kept by --keep"});
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--to", "mish"}), 2,
                 {"nothing to swap", "is already mish"});
  EXPECT_EQ(files(), Words{});
}

TEST_F(Usage, AModelWithoutActivationsListsItsElementwiseOperators) {
  torch::jit::Module module("__torch__.waves");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.define("def forward(self, x):\n  return torch.sin(x) * torch.exp(x)\n");
  module.save(path("waves.pt"));
  for (const char* subcommand : {"inspect", "convert"}) {
    const bool inspects = std::string(subcommand) == "inspect";
    Words words = {subcommand, "waves.pt"};
    Words none = {subcommand, model_file("no_activation.pt")};
    if (!inspects) {
      words.insert(words.end(), {"-o", "out.pt"});
      none.insert(none.end(), {"-o", "out.pt"});
    }
    const auto outcome = run_here(words);
    const auto& text = inspects ? outcome.out : outcome.err;
    EXPECT_EQ(outcome.code, inspects ? 0 : 2);
    EXPECT_TRUE(contains(text, "no known activation"));
    EXPECT_TRUE(std::regex_search(text, std::regex("operators.*exp.*sin"))) << text;
    const auto without = run_here(none);
    EXPECT_TRUE(contains(inspects ? without.out : without.err, "no elementwise operator"))
        << subcommand;
  }
  EXPECT_EQ(files(), Words{"waves.pt"});
}

TEST_F(Streams, AFullDiskUnderStdoutIsAnError) {
  auto options = here();
  options.stdout_to = "/dev/full";
  for (const Words& words : {Words{"activations"}, Words{"activations", "--json"},
                             Words{"inspect", model_file("scripted_module.pt"), "--json"}}) {
    const auto outcome = run(words, options);
    EXPECT_EQ(outcome.code, 3) << words[0];
    EXPECT_TRUE(contains(outcome.err, "No space left on device"));
  }
}

// `actswap ... | head -1`: ended by the signal as any other program, or an error of its own.
TEST_F(Streams, AClosedPipeIsNoBug) {
  auto options = here();
  options.closed_pipe = true;
  const auto outcome = run({"activations"}, options);
  EXPECT_TRUE(outcome.code == -SIGPIPE || outcome.code == 3) << outcome.code;
  EXPECT_EQ(outcome.err.find("bug"), std::string::npos) << outcome.err;
}

TEST_F(Streams, QuietAndVerbose) {
  const auto model = model_file("scripted_module.pt");
  const auto plain = run_here({"convert", model, "-o", "out.pt"});
  const auto quiet = run_here({"convert", model, "-o", "out.pt", "-q"});
  const auto verbose = run_here({"convert", model, "-o", "out.pt", "-v"});
  EXPECT_EQ(plain.code, 0);
  EXPECT_FALSE(lines_with(plain.err, "info: ").empty());
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.err, "");
  EXPECT_TRUE(contains(quiet.out, "sites swapped"));
  EXPECT_EQ(verbose.code, 0);
  EXPECT_GT(lines_of(verbose.err).size(), lines_of(plain.err).size()) << "-v says nothing more";
  // An error is said in spite of -q.
  expect_failure(run_here({"inspect", "missing.pt", "-q"}), 3, {"missing.pt"});
}

TEST_F(Streams, ActivationsAreTheTable) {
  const auto outcome = run_here({"activations", "--json"});
  ASSERT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), 1);
  ASSERT_EQ(json.at("activations").size(), actswap::activations().size());
  const auto text = run_here({"activations"});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.err, "");
  const auto lines = lines_of(text.out);
  ASSERT_EQ(lines.size(), actswap::activations().size() + 1);
  for (std::size_t i = 0; i < json["activations"].size(); ++i) {
    const auto& row = actswap::activations()[i];
    const auto& entry = json["activations"][i];
    EXPECT_EQ(entry.at("name"), row.name);
    EXPECT_EQ(entry.at("aliases").size(), row.aliases.size());
    EXPECT_EQ(entry.at("parameters").size(), row.parameters.size());
    EXPECT_EQ(entry.at("role"), row.default_source   ? "source"
                                : row.default_target ? "target"
                                                     : "by name");
    const auto kernel = entry.at("kernel").get<std::string>();
    EXPECT_EQ(kernel == "both" || kernel == "source", actswap::has_source_kernel(row)) << row.name;
    EXPECT_EQ(kernel == "both" || kernel == "target", actswap::has_target_kernel(row)) << row.name;
    EXPECT_TRUE(contains(lines[i + 1], " " + kernel + " ")) << lines[i + 1];
    EXPECT_EQ(entry.at("formula"), row.formula);
    EXPECT_EQ(lines[i + 1].rfind(row.name + " ", 0), 0U) << lines[i + 1];
    EXPECT_TRUE(contains(lines[i + 1], row.formula));
  }
}

TEST_F(Streams, ActivationsAreDrawn) {
  const auto outcome = run_here({"activations", "silu", "relu", "--plot", "swap.svg"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(lines_of(outcome.out).size(), 3U) << outcome.out;
  EXPECT_TRUE(contains(read_file(path("swap.svg")), ">silu</text>"));
  expect_failure(run_here({"activations", "sliu"}), 2, {"did you mean 'silu'"});
  expect_failure(run_here({"activations", "--plot", "missing/swap.svg"}), 3, {"missing"});
}

}  // namespace
}  // namespace tool_test
