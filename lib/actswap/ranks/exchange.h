// Exchanges records between ranks: anything with fields (checkpoint/fields.h).
#pragma once

#include <actswap/checkpoint/fields.h>
#include <actswap/checkpoint/state_file.h>
#include <actswap/ranks/together.h>

#include <string>
#include <vector>

namespace actswap {

namespace exchange_detail {

template <typename T>
std::string to_text(const T& value) {
  State state;
  FieldWriter{state}("value", value);
  return to_bytes(state);
}

template <typename T>
T from_text(const std::string& text) {
  T value{};
  FieldReader{from_bytes(text)}("value", value);
  return value;
}

}  // namespace exchange_detail

/// The record of rank 0.
template <typename T>
T record_of_first(const Together& together, const T& own) {
  return together.is_alone()
             ? own
             : exchange_detail::from_text<T>(together.of_first(exchange_detail::to_text(own)));
}

/// The records of all ranks, by rank.
template <typename T>
std::vector<T> records_of_all(const Together& together, const T& own) {
  if (together.is_alone()) {
    return {own};
  }
  std::vector<T> records;
  for (const auto& text : together.ranks()->texts(exchange_detail::to_text(own))) {
    records.push_back(exchange_detail::from_text<T>(text));
  }
  return records;
}

}  // namespace actswap
