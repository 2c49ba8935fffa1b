#include <actswap/archive/nesting.h>

#include <algorithm>
#include <vector>

namespace actswap {

namespace {

constexpr std::string_view kOperators = "+-*/%@&|^~<>=!.";

bool is_word(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

class Scanner {
 public:
  explicit Scanner(std::string_view code) : code_(code) {}

  std::size_t deepest() {
    while (at_ < code_.size()) {
      read_indentation();
      while (at_ < code_.size() && code_[at_] != '\n') {
        read_token();
      }
      ++at_;
      if (operators_.size() == 1) {  // no bracket is open: the statement is at its end
        forget_operators();
      }
    }
    return deepest_;
  }

 private:
  void read_indentation() {
    const auto begin = at_;
    while (at_ < code_.size() && (code_[at_] == ' ' || code_[at_] == '\t')) {
      ++at_;
    }
    if (operators_.size() == 1 && at_ < code_.size() && code_[at_] != '\n') {
      blocks_ = (at_ - begin) / 2;
      note();
    }
  }

  void read_token() {
    const char c = code_[at_];
    if (c == '"' || c == '\'') {
      skip_string(c);
    } else if (c == '#') {
      at_ = std::min(code_.find('\n', at_), code_.size());
    } else if (is_word(c)) {
      read_word();
    } else {
      read_sign(c);
      ++at_;
    }
  }

  void skip_string(char quote) {
    for (++at_; at_ < code_.size() && code_[at_] != quote && code_[at_] != '\n'; ++at_) {
      at_ += code_[at_] == '\\' ? 1 : 0;
    }
    at_ += at_ < code_.size() && code_[at_] == quote ? 1 : 0;
  }

  void read_word() {
    const auto begin = at_;
    while (at_ < code_.size() && is_word(code_[at_])) {
      ++at_;
    }
    const auto word = code_.substr(begin, at_ - begin);
    if (word == "not" || word == "and" || word == "or" || word == "if" || word == "in" ||
        word == "is" || word == "lambda") {
      add_operator();
    }
  }

  void read_sign(char c) {
    if (c == '(' || c == '[' || c == '{') {
      operators_.push_back(0);
      note();
    } else if (c == ')' || c == ']' || c == '}') {
      forget_operators();
      operators_.pop_back();
      if (operators_.empty()) {
        operators_.push_back(0);
      } else {
        add_operator();  // f(a)(b)[c] is a tree as well
      }
    } else if (c == ',' || c == ';') {
      forget_operators();
    } else if (kOperators.find(c) != std::string_view::npos) {
      add_operator();
    }
  }

  void add_operator() {
    ++operators_.back();
    ++total_;
    note();
  }

  void forget_operators() {
    total_ -= operators_.back();
    operators_.back() = 0;
  }

  void note() { deepest_ = std::max(deepest_, blocks_ + operators_.size() - 1 + total_); }

  std::string_view code_;
  std::size_t at_ = 0;
  std::size_t blocks_ = 0;
  std::vector<std::size_t> operators_ = {0};  // since the last comma, for each open bracket
  std::size_t total_ = 0;                     // their sum
  std::size_t deepest_ = 0;
};

}  // namespace

std::size_t nesting_of_code(std::string_view code) {
  return Scanner(code).deepest();
}

}  // namespace actswap
