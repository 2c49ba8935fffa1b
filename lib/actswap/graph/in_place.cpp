#include <actswap/graph/in_place.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_part(const jit::Node* node, const Match& match) {
  return node == match.node ||
         std::find(match.parts.begin(), match.parts.end(), node) != match.parts.end();
}

bool is_elsewhere(const Application& application, Time time) {
  return std::any_of(application.elsewhere.begin(), application.elsewhere.end(),
                     [&](const auto& span) { return span.first <= time && time <= span.second; });
}

std::string reason(const Memory::Access& read, const Match& match) {
  const jit::Node* node = read.node;
  if (node == match.node) {
    return "it writes in place to the same memory each time that it runs";
  }
  if (node->kind() == c10::prim::SetAttr) {
    return "it writes in place to memory that the model keeps in its attribute '" +
           node->s(c10::attr::name) + "'";
  }
  if (node->kind() == c10::prim::Return) {
    return "it writes in place to memory that the model returns under another name";
  }
  return "it writes in place to memory that '" + std::string(node->kind().toUnqualString()) +
         "' reads afterwards under another name";
}

bool is_held(const Held& held, Time at) {
  return held.since < at && (at < held.absent_from || at > held.absent_to);
}

// A replacement writes elsewhere: values that held the memory before would keep the old contents.
std::string seen_by(const Application& application, const Application::Write& write,
                    const Memory& memory) {
  for (const auto& written : write.memory) {
    if (memory.is_kept(written.location)) {
      return "it writes in place to a tensor that the model keeps";
    }
    for (const auto& read : memory.reads(written.location)) {
      const bool is_own = read.time <= application.end && is_part(read.node, *application.match);
      if (read.time > write.time && is_held(read.what, write.time) && !is_own &&
          memory.overlap(read.what.location, written.location) &&
          !is_elsewhere(application, read.time)) {
        return reason(read, *application.match);
      }
    }
  }
  return "";
}

// The parts of a hand-written activation ran one after another; its replacement runs at the end.
bool input_changes(const Application& application, const Memory& memory) {
  return std::any_of(application.input.begin(), application.input.end(), [&](const Held& input) {
    const auto& writes = memory.writes(input.location);
    return std::any_of(writes.begin(), writes.end(), [&](const Memory::Access& write) {
      return write.time > application.begin && write.time < application.end &&
             memory.overlap(write.what.location, input.location) &&
             !is_part(write.node, *application.match);
    });
  });
}

std::string obstacle(const Application& application, const Memory& memory) {
  for (const auto& write : application.writes) {
    auto seen = seen_by(application, write, memory);
    if (!seen.empty()) {
      return seen;
    }
  }
  return input_changes(application, memory)
             ? "its input is written to in place before its last operator runs"
             : "";
}

bool is_written(const Application& application, const Memory& memory) {
  return std::any_of(application.output.begin(), application.output.end(), [&](const Held& output) {
    const auto& writes = memory.writes(output.location);
    return std::any_of(writes.begin(), writes.end(), [&](const Memory::Access& write) {
      return write.time > application.end && write.node != application.match->node &&
             memory.overlap(write.what.location, output.location);
    });
  });
}

}  // namespace

MemoryUses memory_uses(const Tracer& tracer) {
  MemoryUses uses;
  for (const auto& application : tracer.applications()) {
    auto& use = uses[{application.match, application.self}];
    if (use.obstacle.empty()) {
      use.obstacle = obstacle(application, tracer.memory());
    }
    use.output_is_written = use.output_is_written || is_written(application, tracer.memory());
  }
  return uses;
}

MemoryUse unknown_memory_use(const Match& match) {
  const bool may_write = match.in_place || match.form == SiteForm::pattern;
  return {
      may_write ? "the model's loops and calls are too many to tell what it writes in place" : "",
      true};
}

bool is_read_elsewhere(const jit::Node* user, const jit::Value* value) {
  const auto& uses = value->uses();
  return std::any_of(uses.begin(), uses.end(), [&](const jit::Use& use) {
    for (const jit::Node* node = use.user; node != nullptr;
         node = node->owningBlock()->owningNode()) {
      if (node == user) {
        return false;
      }
    }
    return true;
  });
}

}  // namespace actswap
