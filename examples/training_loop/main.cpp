// Retargets a model inside a training loop of one's own:
//
//   training_loop MODEL IMAGES,LABELS OUT [EXAMPLES]
#include <actswap/actswap.h>
#include <torch/torch.h>

#include <cstdio>

int main(int argc, char** argv) try {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s MODEL IMAGES,LABELS OUT [EXAMPLES]\n", argv[0]);
    return 2;
  }
  const auto model = actswap::load(argv[1]);
  const auto data = actswap::load_data(
      argv[2], actswap::argument_names(model.module),
      {.mean = {0.2860}, .deviation = {0.3530}, .limit = argc > 4 ? std::stoll(argv[4]) : 0});
  actswap::Retargeter swap(model, actswap::plan(model, {.to = "relu"}));
  const auto ramp = actswap::Schedule::cosine({.begin = 0.0, .end = 0.3});  // epochs

  torch::manual_seed(0);
  auto teacher = actswap::reload(model.module);  // the original labels the images
  teacher.eval();
  torch::optim::AdamW optimizer(actswap::distinct_parameters(swap.module()), 3e-4);
  const actswap::Loader loader(*data, {.batch_size = 64, .seed = 0});
  const double steps = static_cast<double>(loader.batches_per_epoch());
  swap.module().train();
  loader.for_each(0, [&](std::int64_t step, const actswap::Example& batch) {
    swap.set_blend(ramp.at(static_cast<double>(step) / steps));
    const auto wanted = teacher.forward({batch.inputs[0]}).toTensor().detach().softmax(1);
    const auto logits = swap.module().forward({batch.inputs[0]}).toTensor();
    const auto loss = torch::nn::functional::cross_entropy(logits, wanted);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (step % 100 == 0) {
      std::printf("step %lld, loss %.4f\n", static_cast<long long>(step), loss.item<double>());
    }
  });

  // Collapses, verifies, saves; throws if the outputs differ.
  const auto result =
      actswap::export_model(swap, argv[3], {.probe_inputs = actswap::first_inputs(*data)});
  std::printf("%s: largest difference %g\n", argv[3], result.max_abs_diff);
  return 0;
} catch (const actswap::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return static_cast<int>(error.kind());
}
