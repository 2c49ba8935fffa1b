// Help, version, completion: at once, within the terminal's width, made from the definitions.
#include "scratch.h"

#include <cstdlib>
#include <regex>

namespace tool_test {
namespace {

// All that the overview lists.
Words subcommands() {
  const auto text = run({"--help"}).out;
  const auto begin = text.find("\nSubcommands:\n");
  const auto list = text.substr(begin, text.find("\nOptions:\n") - begin);
  const std::regex line("\n  ([a-z]+) ");
  Words names;
  for (std::sregex_iterator found(list.begin(), list.end(), line), end; found != end; ++found) {
    names.push_back((*found)[1]);
  }
  return names;
}

class AtOnce : public InScratch {
 protected:
  // What the loader says that it loads.
  std::string loaded(const Words& arguments) const {
    auto options = here();
    options.settings = {"LD_DEBUG=files"};
    return run(arguments, options).err;
  }
};
class Width : public InScratch {};
class Completion : public InScratch {
 protected:
  // What bash offers for the last word.
  std::string offered(const Words& words) const {
    std::string line;
    for (const auto& word : words) {
      line += " '" + word + "'";
    }
    write("complete.sh", run_here({"completion", "bash"}).out + "COMP_WORDS=(" + line +
                             ")\nCOMP_CWORD=" + std::to_string(words.size() - 1) +
                             "\ncompopt() { echo \"compopt $*\"; }\n_actswap\n"
                             "echo \" ${COMPREPLY[*]} \"\n");
    const auto command = "bash '" + path("complete.sh") + "' > '" + path("offered") + "' 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_file(path("offered"));
  }
};

TEST_F(AtOnce, HelpVersionAndCompletionLoadNoLibTorch) {
  std::vector<Words> calls = {{},
                              {"--help"},
                              {"-h"},
                              {"--version"},
                              {"completion", "bash"},
                              {"completion", "zsh"},
                              {"completion", "fish"},
                              {"convret"},
                              {"convert", "--tran", "x"}};
  for (const auto& subcommand : subcommands()) {
    calls.push_back({subcommand, "--help"});
  }
  for (const auto& call : calls) {
    const auto text = loaded(call);
    EXPECT_TRUE(contains(text, "libc.so")) << "the loader says nothing";
    EXPECT_EQ(text.find("libtorch"), std::string::npos) << ::testing::PrintToString(call);
    EXPECT_EQ(text.find("subcommands.so"), std::string::npos) << ::testing::PrintToString(call);
  }
  EXPECT_TRUE(contains(loaded({"inspect", "missing.pt"}), "libtorch_cpu.so"));
}

// A program without its module still says what it is, and what is missing.
TEST_F(AtOnce, AMissingModuleIsSaid) {
  std::filesystem::create_directory(path("bin"));
  std::filesystem::copy_file(ACTSWAP_COMMAND, path("bin/actswap"));
  const auto here_code = [&](const std::string& words) {
    const auto command = "'" + path("bin/actswap") + "' " + words + " > '" + path("out") + "' 2>&1";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  EXPECT_EQ(here_code("--version"), 0);
  EXPECT_EQ(here_code("inspect net.pt"), 3);
  EXPECT_TRUE(contains(read_file(path("out")), "subcommands.so', but there is no such file"));
}

TEST_F(Width, NoLineIsWiderThanTheTerminal) {
  for (const int columns : {0, 40, 64, 80, 200}) {
    for (const auto& subcommand : subcommands()) {
      auto options = here();
      if (columns > 0) {
        options.settings = {"COLUMNS=" + std::to_string(columns)};
      }
      const std::size_t most = columns == 0 ? 80 : static_cast<std::size_t>(columns);
      for (const auto& line : lines_of(run({subcommand, "--help"}, options).out)) {
        const bool is_one_word = std::regex_match(line, std::regex(" *\\S+( \\\\)?"));
        EXPECT_TRUE(line.size() <= most || is_one_word) << subcommand << ": " << line;
      }
    }
  }
}

TEST_F(Width, UsageSaysWhatIsRequired) {
  const auto usage = [&](const char* subcommand) {
    const auto lines = lines_with(run_here({subcommand, "--help"}).out, "Usage: ");
    return lines.empty() ? "" : lines.front();
  };
  EXPECT_EQ(usage("convert"), "Usage: actswap convert MODEL -o FILE [OPTIONS]");
  EXPECT_EQ(usage("bench"), "Usage: actswap bench MODELS... --input SPEC [OPTIONS]");
  EXPECT_EQ(usage("eval"), "Usage: actswap eval MODEL --data DATA [OPTIONS]");
  EXPECT_EQ(run_here({"help", "eval"}).out, run_here({"eval", "--help"}).out);
}

// An example that the command does not take is refused with exit code 2; that there are no such
// files is another error.
TEST_F(Width, ExamplesAreCommandLines) {
  std::size_t count = 0;
  for (const auto& subcommand : subcommands()) {
    const auto help = run_here({subcommand, "--help"}).out;
    const auto joined = std::regex_replace(help, std::regex(" \\\\\n +"), " ");
    for (const auto& line : lines_with(joined, "    actswap ")) {
      Words words;
      std::istringstream stream(std::regex_replace(line, std::regex("'"), ""));
      for (std::string word; stream >> word;) {
        words.push_back(word);
      }
      words.erase(words.begin());
      const auto outcome = run_here(words);
      EXPECT_TRUE(outcome.code == 0 || outcome.code == 3) << line << "\n" << outcome.err;
      ++count;
    }
  }
  EXPECT_GE(count, 13U);
}

TEST_F(Width, EveryGroupHasAnExample) {
  for (const auto& subcommand : subcommands()) {
    const auto help = run_here({subcommand, "--help"}).out;
    std::string group;
    bool has_example = true;
    for (const auto& line : lines_of(help + "\nGeneral:\n")) {
      if (std::regex_match(line, std::regex("[A-Z][^:]*:"))) {
        EXPECT_TRUE(has_example) << subcommand << ": " << group;
        group = line;
        has_example = line == "Arguments:";
      }
      has_example = has_example || line == "  Example:" || group == "General:";
    }
  }
}

TEST_F(Completion, OffersSubcommandsOptionsAndWords) {
  EXPECT_TRUE(contains(offered({"actswap", "con"}), " convert "));
  const auto all = offered({"actswap", ""});
  for (const auto& subcommand : subcommands()) {
    EXPECT_TRUE(contains(all, " " + subcommand + " "));
  }
  const auto options = offered({"actswap", "convert", "net.pt", "--calibrate-p"});
  EXPECT_TRUE(contains(options, " --calibrate-passes "));
  EXPECT_EQ(options.find("--epochs"), std::string::npos) << options;
  EXPECT_EQ(offered({"actswap", "eval", "--calibrate-p"}).find("passes"), std::string::npos);
  EXPECT_TRUE(contains(offered({"actswap", "convert", "--ramp-unit", "s"}), " steps "));
  EXPECT_TRUE(contains(offered({"actswap", "completion", "z"}), " zsh "));
  EXPECT_TRUE(contains(offered({"actswap", "convert", ""}), "compopt -o default"));
  EXPECT_TRUE(contains(offered({"actswap", "convert", "-o", ""}), "compopt -o default"));
  EXPECT_TRUE(contains(offered({"actswap", "convert", "--run-dir", ""}), "compopt -o dirnames"));
  EXPECT_TRUE(contains(offered({"actswap", "bench", "--input", ""}), "compopt -o default"));
  EXPECT_TRUE(contains(offered({"actswap", "convert", "--curve", "c"}), " cosine cubic "));
  EXPECT_TRUE(contains(offered({"actswap", "convert", "--recipe", "cal"}), " calibrated-ramp "));
}

// The help lists the words of an option, and the library reads each of them.
TEST_F(Completion, EveryWordIsOneThatTheCommandTakes) {
  const auto help =
      std::regex_replace(run_here({"convert", "--help"}).out, std::regex("\\s+"), " ");
  const std::regex option("(--[a-z-]+) (?:WORD|TEXT) .*\\[([a-z, -]+) or ([a-z-]+); default");
  std::vector<Words> calls;  // the first has the first word of each option, and so on
  std::size_t count = 0;
  for (auto begin = help.find(" --"); begin != std::string::npos;) {
    const auto next = help.find(" --", begin + 1);
    const auto text = help.substr(begin, next - begin);
    begin = next;
    std::smatch found;
    if (!std::regex_search(text, found, option)) {
      continue;
    }
    auto words = Words{found[3].str()};
    std::istringstream list(found[2].str());
    for (std::string word; std::getline(list, word, ',');) {
      words.push_back(word.substr(word.find_first_not_of(' ')));
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i == calls.size()) {
        calls.push_back({"convert", model_file("scripted_module.pt"), "--dry-run"});
      }
      calls[i].insert(calls[i].end(), {found[1].str(), words[i]});
      ++count;
    }
  }
  EXPECT_GT(count, 25U);
  for (const auto& outcome : run_all(calls)) {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
}

class Shell : public Completion, public ::testing::WithParamInterface<const char*> {};

TEST_P(Shell, ReadsAScriptOfEveryOption) {
  const std::string shell = GetParam();
  const auto help = run_here({"convert", "--help"}).out;
  const auto script = run_here({"completion", shell}).out;
  const std::regex line("[^\\\\]\n  (?:-., |    )--([a-z-]+)");
  std::size_t count = 0;
  for (std::sregex_iterator found(help.begin(), help.end(), line), end; found != end; ++found) {
    EXPECT_TRUE(contains(script, (shell == "fish" ? "-l " : "--") + (*found)[1].str()));
    ++count;
  }
  EXPECT_GT(count, 50U);
  if (std::system(("command -v " + shell + " > /dev/null").c_str()) != 0) {
    GTEST_SKIP() << shell << " is not installed";
  }
  write("script", script);
  EXPECT_EQ(std::system((shell + " -n '" + path("script") + "'").c_str()), 0);
}

INSTANTIATE_TEST_SUITE_P(Shells, Shell, ::testing::Values("bash", "zsh", "fish"));

class ManPages : public InScratch {};

TEST_F(ManPages, EverySubcommandHasOneOfAllItsOptions) {
  const bool has_groff = std::system("command -v groff > /dev/null") == 0;
  Words names = {"actswap"};
  for (const auto& subcommand : subcommands()) {
    names.push_back("actswap-" + subcommand);
    auto help = run_here({subcommand, "--help"}).out;
    const auto page = read_file(ACTSWAP_MAN_PAGES "/" + names.back() + ".1");
    const std::regex line("[^\\\\]\n  (?:-., |    )--([a-z-]+)");
    for (std::sregex_iterator found(help.begin(), help.end(), line), end; found != end; ++found) {
      const auto option = "--" + (*found)[1].str();
      EXPECT_TRUE(contains(page, std::regex_replace(option, std::regex("-"), "\\-"))) << subcommand;
    }
    EXPECT_TRUE(contains(page, ".SH NAME\nactswap\\-" + subcommand + " \\- "));
  }
  if (!has_groff) {
    GTEST_SKIP() << "groff is not installed, which would say what is wrong in a page";
  }
  for (const auto& name : names) {
    const auto command = "test -z \"$(groff -ww -man -Tutf8 -z '" ACTSWAP_MAN_PAGES "/" + name +
                         ".1' 2>&1 | tee /dev/stderr)\"";
    EXPECT_EQ(std::system(command.c_str()), 0) << name;
  }
}

}  // namespace
}  // namespace tool_test
