// Writes for a process that may not write. A confined process (base/confine.h) writes only into
// scratch folders. Its supervisor made them beside the outputs and moves complete files to their
// places, but only for outputs declared before the process read any model. So a model that takes
// over the confined process can spoil these outputs, and no other file.
#pragma once

#include <actswap/base/temporary_folder.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace actswap {

/// The outputs of a run: single files, and folders that get files directly in them. A missing
/// folder is made with its first file.
struct DeclaredOutputs {
  std::vector<std::string> files = {};
  std::vector<std::string> folders = {};
};

/// The supervisor's side, which trusts no message after the declaration.
class OutputBroker {
 public:
  /// @param socket one end of a pair of SOCK_SEQPACKET; the broker closes it
  explicit OutputBroker(int socket);
  ~OutputBroker();
  OutputBroker(const OutputBroker&) = delete;
  OutputBroker& operator=(const OutputBroker&) = delete;

  int descriptor() const { return socket_; }
  /// Whether outputs were declared: from then on the other process may run strangers' code.
  bool is_sealed() const { return is_sealed_; }
  /// Answers the request that waits at descriptor(). @returns false where the other side is gone
  bool answer();

 private:
  using Fields = std::vector<std::string>;
  struct Target {
    std::filesystem::path path;
    std::filesystem::path scratch;
    bool is_folder = false;
  };

  Fields answer_to(const Fields& request);
  Fields declare(const Fields& request);
  Fields commit(const Fields& request);
  Fields remove(const Fields& request);
  const std::string& scratch_in(const std::filesystem::path& folder);
  const Target* target_of(const std::filesystem::path& path) const;

  int socket_;
  bool is_sealed_ = false;
  std::vector<Target> targets_ = {};
  std::vector<std::pair<std::string, std::unique_ptr<TemporaryFolder>>> scratches_ = {};
};

/// The side of the process to be confined. From now on declare_outputs asks the broker at the other
/// end.
void connect_to_broker(int socket);
/// Whether there is a broker.
bool has_output_broker();
/// This process's end; -1 where there is none.
int broker_descriptor();

/// Declares, once, what this process will write. @returns the scratch folders, which must stay
/// writable
/// @throws FileError where an output cannot be written there
std::vector<std::string> declare_outputs(const DeclaredOutputs& outputs);

/// Whether outputs were declared: then write_atomically goes through the broker.
bool writes_through_broker();

/// write_atomically, for a process that declared its outputs.
/// @throws FileError where `path` was not declared, or writing or moving fails
void write_through_broker(const std::string& path,
                          const std::function<void(const std::string&)>& write);

/// remove_file, for a process that declared its outputs. @throws FileError where `path` was not
/// declared
bool remove_through_broker(const std::string& path);

}  // namespace actswap
