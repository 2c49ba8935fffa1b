#include <actswap/graph/match.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/pattern.h>
#include <actswap/graph/walk.h>

#include <algorithm>
#include <ranges>
#include <unordered_map>
#include <unordered_set>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_within(const jit::Node* inner, const jit::Node* outer) {
  for (const jit::Node* node = inner; node != nullptr; node = node->owningBlock()->owningNode()) {
    if (node == outer) {
      return true;
    }
  }
  return false;
}

// By them or by what is inside of them.
bool is_used_only_by(const jit::Node* node, const std::unordered_set<const jit::Node*>& users) {
  const auto& uses = node->output()->uses();
  return std::all_of(uses.begin(), uses.end(), [&](const jit::Use& use) {
    for (const jit::Node* user = use.user; user != nullptr;
         user = user->owningBlock()->owningNode()) {
      if (users.contains(user)) {
        return true;
      }
    }
    return false;
  });
}

bool is_within(const jit::Node* node, const jit::Block* block) {
  for (; node != nullptr; node = node->owningBlock()->owningNode()) {
    if (node->owningBlock() == block) {
      return true;
    }
  }
  return false;
}

// Consumers come first, so that the whole of a hand-written activation is found before its parts.
void collect(jit::Block* block, std::vector<Match>& matches) {
  std::unordered_set<const jit::Node*> consumed;
  for (jit::Node* node : block->nodes().reverse()) {
    if (consumed.contains(node)) {
      continue;
    }
    auto match = match_activation(node);
    if (!match) {
      const auto blocks = node->blocks();
      for (jit::Block* inner : std::views::reverse(blocks)) {
        collect(inner, matches);
      }
      if (const auto forked = forked_graph(node)) {
        collect(forked->block(), matches);
      }
      continue;  // a branch's own operators belong to it
    }
    consumed.insert(node);
    for (const jit::Node* part : match->parts) {
      if (is_used_only_by(part, consumed)) {
        consumed.insert(part);
      }
    }
    matches.push_back(std::move(*match));
  }
}

}  // namespace

std::optional<Match> match_activation(jit::Node* node) {
  auto match = match_inplace_branch(node);
  if (!match) {
    match = match_pattern(node);
  }
  return match ? match : match_operator(node);
}

std::vector<Match> match_all(jit::Graph& graph) {
  std::vector<Match> matches;
  collect(graph.block(), matches);
  std::reverse(matches.begin(), matches.end());
  return matches;
}

void own_parts(const Match& match) {
  std::unordered_map<jit::Value*, jit::Value*> own;
  const auto own_or_same = [&](jit::Value* value) {
    const auto found = own.find(value);
    return found == own.end() ? value : found->second;
  };
  for (jit::Node* part : std::views::reverse(match.parts)) {  // in program order
    jit::Node* copy = part->owningGraph()->createClone(part, own_or_same);
    copy->insertAfter(part);  // what the part reads may be written to later
    own.emplace(part->output(), copy->output());
  }
  for (const auto& [shared, copy] : own) {
    const auto uses = shared->uses();
    for (const auto& use : uses) {
      if (is_within(use.user, match.node)) {
        use.user->replaceInput(use.offset, copy);
      }
    }
  }
}

void replace_match(const Match& match, jit::Value* output) {
  match.node->output()->replaceAllUsesWith(output);
  const auto uses = match.in_place ? match.input->uses() : jit::use_list{};
  for (const auto& use : uses) {
    if (use.user->isAfter(match.node) && is_within(use.user, match.node->owningBlock())) {
      use.user->replaceInput(use.offset, output);
    }
  }
  match.node->destroy();
  for (jit::Node* part : match.parts) {
    if (!part->hasUses()) {
      part->destroy();
    }
  }
}

}  // namespace actswap
