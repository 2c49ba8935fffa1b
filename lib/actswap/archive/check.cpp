#include <actswap/archive/check.h>
#include <actswap/archive/nesting.h>
#include <actswap/archive/pickle.h>

namespace actswap {

namespace {

bool is_for_debugging(std::string_view name) {
  return name.ends_with(".debug_pkl");
}

bool is_tensor(std::string_view name) {
  return name.starts_with("data/") || name.starts_with("constants/");
}

void check_code(const ZipArchive& archive, const ZipRecord& record) {
  if (nesting_of_code(archive.read(record)) > kDeepestNesting) {
    archive.fail("in its record '" + record.name + "' code is nested more than " +
                 std::to_string(kDeepestNesting) + " deep");
  }
}

}  // namespace

void check_model(const ZipArchive& archive) {
  for (const auto& [name, record] : archive.records()) {
    if (is_for_debugging(name) || is_tensor(name)) {
      continue;
    }
    if (name == "data.pkl") {
      check_pickle(archive, record, "data");
    } else if (name == "constants.pkl") {
      check_pickle(archive, record, "constants");
    } else if (name.starts_with("code/")) {
      check_code(archive, record);
    } else {
      archive.check(record);
    }
  }
}

void check_model_tensors(const ZipArchive& archive) {
  for (const auto& [name, record] : archive.records()) {
    if (is_tensor(name) && !is_for_debugging(name)) {
      archive.check(record);
    }
  }
}

void check_tensor_file(const ZipArchive& archive, bool with_checksums) {
  for (const auto& [name, record] : archive.records()) {
    if (name == "data.pkl") {
      check_pickle(archive, record, "data");
    } else if (with_checksums) {
      archive.check(record);
    }
  }
}

}  // namespace actswap
