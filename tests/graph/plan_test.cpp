#include <actswap/base/error.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

std::map<std::string, std::string> targets(const Plan& plan) {
  std::map<std::string, std::string> result;
  for (const auto& planned : plan.sites) {
    result[planned.site.id] = planned.target ? planned.target->to_string() : "-";
  }
  return result;
}

std::string reason(const Plan& plan, const std::string& id) {
  for (const auto& planned : plan.sites) {
    if (planned.site.id == id) {
      return planned.reason;
    }
  }
  return "no such site";
}

std::string error_of(const Model& model, const PlanOptions& options) {
  try {
    plan(model, options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Glob, Matches) {
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("layer*.act", "layer4.1.act"));
  EXPECT_TRUE(glob_match("*a*b*", "xxaxxbxxab"));
  EXPECT_TRUE(glob_match("layer?", "layer1"));
  EXPECT_FALSE(glob_match("layer?", "layer12"));
  EXPECT_FALSE(glob_match("layer", "layer1"));
  EXPECT_FALSE(glob_match("*a", "ab"));
  EXPECT_TRUE(glob_match("[x]", "[x]")) << "anything but * and ? is itself";
}

TEST(Plan, SwapsSourcesByDefault) {
  const auto model = load(test_model("gates.pt"));
  const auto made = plan(model, {});
  EXPECT_EQ(made.swapped(), 1U);
  EXPECT_EQ(reason(made, "act/forward/0"), "selected");
  for (const auto& planned : made.sites) {
    if (planned.site.activation.activation->name == "sigmoid") {
      EXPECT_FALSE(planned.target);
      EXPECT_EQ(planned.reason, "sigmoid is replaced only where --source names it");
    }
  }
}

TEST(Plan, SourcesNameThem) {
  const auto model = load(test_model("gates.pt"));
  PlanOptions options;
  options.to = "hardsigmoid";
  options.sources = {"sigmoid"};
  const auto made = plan(model, options);
  EXPECT_EQ(made.swapped(), 1U);
  EXPECT_EQ(reason(made, "act/forward/0"), "gelu is not among --source");
}

// An alias has its parameters; the row's name alone means any.
TEST(Plan, AnAliasIsNotItsRow) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(unit, "Root",
                                       "def forward(self, x: Tensor) -> Tensor:\n"
                                       "  y = torch.elu(torch.silu(x), 0.5)\n"
                                       "  return y * torch.sigmoid(1.702 * y)\n"));
  const auto swapped = [&](const char* source) {
    PlanOptions options;
    options.sources = {source};
    std::string names;
    for (const auto& planned : plan(model, options).sites) {
      names += planned.target ? planned.site.activation.to_string() + " " : "";
    }
    return names;
  };
  EXPECT_EQ(swapped("silu"), "silu ");
  EXPECT_EQ(swapped("quick-gelu"), "quick_gelu ");
  EXPECT_EQ(swapped("swish"), "silu quick_gelu ");
  EXPECT_EQ(swapped("swish(1)"), "silu ");
  EXPECT_EQ(swapped("elu"), "elu(alpha=0.5) ");
  EXPECT_EQ(swapped("elu(1)"), "");
}

TEST(Plan, KeepWinsOverOnlyAndTheLastRuleWins) {
  const auto model = load(test_model("scripted_module.pt"));
  PlanOptions options;
  options.only = {"cells.*"};
  options.keep = {"cells.1*"};
  options.rules = {{"cells.*", "hardswish"}, {"cells.0.act", "relu6"}};
  const auto made = plan(model, options);
  EXPECT_EQ(targets(made), (std::map<std::string, std::string>{{"stem.2/forward/0", "-"},
                                                               {"cells.0.act/forward/0", "relu6"},
                                                               {"cells.1.act/forward/0", "-"}}));
  EXPECT_EQ(reason(made, "stem.2/forward/0"), "not among --only");
  EXPECT_EQ(reason(made, "cells.1.act/forward/0"), "kept by --keep");
  EXPECT_EQ(reason(made, "cells.0.act/forward/0"), "by --site cells.0.act");
}

TEST(Plan, WhatIsTheTargetAlreadyStays) {
  const auto model = load(test_model("all_modules.pt"));
  PlanOptions options;
  options.to = "relu6";
  options.sources = {"relu6", "mish"};
  const auto made = plan(model, options);
  EXPECT_EQ(made.swapped(), 1U);
  EXPECT_EQ(reason(made, "body.17/forward/0"), "is already relu6");
}

TEST(Plan, RefusesABlendedModel) {
  const auto model = load(test_model("tied.pt"));
  const Retargeter swap(model, plan(model, {}));
  const auto error = error_of(adopt(swap.module()), {});
  EXPECT_NE(error.find("1 blends"), std::string::npos) << error;
  EXPECT_NE(error.find("actswap collapse"), std::string::npos) << error;
}

TEST(Plan, SaysWhatIsWrong) {
  const auto model = load(test_model("scripted_module.pt"));
  PlanOptions misspelt;
  misspelt.to = "rellu";
  EXPECT_NE(error_of(model, misspelt).find("relu"), std::string::npos) << error_of(model, misspelt);
  PlanOptions nowhere;
  nowhere.keep = {"head.*"};
  EXPECT_EQ(error_of(model, nowhere),
            "--keep 'head.*' matches no site of this model; its sites are named like "
            "'stem.2/forward/0' (actswap inspect lists them)");
}

}  // namespace
}  // namespace actswap
