// The texts of LibTorch's exceptions, without details that only its developers can use.
#pragma once

#include <string>

namespace actswap {

/// Where the cause begins in the interpreter's account: the first line after the last code shown.
/// It begins with "RuntimeError: ..." if an operator failed and "builtins.ValueError: ..." if the
/// model raised an exception. npos: nowhere.
inline std::size_t begin_of_cause(const std::string& what) {
  constexpr char kInName[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
  auto line = what.rfind("<--- HERE\n");
  while (line != std::string::npos && (line = what.find('\n', line)) != std::string::npos) {
    const auto end = what.find_first_not_of(kInName, ++line);
    if (end != std::string::npos && end > line && what.compare(end, 2, ": ") == 0) {
      return line;
    }
  }
  return std::string::npos;
}

/// One line: without "[enforce fail at FILE:LINE] CONDITION. " in front, without the interpreter's
/// account of who called whom, and without the list of all devices after "Could not run
/// 'aten::empty' with arguments from the 'CUDA' backend.".
inline std::string libtorch_cause(std::string what) {
  if (what.starts_with("The following operation failed in the TorchScript")) {
    const auto begin = begin_of_cause(what);
    what.erase(0, begin == std::string::npos ? 0 : begin);
  }
  for (const std::string prefix : {"RuntimeError: ", "builtins."}) {
    what.erase(0, what.starts_with(prefix) ? prefix.size() : 0);
  }
  static const std::string kEnforce = "[enforce fail at ";
  if (what.starts_with(kEnforce)) {  // then ":LINE] ", what failed, and ". "
    const auto end = what.find(". ", what.find("] "));
    what.erase(0, end == std::string::npos ? 0 : end + 2);
  }
  what.erase(0, what.find_first_not_of('\n'));
  what = what.substr(0, what.find(" This could be because the operator doesn't exist"));
  return what.substr(0, what.find('\n'));
}

}  // namespace actswap
