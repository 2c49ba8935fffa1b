// One process of a training that several do together, measured, for run.py:
//
//   scale_worker OUT --model FILE.pt --input 3,32,32 --classes 10 --batch N --warm-up N --steps N
//                --phases steps,idle,alone,sums --first-bucket BYTES --bucket BYTES
//
// The phases, in the order in which they are named:
//   steps   trains, together with the other ranks; --batch is that of all of them
//   alone   the same on this rank's share, with no word to the others, who do so at the same time
//   sums    adds up a tensor of as many bytes as the gradients, and does nothing else
//   idle    nothing, for as long as the steps took
// Writes what they took into OUT.<rank>, as JSON.
#include <actswap/actswap.h>
#include <actswap/base/memory.h>

#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace actswap {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::map<std::string, std::string>;

std::int64_t number_of(const Words& given, const std::string& name) {
  return std::stoll(given.at(name));
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    parts.push_back(part);
  }
  return parts;
}

// Those that this machine has sent to itself: IP packets with all their headers, TCP's
// acknowledgements too.
std::int64_t bytes_on_loopback() {
  constexpr int kSent = 8;  // behind eight columns of what was received
  std::ifstream file("/proc/net/dev");
  for (std::string line; std::getline(file, line);) {
    std::istringstream columns(line);
    std::string name;
    columns >> name;
    if (name == "lo:") {
      std::int64_t bytes = 0;
      for (int i = 0; i <= kSent; ++i) {
        columns >> bytes;
      }
      return bytes;
    }
  }
  throw FileError("Expected a line of the device lo in /proc/net/dev, but there is none");
}

void wait_for_all(const std::shared_ptr<Ranks>& ranks) {
  if (ranks) {
    ranks->add_up({torch::zeros({1})});
  }
}

// What happens between two moments at which all ranks are at the same place.
class Meter {
 public:
  explicit Meter(std::shared_ptr<Ranks> ranks) : ranks_(std::move(ranks)) {}

  void begin() {
    wait_for_all(ranks_);
    bytes_ = bytes_on_loopback();
    times_ = {Clock::now()};
  }
  void note() { times_.push_back(Clock::now()); }
  /// Of the time from one note to the next.
  nlohmann::json end() const {
    wait_for_all(ranks_);
    const auto bytes = bytes_on_loopback() - bytes_;
    std::vector<double> seconds;
    for (std::size_t i = 1; i < times_.size(); ++i) {
      seconds.push_back(std::chrono::duration<double>(times_[i] - times_[i - 1]).count());
    }
    const double sum = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    std::sort(seconds.begin(), seconds.end());
    const auto half = seconds.size() / 2;
    const double median =
        seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
    return {
        {"count", seconds.size()}, {"seconds", sum}, {"median_seconds", median}, {"bytes", bytes}};
  }

 private:
  std::shared_ptr<Ranks> ranks_;
  std::int64_t bytes_ = 0;
  std::vector<Clock::time_point> times_;
};

TensorDataset examples(const Words& given, std::int64_t count) {
  std::vector<std::int64_t> shape = {count};
  for (const auto& size : parts_of(given.at("--input"))) {
    shape.push_back(std::stoll(size));
  }
  torch::manual_seed(11);
  return {{torch::randn(shape)}, torch::randint(number_of(given, "--classes"), {count})};
}

class Measurement {
 public:
  Measurement(Words given, std::shared_ptr<Ranks> ranks)
      : given_(std::move(given)),
        ranks_(std::move(ranks)),
        steps_(number_of(given_, "--steps")),
        warm_up_(number_of(given_, "--warm-up")),
        model_(load(given_.at("--model"))),
        plan_(plan(model_, {.to = "relu"})) {}

  nlohmann::json run() {
    nlohmann::json result = facts();
    for (const auto& phase : parts_of(given_.at("--phases"))) {
      if (phase == "steps") {
        result[phase] = train_on(number_of(given_, "--batch"), ranks_);
        seconds_of_steps_ = result[phase]["seconds"];
      } else if (phase == "alone") {
        result[phase] = train_on(number_of(given_, "--batch") / size(), {});
      } else if (phase == "sums") {
        result[phase] = add_up();
      } else if (phase == "idle") {
        result[phase] = wait();
      } else {
        throw UsageError("Expected steps, alone, sums or idle, but found '" + phase + "'");
      }
    }
    return result;
  }

