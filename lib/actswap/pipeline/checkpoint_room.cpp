#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/pipeline/checkpoint_room.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

namespace actswap {

namespace {

// Two are kept while a third is written.
constexpr std::int64_t kFilesAtOnce = 3;

// Names, facts and the lines of the log, to begin with.
constexpr std::int64_t kOthers = 1 << 14;

struct TrialIsOver {};

// 0, or errno. Where the file system cannot reserve room, nothing is known.
int reserve(const std::string& path, std::int64_t bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return errno;
  }
  const int error = bytes > 0 && ::fallocate(descriptor, 0, 0, bytes) != 0 ? errno : 0;
  ::close(descriptor);
  return error == EOPNOTSUPP || error == ENOSYS ? 0 : error;
}

std::string megabytes(std::uintmax_t bytes) {
  return std::to_string(bytes / 1'000'000 + 1) + " MB";
}

}  // namespace

std::int64_t checkpoint_bytes(const Model& model, const ConvertOptions& options) {
  std::int64_t bytes = 0;
  for (const auto& parameter : model.module.parameters()) {
    bytes += static_cast<std::int64_t>(parameter.nbytes());
  }
  const auto& train = options.train;
  const bool has_moments = train.optimizer == OptimizerKind::sgd && train.momentum > 0.0;
  const std::int64_t of_training = 1 + (train.optimizer == OptimizerKind::adamw ? 2 : 0) +
                                   (has_moments ? 1 : 0) + (train.average > 0.0 ? 1 : 0) +
                                   (train.keep == Keep::best ? 1 : 0);
  std::int64_t models = options.calibration_data ? 3 : 0;
  if (options.prune) {
    models += 2;  // the model before the cut and after it, while the rest is fitted
  }
  if (options.train_data) {
    const std::int64_t trained = (options.calibration_data ? 1 : 0) +
                                 of_training * (train.retries > 0 ? 2 : 1) +
                                 (options.control ? 1 : 0);
    models = options.prune ? std::max(models, trained) : trained;
  }
  return kOthers + models * bytes;
}

void expect_room(const std::string& folder, std::int64_t bytes_of_checkpoint) {
  const auto needed = kFilesAtOnce * bytes_of_checkpoint;
  std::error_code unknown;
  const auto space = std::filesystem::space(folder, unknown);
  int error = 0;
  try {
    write_atomically(folder + "/checkpoint-trial", [&](const std::string& temporary) {
      error = reserve(temporary, bytes_of_checkpoint);
      throw TrialIsOver{};
    });
  } catch (const TrialIsOver&) {
  }
  const bool is_full = !unknown && space.available < static_cast<std::uintmax_t>(needed);
  if (error == 0 && !is_full) {
    return;
  }
  throw FileError("Expected room for the checkpoints in '" + folder + "', up to " +
                  megabytes(static_cast<std::uintmax_t>(needed)) + ", but " +
                  (is_full ? "there are " + std::to_string(space.available / 1'000'000) + " MB"
                           : std::string(std::strerror(error))) +
                  "; name another folder (--run-dir)");
}

}  // namespace actswap
