#include <actswap/graph/non_ascii.h>

#include <algorithm>
#include <string_view>

namespace actswap {

namespace {

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

// The word around a letter, or all that stands in quotes: names of submodules may have spaces.
std::string_view name_at(std::string_view line, std::size_t at) {
  const auto before = line.substr(0, at);
  const bool is_quoted = std::count(before.begin(), before.end(), '"') % 2 == 1;
  const std::string_view ends = is_quoted ? "\"" : " ()[],:.=\"";
  const auto begin = before.find_last_of(ends) + 1;  // 0 where there is none
  return line.substr(begin, std::min(line.find_first_of(ends, at), line.size()) - begin);
}

std::string first_name(std::string_view code) {
  const auto at = std::find_if_not(code.begin(), code.end(), is_ascii) - code.begin();
  if (at == static_cast<std::ptrdiff_t>(code.size())) {
    return "";
  }
  const auto position = static_cast<std::size_t>(at);
  const auto begin = code.substr(0, position).rfind('\n') + 1;  // 0 where there is none
  const auto end = std::min(code.find('\n', position), code.size());
  return std::string(name_at(code.substr(begin, end - begin), position - begin));
}

}  // namespace

std::string non_ascii_cause(const ZipArchive& archive) {
  for (const auto& [path, record] : archive.records()) {
    if (!path.starts_with("code/") || !path.ends_with(".py")) {
      continue;
    }
    const auto name = first_name(archive.read(record));
    if (!name.empty()) {
      return "the name '" + name +
             "' in its code is not ASCII. TorchScript writes such names and cannot read them, "
             "torch.jit.load in Python neither. Rename it in the model and save that again";
    }
  }
  return "";
}

}  // namespace actswap
