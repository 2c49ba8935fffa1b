#include <actswap/base/error.h>
#include <actswap/base/find_libtorch.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>

namespace actswap {

namespace {

namespace fs = std::filesystem;

constexpr char kVariable[] = "ACTSWAP_LIBTORCH";

// Prints the folders that may hold lib/libtorch.so: the package, which is not imported, as that
// takes a second, and the environment's root, where conda puts libraries. The working folder, which
// `-c` puts first, may hold anything.
constexpr char kAskPython[] =
    "python3 -c 'import sys, importlib.util\n"
    "sys.path = [p for p in sys.path if p]\n"
    "spec = importlib.util.find_spec(\"torch\")\n"
    "if spec and spec.submodule_search_locations:\n"
    "  print(*spec.submodule_search_locations, sys.prefix, sep=\"\\n\")' 2>/dev/null";

/// "2.13" of "2.13.0+cpu"
std::string series(const std::string& version) {
  const auto first = version.find('.');
  return first == std::string::npos ? version : version.substr(0, version.find('.', first + 1));
}

std::string library_in(const fs::path& folder) {
  return (folder / "lib" / "libtorch.so").string();
}

bool is_there(const std::string& library) {
  std::error_code ignored;
  return fs::is_regular_file(library, ignored);
}

/// Empty: the folder does not say.
std::string version_of(const std::string& library) {
  const auto folder = fs::path(library).parent_path().parent_path();
  std::ifstream file(folder / "share" / "cmake" / "Torch" / "TorchConfigVersion.cmake");
  std::ostringstream text;
  text << file.rdbuf();
  const auto content = text.str();
  std::smatch match;
  static const std::regex kLine(R"re(PACKAGE_VERSION "([^"]+)")re");
  return std::regex_search(content, match, kLine) ? match[1].str() : "";
}

/// What is wrong with a LibTorch; empty: it fits.
std::string mismatch(const std::string& library, const std::string& version) {
  const auto found = version_of(library);
  return found.empty() || series(found) == series(version)
             ? ""
             : library + " is of LibTorch " + found + "; this actswap needs " + series(version);
}

std::vector<std::string> python_folders() {
  const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(kAskPython, "re"), ::pclose);
  std::string text;
  std::array<char, 4096> buffer;
  while (output != nullptr &&
         std::fgets(buffer.data(), static_cast<int>(buffer.size()), output.get()) != nullptr) {
    text += buffer.data();
  }
  std::vector<std::string> folders;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    folders.push_back(line);
  }
  return folders;
}

/// Looks at the folders of one place. @return whether one of them fits
bool look_in(const std::vector<std::string>& folders, const std::string& version,
             LibtorchSearch& search) {
  for (const auto& folder : folders) {
    const auto library = library_in(folder);
    if (!is_there(library)) {
      continue;
    }
    const auto problem = mismatch(library, version);
    if (problem.empty()) {
      search.library = fs::canonical(library).string();
      return true;
    }
    search.account.push_back(problem);
  }
  return false;
}

std::string named_library(const std::string& folder, const std::string& version) {
  const auto library = library_in(folder);
  if (!is_there(library)) {
    throw FileError(std::string("Expected ") + kVariable +
                    " to name a folder that holds lib/libtorch.so, but there is no file '" +
                    library + "'");
  }
  if (const auto problem = mismatch(library, version); !problem.empty()) {
    throw FileError(std::string(kVariable) + " names a LibTorch that does not fit: " + problem);
  }
  return fs::canonical(library).string();
}

}  // namespace

LibtorchSearch find_libtorch(const std::string& version, const std::vector<std::string>& beside) {
  if (const char* named = std::getenv(kVariable); named != nullptr && *named != '\0') {
    return {.library = named_library(named, version)};
  }
  LibtorchSearch search{.account = {std::string(kVariable) + " is not set"}};
  if (look_in(beside, version, search)) {
    return search;
  }
  for (const auto& folder : beside) {
    if (!is_there(library_in(folder))) {
      search.account.push_back("no file " + library_in(folder));
    }
  }
  const auto of_python = python_folders();
  const auto before = search.account.size();
  if (!look_in(of_python, version, search) && search.account.size() == before) {
    search.account.push_back(of_python.empty() ? "python3 has no package torch"
                                               : "no lib/libtorch.so in " + of_python.front());
  }
  return search;
}

void expect_libtorch_version(const std::string& library, const std::string& version) {
  if (const auto problem = mismatch(library, version); !problem.empty()) {
    throw FileError(problem);
  }
}

std::string libtorch_not_found(const std::string& version, const LibtorchSearch& search) {
  const auto wanted = series(version);
  std::string text = "LibTorch " + wanted + " was not found:\n";
  for (const auto& line : search.account) {
    text += "  " + line + "\n";
  }
  return text +
         "Install PyTorch, for example by\n"
         "  python3 -m venv ~/torch && ~/torch/bin/pip install 'torch==" +
         wanted +
         ".*'\n"
         "and put ~/torch/bin first on PATH; or set ACTSWAP_LIBTORCH to a LibTorch folder, which "
         "holds lib/libtorch.so";
}

}  // namespace actswap
