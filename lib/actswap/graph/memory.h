// Which memory the values of a program may occupy, and when the program reads and writes it.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

namespace actswap {

/// Counts the nodes that have run.
using Time = std::uint32_t;
constexpr Time kForever = std::numeric_limits<Time>::max();

/// A piece of memory, or a part of one.
using Location = std::uint32_t;

/// Says that a value may be, or may contain, the memory at a location.
struct Held {
  Location location;
  /// When the value, or the value that it was taken from, got this memory. The replacement of an
  /// in-place activation has new memory, so its output is held only since then.
  Time since;
  /// The nodes that ran in this time ran instead: the other branch, or a loop without a round.
  Time absent_from = kForever;
  Time absent_to = 0;

  auto operator<=>(const Held&) const = default;
};
/// Sorted.
using Holding = std::vector<Held>;

void add(Holding& to, const Holding& more);

class Memory {
 public:
  struct Access {
    Held what;  ///< since when the reader or writer holds it
    Time time;
    const torch::jit::Node* node;
  };

  enum class Kind {
    value,
    container,  ///< a list, dict or object, whose contents are known
    kept,       ///< the model keeps it from one run to the next: a parameter, a constant
  };
  Location allocate(Kind kind);
  /// One of the parts that a tensor is cut into; those of one cut do not overlap.
  Location part_of(Location whole, Time cut, std::size_t index);

  bool is_kept(Location location) const { return places_[root_of(location)].kind == Kind::kept; }
  bool overlap(Location a, Location b) const;

  /// A list, dict or object at a location may hold this from now on.
  void put(const Holding& containers, const Holding& contents);
  /// The value itself and all that it holds.
  Holding reachable(const Holding& holding) const;
  /// The same without the containers.
  Holding tensors(const Holding& holding) const;

  void read(const Holding& holding, Time time, const torch::jit::Node* node);
  void write(const Holding& holding, Time time, const torch::jit::Node* node);
  /// All of the memory that the location is a part of, in the order of time.
  const std::vector<Access>& reads(Location location) const;
  const std::vector<Access>& writes(Location location) const;
  /// How many are noted.
  std::size_t accesses() const { return accesses_; }

 private:
  struct Place {
    Location whole;  // itself, if it is no part
    Time cut = 0;
    std::size_t index = 0;
    Kind kind = Kind::value;
    Holding contents = {};
    std::vector<Access> reads = {};
    std::vector<Access> writes = {};
  };
  Location root_of(Location location) const;
  std::vector<Location> path_to(Location location) const;

  std::vector<Place> places_;
  std::size_t accesses_ = 0;
};

}  // namespace actswap
