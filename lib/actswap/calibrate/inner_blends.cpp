#include <actswap/calibrate/inner_blends.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/walk.h>

#include <set>

namespace actswap {

namespace jit = torch::jit;

void move_inner_blends(const jit::Module& blended, Program& program,
                       const Neighbourhood& neighbours, std::vector<std::string>& left_out) {
  std::set<std::string> outer;
  for (const auto& site : neighbours.sites) {
    outer.insert(site.path);
  }
  std::set<std::string> inner;
  for_each_node(program.graph().block(), [&](const jit::Node* node) {
    if (is_blend_call(node)) {
      inner.insert(attribute_path(node->input(0)));
    }
  });
  for (const auto& entry : distinct_modules(blended)) {
    if (is_blend(entry.module.type()) && !outer.contains(entry.path)) {
      jit::Module(entry.module).setattr("t", 1.0);
      left_out.push_back(entry.path +
                         (inner.contains(entry.path) || !program.is_for_these_inputs()
                              ? ": a blend that does not run in every pass"
                              : ": a blend in a branch that these inputs do not take; layers that "
                                "both branches share are fitted in the other, so this one gives "
                                "something else than before"));
    }
  }
}

}  // namespace actswap
