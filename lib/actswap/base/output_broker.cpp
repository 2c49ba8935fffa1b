#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/output_broker.h>
#include <actswap/base/process_state.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

namespace actswap {

namespace fs = std::filesystem;

namespace {

// A message is texts with a zero behind each.
using Fields = std::vector<std::string>;
constexpr std::size_t kLongestMessage = 1 << 16;
const std::string kDeclare = "declare";
const std::string kCommit = "commit";
const std::string kRemove = "remove";
const std::string kDone = "done";
const std::string kNothing = "nothing";
const std::string kFailed = "failed";

bool send(int socket, const Fields& fields) {
  std::string text;
  for (const auto& field : fields) {
    text.append(field).push_back('\0');
  }
  return text.size() <= kLongestMessage &&
         ::write(socket, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::optional<Fields> receive(int socket) {
  std::array<char, kLongestMessage> buffer{};
  ssize_t size = 0;
  do {
    size = ::read(socket, buffer.data(), buffer.size());
  } while (size < 0 && errno == EINTR);
  if (size <= 0) {
    return std::nullopt;
  }
  Fields fields;
  for (const char *at = buffer.data(), *end = at + size; at != end;) {
    const char* zero = std::find(at, end, '\0');
    fields.emplace_back(at, zero);
    at = zero == end ? end : zero + 1;
  }
  return fields;
}

fs::path nearest_existing(fs::path path) {
  std::error_code error;
  while (!fs::exists(path, error) && path.has_relative_path()) {
    path = path.parent_path();
  }
  return path;
}

// The side of the worker. Files may be written on several threads.
struct Worker {
  std::vector<std::pair<std::string, std::string>> scratches =
      {};  // of each declared path, as given
  std::mutex mutex = {};
};

Worker& worker() {
  static Worker the_worker;
  return the_worker;
}

Fields ask(const Fields& request) {
  if (send(broker_descriptor(), request)) {
    if (auto answer = receive(broker_descriptor()); answer && !answer->empty()) {
      if (answer->front() == kFailed && answer->size() > 1) {
        throw FileError((*answer)[1]);
      }
      return *answer;
    }
  }
  throw FileError("Cannot write: the process that supervises this one does not answer");
}

// Folders are told from files by a separator at the end.
std::string declared_path(const std::string& path, bool is_folder) {
  auto absolute = fs::absolute(path).lexically_normal();
  if (!absolute.has_filename()) {
    absolute = absolute.parent_path();
  }
  return is_folder ? absolute.string() + "/" : absolute.string();
}

const std::string* scratch_for(const std::string& path) {
  const auto file = declared_path(path, false);
  const auto folder = declared_path(fs::path(file).parent_path().string(), true);
  for (const auto& [declared, scratch] : worker().scratches) {
    if (declared == file || declared == folder) {
      return &scratch;
    }
  }
  return nullptr;
}

}  // namespace

OutputBroker::OutputBroker(int socket) : socket_(socket) {}

OutputBroker::~OutputBroker() {
  ::close(socket_);
}

bool OutputBroker::answer() {
  const auto request = receive(socket_);
  if (!request || request->empty()) {
    return false;
  }
  Fields answer;
  try {
    answer = answer_to(*request);
  } catch (const std::exception& error) {
    answer = {kFailed, error.what()};
  }
  return send(socket_, answer);
}

OutputBroker::Fields OutputBroker::answer_to(const Fields& request) {
  if (request.front() == kDeclare && !is_sealed_) {
    return declare(request);
  }
  if (request.front() == kCommit && request.size() == 3) {
    return commit(request);
  }
  if (request.front() == kRemove && request.size() == 2) {
    return remove(request);
  }
  throw FileError(
      "Cannot write: the process that supervises this one got a request that it does not "
      "know");
}

OutputBroker::Fields OutputBroker::declare(const Fields& request) {
  is_sealed_ = true;
  Fields answer = {kDone};
  for (auto text = request.begin() + 1; text != request.end(); ++text) {
    const bool is_folder = text->ends_with('/');
    const fs::path path = is_folder ? text->substr(0, text->size() - 1) : *text;
    const auto beside = is_folder ? path : fs::path(writable_target(path.string())).parent_path();
    targets_.push_back({path, scratch_in(nearest_existing(beside)), is_folder});
    answer.push_back(targets_.back().scratch.string());
  }
  return answer;
}

const std::string& OutputBroker::scratch_in(const fs::path& folder) {
  for (const auto& [where, scratch] : scratches_) {
    if (where == folder) {
      return scratch->path();
    }
  }
  try {
    remove_abandoned_folders(folder.string());
    scratches_.emplace_back(folder.string(), std::make_unique<TemporaryFolder>(folder.string()));
  } catch (const std::system_error& error) {
    throw FileError("Cannot write into '" + folder.string() + "': " + error.code().message());
  }
  return scratches_.back().second->path();
}

const OutputBroker::Target* OutputBroker::target_of(const fs::path& path) const {
  for (const auto& target : targets_) {
    if (target.is_folder ? path.parent_path() == target.path : path == target.path) {
      return &target;
    }
  }
  return nullptr;
}

OutputBroker::Fields OutputBroker::commit(const Fields& request) {
  const fs::path path = request[1];
  const fs::path name = request[2];
  const auto* target = target_of(path);
  if (target == nullptr || path.lexically_normal() != path || !path.has_filename()) {
    throw FileError("Cannot write '" + path.string() +
                    "': it is none of the outputs that this run declared");
  }
  const auto file = target->scratch / name;
  struct stat status = {};
  if (name != name.filename() || ::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_nlink != 1) {
    throw FileError("Cannot write '" + path.string() +
                    "': expected a file of its own to put there");
  }
  if (target->is_folder) {
    make_folder(target->path.string());
  }
  move_into_place(file.string(), path.string());
  return {kDone};
}

OutputBroker::Fields OutputBroker::remove(const Fields& request) {
  const fs::path path = request[1];
  if (target_of(path) == nullptr || path.lexically_normal() != path || !path.has_filename()) {
    throw FileError("Cannot remove '" + path.string() +
                    "': it is none of the outputs that this run declared");
  }
  std::error_code error;
  return {fs::is_regular_file(fs::symlink_status(path, error)) && fs::remove(path, error)
              ? kDone
              : kNothing};
}

void connect_to_broker(int socket) {
  process_state().broker = socket;
}

bool has_output_broker() {
  return broker_descriptor() >= 0;
}

int broker_descriptor() {
  return process_state().broker;
}

std::vector<std::string> declare_outputs(const DeclaredOutputs& outputs) {
  Fields request = {kDeclare};
  for (const auto& file : outputs.files) {
    request.push_back(declared_path(file, false));
  }
  for (const auto& folder : outputs.folders) {
    request.push_back(declared_path(folder, true));
  }
  const std::lock_guard lock(worker().mutex);
  const auto answer = ask(request);
  std::vector<std::string> scratches(answer.begin() + 1, answer.end());
  for (std::size_t i = 0; i < scratches.size() && i + 1 < request.size(); ++i) {
    worker().scratches.emplace_back(request[i + 1], scratches[i]);
  }
  return scratches;
}

bool writes_through_broker() {
  return !worker().scratches.empty();
}

void write_through_broker(const std::string& path,
                          const std::function<void(const std::string&)>& write) {
  const auto* scratch = scratch_for(path);
  if (scratch == nullptr) {
    throw FileError("Cannot write '" + path +
                    "': it is none of the outputs that this run declared");
  }
  const auto target = declared_path(path, false);
  const auto temporary = fs::path(*scratch) / fs::path(target).filename();
  struct Removed {
    const fs::path& file;
    ~Removed() {
      std::error_code ignored;
      fs::remove(file, ignored);
    }
  };
  const Removed removed{temporary};
  write(temporary.string());
  const std::lock_guard lock(worker().mutex);
  ask({kCommit, target, temporary.filename().string()});
}

bool remove_through_broker(const std::string& path) {
  const std::lock_guard lock(worker().mutex);
  return ask({kRemove, declared_path(path, false)}).front() == kDone;
}

}  // namespace actswap