 private:
  int size() const { return ranks_ ? ranks_->size() : 1; }

  // Beside the gradients ranks add up in each step the loss with a wish to stop, which parameters
  // were used, and the statistics of batch norms.
  nlohmann::json facts() const {
    constexpr std::int64_t kLossBytes = 2 * sizeof(double);
    std::int64_t gradients = 0;
    std::int64_t others = kLossBytes;
    for (const auto& parameter : distinct_parameters(model_.module)) {
      gradients += static_cast<std::int64_t>(parameter.nbytes());
      others += sizeof(std::int32_t);
    }
    for (const auto& buffer : model_.module.buffers()) {
      others += buffer.is_floating_point() ? static_cast<std::int64_t>(buffer.nbytes()) : 0;
    }
    return {{"rank", ranks_ ? ranks_->rank() : 0},
            {"ranks", size()},
            {"threads", at::get_num_threads()},
            {"parameters", parameter_count(model_.module)},
            {"gradient_bytes", gradients},
            {"other_bytes", others},
            {"bucket_bytes", buckets()}};
  }

  // As c10d assigns them: from the last parameter to the first, a bucket is closed as soon as it
  // is full.
  std::vector<std::int64_t> buckets() const {
    const auto parameters = distinct_parameters(model_.module);
    std::vector<std::int64_t> closed;
    std::int64_t open = 0;
    for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
      open += static_cast<std::int64_t>(parameter->nbytes());
      if (open >= number_of(given_, closed.empty() ? "--first-bucket" : "--bucket")) {
        closed.push_back(open);
        open = 0;
      }
    }
    if (open > 0) {
      closed.push_back(open);
    }
    return closed;
  }

  // With blends, of which t rises all the time, and which start anew each time.
  nlohmann::json train_on(std::int64_t batch, const std::shared_ptr<Ranks>& together) const {
    Retargeter blended(model_, plan_);
    const auto data = examples(given_, (warm_up_ + steps_) * batch);
    TrainOptions options;
    options.loss = Signal::cross_entropy;
    options.batch_size = batch;
    options.ranks = together;
    Meter meter(ranks_);
    nlohmann::json result;
    TrainCallbacks callbacks;
    callbacks.on_step = [&](const Progress& progress) {
      if (progress.step > warm_up_) {
        meter.note();
      }
      if (progress.step == warm_up_) {
        meter.begin();
      } else if (progress.step == progress.total_steps) {
        result = meter.end();
      }
    };
    train(
        blended.module(), {}, data, Schedule::linear({.end = 1.0}),
        [&](double t) { blended.set_blend(t); }, options, callbacks);
    return result;
  }

  nlohmann::json add_up() const {
    if (!ranks_) {
      throw UsageError("Expected several ranks for sums, but there is one");
    }
    const auto elements =
        facts()["gradient_bytes"].get<std::int64_t>() / std::int64_t{sizeof(float)};
    const std::vector<torch::Tensor> tensors = {torch::zeros({elements})};
    for (std::int64_t i = 0; i < warm_up_; ++i) {
      ranks_->add_up(tensors);
    }
    Meter meter(ranks_);
    meter.begin();
    for (std::int64_t i = 0; i < steps_; ++i) {
      ranks_->add_up(tensors);
      meter.note();
    }
    return meter.end();
  }

  nlohmann::json wait() const {
    Meter meter(ranks_);
    meter.begin();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds_of_steps_));
    meter.note();
    return meter.end();
  }

  Words given_;
  std::shared_ptr<Ranks> ranks_;
  std::int64_t steps_;
  std::int64_t warm_up_;
  Model model_;
  Plan plan_;
  double seconds_of_steps_ = 0.0;
};

void work(const std::string& out, const Words& given) {
  keep_freed_memory();  // as the command does
  const auto ranks = ranks_of_environment(std::chrono::minutes(1));
  const auto result = Measurement(given, ranks).run();
  std::ofstream(out + "." + std::to_string(result["rank"].get<int>())) << result;
}

}  // namespace
}  // namespace actswap

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: scale_worker OUT [--NAME VALUE]...\n";
    return 2;
  }
  std::map<std::string, std::string> given;
  for (int i = 2; i + 1 < count; i += 2) {
    given[words[i]] = words[i + 1];
  }
  try {
    actswap::work(words[1], given);
  } catch (const actswap::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return static_cast<int>(error.kind());
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
