// .pt files of tensors, as Python's torch.save writes them.
#include <actswap/archive/check.h>
#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/data/format.h>
#include <actswap/data/mapped_storages.h>
#include <actswap/data/stored_tensor.h>

#include <torch/script.h>

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import_read.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string_view>

namespace actswap {

namespace {

constexpr const char* kExpectedTensors =
    "expected what torch.save writes of a tensor, a tuple or list of tensors, a dict of tensors, "
    "or "
    "a list of pairs";

constexpr std::string_view kArchive = "PK\x03\x04";  // how a zip archive begins

// The checksums of larger files are not compared, since that reads all of them.
constexpr std::uint64_t kMostChecked = std::uint64_t{4} << 30;

// Marks in the pickles of tensors that LibTorch's unpickler cannot make, and how to save these.
struct Unread {
  std::string_view text;
  const char* what;
};
constexpr std::array<Unread, 9> kUnread = {{
    {"_rebuild_sparse", "it holds a sparse tensor; save x.to_dense()"},
    {"_rebuild_meta_tensor", "it holds a tensor without data, of the device meta"},
    {"_rebuild_nested_tensor", "it holds a nested tensor; save x.to_padded_tensor(0)"},
    {"_rebuild_qtensor", "it holds a quantized tensor; save x.dequantize()"},
    {"_rebuild_wrapper_subclass", "it holds a tensor of a subclass; save a plain torch.Tensor"},
    {"float8_", "it holds a tensor of 8-bit floats; save x.float()"},
    {"float4_", "it holds a tensor of 4-bit floats; save x.float()"},
    {"_rebuild_tensor_v3", "it holds a tensor of wide unsigned integers; save x.to(torch.int64)"},
    {"numpy", "it holds arrays of numpy; save torch.as_tensor(x)"},
}};

// LibTorch's own messages are internal assertions with a trace; the content says more.
std::string found_in(const ZipArchive& archive) {
  if (archive.find("constants.pkl") != nullptr) {
    return "it is a TorchScript model";
  }
  const auto* record = archive.find("data.pkl");
  const auto content = record == nullptr ? "" : archive.read(*record);
  if (content.find("torch.utils.data.dataset\n") != std::string::npos) {
    return "it is a data set of torch.utils.data; save its tensors with Python: "
           "x, y = zip(*dataset); torch.save({'x': torch.stack(x), 'y': torch.as_tensor(y)}, "
           "FILE), "
           "or torch.save(dataset.tensors, FILE) of a TensorDataset";
  }
  const auto* unread = std::find_if(kUnread.begin(), kUnread.end(), [&](const Unread& row) {
    return content.find(row.text) != std::string::npos;
  });
  return unread != kUnread.end()
             ? unread->what
             : "it is damaged, or holds other Python objects; of a state_dict save "
               "dict(state_dict)";
}

c10::IValue unpickled(const std::string& path, const ZipArchive& archive,
                      const std::shared_ptr<MappedFile>& mapped) {
  if (archive.find("constants.pkl") == nullptr) {
    try {
      caffe2::serialize::PyTorchStreamReader reader(path);
      return torch::jit::readArchiveAndTensors(
          "data", "", "", std::nullopt, std::nullopt, torch::kCPU, reader,
          torch::jit::Unpickler::defaultTypeParser, mapped_storages(archive, "data/", mapped));
    } catch (const std::exception&) {
      // below
    }
  }
  throw FileError("'" + path + "' is not a file of tensors: " + kExpectedTensors + ", but " +
                  found_in(archive));
}

std::string problem_of(const c10::IValue& value) {
  if (!value.isTensor()) {
    return "it is a " + value.tagKind() + "; expected a tensor";
  }
  const auto& tensor = value.toTensor();
  if (!tensor.defined() || tensor.layout() != torch::kStrided || tensor.is_meta() ||
      tensor.is_quantized()) {
    return "it is sparse, quantized or without data; save x.to_dense() or x.dequantize()";
  }
  return {};
}

struct Value {
  std::string name;
  c10::IValue value;
};

std::vector<c10::IValue> elements_of(const c10::IValue& value) {
  return value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
}

bool is_row(const c10::IValue& value) {
  return value.isTuple() || value.isList();
}

using ReadTensor = std::function<torch::Tensor(const torch::Tensor&)>;

// Undefined for what is neither a tensor nor a number.
torch::Tensor tensor_of(const c10::IValue& value, const ReadTensor& read) {
  return value.isInt()               ? torch::tensor(value.toInt(), torch::kInt64)
         : value.isBool()            ? torch::tensor(value.toBool(), torch::kBool)
         : value.isDouble()          ? torch::tensor(value.toDouble(), torch::kFloat32)
         : problem_of(value).empty() ? read(value.toTensor())
                                     : torch::Tensor();
}

// A list of examples, each a tuple of tensors and numbers: a tensor for each place in the tuple.
std::vector<Value> stacked(const std::vector<c10::IValue>& rows, const std::string& path,
                           const ReadTensor& read) {
  const auto width = elements_of(rows[0]).size();
  std::vector<std::vector<torch::Tensor>> columns(width);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto where = "example " + std::to_string(i) + " of '" + path + "'";
    const auto values = is_row(rows[i]) ? elements_of(rows[i]) : std::vector<c10::IValue>();
    if (values.size() != width) {
      throw FileError("Expected " + std::to_string(width) + " values in " + where +
                      ", as in example 0");
    }
    for (std::size_t k = 0; k < width; ++k) {
      const auto tensor = tensor_of(values[k], read);
      if (!tensor.defined()) {
        throw FileError("Expected dense tensors and numbers in " + where + ", but found a " +
                        values[k].tagKind());
      }
      if (!columns[k].empty() && (tensor.sizes() != columns[k][0].sizes() ||
                                  tensor.scalar_type() != columns[k][0].scalar_type())) {
        throw FileError("Expected values of one shape and type, but those of " + where +
                        " differ from those of example 0");
      }
      columns[k].push_back(tensor);
    }
  }
  std::vector<Value> values;
  values.reserve(width);
  for (std::size_t k = 0; k < width; ++k) {
    values.push_back({std::to_string(k), torch::stack(columns[k])});
  }
  return values;
}

std::string key_name(const c10::IValue& key, const std::string& path) {
  if (key.isString()) {
    return key.toStringRef();
  }
  if (key.isInt()) {
    return std::to_string(key.toInt());
  }
  throw FileError("Expected a dict from names to tensors in '" + path + "', but a key is a " +
                  key.tagKind());
}

std::vector<Value> values_in(const c10::IValue& content, const std::string& path,
                             const ReadTensor& read) {
  std::vector<Value> values;
  if (content.isTensor()) {
    return {{"0", content}};
  }
  if (content.isGenericDict()) {
    for (const auto& entry : content.toGenericDict()) {
      values.push_back({key_name(entry.key(), path), entry.value()});
    }
    return values;
  }
  if (!content.isTuple() && !content.isList()) {
    throw FileError("'" + path + "' is not a file of tensors: " + kExpectedTensors +
                    ", but it holds a " + content.tagKind());
  }
  const auto elements = elements_of(content);
  if (content.isList() && !elements.empty() && is_row(elements[0])) {
    return stacked(elements, path, read);
  }
  for (const auto& element : elements) {
    values.push_back({std::to_string(values.size()), element});
  }
  return values;
}

struct Content {
  std::shared_ptr<MappedFile> places;  // of the tensors in the file
  std::vector<Value> values;           // whose tensors are to be read
};

Content read_content(const DataSource& source) {
  const ZipArchive archive(source.path);
  check_tensor_file(archive, source.file->size() <= kMostChecked);
  Content content{std::make_shared<MappedFile>(source.path, source.file->size()), {}};
  const auto read = [&](const torch::Tensor& tensor) {
    return read_stored(tensor, *content.places, *source.file, "'" + source.path + "'");
  };
  content.values = values_in(unpickled(source.path, archive, content.places), source.path, read);
  return content;
}

}  // namespace

