// The signal `layers`: its value and gradient against formulas of ATen.
#include <actswap/calibrate/layer_comparison.h>
#include <actswap/graph/model.h>
#include <actswap/graph/retarget.h>
#include <actswap/run/model_run.h>
#include <actswap/train/trainer.h>

#include <gtest/gtest.h>

#include "train/modules.h"

namespace actswap {
namespace {

// Two linear layers behind activations, the first of them in front of one, and dropout.
struct TwoLayers {
  Model model;
  Plan the_plan;
  torch::Tensor input;

  TwoLayers() {
    torch::manual_seed(6);
    input = torch::randn({16, 4});
    model = adopt(make_module({{"w0", torch::randn({5, 4})},
                               {"w1", torch::randn({6, 5})},
                               {"b1", torch::randn({6})},
                               {"w2", torch::randn({3, 6})}},
                              "  h = torch.mish(torch.linear(x, self.w0))\n"
                              "  h = torch.dropout(h, 0.5, self.training)\n"
                              "  h = torch.mish(torch.linear(h, self.w1, self.b1))\n"
                              "  y = torch.linear(h, self.w2)\n"
                              "  return y, torch.tanh(y)\n"));
    the_plan = plan(model, {.to = "relu"});
  }

  torch::jit::Module blended(double t) const {
    Retargeter swap(model, the_plan);
    swap.set_blend(t);
    return swap.module();
  }
};

TrainOptions options_for(const Loss& loss) {
  auto options = plain_options(loss);
  options.keeps_statistics = true;
  return options;
}

double loss_of_first_step(torch::jit::Module& student, const torch::jit::Module& teacher,
                          const torch::Tensor& input, const TrainOptions& options) {
  double first = 0.0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { first = progress.loss; };
  train(student, teacher, TensorDataset({input}, {}), no_ramp(), [](double) {}, options, callbacks);
  return first;
}

torch::Tensor standardised(const torch::Tensor& values) {
  return (values - values.mean(0)) / values.var(0, /*unbiased=*/false).sqrt();
}

// The mean of two errors, of which the layer in front of an activation is compared channel by
// channel with mean 0 and deviation 1, each by its share of the variance; without dropout.
TEST(LayersLoss, IsTheMeanOfWhatTheLayersLack) {
  const TwoLayers network;
  auto student = network.blended(1.0);
  const auto w = [&](const char* name) {
    return student.attr(name).toTensor().detach().clone().set_requires_grad(true);
  };
  const auto w0 = w("w0");
  const auto w1 = w("w1");
  const auto b1 = w("b1");
  const auto w2 = w("w2");
  const auto forward = [&](const auto& activation) {
    const auto first = torch::linear(activation(torch::linear(network.input, w0)), w1, b1);
    return std::make_pair(first, torch::linear(activation(first), w2));
  };
  const auto ours = forward([](const torch::Tensor& x) { return torch::relu(x); });
  const auto found = forward([](const torch::Tensor& x) { return torch::mish(x); });
  const auto theirs = std::make_pair(found.first.detach(), found.second.detach());
  const auto shares = theirs.first.var(0, /*unbiased=*/false);
  const auto square = (standardised(ours.first) - standardised(theirs.first)).square();
  const auto direct = 0.5 * ((square * (shares / shares.mean())).mean() +
                             (ours.second - theirs.second).square().mean() /
                                 theirs.second.var(0, /*unbiased=*/false).mean());
  direct.backward();
  EXPECT_NEAR(
      loss_of_first_step(student, network.blended(0.0), network.input, options_for(Signal::layers)),
      direct.item<double>(), 1e-5);
  for (const auto& [name, before] : {std::pair("w0", w0), {"w1", w1}, {"w2", w2}}) {
    const auto expected = before.detach() - 0.1 * before.grad();
    EXPECT_TRUE(student.attr(name).toTensor().detach().allclose(expected, 1e-4, 1e-5)) << name;
  }
}

// The outputs are those of the same run, all of them.
TEST(LayersLoss, GoesWithOtherSignals) {
  const TwoLayers network;
  const auto value = [&](const Loss& loss) {
    auto student = network.blended(1.0);
    return loss_of_first_step(student, network.blended(0.0), network.input, options_for(loss));
  };
  auto outputs = network.blended(1.0);
  auto original = network.blended(0.0);
  outputs.eval();
  original.eval();
  const auto ours = run_model(outputs, {network.input});
  const auto theirs = run_model(original, {network.input});
  double mse = 0.0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    mse += torch::mse_loss(ours[i], theirs[i]).item<double>();
  }
  EXPECT_NEAR(value(parse_loss("distil-mse+3*layers")), mse + 3.0 * value(Signal::layers), 1e-5);
}

// An activation with no layer behind it counts where the model returns it, and nowhere else.
TEST(LayersLoss, WithoutLayersIsTheErrorOfWhatIsReturned) {
  const auto values = [](const std::string& code) {
    torch::manual_seed(1);
    const auto model = adopt(make_module({{"w", torch::randn({4})}}, code));
    const auto blended = [&](double t) {
      Retargeter swap(model, plan(model, {.to = "relu"}));
      swap.set_blend(t);
      return swap.module();
    };
    const auto input = torch::randn({16, 4});
    const auto value = [&](const Loss& loss) {
      auto student = blended(1.0);
      return loss_of_first_step(student, blended(0.0), input, options_for(loss));
    };
    const auto y = torch::mish(input * model.module.attr("w").toTensor().detach());
    const auto error = value(Signal::distil_mse) / y.var(0, /*unbiased=*/false).mean();
    return std::pair(value(parse_loss("distil-mse+3*layers")) - value(Signal::distil_mse),
                     3.0 * error.item<double>());
  };
  const auto returned = values("  return torch.mish(x * self.w)\n");
  EXPECT_NEAR(returned.first, returned.second, 1e-5);
  const auto summed = values("  return torch.mish(x * self.w) + x\n");
  EXPECT_EQ(summed.first, 0.0);
}

TEST(LayersLoss, SaysWhatItNeeds) {
  const TwoLayers network;
  auto student = network.blended(1.0);
  const auto message = [&](const torch::jit::Module& teacher, const TrainOptions& options) {
    return usage_error([&] { loss_of_first_step(student, teacher, network.input, options); });
  };
  const auto plain = reload(network.model.module);
  EXPECT_NE(message(plain, options_for(Signal::layers)).find("blends at the same places"),
            std::string::npos);
  EXPECT_NE(
      message(network.blended(0.0), plain_options(Signal::layers)).find("--batch-norm running"),
      std::string::npos);
}

TEST(LayersLoss, IsLeftOutForWhoIsNotCompared) {
  EXPECT_EQ(to_string(parse_loss("distil+3*layers+cross-entropy").without(Signal::layers)),
            "distil+cross-entropy");
  EXPECT_EQ(to_string(Loss(Signal::layers).without(Signal::layers)), "outputs");
}

}  // namespace
}  // namespace actswap
