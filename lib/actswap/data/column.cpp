#include <actswap/base/error.h>
#include <actswap/data/column.h>

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace actswap {

namespace {

// Of LibTorch's kernels.
constexpr std::size_t kMostDimensions = 32;

constexpr const char* kScalar = "it is a scalar; expected one entry per example";

class FileColumn : public Column {
 public:
  FileColumn(std::shared_ptr<const DataFile> file, StoredArray array)
      : file_(std::move(file)), array_(std::move(array)), what_("'" + file_->path() + "'") {
    auto entry = array_;
    entry.shape.erase(entry.shape.begin());
    entry_bytes_ = entry.bytes(what_);
  }

  std::int64_t size() const override { return array_.shape[0]; }

  torch::Tensor at(std::span<const std::int64_t> indices) const override {
    auto shape = array_.shape;
    shape[0] = static_cast<std::int64_t>(indices.size());
    auto entries = allocate(shape, array_.type, what_);
    auto* to = static_cast<char*>(entries.data_ptr());
    for (std::size_t i = 0; i < indices.size() && entry_bytes_ > 0;) {
      std::size_t count = 1;  // of entries that follow each other in the file
      while (i + count < indices.size() && indices[i + count] == indices[i + count - 1] + 1) {
        ++count;
      }
      file_->read(array_.offset + static_cast<std::uint64_t>(indices[i]) * entry_bytes_,
                  to + i * entry_bytes_, count * entry_bytes_);
      i += count;
    }
    return to_native(std::move(entries), array_.is_big_endian, what_);
  }

 private:
  std::shared_ptr<const DataFile> file_;
  StoredArray array_;
  std::string what_;
  std::uint64_t entry_bytes_ = 0;
};

[[noreturn]] void fail_for_memory(std::uint64_t bytes, const std::string& what) {
  throw FileError("Cannot read " + what + ": its " + std::to_string(bytes) +
                  " bytes do not fit in memory");
}

// A complex number is two.
void reverse_bytes(torch::Tensor& tensor) {
  const auto width =
      static_cast<std::size_t>(tensor.element_size()) / (tensor.is_complex() ? 2 : 1);
  if (width == 1) {
    return;
  }
  auto* bytes = static_cast<unsigned char*>(tensor.data_ptr());
  for (std::size_t i = 0; i < tensor.nbytes(); i += width) {
    std::reverse(bytes + i, bytes + i + width);
  }
}

}  // namespace

torch::Tensor TensorColumn::at(std::span<const std::int64_t> indices) const {
  return tensor_.index_select(
      0, torch::tensor(c10::ArrayRef<std::int64_t>(indices.data(), indices.size())));
}

std::uint64_t StoredArray::bytes(const std::string& what) const {
  // Empty dimensions count as 1: strides are computed that way.
  constexpr auto kMost = std::uint64_t{1} << 62;
  std::uint64_t bytes = c10::elementSize(type);
  bool is_empty = false;
  for (const auto size : shape) {
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    if (size < 0 || bytes > kMost / factor) {
      throw FileError(what + " is damaged: its shape asks for more than 2^62 bytes");
    }
    is_empty = is_empty || size == 0;
    bytes *= factor;
  }
  if (shape.size() > kMostDimensions) {
    throw FileError(what + " is damaged: its shape has " + std::to_string(shape.size()) +
                    " dimensions; expected 32 at most");
  }
  return is_empty ? 0 : bytes;
}

NamedColumn stored_column(const std::string& name, const std::shared_ptr<const DataFile>& file,
                          const StoredArray& array) {
  if (array.shape.empty()) {
    return {name, nullptr, kScalar};
  }
  return {name, std::make_shared<FileColumn>(file, array)};
}

NamedColumn tensor_column(const std::string& name, torch::Tensor tensor) {
  if (tensor.dim() == 0) {
    return {name, nullptr, kScalar};
  }
  return {name, std::make_shared<TensorColumn>(std::move(tensor))};
}

torch::Tensor to_native(torch::Tensor stored, bool is_big_endian, const std::string& what) {
  if (is_big_endian != (std::endian::native == std::endian::big)) {
    reverse_bytes(stored);
  }
  switch (stored.scalar_type()) {
    case torch::kBool:  // a byte other than 0 and 1 is no bool for LibTorch's kernels
      return stored.view(torch::kUInt8).ne(0);
    case torch::kUInt16:
      return stored.to(torch::kInt32);
    case torch::kUInt32:
      return stored.to(torch::kInt64);
    case torch::kUInt64: {
      auto numbers = stored.view(torch::kInt64);
      if (numbers.lt(0).any().item<bool>()) {
        throw FileError("Expected numbers below 2^63 in " + what + ", but one is larger");
      }
      return numbers;
    }
    default:
      return stored;
  }
}

std::string type_name(torch::ScalarType type) {
  return std::string(c10::getDtypeNames(type).first);
}

void check_memory(std::uint64_t bytes, const std::string& what) {
  const auto memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (bytes > memory) {
    fail_for_memory(bytes, what);
  }
}

torch::Tensor allocate(const std::vector<std::int64_t>& shape, torch::ScalarType type,
                       const std::string& what) {
  const auto bytes = StoredArray{.type = type, .shape = shape}.bytes(what);
  check_memory(bytes, what);
  try {
    return torch::empty(shape, type);
  } catch (const std::exception&) {
    fail_for_memory(bytes, what);
  }
}

}  // namespace actswap
