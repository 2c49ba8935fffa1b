#include <actswap/base/error.h>
#include <actswap/graph/retarget.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models.h"

namespace actswap {
namespace {

std::vector<TestModel> models_with_sites() {
  auto models = test_models();
  std::erase_if(models, [](const TestModel& model) { return model.sites == 0; });
  return models;
}

/// Type and shape and value of each parameter and buffer, by name; blends have none.
std::map<std::string, torch::Tensor> state(const torch::jit::Module& module) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& parameter : module.named_parameters()) {
    tensors.emplace(parameter.name, parameter.value);
  }
  for (const auto& buffer : module.named_buffers()) {
    tensors.emplace(buffer.name, buffer.value);
  }
  return tensors;
}

void expect_same_state(const torch::jit::Module& a, const torch::jit::Module& b,
                       const std::string& name) {
  const auto first = state(a);
  const auto second = state(b);
  ASSERT_EQ(first.size(), second.size()) << name;
  for (const auto& [key, tensor] : first) {
    ASSERT_TRUE(second.contains(key)) << name << " " << key;
    EXPECT_TRUE(torch::equal(tensor, second.at(key))) << name << " " << key;
    EXPECT_EQ(tensor.requires_grad(), second.at(key).requires_grad()) << name << " " << key;
  }
}

// Whether any code of the tree calls actswap::blend.
bool contains_operator(const torch::jit::Module& root) {
  for (const auto& module : root.modules()) {
    for (const auto& method : module.get_methods()) {
      if (method.graph()->toString().find("actswap::blend") != std::string::npos) {
        return true;
      }
    }
  }
  return false;
}

std::set<std::string> method_names(const torch::jit::Module& module) {
  std::set<std::string> names;
  for (const auto& method : module.get_methods()) {
    names.insert(method.name());
  }
  return names;
}

// Hand-written forms become ATen's own operator, which rounds otherwise.
double rounding(const std::string& name) {
  const bool is_handwritten = name.starts_with("handwritten") || name.starts_with("of_") ||
                              name == "forked" || name == "attributes" ||
                              name.starts_with("old_format");
  return name.ends_with("_half") ? 4e-3 : is_handwritten ? 1e-6 : rounding_of_attention(name);
}

// At t = 0 the blended model is the original, bit for bit: the same operators run.
TEST(Retarget, OriginalAtZero) {
  for (const auto& entry : models_with_sites()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    const Retargeter swap(model, plan(model, {}));
    EXPECT_LE(largest_difference(outputs_of(swap.module(), io.inputs),
                                 outputs_of(model.module, io.inputs)),
              rounding(entry.name))
        << entry.name;
  }
}

// At t = 1 the blended model is the finished one, bit for bit, for every target; and it is not the
// original any more.
TEST(Retarget, TargetAtOne) {
  for (const auto& entry : models_with_sites()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    const auto original = outputs_of(model.module, io.inputs);
    for (const char* target : {"relu", "hard_mish", "leaky_relu(0.1)"}) {
      PlanOptions options;
      options.to = target;
      Retargeter swap(model, plan(model, options));
      swap.set_blend(1.0);
      const auto blended = outputs_of(swap.module(), io.inputs);
      EXPECT_EQ(largest_difference(blended, outputs_of(swap.finish(), io.inputs)), 0.0)
          << entry.name << " " << target;
      EXPECT_GT(largest_difference(blended, original), 0.0) << entry.name << " " << target;
    }
  }
}

TEST(Retarget, HalfwayIsTheMean) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(
      unit, "Root", "def forward(self, x: Tensor) -> Tensor:\n  return torch.mish(x)\n"));
  Retargeter swap(model, plan(model, {}));
  const auto x = torch::linspace(-5, 5, 101);
  for (const double t : {0.25, 0.5, 0.75}) {
    swap.set_blend(t);
    EXPECT_TRUE(torch::allclose(outputs_of(swap.module(), {x})[0],
                                (1.0 - t) * at::mish(x) + t * at::relu(x), 1e-6, 1e-6));
  }
}

