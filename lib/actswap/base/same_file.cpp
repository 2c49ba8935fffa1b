#include <actswap/base/error.h>
#include <actswap/base/same_file.h>

#include <filesystem>
#include <system_error>

namespace actswap {

void check_not_overwritten(const std::string& output, const std::string& input) {
  std::error_code no_such_file;
  if (std::filesystem::equivalent(output, input, no_such_file)) {
    throw UsageError("The output '" + output + "' is a file that is read, '" + input +
                     "', and would be overwritten. Give another name, or --force");
  }
}

}  // namespace actswap
