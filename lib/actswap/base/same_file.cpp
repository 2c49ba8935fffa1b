#include <actswap/base/error.h>
#include <actswap/base/same_file.h>

#include <filesystem>
#include <system_error>

namespace actswap {

void check_not_original(const std::string& output, const std::string& original) {
  std::error_code no_such_file;
  if (std::filesystem::equivalent(output, original, no_such_file)) {
    throw UsageError("The output '" + output + "' is the model that is read, '" + original +
                     "': it would be overwritten. Give another name, or --force");
  }
}

}  // namespace actswap
