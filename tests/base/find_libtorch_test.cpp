#include <actswap/base/error.h>
#include <actswap/base/find_libtorch.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "models.h"

namespace actswap {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

/// A variable of the environment, put back at the end.
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) {
      before_ = before;
    }
    ::setenv(name, value.c_str(), 1);
  }
  ~Setting() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_ = std::nullopt;
};

/// Folders laid out as LibTorch's, and a python3 that says which folders it has.
class FindLibtorch : public ::testing::Test {
 protected:
  std::string make(const std::string& name, const std::string& version) {
    const fs::path folder = scratch_ / name;
    write(folder / "lib/libtorch.so", "");
    if (!version.empty()) {
      write(folder / "share/cmake/Torch/TorchConfigVersion.cmake",
            "set(PACKAGE_VERSION \"" + version + "\")\n");
    }
    return folder.string();
  }
  void python_says(const std::string& lines) {
    const fs::path python = scratch_ / "bin/python3";
    write(python, "#!/bin/sh\nprintf '" + lines + "'\n");
    fs::permissions(python, fs::perms::owner_all);
  }
  std::string library(const std::string& name) {
    return fs::canonical(scratch_ / (name + "/lib/libtorch.so")).string();
  }
  static std::string account(const LibtorchSearch& search) {
    return libtorch_not_found("2.13.0", search);
  }

  ScratchFolder scratch_;
  Setting path_{"PATH", (scratch_ / "bin") + ":/usr/bin:/bin"};
  Setting named_{"ACTSWAP_LIBTORCH", ""};
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(FindLibtorch, TheVariableComesFirst) {
  python_says("");
  const auto beside = make("beside", "2.13.0");
  const Setting named("ACTSWAP_LIBTORCH", make("named", "2.13.1"));
  EXPECT_EQ(find_libtorch("2.13.0", {beside}).library, library("named"));
}

TEST_F(FindLibtorch, AVariableThatIsWrongIsAnError) {
  const auto beside = make("beside", "2.13.0");
  const auto message = [&](const std::string& folder) -> std::string {
    const Setting named("ACTSWAP_LIBTORCH", folder);
    try {
      find_libtorch("2.13.0", {beside});
    } catch (const FileError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(contains(message(scratch_ / "none"), scratch_ / "none/lib/libtorch.so"));
  const auto old = message(make("old", "2.12.1+cpu"));
  EXPECT_TRUE(contains(old, "2.12.1+cpu")) << old;
  EXPECT_TRUE(contains(old, "needs 2.13")) << old;
  EXPECT_NE(message(make("similar", "2.130.0")), "");
}

TEST_F(FindLibtorch, ThenTheFoldersBesideThenPython) {
  const auto python = make("python", "2.13.0+cpu");
  python_says(python + "\\n/usr\\n");
  const auto beside = make("beside", "2.13.2");
  EXPECT_EQ(find_libtorch("2.13.0", {scratch_ / "none", beside}).library, library("beside"));
  EXPECT_EQ(find_libtorch("2.13.0", {scratch_ / "none"}).library, library("python"));
  // conda's package has no libraries: they are in the environment.
  fs::create_directories(scratch_ / "conda/torch");
  make("conda", "2.13.0");
  python_says((scratch_ / "conda/torch") + "\\n" + (scratch_ / "conda") + "\\n");
  EXPECT_EQ(find_libtorch("2.13.0", {}).library, library("conda"));
}

TEST_F(FindLibtorch, OneThatDoesNotFitIsPassedOverAndNamed) {
  const auto old = make("old", "2.12.1");
  python_says(make("python", "2.13.0"));
  EXPECT_EQ(find_libtorch("2.13.0", {old}).library, library("python"));
  python_says(make("new", "2.14.0"));
  const auto search = find_libtorch("2.13.0", {old});
  EXPECT_EQ(search.library, "");
  for (const char* part : {"2.12.1", "2.14.0", "needs 2.13", "torch==2.13.*", "ACTSWAP_LIBTORCH"}) {
    EXPECT_TRUE(contains(account(search), part)) << part << "\n" << account(search);
  }
}

TEST_F(FindLibtorch, AFolderThatSaysNoVersionFits) {
  python_says("");
  EXPECT_EQ(find_libtorch("2.13.0", {make("silent", "")}).library, library("silent"));
  EXPECT_NO_THROW(expect_libtorch_version(library("silent"), "2.13.0"));
  make("old", "2.6.0");
  EXPECT_THROW(expect_libtorch_version(library("old"), "2.13.0"), FileError);
}

TEST_F(FindLibtorch, NoneIsSaidWithAllPlaces) {
  python_says("");
  const auto text = account(find_libtorch("2.13.0", {scratch_ / "a", scratch_ / "b"}));
  for (const auto& part :
       {std::string("LibTorch 2.13 was not found"), std::string("ACTSWAP_LIBTORCH is not set"),
        scratch_ / "a/lib/libtorch.so", scratch_ / "b/lib/libtorch.so",
        std::string("python3 has no package torch")}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

}  // namespace
}  // namespace actswap
