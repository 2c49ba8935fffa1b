// After ScriptModuleDeserializer of torch/csrc/jit/serialization/import.cpp, which reads each
// record into memory of its own unless it is handed the storage.
#include <actswap/base/error.h>
#include <actswap/export/mapped_load.h>

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>
#include <torch/csrc/jit/serialization/storage_context.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace actswap {

namespace jit = torch::jit;

namespace {

class Mapping {
 public:
  explicit Mapping(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status = {};
    if (descriptor >= 0 && ::fstat(descriptor, &status) == 0) {
      size_ = static_cast<std::size_t>(status.st_size);
      address_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    }
    const int error = errno;
    if (descriptor >= 0) {
      ::close(descriptor);
    }
    if (address_ == MAP_FAILED) {
      throw FileError("Cannot read '" + path + "': " + std::strerror(error));
    }
  }
  ~Mapping() { ::munmap(address_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void* at(std::size_t offset) const { return static_cast<char*>(address_) + offset; }

 private:
  void* address_ = MAP_FAILED;
  std::size_t size_ = 0;
};

class Loader {
 public:
  explicit Loader(const std::string& path)
      : file_(std::make_shared<Mapping>(path)),
        reader_(path),
        unit_(std::make_shared<jit::CompilationUnit>()),
        sources_(
            unit_, &constants_, [this](const std::string& name) { return source_of(name); },
            reader_.version()) {}

  jit::Module load() {
    const auto constants = archive("constants").toTuple();
    constants_.assign(constants->elements().begin(), constants->elements().end());
    return jit::Module(archive("data").toObject());
  }

 private:
  // The class __torch__.nets.Net stands in code/__torch__/nets.py.
  std::shared_ptr<jit::Source> source_of(const std::string& qualifier) {
    std::string path = "code/" + qualifier + ".py";
    std::replace(path.begin() + 5, path.end() - 3, '.', '/');
    if (!reader_.hasRecord(path)) {
      return nullptr;
    }
    const auto [data, size] = reader_.getRecord(path);
    return std::make_shared<jit::Source>(std::string(static_cast<const char*>(data.get()), size),
                                         path, 1);
  }

  c10::IValue archive(const std::string& name) {
    const auto resolver = [this](const c10::QualifiedName& type) {
      return c10::StrongTypePtr(unit_, sources_.loadType(type));
    };
    return jit::readArchiveAndTensors(name, "", "", resolver, jit::ObjLoaderFunc, torch::kCPU,
                                      reader_, jit::Unpickler::defaultTypeParser,
                                      storages(name + "/"));
  }

  // The tensors' bytes, uncompressed and aligned as LibTorch writes them: data/0, data/1, ...
  std::shared_ptr<jit::DeserializationStorageContext> storages(const std::string& folder) {
    auto storages = std::make_shared<jit::DeserializationStorageContext>();
    for (const auto& record : reader_.getAllRecords()) {
      const auto size = record.starts_with(folder) ? reader_.getRecordSize(record) : 0;
      if (size > 0) {
        auto data = c10::InefficientStdFunctionContext::makeDataPtr(
            file_->at(reader_.getRecordOffset(record)), [file = file_](void*) {}, torch::kCPU);
        storages->addStorage(
            record.substr(folder.size()),
            c10::Storage(c10::Storage::use_byte_size_t(), size, std::move(data), nullptr, false));
      }
    }
    return storages;
  }

  std::shared_ptr<Mapping> file_;
  caffe2::serialize::PyTorchStreamReader reader_;
  std::shared_ptr<jit::CompilationUnit> unit_;
  std::vector<c10::IValue> constants_;
  jit::SourceImporter sources_;
};

}  // namespace

jit::Module load_mapped(const std::string& path) {
  return Loader(path).load();
}

}  // namespace actswap
