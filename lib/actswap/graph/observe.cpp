#include <actswap/graph/blend.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/observe.h>
#include <actswap/graph/scan.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/library.h>

#include <algorithm>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

thread_local const SiteObserver* current_observer = nullptr;

void observe(const torch::Tensor& value, std::int64_t site, bool after) {
  if (current_observer != nullptr) {
    (after ? current_observer->after : current_observer->before)(static_cast<std::size_t>(site),
                                                                 value);
  }
}

// The first node of the activation: of a hand-written one the first that reads its input.
jit::Node* first_node(const Match& match) {
  jit::Node* first = match.node;
  for (jit::Node* part : match.parts) {
    const auto inputs = part->inputs();
    const bool reads = std::find(inputs.begin(), inputs.end(), match.input) != inputs.end();
    if (reads && part->owningBlock() == match.node->owningBlock() && part->isBefore(first)) {
      first = part;
    }
  }
  return first;
}

void insert_call(const CodeSite& code, const std::string& attribute, jit::Value* value,
                 bool after) {
  auto& graph = *code.match.node->owningGraph();
  const jit::WithInsertPoint guard(after ? code.match.node->next() : first_node(code.match));
  jit::Value* site =
      graph.insertGetAttr(self_in(*jit::toGraphFunction(*code.method).graph(), &graph), attribute);
  jit::Node* call = graph.create(c10::Symbol::fromQualString("actswap::observe"),
                                 {value, site, graph.insertConstant(after)}, 0);
  graph.insertNode(call);
}

}  // namespace

// Said to do anything it likes, so that no pass moves it or takes it away.
TORCH_LIBRARY_FRAGMENT(actswap, library) {
  library.def(torch::schema("observe(Tensor value, int site, bool after) -> ()",
                            c10::AliasAnalysisKind::CONSERVATIVE),
              observe);
}

Observed insert_observers(const jit::Module& given) {
  const auto root = normalise(given);
  // Walked before classes get attributes that their objects do not hold yet.
  const auto modules = distinct_modules(root);
  std::vector<std::string> sites;
  int number = 0;
  for (const auto& code : scan(root)) {
    if (code.sites.empty() || saves_itself(code.type)) {
      continue;
    }
    // Code is shared by the objects of a class; what differs is an attribute of the object.
    const auto attribute = "actswap_site_" + std::to_string(number++);
    code.type->addAttribute(attribute, c10::IntType::get());
    for (const auto& entry : modules) {
      if (entry.module.type() == code.type) {
        entry.module._ivalue()->setAttr(attribute, std::int64_t{-1});
      }
    }
    for (std::size_t i = 0; i < code.sites.size(); ++i) {
      code.modules[i]._ivalue()->setAttr(attribute, static_cast<std::int64_t>(sites.size()));
      sites.push_back(code.sites[i].id);
    }
    insert_call(code, attribute, code.match.input, false);
    insert_call(code, attribute, code.match.node->output(), true);
  }
  return {root, sites};
}

void insert_blend_observers(const jit::Module& root) {
  std::set<c10::ClassTypePtr> done;
  for_each_blend(root, [&](jit::Module& blend) {
    if (!done.insert(blend.type()).second) {
      return;
    }
    auto& graph = *blend.get_method("forward").graph();
    const jit::WithInsertPoint guard(graph.return_node());
    // The number of the site and whether it is what goes in or comes out: the order says both.
    graph.insertNode(graph.create(
        c10::Symbol::fromQualString("actswap::observe"),
        {graph.outputs().at(0), graph.insertConstant(0), graph.insertConstant(true)}, 0));
  });
}

Observing::Observing(const SiteObserver& observer) : before_(current_observer) {
  current_observer = &observer;
}

Observing::~Observing() {
  current_observer = before_;
}

BlendRecorder::BlendRecorder(std::vector<torch::Tensor>& values)
    : observer_{
          .before = [](std::size_t, const torch::Tensor&) {},
          .after = [&values](std::size_t,
                             const torch::Tensor& value) { values.push_back(value.clone()); }},
      observing_(observer_) {}

}  // namespace actswap