TEST(Retarget, KeepsEverythingElse) {
  for (const auto& entry : models_with_sites()) {
    const auto model = load(entry.path);
    const Retargeter swap(model, plan(model, {}));
    const auto finished = swap.finish();
    expect_same_state(model.module, swap.module(), entry.name);
    expect_same_state(model.module, finished, entry.name);
    EXPECT_EQ(method_names(model.module), method_names(finished)) << entry.name;
    EXPECT_EQ(model.module.named_modules().size(), finished.named_modules().size()) << entry.name;
    // The blend behind an attribute that is declared as an interface has one at the root too.
    const std::size_t second_names = entry.name == "indexed" ? 1 : 0;
    EXPECT_EQ(swap.module().named_modules().size(),
              model.module.named_modules().size() + entry.sites + second_names)
        << entry.name << ": each site has a module of its own in the tree";
  }
}

TEST(Retarget, LeavesTheModelAlone) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto io = recorded("scripted_module");
  const auto before = outputs_of(model.module, io.inputs);
  Retargeter swap(model, plan(model, {}));
  swap.set_blend(1.0);
  for (auto parameter : swap.module().parameters()) {
    const torch::NoGradGuard no_grad;
    parameter.zero_();
  }
  EXPECT_EQ(largest_difference(before, outputs_of(model.module, io.inputs)), 0.0);
}

TEST(Retarget, EachSiteHasItsOwnT) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto io = recorded("scripted_module");
  Retargeter swap(model, plan(model, {}));
  PlanOptions only_one;
  only_one.only = {"cells.1.act"};
  swap.set_blend("cells.1.act/forward/0", 1.0);
  EXPECT_EQ(swap.blend("cells.1.act/forward/0"), 1.0);
  EXPECT_EQ(swap.blend("cells.0.act/forward/0"), 0.0);

  torch::jit::Module by_hand = model.module.deepcopy();
  const auto expected = [&] {
    const torch::NoGradGuard no_grad;
    const auto run = [](const torch::jit::Module& module, const std::string& name,
                        const torch::Tensor& x) {
      return torch::jit::Module(module.attr(name).toModule()).forward({x}).toTensor();
    };
    const auto cells = by_hand.attr("cells").toModule();
    const auto stem = run(by_hand, "stem", io.inputs[0]);
    const auto first = run(cells, "0", stem);
    const auto second = cells.attr("1").toModule();
    const auto x = at::relu(run(second, "norm", run(second, "conv", first)));
    return run(by_hand, "head", x.mean({2, 3}));
  }();
  EXPECT_LE(largest_difference(outputs_of(swap.module(), io.inputs), {expected}), 1e-6);
}

TEST(Retarget, AModelsOwnSetBlendStays) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(unit, "Root",
                                       "def forward(self, x: Tensor) -> Tensor:\n"
                                       "  return torch.mish(x)\n"
                                       "def set_blend(self, x: Tensor) -> Tensor:\n"
                                       "  return x * 2.0\n"));
  const auto finished = Retargeter(model, plan(model, {})).finish();
  EXPECT_EQ(finished.get_method("set_blend")({torch::ones({1})}).toTensor().item<double>(), 2.0);
}

TEST(Retarget, ClampsAndChecksT) {
  const auto model = load(test_model("tied.pt"));
  Retargeter swap(model, plan(model, {}));
  swap.set_blend(7.0);
  EXPECT_EQ(swap.blend("act/forward/0"), 1.0);
  swap.set_blend(-1.0);
  EXPECT_EQ(swap.blend("act/forward/0"), 0.0);
  EXPECT_THROW(swap.set_blend(std::numeric_limits<double>::quiet_NaN()), UsageError);
  EXPECT_THROW(swap.set_blend("nowhere/forward/0", 0.5), UsageError);
}

