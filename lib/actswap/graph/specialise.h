// One class for each decision: module objects must not share code if they will be changed in
// different ways.
#pragma once

#include <torch/script.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace actswap {

/// Labels of module objects; an object that is not among them has the label "".
using ObjectLabels = std::map<const c10::ivalue::Object*, std::string>;

/// A module that computes the same, but in which two objects share a class only if their labels are
/// equal, and those of their submodules. It shares tensors with `root`; its objects are new. If no
/// class has to be split, it is `root` itself.
torch::jit::Module specialise(const torch::jit::Module& root, const ObjectLabels& labels);

/// A class with the same code and attributes, which are of these types. Its name is the given one,
/// mangled where another class has it.
c10::ClassTypePtr clone_class(const std::shared_ptr<torch::jit::CompilationUnit>& unit,
                              const c10::ClassTypePtr& type, const std::vector<c10::TypePtr>& types,
                              const c10::QualifiedName& name);

}  // namespace actswap
