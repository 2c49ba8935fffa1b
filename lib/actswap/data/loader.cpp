#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/data/even_batches.h>
#include <actswap/data/loader.h>

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <latch>
#include <mutex>
#include <numeric>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace actswap {

namespace {

// Makes the batches of one epoch in order, one ahead of the reader. Kernels run on its one thread
// alone: a team of OpenMP threads of its own beside the reader's would be more threads than there
// are processors, and then OpenMP puts threads to sleep as soon as they wait. On two processors
// that made a step of training 1.5 times as long.
class Prefetcher {
 public:
  Prefetcher(std::int64_t first, std::int64_t end, std::function<Example(std::int64_t)> make)
      : threads_(at::get_num_threads()),
        make_(std::move(make)),
        thread_([this, first, end](const std::stop_token& stop) { run(stop, first, end); }) {
    if (threads_ > 1) {
      // What a thread sets is what threads begin with from now on, too; that is set back.
      is_alone_.wait();
      at::set_num_threads(threads_);
    }
  }

  /// The next batch. @throws what making it threw
  Example next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_.has_value() || failure_; });
    if (!ready_) {
      std::rethrow_exception(failure_);
    }
    Example example = std::move(*ready_);
    ready_.reset();
    changed_.notify_all();
    return example;
  }

 private:
  void run(const std::stop_token& stop, std::int64_t first, std::int64_t end) {
    if (threads_ > 1) {
      at::get_num_threads();  // a thread's first call takes over what threads begin with
      at::set_num_threads(1);
      is_alone_.count_down();
    }
    const torch::NoGradGuard no_grad;  // the mode is each thread's own; data has no gradient
    try {
      for (std::int64_t batch = first; batch < end && !stop.stop_requested(); ++batch) {
        Example example = make_(batch);
        std::unique_lock lock(mutex_);
        ready_ = std::move(example);
        changed_.notify_all();
        if (!changed_.wait(lock, stop, [&] { return !ready_; })) {
          return;
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  int threads_;  // of the reader
  std::latch is_alone_{1};
  std::function<Example(std::int64_t)> make_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<Example> ready_;
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it is stopped and joined before what it uses goes
};

std::vector<std::int64_t> order_of(const Dataset& dataset, const LoaderOptions& options,
                                   std::int64_t epoch) {
  if (options.shuffle) {
    return shuffled_indices(dataset.size(), options.seed, epoch);
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

}  // namespace

Loader::Loader(const Dataset& dataset, const LoaderOptions& options)
    : dataset_(dataset),
      options_(options),
      unit_(std::max<std::int64_t>(1, dataset.fixed_batch())) {
  if (dataset.fixed_batch() > 0 && !options.joins_fixed) {
    options_.batch_size = unit_;
  }
  if (options.batch_size < 1 || options_.batch_size % unit_ != 0) {
    throw UsageError("Expected a batch size of " +
                     (unit_ == 1 ? "at least 1" : "a multiple of " + std::to_string(unit_)) +
                     ", but got " + std::to_string(options.batch_size));
  }
  if (dataset.size() < 1) {
    throw UsageError("Expected a data set with at least one example, but it is empty");
  }
  if (batches_per_epoch() == 0) {
    throw UsageError("Expected at least one full batch of " + std::to_string(options_.batch_size) +
                     ", but the data set has " + std::to_string(dataset.size()) + " examples");
  }
  const auto least = batch_size(batches_per_epoch() - 1);
  if (const auto wanted = options.share.count * unit_; least < wanted) {
    throw UsageError("Expected batches of at least " + counted(wanted, "example") + " for " +
                     std::to_string(options.share.count) + " processes, but found one of " +
                     std::to_string(least));
  }
}

std::int64_t Loader::begin_of(std::int64_t batch) const {
  return options_.drop_last ? batch * options_.batch_size
                            : EvenBatches(dataset_.size(), options_.batch_size, unit_).begin(batch);
}

std::int64_t Loader::batch_size(std::int64_t batch) const {
  return begin_of(batch + 1) - begin_of(batch);
}

Loader::Range Loader::own_range(std::int64_t batch) const {
  const auto units = batch_size(batch) / unit_;
  return {options_.share.begin(units) * unit_, options_.share.end(units) * unit_};
}

std::int64_t Loader::own_size(std::int64_t batch) const {
  const auto own = own_range(batch);
  return own.end - own.begin;
}

std::int64_t Loader::batches_per_epoch() const {
  const std::int64_t size = dataset_.size();
  return options_.drop_last ? size / options_.batch_size
                            : EvenBatches(size, options_.batch_size, unit_).count();
}

void Loader::for_each(std::int64_t epoch,
                      const std::function<void(std::int64_t, const Example&)>& body,
                      std::int64_t first, std::optional<std::int64_t> end) const {
  const auto order = order_of(dataset_, options_, epoch);
  const std::int64_t batches = end.value_or(batches_per_epoch());
  Prefetcher prefetcher(first, batches, [&](std::int64_t batch) {
    const auto own = own_range(batch);
    auto example = dataset_.get({order.data() + begin_of(batch) + own.begin,
                                 static_cast<std::size_t>(own.end - own.begin)});
    return options_.augmentation.changes_anything()
               ? augmented(std::move(example), options_.augmentation, options_.seed, epoch, batch,
                           own.begin)
               : example;
  });
  for (std::int64_t batch = first; batch < batches; ++batch) {
    body(batch, prefetcher.next());
  }
}

}  // namespace actswap