// A blended model is a TorchScript model like any other: it can be saved, loaded again, trained.
TEST(Retarget, SurvivesSavingAndLoading) {
  for (const auto& entry : models_with_sites()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    Retargeter swap(model, plan(model, {}));
    swap.set_blend(0.5);
    const auto loaded = reload(swap.module());
    EXPECT_EQ(
        largest_difference(outputs_of(swap.module(), io.inputs), outputs_of(loaded, io.inputs)),
        0.0)
        << entry.name;
    expect_same_state(swap.module(), loaded, entry.name);
  }
}

TEST(Retarget, GradientsFlowThroughTheBlend) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(
      unit, "Root", "def forward(self, x: Tensor) -> Tensor:\n  return torch.mish(x)\n"));
  Retargeter swap(model, plan(model, {}));
  for (const double t : {0.0, 0.3, 1.0}) {
    swap.set_blend(t);
    // Several runs: the executor specialises after the first.
    for (int run = 0; run < 3; ++run) {
      auto x = torch::linspace(-3, 3, 41, torch::kDouble).requires_grad_();
      auto y = torch::linspace(-3, 3, 41, torch::kDouble).requires_grad_();
      swap.module().forward({x}).toTensor().sum().backward();
      ((1.0 - t) * at::mish(y) + t * at::relu(y)).sum().backward();
      EXPECT_TRUE(torch::allclose(x.grad(), y.grad(), 1e-12, 1e-12)) << t;
    }
  }
}

struct Step {
  torch::Tensor output;
  std::map<std::string, torch::Tensor> gradients;  // of the parameters, by name
};

// The same dropout each time.
Step train_step(Retargeter& swap, const std::vector<torch::Tensor>& inputs, double t) {
  swap.set_blend(t);
  swap.module().train();
  for (auto parameter : swap.module().parameters()) {
    parameter.mutable_grad() = torch::Tensor();
  }
  torch::manual_seed(5);
  Step step;
  step.output = run_model(swap.module(), copy_tensors(inputs)).front();
  step.output.pow(2).mean().backward();
  for (const auto& parameter : swap.module().named_parameters()) {
    if (parameter.value.grad().defined()) {
      step.gradients.emplace(parameter.name, parameter.value.grad().clone());
    }
  }
  return step;
}

// Of the larger one's largest element.
double relative_difference(const torch::Tensor& a, const torch::Tensor& b) {
  const auto scale = std::max(b.abs().max().item<double>(), 1e-30);
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>() / scale;
}

void expect_same_step(const Step& a, const Step& b, double tolerance, const std::string& what) {
  EXPECT_LE(relative_difference(a.output, b.output), tolerance) << what;
  ASSERT_EQ(a.gradients.size(), b.gradients.size()) << what;
  EXPECT_FALSE(a.gradients.empty()) << what;
  double largest = 1e-30;
  for (const auto& [name, gradient] : b.gradients) {
    largest = std::max(largest, gradient.abs().max().item<double>());
  }
  for (const auto& [name, gradient] : a.gradients) {
    EXPECT_EQ(gradient.scalar_type(), b.gradients.at(name).scalar_type()) << what << " " << name;
    // A bias in front of a norm has a gradient of nothing but rounding.
    EXPECT_LE((gradient - b.gradients.at(name)).abs().max().item<double>(), tolerance * largest)
        << what << " " << name;
  }
}

TEST(Retarget, FusedAndStockCodeTrainAlike) {
  for (const char* name : {"scripted_module", "scripted_functional", "traced_reused", "tied",
                           "two_inputs", "methods", "dropout_bn", "handwritten", "double"}) {
    const auto model = load(test_model(std::string(name) + ".pt"));
    const auto io = recorded(name);
    for (const char* target : {"relu", "hard_mish"}) {
      PlanOptions options;
      options.to = target;
      const auto the_plan = plan(model, options);
      Retargeter fused(model, the_plan);
      Retargeter stock(model, the_plan, Tensors::copied, BlendCode::stock);
      for (const double t : {0.0, 0.3, 1.0}) {
        expect_same_step(train_step(fused, io.inputs, t), train_step(stock, io.inputs, t), 1e-5,
                         std::string(name) + " to " + target + " at t " + std::to_string(t));
      }
    }
  }
}