bool is_tensors_file(const DataSource& source) {
  return source.begin.starts_with(kArchive);
}

// A tensor whose rows lie one after the other in the file is read from there when it is needed.
Columns read_tensors_file(const DataSource& source) {
  const auto content = read_content(source);
  Columns columns;
  for (const auto& [name, value] : content.values) {
    if (auto problem = problem_of(value); !problem.empty()) {
      columns.push_back({name, nullptr, std::move(problem)});
      continue;
    }
    const auto& tensor = value.toTensor();
    if (is_stored_in_rows(tensor, *content.places)) {
      const auto offset = *content.places->offset_of(tensor.const_data_ptr());
      columns.push_back(
          stored_column(name, source.file, {offset, tensor.scalar_type(), tensor.sizes().vec()}));
    } else {
      const auto what = "'" + name + "' in '" + source.path + "'";
      auto read = read_stored(tensor, *content.places, *source.file, what);
      columns.push_back(tensor_column(name, to_native(read, /*is_big_endian=*/false, what)));
    }
  }
  return columns;
}

namespace {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

// Scalars too, which no data set holds.
NamedTensors tensors_of(const DataSource& source) {
  const auto content = read_content(source);
  NamedTensors tensors;
  for (const auto& [name, value] : content.values) {
    if (const auto problem = problem_of(value); !problem.empty()) {
      throw FileError("Expected tensors in '" + source.path + "', but its element '" + name +
                      "' is not one: " + problem);
    }
    const auto tensor = read_stored(value.toTensor(), *content.places, *source.file,
                                    "'" + name + "' in '" + source.path + "'");
    // A model may write to its input, so no two of its elements are one in memory.
    tensors.emplace_back(name, tensor.is_non_overlapping_and_dense() ? tensor : tensor.clone());
  }
  return tensors;
}

}  // namespace

NamedTensors read_tensors(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    const Reading reading(path);
    const auto file = std::make_shared<DataFile>(path);
    const DataSource source{path, file, file->begin(512), {}};
    if (is_tensors_file(source) && !is_npz(source)) {
      return tensors_of(source);
    }
  }
  NamedTensors tensors;
  for (const auto& [name, column, problem, is_field] : read_columns(path, {})) {
    if (!column || !column->kind().empty()) {
      throw FileError("Expected tensors in '" + path + "', but '" + name +
                      "' is not one: " + (column ? "it holds " + column->kind() : problem));
    }
    std::vector<std::int64_t> indices(static_cast<std::size_t>(column->size()));
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
    tensors.emplace_back(name, column->at(indices));
  }
  return tensors;
}

}  // namespace actswap
