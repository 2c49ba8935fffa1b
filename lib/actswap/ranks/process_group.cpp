// The only file that knows c10d.
#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/ranks/environment.h>
#include <actswap/ranks/ranks.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#ifdef ACTSWAP_HAS_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

namespace actswap {

namespace {

// The first bucket is small, so that sending begins early. The others are smaller than PyTorch's 25
// MiB: models on CPUs are small, and a bucket is sent when its last gradient is there.
constexpr std::size_t kFirstBucket = std::size_t{1} << 20;
constexpr std::size_t kBucket = std::size_t{4} << 20;

// What c10d and Gloo throw becomes a FileError by `fail`, which is given the cause.
template <typename Work, typename Fail>
auto attempt(const Work& work, const Fail& fail) {
  try {
    return work();
  } catch (const c10::Error& error) {
    fail(libtorch_cause(error.what_without_backtrace()));
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    fail(error.what());
  }
  std::abort();  // fail throws
}

[[noreturn]] void fail_while(const std::string& what, const std::string& cause) {
  throw FileError("Another rank failed or did not answer while ranks " + what + ": " + cause);
}

struct SaysNothing : c10::WarningHandler {
  void process(const c10::Warning& /*warning*/) override {}
};

// The group, and what a failure of it means.
class Connection {
 public:
  /// @param store of rank 0, by which ranks that see a failure know of each other; may be null
  explicit Connection(c10::intrusive_ptr<c10d::ProcessGroup> group,
                      c10::intrusive_ptr<c10d::Store> store)
      : group_(std::move(group)), store_(std::move(store)) {}

  const c10::intrusive_ptr<c10d::ProcessGroup>& group() const { return group_; }
  int rank() const { return group_->getRank(); }
  int size() const { return group_->getSize(); }

  /// Everything that sends goes through here. @throws FileError about what ranks did: "add up"
  template <typename Work>
  auto attempt_to(const char* what, const Work& work) const {
    return attempt(work, [&](const std::string& cause) { fail(what, cause); });
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& cause) const {
    const auto silent = silent_ranks(cause);
    if (silent.empty()) {
      fail_while(what, cause);
    }
    throw FileError(silent + " did not answer in time while ranks " + what +
                    " (it hangs, or cannot be reached): " + cause);
  }

  // Each rank that sees a failure leaves a word in the store. After a timeout the ranks without one
  // are those that the others waited for; a closed connection does not tell that.
  std::string silent_ranks(const std::string& cause) const {
    constexpr auto kPatience = std::chrono::seconds(5);
    constexpr auto kPause = std::chrono::milliseconds(100);
    const bool is_timeout =
        cause.find("imed out") != std::string::npos || cause.find("timeout") != std::string::npos;
    std::vector<int> silent;
    if (!store_) {
      return "";
    }
    try {
      store_->setTimeout(kPatience);
      store_->set(word_of(rank()), std::vector<std::uint8_t>{1});
      if (!is_timeout) {
        return "";
      }
      const auto end = std::chrono::steady_clock::now() + kPatience;
      do {
        std::this_thread::sleep_for(kPause);
        silent.clear();
        for (int i = 0; i < size(); ++i) {
          if (!store_->check({word_of(i)})) {
            silent.push_back(i);
          }
        }
      } while (!silent.empty() && std::chrono::steady_clock::now() < end);
    } catch (const std::exception&) {  // rank 0 serves it
      return is_timeout ? "Rank 0" : "";
    }
    std::string names;
    for (const int i : silent) {
      names +=
          (names.empty() ? (silent.size() == 1 ? "Rank " : "Ranks ") : ", ") + std::to_string(i);
    }
    return names;
  }

  static std::string word_of(int rank) { return "failed/" + std::to_string(rank); }

  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  c10::intrusive_ptr<c10d::Store> store_;
};

class ReducedGradients : public MeanGradients {
 public:
  ReducedGradients(std::shared_ptr<const Connection> connection,
                   const std::vector<torch::Tensor>& parameters)
      : connection_(std::move(connection)) {
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
        parameters, buckets, connection_->group(), std::vector<bool>(parameters.size(), false),
        static_cast<std::int64_t>(kBucket), /*find_unused_parameters=*/true,
        /*gradient_as_bucket_view=*/true, std::unordered_map<std::size_t, std::string>(),
        static_cast<std::int64_t>(kFirstBucket), /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false, std::vector<std::int64_t>());
  }

  // Gloo reports what fails while backward goes on by exceptions of its own.
  void backward(const torch::Tensor& loss, bool keeps_graph) override {
    connection_->attempt_to("average gradients (or the model has no gradient)", [&] {
      prepare(loss);
      loss.backward({}, keeps_graph);
    });
  }

