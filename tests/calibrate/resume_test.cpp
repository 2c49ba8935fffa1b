// A calibration that is saved and taken up again goes on to the same tensors.
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/checkpoint/state_file.h>
#include <actswap/graph/retarget.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include "models.h"

namespace actswap {
namespace {

using Batches = std::vector<std::vector<torch::Tensor>>;

struct Setting {
  std::string name;
  Model model = load(test_model(name + ".pt"));
  Batches batches = {};
  CalibrationOptions options = {.passes = 3};

  explicit Setting(const std::string& the_name) : name(the_name) {
    torch::manual_seed(3);
    for (int i = 0; i < 3; ++i) {
      auto& batch = batches.emplace_back();
      for (const auto& input : recorded(name).inputs) {
        auto shape = input.sizes().vec();
        shape[0] = 24;
        batch.push_back(torch::randn(shape).to(input.dtype()));
      }
    }
  }

  struct Result {
    std::vector<torch::Tensor> tensors;
    Calibration calibration;
  };
  Result run(const CalibrationCallbacks& callbacks) const {
    Retargeter swap(model, plan(model, {.to = "hard_mish"}));
    auto calibration = calibrate(swap.module(), batches, options, callbacks);
    std::vector<torch::Tensor> tensors;
    for (const auto& tensor : swap.module().parameters()) {
      tensors.push_back(tensor.detach().clone());
    }
    for (const auto& tensor : swap.module().buffers()) {
      tensors.push_back(tensor.detach().clone());
    }
    return {std::move(tensors), std::move(calibration)};
  }
};

void expect_same(const Setting::Result& found, const Setting::Result& wanted,
                 const std::string& what) {
  ASSERT_EQ(found.tensors.size(), wanted.tensors.size());
  for (std::size_t i = 0; i < wanted.tensors.size(); ++i) {
    EXPECT_TRUE(torch::equal(found.tensors[i], wanted.tensors[i])) << what << ", tensor " << i;
  }
  const auto& a = found.calibration;
  const auto& b = wanted.calibration;
  ASSERT_EQ(a.sites.size(), b.sites.size()) << what;
  for (std::size_t i = 0; i < b.sites.size(); ++i) {
    EXPECT_EQ(a.sites[i].blend, b.sites[i].blend) << what;
    EXPECT_EQ(a.sites[i].mean_shift, b.sites[i].mean_shift) << what;
  }
  ASSERT_EQ(a.layers.size(), b.layers.size()) << what;
  for (std::size_t i = 0; i < b.layers.size(); ++i) {
    EXPECT_EQ(a.layers[i].error_after, b.layers[i].error_after) << what;
  }
  EXPECT_EQ(a.joint.error_after, b.joint.error_after) << what;
  EXPECT_EQ(a.joint.passes, b.joint.passes) << what;
  EXPECT_EQ(a.learning_rate, b.learning_rate) << what;
  EXPECT_EQ(a.left_out, b.left_out) << what;
}

const char* const kModels[] = {"scripted_module", "dropout_bn", "shared_norm", "half"};

std::vector<std::string> known_models() {
  std::vector<std::string> names;
  for (const auto& entry : test_models()) {
    for (const char* name : kModels) {
      if (entry.name == name) {
        names.push_back(name);
      }
    }
  }
  return names;
}

// From each step of the solving and of the joint fit.
TEST(CalibrationState, GoesOnToTheSameTensors) {
  const ScratchFolder scratch;
  ASSERT_GE(known_models().size(), 2U);
  for (const auto& name : known_models()) {
    const Setting setting(name);
    std::vector<std::string> files;
    const auto wanted =
        setting.run({.saves_now = [] { return true; },
                     .save =
                         [&](const State& state) {
                           files.push_back(scratch / (name + std::to_string(files.size())));
                           write_state(files.back(), state);
                         }});
    ASSERT_GE(files.size(), 4U) << name;
    for (std::size_t i = 0; i < files.size(); ++i) {
      expect_same(setting.run({.resume = read_state(files[i])}), wanted,
                  name + ", state " + std::to_string(i));
    }
  }
}

// Wherever it is interrupted, in the middle of a step too. Before its first step nothing is saved,
// and after the fits nothing more.
TEST(CalibrationState, AnInterruptionSavesTheStepsThatAreDone) {
  for (const auto& name : known_models()) {
    const Setting setting(name);
    int asked = 0;
    const auto wanted = setting.run({.should_stop = [&] {
      ++asked;
      return false;
    }});
    const int all = asked;
    ASSERT_GT(all, 10) << name;
    int saved = 0;
    for (int stop = 1; stop <= all; stop += 1 + all / 12) {
      asked = 0;
      State state;
      EXPECT_THROW(setting.run({.should_stop = [&] { return ++asked == stop; },
                                .save = [&](const State& found) { state = found.copy(); }}),
                   Interrupted);
      saved += state.is_empty() ? 0 : 1;
      expect_same(setting.run({.resume = state}), wanted,
                  name + ", stopped at " + std::to_string(stop));
    }
    EXPECT_GE(saved, 5) << name;
  }
}

}  // namespace
}  // namespace actswap