// Trained on, the model's finished form is the blended one at t = 1 to the last bit, in types where
// the operator's rounding differs much from ATen's as well.
TEST(Retarget, TrainsInOtherTypesAndLayouts) {
  struct Case {
    torch::ScalarType type;
    torch::MemoryFormat format;
    double tolerance;
  };
  const auto contiguous = torch::MemoryFormat::Contiguous;
  const auto channels_last = torch::MemoryFormat::ChannelsLast;
  for (const auto& [type, format, tolerance] :
       {Case{torch::kBFloat16, contiguous, 0.1}, Case{torch::kDouble, contiguous, 1e-10},
        Case{torch::kFloat, channels_last, 1e-5}}) {
    auto model = load(test_model("scripted_module.pt"));
    model.module.to(type);
    std::vector<torch::Tensor> inputs;
    for (const auto& input : recorded("scripted_module").inputs) {
      inputs.push_back(input.to(type).contiguous(format));
    }
    PlanOptions options;
    options.to = "hard_mish";
    Retargeter swap(model, plan(model, options));
    Retargeter stock(model, plan(model, options), Tensors::copied, BlendCode::stock);
    const std::string what = torch::toString(type);
    for (const double t : {0.0, 0.3, 1.0}) {
      expect_same_step(train_step(swap, inputs, t), train_step(stock, inputs, t), tolerance, what);
    }
    const auto first = train_step(swap, inputs, 0.5).output.pow(2).mean().item<double>();
    for (int step = 0; step < 5; ++step) {
      train_step(swap, inputs, 0.5);
      const torch::NoGradGuard no_grad;
      for (auto parameter : swap.module().parameters()) {
        parameter.sub_(parameter.grad(), 0.01);
      }
    }
    EXPECT_LT(train_step(swap, inputs, 0.5).output.pow(2).mean().item<double>(), first) << what;
    swap.set_blend(1.0);
    swap.module().eval();
    const auto finished = swap.finish();
    EXPECT_EQ(largest_difference(outputs_of(swap.module(), inputs), outputs_of(finished, inputs)),
              0.0)
        << what;
    EXPECT_TRUE(contains_operator(swap.module())) << what;
    EXPECT_FALSE(contains_operator(finished)) << what;
  }
}

// The source that a file holds is compiled again when it is loaded.
TEST(Retarget, FusedCodeIsFoundWhenLoaded) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  swap.set_blend(0.5);
  std::stringstream file;
  swap.module().save(file);
  const auto loaded = torch::jit::load(file);
  EXPECT_TRUE(contains_operator(loaded));
  const auto inputs = recorded("scripted_module").inputs;
  EXPECT_EQ(largest_difference(outputs_of(swap.module(), inputs), outputs_of(loaded, inputs)), 0.0);
  const Retargeter stock(model, plan(model, {}), Tensors::shared, BlendCode::stock);
  EXPECT_FALSE(contains_operator(stock.module()));
}

TEST(Retarget, TrainsAndBatchNormMoves) {
  const auto model = load(test_model("dropout_bn.pt"));
  Retargeter swap(model, plan(model, {}));
  swap.set_blend(0.5);
  swap.module().train();
  const auto before = state(swap.module().deepcopy());
  const auto x = torch::randn({8, 3, 8, 8});
  swap.module().forward({x}).toTensor().pow(2).sum().backward();
  bool moved = false;
  for (const auto& [name, tensor] : state(swap.module())) {
    if (name.ends_with("running_mean")) {
      moved = moved || !torch::equal(tensor, before.at(name));
    }
    if (tensor.requires_grad()) {
      EXPECT_TRUE(tensor.grad().defined() && tensor.grad().abs().sum().item<double>() > 0.0)
          << name;
    }
  }
  EXPECT_TRUE(moved) << "batch norm keeps its statistics in train mode";
}

