#include <actswap/base/files.h>
#include <actswap/report/event_file.h>
#include <actswap/report/page/fields.h>
#include <actswap/report/page/steps.h>
#include <actswap/report/run_curves.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>

namespace actswap {

namespace {

using page::field;
using page::Json;
using page::list;
using page::number;
using page::text;

std::uint32_t masked_crc(std::string_view bytes) {
  constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78;
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    }
  }
  return std::rotr(~crc, 15) + 0xa282ead8;
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  return text;
}

std::string record(const std::string& data) {
  const auto length = little_endian(data.size(), 8);
  return length + little_endian(masked_crc(length), 4) + data + little_endian(masked_crc(data), 4);
}

// Protocol buffers: fields of a message, each with its number and its kind.
std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) {
    text += static_cast<char>(0x80 | (value & 0x7f));
  }
  return text + static_cast<char>(value);
}
std::string bytes_field(int id, std::string_view value) {
  return varint(static_cast<std::uint64_t>(id) << 3 | 2) + varint(value.size()) +
         std::string(value);
}
std::string integer_field(int id, std::int64_t value) {
  return varint(static_cast<std::uint64_t>(id) << 3) + varint(static_cast<std::uint64_t>(value));
}
std::string double_field(int id, double value) {
  return varint(static_cast<std::uint64_t>(id) << 3 | 1) +
         little_endian(std::bit_cast<std::uint64_t>(value), 8);
}
std::string float_field(int id, float value) {
  return varint(static_cast<std::uint64_t>(id) << 3 | 5) +
         little_endian(std::bit_cast<std::uint32_t>(value), 4);
}

// tensorflow.Event: wall_time = 1, step = 2, file_version = 3, summary = 5.
std::string event(double time, double step, const std::string& rest) {
  const auto whole = static_cast<std::int64_t>(std::clamp(step, 0.0, 1e15));
  return record(double_field(1, time) + integer_field(2, whole) + rest);
}

// tensorflow.Summary: value = 1. Summary.Value: tag = 1, simple_value = 2, metadata = 9.
std::string scalar(const std::string& tag, double step, double value, double time) {
  return event(time, step,
               bytes_field(5, bytes_field(1, bytes_field(1, tag) +
                                                 float_field(2, static_cast<float>(value)))));
}

// SummaryMetadata: plugin_data = 1. PluginData: plugin_name = 1, content = 2.
std::string of_hparams(const std::string& tag, const std::string& content) {
  const auto metadata = bytes_field(1, bytes_field(1, "hparams") + bytes_field(2, content));
  return event(0.0, 0.0,
               bytes_field(5, bytes_field(1, bytes_field(1, tag) + bytes_field(9, metadata))));
}

// google.protobuf.Value: number_value = 2, string_value = 3, bool_value = 4. Empty for what is
// neither.
std::string option_value(const Json& value) {
  if (value.is_boolean()) {
    return integer_field(4, value.get<bool>() ? 1 : 0);
  }
  if (const auto found = number(value)) {
    return double_field(2, *found);
  }
  return value.is_string() ? bytes_field(3, value.get<std::string>()) : "";
}

// hparams.HParamsPluginData: session_start_info = 3, session_end_info = 4. SessionStartInfo:
// hparams = 1, a map, which is a repeated message of key = 1, value = 2. SessionEndInfo: status = 1
// (STATUS_SUCCESS = 1).
std::string hparams(const RecordedRun& run) {
  std::string options;
  const auto add = [&](const std::string& name, const Json& value) {
    if (const auto encoded = option_value(value); !encoded.empty()) {
      options += bytes_field(1, bytes_field(1, name) + bytes_field(2, encoded));
    }
  };
  add("recipe", field(run.record, {"recipe"}));
  add("sites_swapped", field(run.record, {"sites_swapped"}));
  for (const auto* const part : {"training", "options"}) {
    const auto& object = field(run.record, {part});
    for (auto at = object.begin(); object.is_object() && at != object.end(); ++at) {
      add(at.key(), at.value());
    }
  }
  return of_hparams("_hparams_/session_start_info", bytes_field(3, options)) +
         of_hparams("_hparams_/session_end_info", bytes_field(4, integer_field(1, 1)));
}

// A value before and after, as steps 0 and 1.
std::string before_and_after(const std::string& tag, const std::optional<double>& before,
                             const std::optional<double>& after, double time) {
  return (before ? scalar(tag, 0.0, *before, time) : "") +
         (after ? scalar(tag, 1.0, *after, time) : "");
}

// Of figures that have no time of their own.
double last_time(const std::vector<RunCurve>& curves) {
  double last = 0.0;
  for (const auto& curve : curves) {
    last = std::max(last, curve.points.back().time);
  }
  return last;
}

}  // namespace

std::string event_file(const RecordedRun& run) {
  // TensorBoard reads no other version.
  auto file = record(double_field(1, 0.0) + bytes_field(3, "brain.Event:2")) + hparams(run);
  const auto curves = curves_of(run);
  const double time = last_time(curves);
  for (const auto& curve : curves) {
    for (const auto& point : curve.points) {
      file += scalar(curve.phase + "/" + curve.quantity, point.step, point.value, point.time);
    }
  }
  for (const auto& step : page::measured_steps(run.record)) {
    file += scalar("metric/" + step.name, 0.0, step.value, time);
  }
  for (const auto& layer : list(run.record, {"calibration", "layers"})) {
    file += before_and_after("layer_error/" + text(layer, {"name"}),
                             number(layer, {"error_before"}), number(layer, {"error_after"}), time);
  }
  for (const auto& site : list(run.record, {"sites"})) {
    file += before_and_after("site_error/" + text(site, {"id"}), number(site, {"error", "swap"}),
                             number(site, {"error", "exported"}), time);
  }
  return file;
}

void write_event_file(const RecordedRun& run) {
  write_text_atomically(run.folder + "/" + kEventFile, event_file(run));
}

}  // namespace actswap
