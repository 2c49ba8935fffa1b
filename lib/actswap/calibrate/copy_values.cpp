#include <actswap/calibrate/copy_values.h>
#include <actswap/graph/containers.h>

#include <torch/script.h>

#include <unordered_map>
#include <unordered_set>

namespace actswap {

namespace {

// Tensors that share memory have copies that share it.
class TensorCopies {
 public:
  torch::Tensor of(const torch::Tensor& tensor) {
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

 private:
  std::unordered_map<const c10::StorageImpl*, c10::Storage> storages_;
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
  TensorCopies tensors;
  ContainerCopies copier([&](const c10::IValue& value) {
    return value.isTensor() ? c10::IValue(tensors.of(value.toTensor())) : value;
  });
  std::vector<c10::IValue> copies;
  copies.reserve(values.size());
  for (const auto& value : values) {
    copies.push_back(copier.of(value));
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
