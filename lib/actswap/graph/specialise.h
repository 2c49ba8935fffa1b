// One class for each decision: module objects that are to be changed differently must not share
// code.
#pragma once

#include <torch/script.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace actswap {

/// Labels of module objects; an object that is not among them has the label "".
using ObjectLabels = std::map<const c10::ivalue::Object*, std::string>;

/// A module that computes the same and in which two objects are of one class only if their labels
/// are equal, and those of their submodules. Tensors are shared with `root`, objects are new. Where
/// no class has to be split it is `root` itself.
torch::jit::Module specialise(const torch::jit::Module& root, const ObjectLabels& labels);

/// A class with the same code and attributes, which are of these types. Its name is the given one,
/// mangled where another class has it.
c10::ClassTypePtr clone_class(const std::shared_ptr<torch::jit::CompilationUnit>& unit,
                              const c10::ClassTypePtr& type, const std::vector<c10::TypePtr>& types,
                              const c10::QualifiedName& name);

}  // namespace actswap
