#include <actswap/base/error.h>
#include <actswap/base/sha256.h>
#include <actswap/pipeline/run_facts.h>
#include <actswap/pipeline/text.h>

#include <torch/version.h>

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

namespace actswap {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kHashedExamples = 64;
constexpr std::string_view kFile = "the file '";

std::string exact(double value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  return text.str();
}
std::string exact(std::int64_t value) {
  return std::to_string(value);
}
std::string exact(bool value) {
  return value ? "yes" : "no";
}
template <typename T>
std::string exact(const std::optional<T>& value) {
  return value ? exact(*value) : "none";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    text += (text.empty() ? "" : ",") + word;
  }
  return text;
}

// Sizes, type and numbers.
std::string hash_of(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.dtype() << tensor.sizes();
  const auto plain = tensor.detach().contiguous();
  text << sha256({static_cast<const char*>(plain.data_ptr()), plain.nbytes()});
  return text.str();
}

std::string describe(const std::shared_ptr<Dataset>& data) {
  if (!data) {
    return "none";
  }
  const auto size = data->size();
  const auto count = std::min(size, kHashedExamples);
  std::vector<std::int64_t> indices;
  indices.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    indices.push_back(i * size / count);
  }
  std::string text;
  if (size > 0) {
    const auto examples = data->get(indices);
    for (const auto* tensors : {&examples.inputs, &examples.targets}) {
      for (const auto& tensor : *tensors) {
        text += hash_of(tensor);
      }
    }
  }
  return std::to_string(size) + " examples with the hash " + sha256(text).substr(0, 16);
}

std::string describe(const std::vector<torch::Tensor>& tensors) {
  std::string text;
  for (const auto& tensor : tensors) {
    text += hash_of(tensor);
  }
  return std::to_string(tensors.size()) + " with the hash " + sha256(text).substr(0, 16);
}

// Of a folder all that is in it.
std::string size_and_time(const std::string& path) {
  std::int64_t files = 0;
  std::int64_t bytes = 0;
  std::int64_t latest = 0;
  const auto add = [&](const fs::path& file) {
    struct stat status = {};
    if (::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      ++files;
      bytes += status.st_size;
      latest = std::max<std::int64_t>(
          latest, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
    }
  };
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      add(entry->path());
    }
  } else {
    add(path);
  }
  std::ostringstream text;
  text << (files == 1 ? "" : std::to_string(files) + " files of ") << bytes
       << " bytes, last written at " << exact(1e-9 * static_cast<double>(latest)) << " s";
  return text.str();
}

class FactList {
 public:
  template <typename T>
  void add(const std::string& name, const T& value) {
    facts.push_back({name, value});
  }
  template <typename T>
  void number(const std::string& name, const T& value) {
    facts.push_back({name, exact(value)});
  }
  std::vector<RunFact> facts = {};
};

void add_calibration(FactList& facts, const CalibrationOptions& options) {
  facts.number("--calibrate-inputs", options.inputs);
  facts.number("--calibrate-batch", options.batch_size);
  facts.number("--calibrate-memory", options.memory);
  facts.number("calibration.max_features", options.max_features);
  facts.number("--calibrate-passes", options.passes);
  facts.number("--calibrate-minutes", options.minutes);
  facts.number("--calibrate-draw", options.draws_each_pass);
}

void add_pruning(FactList& facts, const ConvertOptions& options) {
  facts.add("--prune, --prune-to", "to prune " + to_string(options.prune->budget));
  facts.add("--prune-keep", joined(options.prune->keep));
  facts.number("--prune-round", options.prune->round);
  facts.number("--keep-activations", options.keeps_activations);
}

