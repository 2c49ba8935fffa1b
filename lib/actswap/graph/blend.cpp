#include <actswap/graph/blend.h>
#include <actswap/kernel/blend_kernel.h>

#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr char kClassName[] = "__torch__.actswap.Blend";

// The attribute of blends that return a copy. If the gradient needs the output, as ReLU's does,
// and somebody writes to that, the blend must not return the output itself.
constexpr char kCopies[] = "copies";

// The attribute of blends whose activation wrote over its input.
constexpr char kInPlace[] = "in_place";

constexpr char kSetBlendSource[] =
    "def set_blend(self, t: float) -> None:\n"
    "    self.t = min(max(t, 0.0), 1.0)\n";

// Makes "actswap" in source text the operators of this library.
struct WithOperators : jit::Resolver {
  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string& name,
                                                  jit::GraphFunction& method,
                                                  const jit::SourceRange& at) override {
    return name == "actswap" ? std::make_shared<jit::BuiltinModule>("actswap")
                             : jit::nativeResolver()->resolveValue(name, method, at);
  }
};

// In eval mode the ends are ATen's single functions, so that they are exact. In train mode they are
// exact up to rounding: ATen's mish takes several times as long as the kernel, and a target of
// several operators keeps a tensor for each. A target of one operator stays ATen's even there: its
// relu keeps its output, which the next layer keeps anyway; the blend would keep its input.
std::string fused_source(const ActivationSpec& source, const ActivationSpec& target) {
  const bool is_one_operator = !target.activation->spellings.empty();
  return "def forward(self, x: Tensor) -> Tensor:\n"
         "    t = self.t\n"
         "    if t >= 1.0" +
         std::string(is_one_operator ? "" : " and not self.training") +
         ":\n"
         "        y = " +
         target.inference_torchscript() +
         "\n"
         "    elif t <= 0.0 and not self.training:\n"
         "        y = " +
         source.torchscript() +
         "\n"
         "    else:\n"
         "        y = actswap.blend(x, t, \"" +
         source.to_string() + "\", \"" + target.to_string() + "\")\n";
}

// The ends call the single function, so that they are exact and cost no more.
std::string stock_source(const ActivationSpec& source, const ActivationSpec& target) {
  const auto from = source.torchscript();
  const auto to = target.torchscript();
  const auto inference = target.inference_torchscript();
  const std::string end = inference == to ? ""
                                          : "    elif t >= 1.0 and not self.training:\n"
                                            "        y = " +
                                                inference + "\n";
  return "def forward(self, x: Tensor) -> Tensor:\n"
         "    t = self.t\n"
         "    if t <= 0.0:\n"
         "        y = " +
         from + "\n" + end +
         "    elif t >= 1.0:\n"
         "        y = " +
         to +
         "\n"
         "    else:\n"
         "        y = torch.lerp(" +
         from + ", " + to + ", t)\n";
}

void define_forward(jit::Module& blend, const ActivationSpec& source, const ActivationSpec& target,
                    BlendCode code) {
  const std::string end = blend.hasattr(kCopies) ? "    return y.clone()\n" : "    return y\n";
  if (code == BlendCode::fused && BlendKernel::find(source, target)) {
    blend.define(fused_source(source, target) + end, std::make_shared<WithOperators>());
  } else {
    blend.define(stock_source(source, target) + end);
  }
}

}  // namespace

BlendFactory::BlendFactory(std::shared_ptr<jit::CompilationUnit> unit, BlendCode code)
    : unit_(std::move(unit)), code_(code) {}

jit::Module BlendFactory::make(const ActivationSpec& source, const ActivationSpec& target,
                               bool training, BlendMemory memory) {
  const auto from = source.to_string();
  const auto to = target.to_string();
  const auto known = classes_.find({from, to, memory});
  const bool is_new = known == classes_.end();
  jit::Module blend = is_new ? jit::Module(c10::QualifiedName(kClassName), unit_, true)
                             : jit::Module(unit_, known->second);
  const auto set = [&](const char* name, const c10::TypePtr& type, const c10::IValue& value) {
    if (is_new) {
      blend.register_attribute(name, type, value);
    } else {
      blend.setattr(name, value);
    }
  };
  set("training", c10::BoolType::get(), training);
  set("t", c10::FloatType::get(), 0.0);
  set("source", c10::StringType::get(), from);
  set("target", c10::StringType::get(), to);
  if (memory.copies) {
    set(kCopies, c10::BoolType::get(), true);
  }
  if (memory.in_place) {
    set(kInPlace, c10::BoolType::get(), true);
  }
  if (is_new) {
    define_forward(blend, source, target, code_);
    blend.define(kSetBlendSource);
    classes_.emplace(std::tuple(from, to, memory), blend.type());
  }
  return blend;
}

bool is_blend(const c10::ClassTypePtr& type) {
  // Loading puts a mangling part into the name: __torch__.actswap.___torch_mangle_3.Blend.
  const auto& name = type->name();
  return name && name->name() == "Blend" &&
         name->qualifiedName().starts_with("__torch__.actswap.") && type->hasAttribute("t") &&
         type->hasAttribute("target");
}

void for_each_blend(const jit::Module& root, const std::function<void(jit::Module&)>& visit) {
  for (jit::Module module : root.modules()) {
    if (is_blend(module.type())) {
      visit(module);
    }
  }
}

void set_code(const jit::Module& root, BlendCode code) {
  std::set<c10::ClassTypePtr> done;
  for_each_blend(root, [&](jit::Module& blend) {
    if (!done.insert(blend.type()).second) {
      return;
    }
    const auto name = blend.get_method("forward").function().qualname();
    blend.type()->unsafeRemoveMethod("forward");
    blend._ivalue()->compilation_unit()->unsafeRemoveMethod(name);
    define_forward(blend, resolve(blend.attr("source").toStringRef()), blend_target(blend), code);
  });
}

bool has_own_set_blend(const jit::Module& root) {
  static const std::string kName = "set_blend";
  return root.find_method(kName) || root.hasattr(kName) || root.type()->findConstant(kName);
}

ActivationSpec blend_target(const jit::Module& blend) {
  return resolve(blend.attr("target").toStringRef());
}

bool was_in_place(const jit::Module& blend) {
  return blend.hasattr(kInPlace);
}

}  // namespace actswap
