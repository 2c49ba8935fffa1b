#include <actswap/graph/reload.h>
#include <actswap/graph/walk.h>

#include <functional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace actswap {

namespace jit = torch::jit;

namespace {

using c10::ivalue::Object;
using ObjectPtr = c10::intrusive_ptr<Object>;
using TensorMap = std::function<torch::Tensor(const torch::Tensor&)>;

// One that need not go through a file: anything with a storage.
bool is_plain_tensor(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined() && value.toTensor().has_storage() &&
         value.toTensor().layout() == torch::kStrided && !value.toTensor().is_quantized();
}

// The same objects of the same classes, with empty tensors in their slots.
class Skeleton {
 public:
  ObjectPtr of(const ObjectPtr& object) {
    const auto known = made_.find(object.get());
    if (known != made_.end()) {
      return known->second;
    }
    const auto type = object->type();
    if (saves_itself(type)) {
      return made_.emplace(object.get(), object).first->second;  // its code reads its tensors
    }
    auto made = Object::create(c10::StrongTypePtr(object->compilation_unit(), type),
                               object->slots().size());
    made_.emplace(object.get(), made);
    for (std::size_t i = 0; i < object->slots().size(); ++i) {
      const auto& value = object->getSlot(i);
      if (is_plain_tensor(value)) {
        const auto& tensor = value.toTensor();
        made->setSlot(
            i, torch::empty({0}, tensor.options()).set_requires_grad(tensor.requires_grad()));
      } else {
        made->setSlot(i, value.isModule() ? c10::IValue(of(value.toObject())) : value);
      }
    }
    return made;
  }

 private:
  std::unordered_map<const Object*, ObjectPtr> made_;
};

// Puts the tensors of a model in the place of those that its copy was loaded with, in lists, dicts
// and tuples and in objects of other classes too: a recurrent layer keeps its weights in a list.
class Attach {
 public:
  explicit Attach(TensorMap map) : map_(std::move(map)) {}

  void to(const ObjectPtr& copy, const ObjectPtr& object) {
    const auto type = object->type();
    if (saves_itself(type) || !done_.insert(object.get()).second) {
      return;
    }
    for (std::size_t i = 0; i < object->slots().size(); ++i) {
      const auto& name = type->getAttributeName(i);
      copy->setAttr(name, attached(copy->getAttr(name), object->getSlot(i)));
    }
  }

 private:
  // Lists and dicts stay the same objects, since several attributes may hold one.
  c10::IValue attached(const c10::IValue& copy, const c10::IValue& value) {
    if (is_plain_tensor(value)) {
      return map_(value.toTensor());
    }
    if (value.isObject()) {
      to(copy.toObject(), value.toObject());
    } else if (value.isList()) {
      const auto from = value.toList();
      auto list = copy.toList();
      for (std::size_t i = 0; i < from.size(); ++i) {
        list.set(i, attached(list.get(i), from.get(i)));
      }
    } else if (value.isGenericDict()) {
      auto dict = copy.toGenericDict();
      for (const auto& entry : value.toGenericDict()) {
        if (dict.contains(entry.key())) {  // a tensor as a key is another one in the copy
          dict.insert_or_assign(entry.key(), attached(dict.at(entry.key()), entry.value()));
        }
      }
    } else if (value.isTuple()) {
      const auto tuple = copy.toTuple();
      const auto& from = value.toTupleRef().elements();
      std::vector<c10::IValue> elements;
      for (std::size_t i = 0; i < from.size(); ++i) {
        elements.push_back(attached(tuple->elements()[i], from[i]));
      }
      tuple->setElements(std::move(elements));
    }
    return copy;
  }

  TensorMap map_;
  std::unordered_set<const Object*> done_;
};

class Copies {
 public:
  torch::Tensor of(const torch::Tensor& tensor) {
    auto& copy = tensors_[tensor.unsafeGetTensorImpl()];
    if (!copy.defined()) {
      copy =
          torch::empty({0}, tensor.options())
              .set_(storage_of(tensor), tensor.storage_offset(), tensor.sizes(), tensor.strides())
              .set_requires_grad(tensor.requires_grad());
    }
    return copy;
  }

 private:
  c10::Storage storage_of(const torch::Tensor& tensor) {
    const auto* storage = tensor.storage().unsafeGetStorageImpl();
    const auto known = storages_.find(storage);
    if (known != storages_.end()) {
      return known->second;
    }
    const auto bytes = static_cast<std::int64_t>(storage->nbytes());
    const auto options = torch::TensorOptions().dtype(torch::kUInt8).device(tensor.device());
    const auto whole = torch::empty({0}, options).set_(tensor.storage(), 0, {bytes}, {1}).clone();
    return storages_.emplace(storage, whole.storage()).first->second;
  }

  std::unordered_map<const c10::TensorImpl*, torch::Tensor> tensors_;
  std::unordered_map<const c10::StorageImpl*, c10::Storage> storages_;
};

jit::Module compile_again(const jit::Module& module, const TensorMap& map) {
  std::stringstream stream;
  jit::Module(Skeleton().of(module._ivalue())).save(stream);
  auto copy = jit::load(stream, torch::kCPU);
  Attach(map).to(copy._ivalue(), module._ivalue());
  return copy;
}

}  // namespace

jit::Module recompile(const jit::Module& module) {
  return compile_again(module, [](const torch::Tensor& tensor) { return tensor; });
}

jit::Module reload(const jit::Module& module) {
  const torch::NoGradGuard no_grad;
  Copies copies;
  return compile_again(module,
                       [&](const torch::Tensor& tensor) { return copies.of(tensor.cpu()); });
}

}  // namespace actswap
