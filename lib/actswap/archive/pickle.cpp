// The operations are those of Python's pickletools, as far as LibTorch's Unpickler knows them.
#include <actswap/archive/extent.h>
#include <actswap/archive/nesting.h>
#include <actswap/archive/pickle.h>
#include <actswap/archive/pickle_value.h>

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace actswap {

namespace {

using pickle::Kind;
using pickle::Value;

class Walker {
 public:
  Walker(const ZipArchive& archive, const ZipRecord& record, std::string folder,
         std::string_view content)
      : archive_(archive), record_(record), folder_(std::move(folder)), content_(content) {}

  Value walk() {
    constexpr unsigned char kProtocol = 0x80;
    if (content_.empty() || static_cast<unsigned char>(content_[0]) != kProtocol) {
      fail("it is no pickle");
    }
    while (step()) {
    }
    return stack_.empty() ? Value() : stack_.back();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    archive_.fail("in its record '" + record_.name + "', byte " + std::to_string(at_) + ": " +
                  what);
  }

  // false: the end, or an operation that LibTorch does not know.
  bool step() {
    switch (const char operation = bytes(1)[0]; static_cast<unsigned char>(operation)) {
      case '.':
        return false;
      case 0x80:
        bytes(1);
        return true;
      case ']':
        return push(Value::container(Kind::list));
      case '}':
        return push(Value::container(Kind::dict));
      case ')':
        return push(Value::tuple({}));
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case 'N':
        return push({});
      case 0x88:
      case 0x89:
        return push(Value::boolean(operation == '\x88'));
      case 'K':
        return push(Value::integer(static_cast<std::int64_t>(number(1))));
      case 'M':
        return push(Value::integer(static_cast<std::int64_t>(number(2))));
      case 'J':
        return push(Value::integer(static_cast<std::int32_t>(number(4))));
      case 0x8a:
        return long_integer();
      case 'G':
        bytes(8);
        return push({});
      case 'X':
        return push(Value::of_text(Kind::string, bytes(number(4))));
      case 'c':
        return global();
      case 'q':
        return put(number(1));
      case 'r':
        return put(number(4));
      case 'h':
        return get(number(1));
      case 'j':
        return get(number(4));
      case 't':
        return push_tuple(since_mark());
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple(popped(static_cast<unsigned char>(operation) - 0x84U));
      case 'l':
        return push_container(Kind::list, since_mark());
      case 'd':
        return push_container(Kind::dict, pairs(since_mark()));
      case 'e':
        return add(since_mark());
      case 'u':
        return add(pairs(since_mark()));
      case 's':
        return add(popped(2));
      case 0x81:
        popped(1);
        return true;
      case 'R':
      case 'b':
        return call();
      case 'Q':
        return persistent();
      default:
        return false;
    }
  }

  std::string_view bytes(std::uint64_t count) {
    if (count > content_.size() - at_) {
      fail("it ends, where " + std::to_string(count) + " more bytes were expected");
    }
    const auto found = content_.substr(at_, count);
    at_ += count;
    return found;
  }

  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    const auto found = bytes(width);
    for (std::size_t i = 0; i < width; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(found[i])} << (8 * i);
    }
    return value;
  }

  bool long_integer() {
    const auto width = number(1);
    if (width == 8) {
      return push(Value::integer(static_cast<std::int64_t>(number(8))));
    }
    return false;
  }

  std::string_view line() {
    const auto end = content_.find('\n', at_);
    if (end == std::string_view::npos) {
      fail("a name has no end");
    }
    const auto found = bytes(end - at_);
    bytes(1);
    return found;
  }

  bool global() {
    const auto module = line();
    auto value = Value::of_text(Kind::global, line());
    value.module = module;
    return !value.is_unknown_to_libtorch() && push(std::move(value));
  }

  bool push(Value value) {
    if (value.depth() > kDeepestNesting) {
      fail("values are nested more than " + std::to_string(kDeepestNesting) + " deep");
    }
    stack_.push_back(std::move(value));
    return true;
  }

  std::size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }

  std::vector<Value> taken(std::size_t from) {
    std::vector<Value> values(
        std::make_move_iterator(stack_.begin() + static_cast<std::ptrdiff_t>(from)),
        std::make_move_iterator(stack_.end()));
    stack_.resize(from);
    return values;
  }

  std::vector<Value> popped(std::size_t count) {
    if (stack_.size() - bottom() < count) {
      fail("an operation takes " + std::to_string(count) + " values, but there are " +
           std::to_string(stack_.size() - bottom()));
    }
    return taken(stack_.size() - count);
  }

  std::vector<Value> since_mark() {
    if (marks_.empty()) {
      fail("an operation takes the values since a mark, but there is none");
    }
    const auto mark = marks_.back();
    marks_.pop_back();
    return taken(mark);
  }

  std::vector<Value> pairs(std::vector<Value> values) const {
    if (values.size() % 2 != 0) {
      fail("a dict gets a key without a value");
    }
    return values;
  }

  bool push_tuple(std::vector<Value> elements) { return push(Value::tuple(std::move(elements))); }

  bool push_container(Kind kind, std::vector<Value> elements) {
    push(Value::container(kind));
    return add(std::move(elements));
  }

  // To the list or dict on top.
  bool add(std::vector<Value> elements) {
    if (stack_.size() <= bottom()) {
      fail("elements are added to nothing");
    }
    auto& to = stack_.back();
    if (to.kind != Kind::list && to.kind != Kind::dict) {
      return false;
    }
    if (!to.add(elements)) {
      fail("a list or dict that is already inside of another value grows");
    }
    if (to.depth() > kDeepestNesting) {
      fail("values are nested more than " + std::to_string(kDeepestNesting) + " deep");
    }
    return true;
  }

  // LibTorch makes room for all numbers below.
  bool put(std::uint64_t name) {
    if (stack_.empty()) {
      fail("there is no value to remember");
    }
    if (name > content_.size()) {
      fail("a value is remembered by the number " + std::to_string(name) +
           ", more than there can be");
    }
    memo_[name] = stack_.back();
    return true;
  }

  bool get(std::uint64_t name) {
    const auto found = memo_.find(name);
    if (found == memo_.end()) {
      fail("it asks for the remembered value number " + std::to_string(name) +
           ", which does not exist yet");
    }
    return push(found->second);
  }

  // Calls a function with its arguments, or makes an object of a class from its contents. For
  // LibTorch a function is a number on the stack: any other number would call some function too.
  bool call() {
    auto values = popped(2);
    const auto& function = values[0];
    if (function.is_number_for_libtorch()) {
      fail("it calls a value that is not a function");
    }
    if (function.kind != Kind::global) {
      return false;
    }
    return push(result(function, values[1]));
  }

  Value result(const Value& function, const Value& argument) {
    if (function.is("torch._utils", "_rebuild_tensor_v2") ||
        function.is("torch._utils", "_rebuild_qtensor")) {
      check_tensor(argument);
      return Value::tensor(argument);
    } else if (function.is("torch._tensor", "_rebuild_from_type_v2")) {
      const auto& parts = elements(argument, 4, "a tensor");
      if (!parts[0].is("torch._utils", "_rebuild_tensor_v2")) {
        fail("a tensor of another type is made by an unknown function");
      }
      check_tensor(parts[2]);
    } else if (function.is("collections", "OrderedDict")) {
      return {};
    } else if (function.module == "torch.jit._pickle" && argument.kind == Kind::tuple &&
               !argument.elements->empty()) {
      return argument.elements->front();  // the same list, or dict, with the type of its elements
    }
    return Value::object(argument);
  }

  const std::vector<Value>& elements(const Value& value, std::size_t count,
                                     const char* what) const {
    if (value.kind != Kind::tuple || value.elements->size() < count) {
      fail(std::string(what) + " is not described by a tuple of " + std::to_string(count) +
           " values");
    }
    return *value.elements;
  }

  bool persistent() {
    const auto values = popped(1);
    const auto& parts = elements(values[0], 5, "a storage");
    if (parts[0].kind != Kind::string || parts[0].text != "storage" ||
        parts[2].kind != Kind::string || parts[4].kind != Kind::integer) {
      fail(
          "a storage is described by other values than 'storage', a type, a record, a device and "
          "a number");
    }
    if (!parts[1].is_storage_type()) {
      if (parts[1].kind == Kind::global) {
        return false;
      }
      fail("a storage's type is none");
    }
    auto storage = Value::integer_of(Kind::storage, checked_size(parts));
    storage.text = parts[1].text;
    return push(std::move(storage));
  }

  // In elements.
  std::int64_t checked_size(const std::vector<Value>& parts) const {
    const auto count = parts[4].number;
    const auto name = folder_ + "/" + std::string(parts[2].text);
    const auto described = std::to_string(count) + " elements of " + std::string(parts[1].text);
    if (count < 0) {
      fail("a storage has " + described);
    }
    if (count == 0 || folder_.empty()) {
      return count;
    }
    const auto* found = archive_.find(name);
    if (found == nullptr) {
      fail("a storage of " + described + " is in the record '" + name + "', which is not there");
    }
    const auto width = element_size(parts[1].text);
    if (width && found->size / *width != static_cast<std::uint64_t>(count)) {
      fail("a storage of " + described + " is in the record '" + name + "', which has " +
           std::to_string(found->size) + " bytes; expected " + std::to_string(count) + " times " +
           std::to_string(*width));
    }
    return count;
  }

  std::vector<std::int64_t> numbers(const std::vector<Value>& values) const {
    std::vector<std::int64_t> found;
    for (const auto& value : values) {
      if (value.kind != Kind::integer) {
        fail("a size or a stride is no number");
      }
      found.push_back(value.number);
    }
    return found;
  }

  // (storage, offset, sizes, strides, ...), all in elements
  void check_tensor(const Value& description) {
    const auto& parts = elements(description, 5, "a tensor");
    if (parts[0].kind != Kind::storage || parts[1].kind != Kind::integer) {
      fail("a tensor has no storage or no offset");
    }
    const auto& sizes = elements(parts[2], 0, "a tensor's shape");
    const auto& strides = elements(parts[3], 0, "a tensor's strides");
    if (sizes.size() != strides.size()) {
      fail("a tensor has " + std::to_string(sizes.size()) + " sizes and " +
           std::to_string(strides.size()) + " strides");
    }
    const auto storage = parts[0].number;
    const auto last = last_element(parts[1].number, numbers(sizes), numbers(strides));
    if (!last || *last >= storage) {
      fail("a tensor reaches beyond the " + std::to_string(storage) + " elements of its storage");
    }
  }

  const ZipArchive& archive_;
  const ZipRecord& record_;
  std::string folder_;
  std::string_view content_;
  std::size_t at_ = 0;
  std::vector<Value> stack_ = {};
  std::vector<std::size_t> marks_ = {};
  std::unordered_map<std::uint64_t, Value> memo_ = {};
};

}  // namespace

void check_pickle(const ZipArchive& archive, const ZipRecord& record, const std::string& folder) {
  pickle::read(archive, record, folder);
}

namespace pickle {

Made read(const ZipArchive& archive, const ZipRecord& record, const std::string& folder) {
  Made made{.content = std::make_shared<const std::string>(archive.read(record))};
  made.value = Walker(archive, record, folder, *made.content).walk();
  return made;
}

}  // namespace pickle

}  // namespace actswap
