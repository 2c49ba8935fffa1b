// Keeps the results of a long search's parts, for a run that is resumed in its middle.
#pragma once

#include <actswap/checkpoint/fields.h>
#include <actswap/pipeline/run_checkpoints.h>
#include <actswap/ranks/exchange.h>

#include <functional>
#include <string>

namespace actswap {

/// The noted result of the part, or else that of `compute` (on rank 0), which it notes.
/// @param part "SEARCH/PART"
template <typename T>
T noted(RunCheckpoints& checkpoints, const std::string& part, const std::function<T()>& compute) {
  T value{};
  if (const auto known = checkpoints.finished(part)) {
    FieldReader{*known}("value", value);
    return value;
  }
  value = record_of_first(checkpoints.together(), compute());
  State state;
  FieldWriter{state}("value", value);
  checkpoints.note(part, state);
  return value;
}

}  // namespace actswap
