#include <actswap/base/error.h>
#include <actswap/data/csv_records.h>

#include <algorithm>
#include <string_view>

namespace actswap {

namespace {

constexpr std::size_t kPiece = 1 << 18;
constexpr std::size_t kMostField = 1 << 20;
constexpr std::string_view kMark = "\xef\xbb\xbf";  // with which some programs begin UTF-8

class Parser {
 public:
  using Take = std::function<void(std::int64_t, const std::vector<std::string>&)>;

  Parser(const std::string& path, char separator, const Take& take)
      : path_(path), separator_(separator), take_(take) {}

  void read(char c) {
    if (is_quoted_) {
      read_quoted(c);
    } else if (c == '"' && (is_after_quote_ || is_blank())) {
      if (is_after_quote_) {
        field_ += c;  // two quotes inside of quotes are one
      } else {
        field_.clear();
      }
      is_quoted_ = true;
      is_after_quote_ = false;
      was_quoted_ = true;
    } else if (c == separator_) {
      end_field();
    } else if (c == '\n') {
      end_record();
    } else {
      add(c);
      is_after_quote_ = false;
    }
    line_ += c == '\n' ? 1 : 0;
  }

  void end() {
    if (is_quoted_) {
      throw FileError("'" + path_ + "' is damaged: the quote in the record from line " +
                      std::to_string(begin_) + " on has no end");
    }
    end_record();
  }

 private:
  bool is_blank() const {
    return !was_quoted_ && field_.find_first_not_of(' ') == std::string::npos;
  }

  void read_quoted(char c) {
    is_quoted_ = c != '"';
    is_after_quote_ = !is_quoted_;
    if (is_quoted_) {
      add(c);
    }
  }

  void add(char c) {
    if (field_.size() == kMostField) {
      throw FileError("'" + path_ +
                      "' has a field of more than a megabyte in the record from line " +
                      std::to_string(begin_) + " on; is a quote missing?");
    }
    field_ += c;
  }

  void end_field() {
    if (!was_quoted_) {
      const auto end = field_.find_last_not_of(" \r");
      field_.erase(end == std::string::npos ? 0 : end + 1);
      field_.erase(0, std::min(field_.find_first_not_of(' '), field_.size()));
    } else if (field_.ends_with('\r')) {
      field_.pop_back();
    }
    fields_.push_back(std::move(field_));
    field_.clear();
    was_quoted_ = false;
    is_after_quote_ = false;
  }

  void end_record() {
    const bool was_quoted = was_quoted_;
    end_field();
    if (fields_.size() > 1 || !fields_[0].empty() || was_quoted) {
      take_(begin_, fields_);
    }
    fields_.clear();
    begin_ = line_ + 1;
  }

  const std::string& path_;
  char separator_;
  const Take& take_;
  std::vector<std::string> fields_ = {};
  std::string field_ = {};
  bool is_quoted_ = false;       // inside of quotes
  bool is_after_quote_ = false;  // the last character ended them
  bool was_quoted_ = false;      // the field has had some
  std::int64_t line_ = 1;
  std::int64_t begin_ = 1;
};

}  // namespace

char csv_separator(const std::string& begin) {
  const std::string_view line = std::string_view(begin).substr(0, begin.find('\n'));
  for (const char separator : {'\t', ';'}) {
    if (line.find(separator) != std::string_view::npos) {
      return separator;
    }
  }
  return ',';
}

void for_each_csv_record(
    const DataFile& file, char separator,
    const std::function<void(std::int64_t, const std::vector<std::string>&)>& take) {
  Parser parser(file.path(), separator, take);
  std::string piece(kPiece, '\0');
  for (std::uint64_t done = 0; done < file.size();) {
    const auto size = std::min<std::uint64_t>(kPiece, file.size() - done);
    file.read(done, piece.data(), size);
    std::string_view text(piece.data(), size);
    text.remove_prefix(done == 0 && text.starts_with(kMark) ? kMark.size() : 0);
    std::for_each(text.begin(), text.end(), [&](char c) { parser.read(c); });
    done += size;
  }
  parser.end();
}

}  // namespace actswap
