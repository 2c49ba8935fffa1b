#include <actswap/graph/memory.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

void add(Holding& to, const Holding& more) {
  for (const auto& held : more) {
    const auto at = std::lower_bound(to.begin(), to.end(), held);
    if (at == to.end() || *at != held) {
      to.insert(at, held);
    }
  }
}

Location Memory::allocate(Kind kind) {
  const auto location = static_cast<Location>(places_.size());
  places_.push_back({.whole = location, .kind = kind});
  return location;
}

Location Memory::part_of(Location whole, Time cut, std::size_t index) {
  const auto location = static_cast<Location>(places_.size());
  places_.push_back({.whole = whole, .cut = cut, .index = index});
  return location;
}

Location Memory::root_of(Location location) const {
  while (places_[location].whole != location) {
    location = places_[location].whole;
  }
  return location;
}

// The whole comes first.
std::vector<Location> Memory::path_to(Location location) const {
  std::vector<Location> path = {location};
  while (places_[location].whole != location) {
    location = places_[location].whole;
    path.push_back(location);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

bool Memory::overlap(Location a, Location b) const {
  const auto first = path_to(a);
  const auto second = path_to(b);
  if (first[0] != second[0]) {
    return false;
  }
  for (std::size_t i = 1; i < std::min(first.size(), second.size()); ++i) {
    const auto& one = places_[first[i]];
    const auto& other = places_[second[i]];
    if (one.cut != other.cut) {
      return true;
    }
    if (one.index != other.index) {
      return false;
    }
  }
  return true;
}

void Memory::put(const Holding& containers, const Holding& contents) {
  for (const auto& container : containers) {
    add(places_[container.location].contents, contents);
  }
}

Holding Memory::reachable(const Holding& holding) const {
  Holding found = holding;
  Holding last = holding;
  while (!last.empty()) {
    Holding next;
    for (const auto& held : last) {
      for (const auto& content : places_[held.location].contents) {
        if (!std::binary_search(found.begin(), found.end(), content)) {
          add(next, {content});
        }
      }
    }
    add(found, next);
    last = std::move(next);
  }
  return found;
}

Holding Memory::tensors(const Holding& holding) const {
  Holding found = holding;
  std::erase_if(found,
                [&](const Held& held) { return places_[held.location].kind == Kind::container; });
  return found;
}

void Memory::read(const Holding& holding, Time time, const jit::Node* node) {
  for (const auto& held : reachable(holding)) {
    places_[root_of(held.location)].reads.push_back({held, time, node});
    ++accesses_;
  }
}

void Memory::write(const Holding& holding, Time time, const jit::Node* node) {
  for (const auto& held : reachable(holding)) {
    places_[root_of(held.location)].writes.push_back({held, time, node});
    ++accesses_;
  }
}

const std::vector<Memory::Access>& Memory::reads(Location location) const {
  return places_[root_of(location)].reads;
}

const std::vector<Memory::Access>& Memory::writes(Location location) const {
  return places_[root_of(location)].writes;
}

}  // namespace actswap
