#include <actswap/calibrate/copy_values.h>
#include <actswap/graph/containers.h>

#include <torch/script.h>

#include <unordered_map>
#include <unordered_set>

namespace actswap {

namespace {

class Copier {
 public:
  c10::IValue copy(const c10::IValue& value) {
    if (value.isTensor()) {
      return copy(value.toTensor());
    }
    if (value.isList()) {  // of whatever
      return copied_once(value, [&] {
        const auto list = value.toList();
        auto made = c10::impl::GenericList(list.elementType());
        for (const c10::IValue& element : list) {
          made.push_back(copy(element));
        }
        return c10::IValue(made);
      });
    }
    if (value.isGenericDict()) {
      return copied_once(value, [&] {
        const auto dict = value.toGenericDict();
        auto made = c10::impl::GenericDict(dict.keyType(), dict.valueType());
        for (const auto& entry : dict) {
          made.insert(entry.key(), copy(entry.value()));
        }
        return c10::IValue(made);
      });
    }
    if (value.isTuple()) {
      std::vector<c10::IValue> made;
      for (const auto& element : value.toTupleRef().elements()) {
        made.push_back(copy(element));
      }
      return c10::ivalue::Tuple::create(std::move(made));
    }
    return value;
  }

 private:
  // Two references to a list stay references to one.
  template <typename Make>
  c10::IValue copied_once(const c10::IValue& value, const Make& make) {
    const void* identity = value.internalToPointer();
    const auto known = containers_.find(identity);
    return known != containers_.end() ? known->second
                                      : containers_.emplace(identity, make()).first->second;
  }

  c10::IValue copy(const torch::Tensor& tensor) {
    if (!tensor.defined() || !tensor.has_storage() || tensor.layout() != torch::kStrided) {
      return tensor.defined() ? tensor.clone() : tensor;
    }
    const auto& storage = tensor.storage();
    auto known = storages_.find(storage.unsafeGetStorageImpl());
    if (known == storages_.end()) {
      const auto bytes = torch::empty({0}, torch::kByte).set_(storage);
      known = storages_.emplace(storage.unsafeGetStorageImpl(), bytes.clone().storage()).first;
    }
    auto copy = torch::empty({0}, tensor.options().requires_grad(false));
    copy.set_(known->second, tensor.storage_offset(), tensor.sizes(), tensor.strides());
    return copy;
  }

  std::unordered_map<const c10::StorageImpl*, c10::Storage> storages_;
  std::unordered_map<const void*, c10::IValue> containers_;
};

void add_storages(const c10::IValue& value, std::unordered_set<const c10::StorageImpl*>& known,
                  std::int64_t& bytes) {
  for_each_element(value, [&](const c10::IValue& element) {
    if (element.isFuture()) {  // of torch.jit.fork
      element.toFuture()->wait();
      add_storages(element.toFuture()->value(), known, bytes);
    } else if (element.isTensor() && element.toTensor().defined() &&
               element.toTensor().has_storage()) {
      const auto& storage = element.toTensor().storage();
      if (known.insert(storage.unsafeGetStorageImpl()).second) {
        bytes += static_cast<std::int64_t>(storage.nbytes());
      }
    }
  });
}

}  // namespace

std::vector<c10::IValue> copy_values(const std::vector<c10::IValue>& values) {
  Copier copier;
  std::vector<c10::IValue> copies;
  copies.reserve(values.size());
  for (const auto& value : values) {
    copies.push_back(copier.copy(value));
  }
  return copies;
}

std::int64_t memory_of(const std::vector<c10::IValue>& values) {
  std::unordered_set<const c10::StorageImpl*> known;
  std::int64_t bytes = 0;
  for (const auto& value : values) {
    add_storages(value, known, bytes);
  }
  return bytes;
}

}  // namespace actswap
