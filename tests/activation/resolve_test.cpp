// Names and parameters: what resolves, what it prints as, and what a mistake is told.
#include <actswap/activation/activation.h>
#include <actswap/base/error.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace actswap {
namespace {

std::string failure(const std::string& text) {
  try {
    const auto spec = resolve(text);
    ADD_FAILURE() << "'" << text << "' resolved to " << spec.to_string();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

void expect_failure(const std::string& text, const std::string& part) {
  const auto message = failure(text);
  EXPECT_NE(message.find(part), std::string::npos) << "'" << text << "': " << message;
}

std::set<std::string> names_of(bool Activation::* flag) {
  std::set<std::string> names;
  for (const auto& row : activations()) {
    if (row.*flag) {
      names.insert(row.name);
    }
  }
  return names;
}

TEST(Table, RowsAreComplete) {
  std::set<std::string> names;
  for (const auto& row : activations()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " is there twice";
    EXPECT_FALSE(row.torchscript.empty()) << row.name;
    EXPECT_FALSE(row.formula.empty()) << row.name;
    for (const auto& alias : row.aliases) {
      EXPECT_TRUE(names.insert(alias.name).second) << alias.name << " is there twice";
      EXPECT_EQ(alias.parameters.size(), row.parameters.size()) << alias.name;
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{
                       "relu",       "hard_mish",   "swish",     "silu",       "quick_gelu",
                       "mish",       "gelu",        "gelu_tanh", "aptx",       "aptx_mish",
                       "swish_mish", "hardswish",   "relu6",     "leaky_relu", "hardtanh",
                       "elu",        "selu",        "celu",      "softplus",   "tanh",
                       "sigmoid",    "hardsigmoid", "softsign",  "logsigmoid", "tanhshrink"}));
}

// Gates (sigmoid, tanh) are not replaced unless the user names them.
TEST(Table, DefaultSourcesAndTargets) {
  EXPECT_EQ(names_of(&Activation::default_source),
            (std::set<std::string>{"mish", "swish", "gelu", "gelu_tanh", "aptx", "aptx_mish",
                                   "swish_mish", "elu", "selu", "celu"}));
  EXPECT_EQ(
      names_of(&Activation::default_target),
      (std::set<std::string>{"relu", "hard_mish", "hardswish", "relu6", "leaky_relu", "hardtanh"}));
}

TEST(Resolve, RoundTrip) {
  for (const auto& row : activations()) {
    for (const double scale : {1.0, 0.5, 1.0 / 3.0, 1e-7, 1e10}) {
      ActivationSpec spec{&row, {}};
      for (const auto& parameter : row.parameters) {
        spec.parameters.push_back(scale * parameter.default_value);
      }
      EXPECT_EQ(resolve(spec.to_string()), spec) << spec.to_string();
    }
    for (const auto& alias : row.aliases) {
      EXPECT_EQ(resolve(alias.name), (ActivationSpec{&row, alias.parameters}));
      EXPECT_EQ(resolve(alias.name).to_string(), alias.name);
    }
  }
}

TEST(Resolve, Spellings) {
  EXPECT_EQ(resolve("Hard-Mish"), resolve("hard_mish"));
  EXPECT_EQ(resolve(" SiLU "), resolve("swish"));
  EXPECT_EQ(resolve("leaky-ReLU( Slope = 0.1 )"), resolve("leaky_relu(0.1)"));
  EXPECT_EQ(resolve("relu()"), resolve("relu"));
  EXPECT_EQ(resolve("aptx(1,0.5)").parameters, (std::vector<double>{1.0, 0.5, 0.5}));
  EXPECT_EQ(resolve("aptx(1,gamma=2)").parameters, (std::vector<double>{1.0, 1.0, 2.0}));
  // The '-' of a number is not that of a name.
  EXPECT_EQ(resolve("hardtanh(-2, 1e-3)").parameters, (std::vector<double>{-2.0, 1e-3}));
}

TEST(Resolve, PrintsWhatPeopleExpect) {
  EXPECT_EQ(resolve("swish(beta=1)").to_string(), "silu");
  EXPECT_EQ(resolve("swish(1.702)").to_string(), "quick_gelu");
  EXPECT_EQ(resolve("swish(2)").to_string(), "swish(beta=2)");
  EXPECT_EQ(resolve("leaky_relu(0.01)").to_string(), "leaky_relu");
  EXPECT_EQ(resolve("hardtanh(-2,1)").to_string(), "hardtanh(lo=-2)");
}

TEST(Resolve, ExpressionsHaveFloatLiterals) {
  EXPECT_EQ(resolve("silu").torchscript(), "torch.silu(x)");
  EXPECT_EQ(resolve("swish(2)").torchscript(), "x * torch.sigmoid(x * 2.0)");
  EXPECT_EQ(resolve("hardtanh(-2,3)").torchscript(), "torch.hardtanh(x, -2.0, 3.0)");
  EXPECT_EQ(resolve("celu(1e22)").torchscript(), "torch.celu(x, 1e+22)");
  EXPECT_EQ(resolve("leaky_relu(0.1)").torchscript(), "torch.leaky_relu(x, 0.1)");
}

TEST(Resolve, SaysWhatIsWrong) {
  expect_failure("rleu", "Unknown activation 'rleu'; did you mean 'relu'? Known: relu, hard_mish");
  expect_failure("hardmish", "did you mean 'hard_mish'?");
  expect_failure("quickgelu", "did you mean 'quick_gelu'?");
  expect_failure("", "Unknown activation ''");
  expect_failure("leaky_relu(alpha=1)", "'leaky_relu' has no parameter 'alpha'");
  expect_failure("leaky_relu(alpha=1)", "it has slope");
  expect_failure("relu(x=1)", "it has none");
  expect_failure("elu(two)", "Expected a finite number in 'elu(two)', but got 'two'");
  expect_failure("elu(alpha=)", "but got ''");
  expect_failure("elu(inf)", "Expected a finite number");
  expect_failure("elu(nan)", "Expected a finite number");
  expect_failure("elu(1e999)", "Expected a finite number");
  expect_failure("elu(1,)", "gives more");
  expect_failure("elu(1,2)", "'elu' takes 1 parameter, but 'elu(1,2)' gives more");
  expect_failure("aptx(1,alpha=2)", "gives 'alpha' twice");
  expect_failure("aptx(alpha=2,1)", "by position before");
  expect_failure("elu(1", "Expected ')'");
  expect_failure("elu(1)x", "Expected ')'");
  expect_failure("silu(2)",
                 "'silu' takes no parameters, but got 'silu(2)'; it stands for "
                 "'swish(beta=1)'");
  expect_failure("celu(0)", "alpha must not be 0");
  expect_failure("hardtanh(1,-1)", "lo must be below hi");
  expect_failure("softplus(beta=0)", "beta must be above 0");
}

}  // namespace
}  // namespace actswap
