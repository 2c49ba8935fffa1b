#include <actswap/archive/pickle_value.h>
#include <actswap/archive/recorded_inputs.h>
#include <actswap/base/error.h>

namespace actswap {

namespace {

using pickle::Kind;
using pickle::Value;

void add_tensor(const Value& value, std::size_t argument, const std::string& key,
                std::vector<RecordedInput>& found) {
  if (value.kind != Kind::tensor) {
    return;
  }
  const auto& parts = *value.elements;
  RecordedInput input{.argument = argument, .key = key, .storage = std::string(parts[0].text)};
  for (const auto& size : *parts[2].elements) {
    input.sizes.push_back(size.number);
  }
  found.push_back(std::move(input));
}

// The tensor that an argument is, or those directly in it. It goes no deeper, because values may be
// shared, and values shared again and again have more places than anybody can visit.
void add_argument(const Value& value, std::size_t argument, std::vector<RecordedInput>& found) {
  add_tensor(value, argument, "", found);
  if (value.kind == Kind::tuple || value.kind == Kind::list) {
    for (std::size_t i = 0; i < value.elements->size(); ++i) {
      add_tensor((*value.elements)[i], argument, std::to_string(i), found);
    }
  } else if (value.kind == Kind::dict) {
    for (std::size_t i = 0; i + 1 < value.elements->size(); i += 2) {
      add_tensor((*value.elements)[i + 1], argument, std::string((*value.elements)[i].text), found);
    }
  }
}

}  // namespace

std::vector<RecordedInput> read_recorded_inputs(const ZipArchive& archive) {
  std::vector<RecordedInput> found;
  const auto* record = archive.find("traced_inputs.pkl");
  if (record == nullptr) {
    return found;
  }
  try {
    const auto made = pickle::read(archive, *record, "");
    const auto& methods = made.value;
    if (methods.kind != Kind::dict) {
      return found;
    }
    const auto& entries = *methods.elements;
    for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
      const auto& arguments = entries[i + 1];
      if (entries[i].text == "forward" && arguments.kind == Kind::list) {
        for (std::size_t k = 0; k < arguments.elements->size(); ++k) {
          add_argument((*arguments.elements)[k], k, found);
        }
      }
    }
  } catch (const FileError&) {
    return {};  // the model is sound without it
  }
  return found;
}

}  // namespace actswap
