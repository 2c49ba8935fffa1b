// After ScriptModuleDeserializer of torch/csrc/jit/serialization/import.cpp, which reads each
// record into memory of its own unless it is handed the storage.
#include <actswap/archive/zip.h>
#include <actswap/data/mapped_storages.h>
#include <actswap/export/mapped_load.h>

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

namespace {

class Loader {
 public:
  explicit Loader(const std::string& path)
      : file_(std::make_shared<MappedFile>(path)),
        archive_(path),
        reader_(path),
        unit_(std::make_shared<jit::CompilationUnit>()),
        sources_(
            unit_, &constants_, [this](const std::string& name) { return source_of(name); },
            reader_.version()) {}

  jit::Module load() {
    const auto constants = values_of("constants").toTuple();
    constants_.assign(constants->elements().begin(), constants->elements().end());
    return jit::Module(values_of("data").toObject());
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

  c10::IValue values_of(const std::string& name) {
    const auto resolver = [this](const c10::QualifiedName& type) {
      return c10::StrongTypePtr(unit_, sources_.loadType(type));
    };
    return jit::readArchiveAndTensors(name, "", "", resolver, jit::ObjLoaderFunc, torch::kCPU,
                                      reader_, jit::Unpickler::defaultTypeParser,
                                      mapped_storages(archive_, name + "/", file_));
  }

  std::shared_ptr<MappedFile> file_;
  ZipArchive archive_;
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
