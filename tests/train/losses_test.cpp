#include <gtest/gtest.h>

#include <actswap/graph/retarget.h>

#include "models.h"
#include "train/modules.h"

namespace actswap {
namespace {

// The loss of the first step, before anything has moved.
double first_loss(torch::jit::Module module, std::optional<torch::jit::Module> teacher,
                  const torch::Tensor& input, const torch::Tensor& target,
                  const TrainOptions& options) {
  double loss = -1.0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { loss = progress.loss; };
  train(
      module, teacher, TensorDataset({input}, target), no_ramp(), [](double) {}, options,
      callbacks);
  return loss;
}

// The teacher sees the same input as the student: it gives half of it.
torch::jit::Module make_half() {
  return make_module({{"w", torch::full({1}, 0.5)}}, "  return x * self.w\n");
}

void expect_falls(const Loss& loss, const torch::Tensor& target, OptimizerKind optimizer) {
  auto module = make_linear(4, 3, 1);
  auto options = plain_options(loss);
  options.optimizer = optimizer;
  options.epochs = 30;
  torch::manual_seed(3);
  const auto input = torch::randn({32, 4});
  const auto records = train(
      module, make_linear(4, 3, 2), TensorDataset({input}, target), no_ramp(), [](double) {},
      options);
  ASSERT_EQ(records.size(), 30U);
  EXPECT_LT(records.back().mean_loss, 0.9 * records.front().mean_loss) << to_string(loss);
}

TEST(Losses, CrossEntropyIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto logits = torch::randn({6, 4});
  const auto target = torch::randint(4, {6}, torch::kInt64);
  const auto direct = -torch::log_softmax(logits, 1).gather(1, target.unsqueeze(1)).mean();
  EXPECT_NEAR(first_loss(make_identity(), {}, logits, target, plain_options(Signal::cross_entropy)),
              direct.item<double>(), 1e-5);
  EXPECT_NEAR(first_loss(make_identity(), {}, logits, target.to(torch::kUInt8),
                         plain_options(Signal::cross_entropy)),
              direct.item<double>(), 1e-5);
}

TEST(Losses, CrossEntropyOfPositions) {
  torch::manual_seed(5);
  const auto logits = torch::randn({2, 4, 3, 5});
  const auto target = torch::randint(4, {2, 3, 5}, torch::kInt64);
  const auto direct = -torch::log_softmax(logits, 1).gather(1, target.unsqueeze(1)).mean();
  EXPECT_NEAR(first_loss(make_identity(), {}, logits, target, plain_options(Signal::cross_entropy)),
              direct.item<double>(), 1e-5);
}

TEST(Losses, MeanSquaredErrorIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto output = torch::randn({6, 4});
  const auto target = torch::randn({6, 4});
  EXPECT_NEAR(first_loss(make_identity(), {}, output, target, plain_options(Signal::mse)),
              (output - target).square().mean().item<double>(), 1e-5);
}

TEST(Losses, DistillationIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto logits = torch::randn({6, 4}) * 3;
  auto options = plain_options(Signal::distil);
  options.temperature = 2.5;
  const auto teacher = torch::softmax(0.5 * logits / 2.5, 1);
  const auto student = torch::softmax(logits / 2.5, 1);
  const auto direct = (teacher * (teacher.log() - student.log())).sum() / 6 * 2.5 * 2.5;
  EXPECT_NEAR(first_loss(make_identity(), make_half(), logits, {}, options), direct.item<double>(),
              1e-5);
  EXPECT_NEAR(first_loss(make_identity(), make_identity(), logits, {}, options), 0.0, 1e-6);
}

TEST(Losses, DistillationOfPositionsIsAMeanOverThem) {
  torch::manual_seed(5);
  const auto logits = torch::randn({2, 4, 5});
  const auto teacher = torch::softmax(0.5 * logits, 1);
  const auto student = torch::softmax(logits, 1);
  const auto direct = (teacher * (teacher.log() - student.log())).sum() / 10;
  EXPECT_NEAR(first_loss(make_identity(), make_half(), logits, {}, plain_options(Signal::distil)),
              direct.item<double>(), 1e-5);
}

TEST(Losses, DistilMseIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto output = torch::randn({6});  // any shape
  EXPECT_NEAR(
      first_loss(make_identity(), make_half(), output, {}, plain_options(Signal::distil_mse)),
      (0.5 * output).square().mean().item<double>(), 1e-5);
}

TEST(Losses, DistillationSumsOverTheOutputsThatAreFloats) {
  const auto forward = "  y = x * self.w\n  return (y, torch.argmax(x, 1), y * 2.0)\n";
  const auto student = make_module({{"w", torch::ones({1})}}, forward);
  const auto teacher = make_module({{"w", torch::full({1}, 0.5)}}, forward);
  torch::manual_seed(5);
  const auto input = torch::randn({6, 4});
  EXPECT_NEAR(first_loss(student, teacher, input, {}, plain_options(Signal::distil_mse)),
              (0.5 * input).square().mean().item<double>() * 5.0, 1e-5);
}

// A regression N, probabilities, and an index, which is not learnt.
TEST(Losses, OutputsAreComparedEachByItsKind) {
  const auto forward =
      "  y = x * self.w\n  return (y[:, 0] * 100.0, torch.softmax(y, 1), torch.argmax(x, 1))\n";
  const auto student = make_module({{"w", torch::ones({1})}}, forward);
  auto teacher = make_module({{"w", torch::full({1}, 0.5)}}, forward);
  torch::manual_seed(5);
  const auto input = torch::randn({60, 4});
  auto options = plain_options(Signal::outputs);
  options.outputs = find_output_forms(outputs_of(teacher, {input}));
  const auto values = 50.0 * input.select(1, 0);
  const auto p = torch::softmax(0.5 * input, 1);
  const auto squares = values.square().mean() / values.var(false);
  const auto divergence = (p * (p.log() - torch::log_softmax(input, 1))).sum(1).mean();
  EXPECT_NEAR(
      first_loss(student, teacher, input, {}, options),
      0.5 * (squares.item<double>() + divergence.item<double>() / options.outputs[1].divergence),
      1e-4);
}

TEST(Losses, CrossEntropyOfProbabilitiesTakesTheirLogarithm) {
  torch::manual_seed(5);
  const auto logits = torch::randn({6, 4});
  const auto target = torch::randint(4, {6}, torch::kInt64);
  auto options = plain_options(Signal::cross_entropy);
  options.outputs = find_output_forms({logits.softmax(1)}, {.class_dim = 1});
  const auto direct = -torch::log_softmax(logits, 1).gather(1, target.unsqueeze(1)).mean();
  EXPECT_NEAR(first_loss(make_identity(), {}, logits.softmax(1), target, options),
              direct.item<double>(), 1e-5);
}

TEST(Losses, DistilCosineIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto input = torch::randn({2, 6, 4});
  const auto module = make_module({{"w", torch::ones({1})}}, "  return x * self.w\n");
  const auto other = make_module({{"w", torch::ones({1})}}, "  return (x + self.w).detach()\n");
  const auto theirs = input + 1.0;
  const auto cosine = (input * theirs).sum(-1) / (input.norm(2, -1) * theirs.norm(2, -1));
  EXPECT_NEAR(first_loss(module, other, input, {}, plain_options(Signal::distil_cosine)),
              1.0 - cosine.mean().item<double>(), 1e-6);
}

TEST(Losses, TheClassesMayBeInAnotherDimension) {
  torch::manual_seed(5);
  const auto logits = torch::randn({2, 4, 5});
  const auto target = torch::randint(5, {2, 4}, torch::kInt64);
  for (const std::int64_t dim : {2, -1}) {
    auto options = plain_options(Signal::cross_entropy);
    options.class_dim = dim;
    const auto direct = -torch::log_softmax(logits, 2).gather(2, target.unsqueeze(2)).mean();
    EXPECT_NEAR(first_loss(make_identity(), {}, logits, target, options), direct.item<double>(),
                1e-5);
    options.loss = Signal::distil;
    const auto teacher = torch::softmax(0.5 * logits, 2);
    const auto divergence =
        (teacher * (teacher.log() - torch::log_softmax(logits, 2))).sum() / (2 * 4);
    EXPECT_NEAR(first_loss(make_identity(), make_half(), logits, {}, options),
                divergence.item<double>(), 1e-5);
  }
  auto options = plain_options(Signal::distil);
  options.class_dim = 3;
  EXPECT_NE(usage_error([&] {
              first_loss(make_identity(), make_half(), logits, {}, options);
            }).find("but got 3"),
            std::string::npos);
}

TEST(Losses, ASumIsWeighted) {
  torch::manual_seed(5);
  const auto logits = torch::randn({6, 4});
  const auto target = torch::randint(4, {6}, torch::kInt64);
  const auto value = [&](const Loss& loss) {
    return first_loss(make_identity(), make_half(), logits, target, plain_options(loss));
  };
  EXPECT_NEAR(
      value(parse_loss("distil + 0.5*cross-entropy+2*distil-mse")),
      value(Signal::distil) + 0.5 * value(Signal::cross_entropy) + 2.0 * value(Signal::distil_mse),
      1e-5);
}

TEST(Losses, NamesGoThereAndBack) {
  for (const auto* text :
       {"cross-entropy", "mse", "outputs", "distil", "distil-mse", "distil-cosine", "sites",
        "layers", "module:a*b.pt", "distil+0.25*cross-entropy+3*module:/x/y.pt"}) {
    EXPECT_EQ(to_string(parse_loss(text)), text);
  }
  EXPECT_EQ(to_string(parse_loss(" 1.50 * distil + sites ")), "1.5*distil+sites");
  EXPECT_EQ(usage_error([] { parse_loss("nll"); }),
            "Unknown loss 'nll'; expected cross-entropy, mse, outputs, distil, distil-mse, "
            "distil-cosine, sites, layers or module:PATH, or a sum like distil+0.5*cross-entropy");
  const auto refuse = [](const char* text, const char* what) {
    const auto message = usage_error([&] { parse_loss(text); });
    EXPECT_NE(message.find(what), std::string::npos) << text << ": " << message;
  };
  refuse("", "Unknown loss ''");
  refuse("distil+", "Unknown loss ''");
  refuse("module", "Unknown loss 'module'");
  refuse("module:", "a file after module:");
  refuse("x*distil", "a number before the * in the loss, but got 'x'");
  refuse("*distil", "but got ''");
  refuse("0*distil", "a weight above 0 for distil in the loss, but got 0");
  refuse("-1*sites", "but got -1");
  refuse("nan*mse", "but got nan");
}

TEST(Losses, WhatEachNeeds) {
  EXPECT_TRUE(Loss(Signal::cross_entropy).needs_target());
  EXPECT_TRUE(parse_loss("distil+mse").needs_target());
  EXPECT_FALSE(parse_loss("distil+distil-mse+distil-cosine+sites+module:m.pt").needs_target());
  EXPECT_TRUE(parse_loss("mse+sites").needs_original());
  EXPECT_FALSE(parse_loss("mse+cross-entropy+module:m.pt").needs_original());
}

TEST(Losses, AModuleGetsOutputsAndTargets) {
  const ScratchFolder scratch;
  const auto save = [&](const std::string& name, const std::string& source) {
    torch::jit::Module module("__torch__.loss");
    module.define(source);
    module.save(scratch / name);
    return parse_loss("module:" + (scratch / name));
  };
  const auto two = save("two.pt", "def forward(self, y, a, b):\n  return (y * a + b).mean()\n");
  const auto none = save("none.pt", "def forward(self, y):\n  return y.square().sum()\n");
  const auto vector = save("vector.pt", "def forward(self, y):\n  return y\n");
  torch::manual_seed(5);
  const auto input = torch::randn({6, 4});
  const auto a = torch::randn({6, 4});
  const auto b = torch::randn({6, 4});
  double first = 0.0;
  const auto run = [&](const Loss& loss, const TensorDataset& data) {
    auto module = make_identity();
    TrainCallbacks callbacks;
    callbacks.on_step = [&](const Progress& progress) { first = progress.loss; };
    train(module, {}, data, no_ramp(), [](double) {}, plain_options(loss), callbacks);
    return module.attr("w").toTensor().item<double>();
  };
  // d/dw mean(w x a + b) = mean(x a), and one step at the rate 0.1. A last batch is all of it, in
  // another order: the targets must be those of their examples.
  const double w = run(two, TensorDataset({input}, a, {b}));
  EXPECT_NEAR(first, (input * a + b).mean().item<double>(), 1e-5);
  EXPECT_NEAR(w, 1.0 - 0.1 * (input * a).mean().item<double>(), 1e-5);
  run(none, TensorDataset({input}, {}));
  EXPECT_NEAR(first, input.square().sum().item<double>(), 1e-4);
  const auto message = [&](const Loss& loss, const TensorDataset& data) {
    return usage_error([&] { run(loss, data); });
  };
  EXPECT_NE(message(two, TensorDataset({input}, a)).find("outputs (1) and the targets (1), fails"),
            std::string::npos);
  EXPECT_NE(message(vector, TensorDataset({input}, {})).find("gives float of shape [6, 4]"),
            std::string::npos);
  EXPECT_NE(message(Signal::mse, TensorDataset({input}, a, {b})).find("the data has 2"),
            std::string::npos);
  EXPECT_THROW(run(parse_loss("module:" + (scratch / "no.pt")), TensorDataset({input}, {})),
               FileError);
}

// What follows the activation writes into what it gave. (Of relu that could not be trained.)
struct WithSite {
  Model model;
  Plan the_plan;
  torch::Tensor input;

