// A folder for a file that is being written, beside where the file will be.
#pragma once

#include <actswap/base/activity.h>

#include <optional>
#include <string>

namespace actswap {

/// A new folder with a name that nobody can foresee, closed to other users (0700). It is removed at
/// the end, by the supervisor if the process dies. The process holds a lock on it: a folder without
/// one has lost its owner.
class TemporaryFolder {
 public:
  /// @throws std::system_error
  explicit TemporaryFolder(const std::string& parent);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int lock_ = -1;
  std::optional<TemporaryFolderNote> note_ = std::nullopt;
};

/// Removes the temporary folders in `parent` whose processes are gone: of this user, with the
/// name and the mode of one, a minute old, and without a lock.
void remove_abandoned_folders(const std::string& parent);

}  // namespace actswap