void add_training(FactList& facts, const ConvertOptions& options) {
  const auto& train = options.train;
  facts.number("--epochs", train.epochs);
  facts.number("--batch", train.batch_size);
  facts.add("--loss", to_string(train.loss));
  facts.number("--temperature", train.temperature);
  facts.number("--class-dim", train.class_dim);
  facts.add("--optimizer", to_string(train.optimizer));
  facts.add("--lr", to_string(options.learning_rate));
  facts.number("--momentum", train.momentum);
  facts.number("--weight-decay", train.weight_decay);
  facts.number("--clip", train.clip_norm);
  facts.number("--warmup", train.warmup);
  facts.number("--average", train.average);
  facts.number("--batch-norm running", train.keeps_statistics);
  facts.add("--augment", to_string(train.augmentation));
  facts.number("--check-every", train.check_every);
  facts.add("--keep-best", to_string(train.keep));
  facts.number("--patience", train.patience);
  facts.number("--retries", train.retries);
  facts.number("--bound", train.bound);
  facts.add("the schedule", in_words(options.schedule));
  facts.add("--order", to_string(options.order));
  facts.add("ramp.site_order", joined(options.site_order));
  facts.add("--blend-code", to_string(options.blend_code));
  facts.number("examples held out", options.held_out);
}

}  // namespace

std::vector<RunFact> facts_of(const Model& model, const Plan& plan, const ConvertOptions& options) {
  FactList facts;
  facts.add("the version of actswap", std::string(ACTSWAP_VERSION));
  facts.add("the version of LibTorch", std::string(TORCH_VERSION));
  facts.add("the SHA-256 of the model", model.sha256());
  for (const auto& planned : plan.sites) {
    facts.add("the target of the site '" + planned.site.id + "'",
              planned.target ? planned.target->to_string() : std::string("none"));
  }
  facts.add("the calibration data", describe(options.calibration_data));
  facts.add("the training data", describe(options.train_data));
  facts.add("the validation data", describe(options.validation_data));
  facts.add("the inputs to verify on", describe(options.probe_inputs));
  for (const auto& file : options.data_files) {
    facts.add(std::string(kFile) + file + "'", size_and_time(file));
  }
  facts.add("--recipe", to_string(options.recipe));
  facts.number("--seed", static_cast<std::int64_t>(options.train.seed));
  facts.number("--seeds", options.seeds);
  facts.number("--control", options.control);
  facts.number("--max-drop", options.max_drop);
  facts.number("--plan-by-sensitivity", options.plan_by_sensitivity);
  facts.number("--budget-ms", options.budget_ms);
  facts.number("--min-agreement", options.min_agreement);
  facts.add("--agreement", to_string(options.agreement));
  facts.number("--sensitivity-examples", options.sensitivity_examples);
  facts.add("--self-test", to_string(options.self_test));
  if (options.calibration_data) {
    add_calibration(facts, options.calibration);
  }
  if (options.prune) {
    add_pruning(facts, options);
  }
  if (options.train_data) {
    add_training(facts, options);
  }
  return std::move(facts.facts);
}

std::string sha256_of(const std::vector<RunFact>& facts) {
  std::string text;
  for (const auto& fact : facts) {
    text += fact.name + "\n" + fact.value + "\n";
  }
  return sha256(text);
}

std::string common_to_ranks(const std::vector<RunFact>& facts) {
  std::string text;
  for (const auto& fact : facts) {
    if (!fact.name.starts_with(kFile)) {
      text += fact.name + ": " + fact.value + "\n";
    }
  }
  return text;
}

void expect_same(const std::vector<RunFact>& then, const std::vector<RunFact>& now,
                 const std::string& folder) {
  const auto value_in = [](const std::vector<RunFact>& facts, const std::string& name) {
    const auto found =
        std::ranges::find_if(facts, [&](const RunFact& fact) { return fact.name == name; });
    return found == facts.end() ? std::string("none") : found->value;
  };
  for (const auto* facts : {&then, &now}) {
    for (const auto& fact : *facts) {
      const auto before = value_in(then, fact.name);
      const auto after = value_in(now, fact.name);
      if (before != after) {
        throw UsageError("Cannot resume the run in '" + folder + "': expected " + fact.name +
                         " to be what it was, " + before + ", but got " + after);
      }
    }
  }
}

}  // namespace actswap
