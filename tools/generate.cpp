// actswap_generate FOLDER writes the files made from the definitions of the options: the source of
// the program's own text, the manual pages, the completions, the reference in docs/.
#include "command.h"
#include "describe.h"
#include "text/completion.h"
#include "text/man.h"
#include "text/markdown.h"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.close();
}

void write_all(const std::filesystem::path& folder) {
  using namespace actswap::tool;
  const auto command = command_text();
  write(folder / "man/actswap.1", overview_page(command));
  for (const auto& subcommand : command.subcommands) {
    write(folder / ("man/actswap-" + subcommand.name + ".1"), page(command, subcommand));
  }
  write(folder / "completion/actswap", completion(command, "bash"));
  write(folder / "completion/_actswap", completion(command, "zsh"));
  write(folder / "completion/actswap.fish", completion(command, "fish"));
  write(folder / "commands.md", reference_page(command));
  write(folder / "command_text.cpp", as_source(command));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: actswap_generate FOLDER\n");
    return 2;
  }
  try {
    write_all(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "actswap_generate: %s\n", error.what());
    return 1;
  }
  return 0;
}
