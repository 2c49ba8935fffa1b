// CSV: each column is a tensor of its own; choose_columns makes one input of several.
#include <actswap/base/error.h>
#include <actswap/data/csv_records.h>
#include <actswap/data/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace actswap {

namespace {

// Infinities too.
std::optional<double> number_in(std::string_view text) {
  text.remove_prefix(text.starts_with('+') ? 1 : 0);
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && !std::isnan(number) ? std::optional(number) : std::nullopt;
}

bool is_missing(std::string_view text) {
  return text.empty() || text == "nan" || text == "NaN" || text == "NA" || text == "null";
}

// One column as it is read: numbers as long as all are, otherwise the texts' numbers in `ids`.
struct Field {
  std::string name;
  std::vector<double> numbers = {};
  bool is_whole = true;  // of integers that a double holds exactly
  bool is_text = false;
  std::vector<std::int64_t> ids = {};
  std::map<std::string, std::int64_t, std::less<>> texts = {};
  std::int64_t missing = 0;   // the first line without a value; 0: none
  std::int64_t infinite = 0;  // the first line with an infinity; 0: none
};

using Record = std::vector<std::string>;

bool has_names(const std::vector<Record>& first) {
  const auto is_number = [](const std::string& text) { return number_in(text).has_value(); };
  if (std::none_of(first[0].begin(), first[0].end(), is_number)) {
    return true;
  }
  for (std::size_t i = 0; first.size() > 1 && i < std::min(first[0].size(), first[1].size()); ++i) {
    if (!is_number(first[0][i]) && is_number(first[1][i])) {
      return true;
    }
  }
  return false;
}

class Table {
 public:
  explicit Table(const DataSource& source)
      : path_(source.path), separator_(csv_separator(source.begin)) {
    read_first(*source.file);
    for_each_row(*source.file, [this](std::int64_t line, const Record& record) {
      for (std::size_t i = 0; i < fields_.size(); ++i) {
        add_number(fields_[i], record[i], line);
      }
    });
    if (std::any_of(fields_.begin(), fields_.end(), [](const Field& f) { return f.is_text; })) {
      for_each_row(*source.file, [this](std::int64_t, const Record& record) {
        for (std::size_t i = 0; i < fields_.size(); ++i) {
          add_text(fields_[i], record[i]);
        }
      });
    }
  }

  Columns columns() {
    Columns columns;
    for (auto& field : fields_) {
      columns.push_back(column_of(field));
    }
    return columns;
  }

 private:
  // Two records say whether the first holds names.
  void read_first(const DataFile& file) {
    struct Enough {};
    std::vector<Record> first;
    try {
      for_each_csv_record(file, separator_, [&](std::int64_t, const Record& record) {
        first.push_back(record);
        if (first.size() == 2) {
          throw Enough();
        }
      });
    } catch (const Enough&) {
      // there are more
    }
    if (first.empty()) {
      throw FileError("'" + path_ + "' holds no records");
    }
    has_names_ = has_names(first);
    for (std::size_t i = 0; i < first[0].size(); ++i) {
      fields_.push_back({has_names_ ? first[0][i] : std::to_string(i)});
    }
  }

  template <typename Take>
  void for_each_row(const DataFile& file, Take take) {
    bool is_first = true;
    for_each_csv_record(file, separator_, [&](std::int64_t line, const Record& record) {
      if (record.size() != fields_.size()) {
        throw FileError("Expected " + std::to_string(fields_.size()) + " fields in line " +
                        std::to_string(line) + " of '" + path_ + "', as in the first, but got " +
                        std::to_string(record.size()));
      }
      if (!std::exchange(is_first, false) || !has_names_) {
        take(line, record);
      }
    });
  }

  static void add_number(Field& field, const std::string& text, std::int64_t line) {
    constexpr double kMostWhole = 9007199254740992.0;  // 2^53
    if (is_missing(text)) {
      field.missing = field.missing == 0 ? line : field.missing;
    }
    if (field.is_text) {
      return;
    }
    const auto number = number_in(text);
    if (!number && !is_missing(text)) {
      field.is_text = true;
      field.numbers = {};
      return;
    }
    const double value = number.value_or(0.0);
    if (std::isinf(value) && field.infinite == 0) {
      field.infinite = line;
    }
    field.is_whole = field.is_whole && std::abs(value) <= kMostWhole &&
                     text.find_first_of(".eE") == std::string::npos;
    field.numbers.push_back(value);
  }

  static void add_text(Field& field, const std::string& text) {
    if (field.is_text) {
      const auto next = static_cast<std::int64_t>(field.texts.size());
      field.ids.push_back(field.texts.emplace(text, next).first->second);
    }
  }

  // Classes in the order of their names.
  static NamedColumn text_column(Field& field) {
    std::vector<std::string> names;
    std::vector<std::int64_t> ranks(field.texts.size());
    for (const auto& [text, id] : field.texts) {
      ranks[static_cast<std::size_t>(id)] = static_cast<std::int64_t>(names.size());
      names.push_back(text);
    }
    for (auto& id : field.ids) {
      id = ranks[static_cast<std::size_t>(id)];
    }
    return {field.name, std::make_shared<TensorColumn>(torch::tensor(field.ids, torch::kInt64),
                                                       std::move(names))};
  }

  static NamedColumn column_of(Field& field) {
    if (field.name.empty()) {
      return {field.name, nullptr, "it has no name, like an index that pandas wrote"};
    }
    if (field.missing > 0) {
      return {field.name, nullptr, "it has no value in line " + std::to_string(field.missing)};
    }
    if (field.is_text) {
      return text_column(field);
    }
    if (field.infinite > 0) {
      return {field.name, nullptr,
              "it is infinite in line " + std::to_string(field.infinite) + "; expected numbers"};
    }
    const auto numbers = torch::tensor(field.numbers, torch::kFloat64);
    return {field.name, std::make_shared<TensorColumn>(
                            numbers.to(field.is_whole ? torch::kInt64 : torch::kFloat32))};
  }

  const std::string& path_;
  char separator_;
  bool has_names_ = false;
  std::vector<Field> fields_ = {};
};

}  // namespace

// Text whose first line has a separator, or is a number.
bool is_csv(const DataSource& source) {
  const auto& begin = source.begin;
  const bool is_text = std::none_of(begin.begin(), begin.end(), [](unsigned char c) {
    return c < 32 && c != '\t' && c != '\r' && c != '\n';
  });
  const std::string_view line = std::string_view(begin).substr(0, begin.find_first_of("\r\n"));
  return source.file && is_text && !line.empty() &&
         (line.find_first_of(",;\t") != std::string_view::npos || number_in(line).has_value());
}

Columns read_csv(const DataSource& source) {
  auto columns = Table(source).columns();
  for (auto& column : columns) {
    column.is_field = true;
  }
  return columns;
}

}  // namespace actswap
