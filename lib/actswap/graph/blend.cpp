#include <actswap/graph/blend.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr char kClassName[] = "__torch__.actswap.Blend";

constexpr char kSetBlend[] =
    "def set_blend(self, t: float) -> None:\n"
    "    self.t = min(max(t, 0.0), 1.0)\n";

// The ends take the single function, so that they are exact and cost what it costs.
std::string forward_source(const ActivationSpec& source, const ActivationSpec& target) {
  const auto from = source.torchscript();
  const auto to = target.torchscript();
  return "def forward(self, x: Tensor) -> Tensor:\n"
         "    t = self.t\n"
         "    if t <= 0.0:\n"
         "        y = " +
         from +
         "\n"
         "    elif t >= 1.0:\n"
         "        y = " +
         to +
         "\n"
         "    else:\n"
         "        y = torch.lerp(" +
         from + ", " + to +
         ", t)\n"
         "    return y\n";
}

}  // namespace

BlendFactory::BlendFactory(std::shared_ptr<jit::CompilationUnit> unit) : unit_(std::move(unit)) {}

jit::Module BlendFactory::make(const ActivationSpec& source, const ActivationSpec& target) {
  const auto from = source.to_string();
  const auto to = target.to_string();
  const auto known = classes_.find({from, to});
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
  set("training", c10::BoolType::get(), true);
  set("t", c10::FloatType::get(), 0.0);
  set("source", c10::StringType::get(), from);
  set("target", c10::StringType::get(), to);
  if (is_new) {
    blend.define(forward_source(source, target));
    blend.define(kSetBlend);
    classes_.emplace(std::make_pair(from, to), blend.type());
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

ActivationSpec blend_target(const jit::Module& blend) {
  return resolve(blend.attr("target").toStringRef());
}

}  // namespace actswap
