// The only file that knows c10d.
#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/ranks/ranks.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#ifdef ACTSWAP_HAS_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace actswap {

namespace {

// The first bucket is small, so that sending begins early: PyTorch's own sizes.
constexpr std::size_t kFirstBucket = std::size_t{1} << 20;
constexpr std::size_t kBucket = std::size_t{25} << 20;

template <typename Work>
auto together(const char* what, const Work& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    throw FileError(std::string("Another rank failed or did not answer while ranks ") + what +
                    ": " + libtorch_cause(error.what_without_backtrace()));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {  // what Gloo throws
    throw FileError(std::string("Another rank failed or did not answer while ranks ") + what +
                    ": " + error.what());
  }
}

class ReducedGradients : public MeanGradients {
 public:
  ReducedGradients(const c10::intrusive_ptr<c10d::ProcessGroup>& group,
                   const std::vector<torch::Tensor>& parameters) {
    // Backward gives the last layers' gradients first.
    const std::vector<torch::Tensor> reversed(parameters.rbegin(), parameters.rend());
    auto [buckets, limits] =
        c10d::compute_bucket_assignment_by_size(reversed, {kFirstBucket, kBucket});
    for (auto& bucket : buckets) {
      for (auto& index : bucket) {
        index = parameters.size() - 1 - index;
      }
    }
    reducer_ = std::make_shared<c10d::Reducer>(
        parameters, buckets, group, std::vector<bool>(parameters.size(), false),
        static_cast<std::int64_t>(kBucket), /*find_unused_parameters=*/true,
        /*gradient_as_bucket_view=*/false, std::unordered_map<std::size_t, std::string>(),
        static_cast<std::int64_t>(kFirstBucket), /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false, std::vector<std::int64_t>());
  }

  void before_backward(const torch::Tensor& loss) override {
    reducer_->prepare_for_forward();
    reducer_->prepare_for_backward({loss});
  }

 private:
  std::shared_ptr<c10d::Reducer> reducer_;
};

class ProcessGroupRanks : public Ranks {
 public:
  explicit ProcessGroupRanks(c10::intrusive_ptr<c10d::ProcessGroup> group)
      : group_(std::move(group)) {}

  int rank() const override { return group_->getRank(); }
  int size() const override { return group_->getSize(); }

  void add_up(std::vector<torch::Tensor> tensors) const override {
    for (auto& tensor : tensors) {
      std::vector<torch::Tensor> one = {tensor};
      together("add up", [&] { group_->allreduce(one)->wait(); });
    }
  }

  void take_from_first(std::vector<torch::Tensor> tensors) const override {
    for (auto& tensor : tensors) {
      std::vector<torch::Tensor> one = {tensor};
      together("take over what rank 0 has", [&] { group_->broadcast(one)->wait(); });
    }
  }

  std::vector<std::string> texts(const std::string& own) const override {
    const auto ranks = static_cast<std::size_t>(size());
    auto sizes = torch::zeros({size()}, torch::kLong);
    sizes[rank()] = static_cast<std::int64_t>(own.size());
    add_up({sizes});
    // One row for each rank; the others' are 0, so that the sum holds all.
    auto bytes = torch::zeros({size(), std::max<std::int64_t>(1, sizes.max().item<std::int64_t>())},
                              torch::kUInt8);
    std::memcpy(bytes[rank()].data_ptr<std::uint8_t>(), own.data(), own.size());
    add_up({bytes});
    std::vector<std::string> all(ranks);
    for (std::size_t i = 0; i < ranks; ++i) {
      const auto row = bytes[static_cast<std::int64_t>(i)];
      all[i].assign(
          reinterpret_cast<const char*>(row.data_ptr<std::uint8_t>()),
          static_cast<std::size_t>(sizes[static_cast<std::int64_t>(i)].item<std::int64_t>()));
    }
    return all;
  }

  std::unique_ptr<MeanGradients> mean_gradients(
      const std::vector<torch::Tensor>& parameters) const override {
    return together("agree on the parameters",
                    [&] { return std::make_unique<ReducedGradients>(group_, parameters); });
  }

 private:
  c10::intrusive_ptr<c10d::ProcessGroup> group_;
};

std::string variable(const char* name) {
  const char* found = std::getenv(name);
  return found == nullptr ? "" : found;
}

int number_in(const char* name, int least, int most) {
  const auto text = variable(name);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError("Expected the environment variable " + std::string(name) +
                     " to be a number from " + std::to_string(least) + " to " +
                     std::to_string(most) + ", as torchrun sets it, but found '" + text + "'");
  }
  return number;
}

constexpr int kMostRanks = 1 << 20;

// Some systems name the number of processes alone, for a job of one as well.
bool is_one_of_several() {
  return !variable("WORLD_SIZE").empty() && !variable("RANK").empty() &&
         number_in("WORLD_SIZE", 1, kMostRanks) > 1;
}

#ifdef ACTSWAP_HAS_GLOO
// Under torchrun its agent serves the store; otherwise rank 0 does.
c10::intrusive_ptr<c10d::Store> store_of_environment(int rank, int size,
                                                     std::chrono::milliseconds timeout) {
  constexpr int kLastPort = 65535;
  const auto host = variable("MASTER_ADDR");
  if (host.empty()) {
    throw UsageError(
        "Expected the environment variable MASTER_ADDR to name the host of rank 0, as torchrun "
        "sets it, but it is not set");
  }
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(number_in("MASTER_PORT", 1, kLastPort));
  options.isServer = variable("TORCHELASTIC_USE_AGENT_STORE") != "True" && rank == 0;
  options.numWorkers = static_cast<std::size_t>(size);
  options.waitWorkers = false;
  options.timeout = timeout;
  // After a restart the keys of the run before are still there.
  return c10::make_intrusive<c10d::PrefixStore>("actswap/" + variable("TORCHELASTIC_RESTART_COUNT"),
                                                c10::make_intrusive<c10d::TCPStore>(host, options));
}

std::shared_ptr<Ranks> connect(int rank, int size, std::chrono::milliseconds timeout) {
  const auto store = store_of_environment(rank, size, timeout);
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  const auto interface = variable("GLOO_SOCKET_IFNAME");
  options->devices.push_back(interface.empty()
                                 ? c10d::ProcessGroupGloo::createDefaultDevice()
                                 : c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
  return std::make_shared<ProcessGroupRanks>(std::move(group));
}
#endif

}  // namespace

std::shared_ptr<Ranks> make_ranks(const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  return std::make_shared<ProcessGroupRanks>(group);
}

void expect_one_process(const std::string& what) {
  if (is_one_of_several()) {
    throw UsageError("Expected one process, but the environment names " + variable("WORLD_SIZE") +
                     " (RANK, WORLD_SIZE), as torchrun sets it: " + what +
                     " does not share its work out, and all would write the same files");
  }
}

std::shared_ptr<Ranks> ranks_of_environment(std::chrono::milliseconds timeout) {
  if (!is_one_of_several()) {
    return nullptr;
  }
#ifdef ACTSWAP_HAS_GLOO
  const int size = number_in("WORLD_SIZE", 1, kMostRanks);
  const int rank = number_in("RANK", 0, size - 1);
  return together("connect", [&] { return connect(rank, size, timeout); });
#else
  static_cast<void>(timeout);
  throw UsageError(
      "Expected one process, but WORLD_SIZE is " + variable("WORLD_SIZE") +
      ", and this actswap was built without Gloo's headers (Debian's libgloo-dev), which several "
      "processes need");
#endif
}

}  // namespace actswap