TEST(Retarget, TiedParametersStayTied) {
  const auto model = load(test_model("tied.pt"));
  const Retargeter swap(model, plan(model, {}));
  EXPECT_EQ(distinct_parameters(swap.module()).size(), distinct_parameters(model.module).size());
  EXPECT_LT(distinct_parameters(swap.module()).size(), model.module.parameters().size());
  EXPECT_EQ(distinct_parameters(swap.finish()).size(), distinct_parameters(model.module).size());
}

TEST(Retarget, OtherMethodsAreRetargetedToo) {
  const auto model = load(test_model("methods.pt"));
  const auto finished = Retargeter(model, plan(model, {})).finish();
  const auto x = recorded("methods").inputs[0];
  const torch::NoGradGuard no_grad;
  const auto body = model.module.attr("body").toModule().deepcopy();
  const auto expected = at::relu(torch::jit::Module(body).forward({x}).toTensor());
  const auto found = finished.get_method("features")({x}).toTensor();
  EXPECT_TRUE(torch::equal(found, expected));
}

TEST(Retarget, RefusesAPlanThatSwapsNothing) {
  const auto model = load(test_model("no_activation.pt"));
  EXPECT_THROW(Retargeter(model, plan(model, {})), UsageError);
}

// The three Mish modules are objects of one class, the two cells of another.
TEST(Retarget, ObjectsOfOneClassCanBePlannedDifferently) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto io = recorded("scripted_module");
  PlanOptions options;
  options.keep = {"stem.2*"};
  options.rules = {{"cells.1*", "hard_mish"}};
  Retargeter swap(model, plan(model, options));
  EXPECT_EQ(
      largest_difference(outputs_of(swap.module(), io.inputs), outputs_of(model.module, io.inputs)),
      0.0);
  swap.set_blend(1.0);
  const auto finished = swap.finish();
  EXPECT_EQ(
      largest_difference(outputs_of(swap.module(), io.inputs), outputs_of(finished, io.inputs)),
      0.0);
  expect_same_state(model.module, finished, "scripted_module");
  std::map<std::string, std::string> found;
  for (const auto& site : find_sites(adopt(finished))) {
    found[site.id] = site.activation.to_string();
  }
  EXPECT_EQ(found, (std::map<std::string, std::string>{{"stem.2/forward/0", "mish"},
                                                       {"cells.0.act/forward/0", "relu"},
                                                       {"cells.1.act/forward/0", "hard_mish"}}));
}

// Both of one class, which is split.
TEST(Retarget, HooksStayWithASplitClass) {
  const auto model = load(test_model("hooked.pt"));
  const auto io = recorded("hooked");
  PlanOptions options;
  options.keep = {"second*"};
  Retargeter swap(model, plan(model, options));
  swap.set_blend(1.0);
  const auto finished = swap.finish();
  EXPECT_EQ(
      largest_difference(outputs_of(swap.module(), io.inputs), outputs_of(finished, io.inputs)),
      0.0);
  for (const char* name : {"first", "second"}) {
    const auto type = finished.attr(name).toModule().type();
    EXPECT_EQ(type->getForwardPreHooks().size(), 1U) << name;
    EXPECT_EQ(type->getForwardHooks().size(), 1U) << name;
  }
  EXPECT_NE(finished.attr("first").toModule().type(), finished.attr("second").toModule().type());
  // Hooks were run by the caller; run from outside they are retargeted as well.
  for (const auto& site : find_sites(adopt(finished.attr("first").toModule()))) {
    EXPECT_EQ(site.activation.to_string(), "relu") << site.id;
  }
}

}  // namespace
}  // namespace actswap