  WithSite() {
    torch::manual_seed(6);
    input = torch::randn({16, 4});
    auto module = make_module({{"w", torch::randn({4, 5})}},
                              "  h = torch.mish(torch.matmul(x, self.w))\n"
                              "  h += 1.0\n"
                              "  return h\n");
    model = adopt(module);
    the_plan = plan(model, {.to = "hard_mish"});
  }
  torch::jit::Module observed(double t) const {
    Retargeter swap(model, the_plan);
    swap.set_blend(t);
    swap.observe_blends();
    return swap.module();
  }
};

// As nn.TransformerEncoder: without gradients the same is computed in another way, with values of
// other shapes.
TEST(Losses, BothModelsTakeTheWayOfGradients) {
  const auto model = adopt(make_module({{"w", torch::randn({4, 5})}},
                                       "  y = torch.matmul(x, self.w)\n"
                                       "  if torch.is_grad_enabled():\n"
                                       "    return torch.mish(y)\n"
                                       "  return torch.mish(y.flatten()).reshape(y.shape)\n"));
  const auto the_plan = plan(model, {.to = "relu"});
  const auto observed = [&](double t) {
    Retargeter swap(model, the_plan);
    swap.set_blend(t);
    swap.observe_blends();
    return swap.module();
  };
  auto student = observed(1.0);
  auto options = plain_options(Signal::sites);
  options.epochs = 3;
  torch::manual_seed(6);
  const auto records = train(
      student, observed(0.0), TensorDataset({torch::randn({16, 4})}, {}), no_ramp(), [](double) {},
      options);
  EXPECT_GT(records[0].mean_loss, 0.0);
  EXPECT_LT(records[2].mean_loss, records[0].mean_loss);
}

TEST(Losses, SitesComparesWhatTheActivationsGive) {
  const WithSite site;
  auto student = site.observed(1.0);
  auto w = distinct_parameters(student)[0].detach().clone().set_requires_grad(true);
  const auto x = torch::matmul(site.input, w);
  const auto original = torch::mish(x).detach();
  const auto hard_mish = x * torch::clamp(x * 0.5 + 1.0, 0.0, 1.0);
  const auto direct = (hard_mish - original).square().mean() / original.var(false);
  direct.backward();
  double first = 0.0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { first = progress.loss; };
  train(
      student, site.observed(0.0), TensorDataset({site.input}, {}), no_ramp(), [](double) {},
      plain_options(Signal::sites), callbacks);
  EXPECT_NEAR(first, direct.item<double>(), 1e-6);
  const auto expected = w.detach() - 0.1 * w.grad();
  EXPECT_TRUE(distinct_parameters(student)[0].detach().allclose(expected, 1e-5, 1e-6));
}

TEST(Losses, SitesNeedsModelsThatReport) {
  const WithSite site;
  auto student = site.observed(1.0);
  const auto teacher = reload(site.model.module);
  const auto message = usage_error([&] {
    train(
        student, teacher, TensorDataset({site.input}, {}), no_ramp(), [](double) {},
        plain_options(Signal::sites));
  });
  EXPECT_NE(message.find("but got 1 and 0 values"), std::string::npos) << message;
}

TEST(Losses, LabelLossesTakeTheFirstOutput) {
  const auto module = make_module({{"w", torch::ones({1})}}, "  return (x * self.w, x * 100.0)\n");
  const auto input = torch::ones({6, 4});
  EXPECT_NEAR(first_loss(module, {}, input, torch::zeros({6, 4}), plain_options(Signal::mse)), 1.0,
              1e-6);
}

TEST(Losses, TrainingMakesEachSmaller) {
  torch::manual_seed(4);
  const auto classes = torch::randint(3, {32}, torch::kInt64);
  const auto values = torch::randn({32, 3});
  for (const auto optimizer : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    expect_falls(Signal::cross_entropy, classes, optimizer);
    expect_falls(Signal::mse, values, optimizer);
    expect_falls(Signal::distil, {}, optimizer);
    expect_falls(Signal::distil_mse, {}, optimizer);
    expect_falls(Signal::distil_cosine, {}, optimizer);
  }
}

TEST(Losses, MessagesSayWhatWasFound) {
  const auto message = [](const Loss& loss, const torch::Tensor& input,
                          const torch::Tensor& target) {
    return usage_error(
        [&] { first_loss(make_identity(), make_half(), input, target, plain_options(loss)); });
  };
  const auto logits = torch::randn({6, 4});
  const auto contains = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(message(Signal::cross_entropy, logits, {}), "it has none");
  contains(message(Signal::cross_entropy, logits, torch::zeros({6})), "float of shape [6]");
  contains(message(Signal::cross_entropy, logits, torch::zeros({6, 1}, torch::kInt64)), "[6, 1]");
  contains(message(Signal::cross_entropy, logits, torch::full({6}, 4, torch::kInt64)),
           "classes from 0 to 3, as many as the model's output has, but found class 4");
  contains(message(Signal::cross_entropy, logits, torch::full({6}, -1, torch::kInt64)), "class -1");
  contains(message(Signal::cross_entropy, torch::randn({6}), torch::zeros({6}, torch::kInt64)),
           "logits of shape N x C");
  contains(message(Signal::mse, logits, torch::zeros({6, 1})), "[6, 1]");
  contains(message(Signal::distil, torch::randn({6}), {}), "outputs and distil-mse take any shape");
  contains(message(Signal::distil, torch::randn({6, 1}), {}), "two classes or more");
  contains(message(Signal::outputs, logits, {}), "but got 0");
}

TEST(Losses, DistillingNeedsAnOriginalOfItsOwn) {
  const auto input = torch::randn({6, 4});
  auto module = make_identity();
  const auto run = [&](std::optional<torch::jit::Module> teacher) {
    return usage_error(
        [&] { first_loss(module, teacher, input, {}, plain_options(Signal::distil)); });
  };
  EXPECT_NE(run({}).find("original model"), std::string::npos);
  EXPECT_NE(run(module).find("shares some"), std::string::npos);
  const auto other =
      make_module({{"w", torch::ones({4, 2})}}, "  return torch.matmul(x, self.w)\n");
  EXPECT_NE(run(other).find("original's shape"), std::string::npos);
}

}  // namespace
}  // namespace actswap
