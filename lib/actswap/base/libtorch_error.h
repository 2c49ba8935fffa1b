// What LibTorch's exceptions say, without what only its developers can use.
#pragma once

#include <string>
#include <string_view>

namespace actswap {

/// Whether LibTorch says that the system has no memory left.
inline bool is_out_of_memory(std::string_view what) {
  return what.find("can't allocate memory") != std::string_view::npos ||
         what.find("not enough memory") != std::string_view::npos ||
         what.find("std::bad_alloc") != std::string_view::npos;
}

/// One line: without "[enforce fail at FILE:LINE] CONDITION. " in front, and without the interpreter's
/// account of who called whom, behind whose last mark stands what an operator said ("RuntimeError:
/// ...") or the model raised ("builtins.ValueError: ..."), nor the list of all devices after "Could
/// not run 'aten::empty' with arguments from the 'CUDA' backend.".
inline std::string libtorch_cause(std::string what) {
  static const std::string kInterpreter = "The following operation failed in the TorchScript";
  static const std::string kHere = "<--- HERE\n";
  if (const auto at = what.rfind(kHere);
      what.starts_with(kInterpreter) && at != std::string::npos) {
    what.erase(0, at + kHere.size());
    what.erase(0, what.find_first_not_of('\n'));
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