 private:
  void prepare(const torch::Tensor& loss) {
    // It advises against searching for unused parameters if all are used.
    SaysNothing handler;
    const c10::WarningUtils::WarningHandlerGuard quiet(&handler);
    reducer_->prepare_for_forward();
    reducer_->prepare_for_backward({loss});
  }

  std::shared_ptr<const Connection> connection_;
  std::shared_ptr<c10d::Reducer> reducer_;
};

class ProcessGroupRanks : public Ranks {
 public:
  explicit ProcessGroupRanks(std::shared_ptr<const Connection> connection)
      : connection_(std::move(connection)) {}

  int rank() const override { return connection_->rank(); }
  int size() const override { return connection_->size(); }

  void add_up(std::vector<torch::Tensor> tensors) const override {
    for (auto& tensor : tensors) {
      std::vector<torch::Tensor> one = {tensor};
      connection_->attempt_to("add up", [&] { connection_->group()->allreduce(one)->wait(); });
    }
  }

  void take_from_first(std::vector<torch::Tensor> tensors) const override {
    for (auto& tensor : tensors) {
      std::vector<torch::Tensor> one = {tensor};
      connection_->attempt_to("copy tensors from rank 0",
                              [&] { connection_->group()->broadcast(one)->wait(); });
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
    return connection_->attempt_to("agree on the parameters", [&] {
      return std::make_unique<ReducedGradients>(connection_, parameters);
    });
  }

 private:
  std::shared_ptr<const Connection> connection_;
};

std::shared_ptr<Ranks> ranks_over(c10::intrusive_ptr<c10d::ProcessGroup> group,
                                  c10::intrusive_ptr<c10d::Store> store) {
  return std::make_shared<ProcessGroupRanks>(
      std::make_shared<Connection>(std::move(group), std::move(store)));
}

#ifdef ACTSWAP_HAS_GLOO
c10::intrusive_ptr<c10d::TCPStore> open_store(const std::string& host, std::uint16_t port,
                                              bool serves, std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

// The agent's store has keys of processes that are gone, and no name for those that are there now.
// So rank 0 serves another one, and the others find its port in the agent's. A port that an earlier
// rank 0 has left there leads nowhere, and is read again.
c10::intrusive_ptr<c10d::Store> store_by_agent(const MasterAddress& agent, int rank,
                                               std::chrono::milliseconds timeout) {
  constexpr const char* kPort = "actswap/port";
  constexpr auto kPatience = std::chrono::seconds(2);
  constexpr auto kPause = std::chrono::milliseconds(100);
  const auto end = std::chrono::steady_clock::now() + timeout;
  const auto known = open_store(agent.host, agent.port, /*serves=*/false, timeout);
  if (rank == 0) {
    auto store = open_store(agent.host, 0, /*serves=*/true, timeout);
    const auto port = std::to_string(store->getPort());
    known->set(kPort, std::vector<std::uint8_t>(port.begin(), port.end()));
    return store;
  }
  for (;;) {
    const auto port = known->get(kPort);
    const std::string text(port.begin(), port.end());
    try {
      auto store = open_store(agent.host, static_cast<std::uint16_t>(std::stoi(text)),
                              /*serves=*/false, kPatience);
      store->setTimeout(timeout);
      return store;
    } catch (const std::exception&) {
      if (std::chrono::steady_clock::now() >= end) {
        throw;
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

c10::intrusive_ptr<c10d::Store> store_of_environment(int rank, std::chrono::milliseconds timeout) {
  const auto master = master_of_environment();
  if (master.is_agents) {
    return store_by_agent(master, rank, timeout);
  }
  return open_store(master.host, master.port, /*serves=*/rank == 0, timeout);
}

std::shared_ptr<Ranks> connect(int rank, int size, std::chrono::milliseconds timeout) {
  const auto store = store_of_environment(rank, timeout);
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  options->devices.push_back(interface == nullptr || *interface == '\0'
                                 ? c10d::ProcessGroupGloo::createDefaultDevice()
                                 : c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
  return ranks_over(std::move(group), store);
}
#endif

}  // namespace

std::shared_ptr<Ranks> make_ranks(const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  return ranks_over(group, {});
}

std::shared_ptr<Ranks> ranks_of_environment(std::chrono::milliseconds timeout) {
  if (!environment_names_ranks()) {
    return nullptr;
  }
#ifdef ACTSWAP_HAS_GLOO
  return attempt([&] { return connect(rank_of_environment(), ranks_in_environment(), timeout); },
                 [](const std::string& cause) { fail_while("connect", cause); });
#else
  static_cast<void>(timeout);
  throw UsageError(
      "Expected one process, but WORLD_SIZE is " + std::to_string(ranks_in_environment()) +
      ", and this actswap was built without Gloo's headers (Debian's libgloo-dev), which several "
      "processes need");
#endif
}

}  // namespace actswap
