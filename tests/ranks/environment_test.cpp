#include <actswap/base/error.h>
#include <actswap/ranks/environment.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace actswap {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

class Environment : public testing::Test {
 protected:
  static constexpr const char* kNames[] = {"RANK",
                                           "WORLD_SIZE",
                                           "MASTER_ADDR",
                                           "MASTER_PORT",
                                           "TORCHELASTIC_RUN_ID",
                                           "TORCHELASTIC_RESTART_COUNT",
                                           "TORCHELASTIC_USE_AGENT_STORE"};

  Environment() { clear(); }
  ~Environment() override { clear(); }

  static void clear() {
    for (const auto* name : kNames) {
      ::unsetenv(name);
    }
  }
  static void set(const Variables& variables) {
    for (const auto& [name, value] : variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
};

TEST_F(Environment, WithoutVariablesThereIsOneProcess) {
  EXPECT_FALSE(environment_names_ranks());
  EXPECT_EQ(ranks_in_environment(), 1);
  EXPECT_EQ(rank_of_environment(), 0);
  EXPECT_EQ(job_of_environment(), "");
  EXPECT_FALSE(is_restarted());
  EXPECT_NO_THROW(expect_one_process("blend"));
}

// Some systems name the number of processes of a job of one, too, or that alone.
TEST_F(Environment, OneOfOneIsAlone) {
  set({{"WORLD_SIZE", "4"}});
  EXPECT_FALSE(environment_names_ranks());
  set({{"WORLD_SIZE", "1"}, {"RANK", "0"}});
  EXPECT_FALSE(environment_names_ranks());
}

TEST_F(Environment, WhatTorchrunSets) {
  set({{"WORLD_SIZE", "4"},
       {"RANK", "3"},
       {"MASTER_ADDR", "host1"},
       {"MASTER_PORT", "29500"},
       {"TORCHELASTIC_USE_AGENT_STORE", "True"},
       {"TORCHELASTIC_RESTART_COUNT", "0"},
       {"TORCHELASTIC_RUN_ID", "job1"}});
  EXPECT_TRUE(environment_names_ranks());
  EXPECT_EQ(rank_of_environment(), 3);
  const auto master = master_of_environment();
  EXPECT_EQ(master.host, "host1");
  EXPECT_EQ(master.port, 29500);
  EXPECT_TRUE(master.is_agents);
  EXPECT_EQ(job_of_environment(), "job1");
  EXPECT_FALSE(is_restarted());
  set({{"TORCHELASTIC_RESTART_COUNT", "1"}, {"TORCHELASTIC_RUN_ID", "none"}});
  EXPECT_TRUE(is_restarted());
  EXPECT_EQ(job_of_environment(), "");
  EXPECT_THROW(expect_one_process("blend"), UsageError);
}

TEST_F(Environment, WhatMakesNoSenseIsNamed) {
  for (const auto& [variables, part] : std::vector<std::pair<Variables, std::string>>{
           {{{"WORLD_SIZE", "2"}, {"RANK", "2"}}, "RANK to be a number from 0 to 1"},
           {{{"WORLD_SIZE", "2"}, {"RANK", "-1"}}, "RANK to be a number from 0 to 1"},
           {{{"WORLD_SIZE", "two"}, {"RANK", "0"}}, "WORLD_SIZE to be a number"},
           {{{"WORLD_SIZE", "2"}, {"RANK", "0"}}, "MASTER_ADDR"},
           {{{"MASTER_ADDR", "host1"}, {"MASTER_PORT", "70000"}}, "MASTER_PORT"}}) {
    set(variables);
    try {
      rank_of_environment();
      master_of_environment();
      FAIL() << part;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace actswap
