// Errors that a caller can do something about, as exceptions that know their kind.
//
// Every message says what was expected, what was found and where. Anything thrown that is not an
// actswap::Error is a bug of ours and is reported as one.
#pragma once

#include <actswap/base/export.h>

#include <stdexcept>
#include <string>

namespace actswap {

/// The kinds of failure, with the exit code that the command gives them.
enum class ErrorKind {
  usage = 2,         ///< an option, a name or a combination that makes no sense
  file = 3,          ///< a file that cannot be read, written, or is not supported
  verification = 4,  ///< an export whose outputs differ from the model it was made from
  accuracy = 5,      ///< the accuracy gate was not met, or the training diverged
};

class ACTSWAP_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Shorthands, so that a throw reads as what it is.
class ACTSWAP_API UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(ErrorKind::usage, message) {}
};
class ACTSWAP_API FileError : public Error {
 public:
  explicit FileError(const std::string& message) : Error(ErrorKind::file, message) {}
};
class ACTSWAP_API VerificationError : public Error {
 public:
  explicit VerificationError(const std::string& message)
      : Error(ErrorKind::verification, message) {}
};
/// A training run stopped from outside (a signal); the command exits with 128 + signal.
class ACTSWAP_API Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(const std::string& message) : std::runtime_error(message) {}
};

}  // namespace actswap
