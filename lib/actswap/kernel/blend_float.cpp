// Finds the loops (loops-inl.h) for the rows, and divides memory for them. This file is compiled
// once for each instruction set.
#include <actswap/kernel/blend_float.h>

#include <algorithm>
#include <optional>
#include <vector>

// Highway 1.0's IfNegativeThenElse is wrong for SSSE3, and hardly any processor stops there. SVE's
// vectors cannot stand in structs; its processors have NEON.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "actswap/kernel/blend_float.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <actswap/kernel/convert-inl.h>
#include <actswap/kernel/loops-inl.h>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {
namespace {

// Elements that are done at a time where buffers are needed.
constexpr std::size_t kBlock = 1024;

// Rows by name --------------------------------------------------------------------------------

template <class Visit>
void visit_source(const BlendKernel::Function& function, Visit visit) {
  const float* parameters = function.parameters.data();
  switch (function.row) {
#define ACTSWAP_ROW(name, type) \
  case KernelRow::name:         \
    visit(type(parameters));    \
    break;
    ACTSWAP_KERNEL_SOURCES(ACTSWAP_ROW)
  }
}

template <class Visit>
void visit_target(const BlendKernel::Function& function, Visit visit) {
  const float* parameters = function.parameters.data();
  switch (function.row) {
    ACTSWAP_KERNEL_TARGETS(ACTSWAP_ROW)
#undef ACTSWAP_ROW
    default:
      break;  // BlendKernel::find makes no others
  }
}

void values_of(const BlendKernel::Function& function, const float* x, float* out, std::size_t n) {
  visit_source(function, [&](const auto& row) { values(row, x, out, n); });
}
void derivatives_of(const BlendKernel::Function& function, const float* x, float* out,
                    std::size_t n) {
  visit_source(function, [&](const auto& row) { derivatives(row, x, out, n); });
}

// Without channels, for any number of elements.
void plain_forward(const BlendSpan& span, const float* x, float* out, std::size_t n) {
  if (span.t <= 0.0F || span.t >= 1.0F) {
    return values_of(span.t <= 0.0F ? span.source : span.target, x, out, n);
  }
  visit_source(span.source, [&](const auto& source) {
    visit_target(span.target,
                 [&](const auto& target) { blend_values(source, target, span.t, x, out, n); });
  });
}

void plain_backward(const BlendSpan& span, const float* x, const float* gradient, float* out,
                    std::size_t n) {
  if (span.t <= 0.0F || span.t >= 1.0F) {
    return visit_source(span.t <= 0.0F ? span.source : span.target,
                        [&](const auto& row) { gradients(row, x, gradient, out, n); });
  }
  visit_source(span.source, [&](const auto& source) {
    visit_target(span.target, [&](const auto& target) {
      blend_gradients(source, target, span.t, x, gradient, out, n);
    });
  });
}

// Blocks --------------------------------------------------------------------------------------

// Calls part(start, length, entry) for the parts of a block in which entries lie in a row: a
// channel's run, or the elements up to where the entries begin again.
template <class Part>
void for_parts(const Channels& channels, std::size_t begin, std::size_t n, Part part) {
  const auto run = static_cast<std::size_t>(channels.run());
  const auto entries = static_cast<std::size_t>(channels.entries());
  for (std::size_t done = 0; done < n;) {
    const std::size_t at = begin + done;
    const std::size_t entry = at / run % entries;
    const std::size_t left = run > 1 ? run - at % run : entries - entry;
    const std::size_t length = std::min(n - done, left);
    part(done, length, entry);
    done += length;
  }
}

Pointers operator+(const Pointers& p, std::size_t n) {
  return {p.x + n, p.source + n, p.gradient == nullptr ? nullptr : p.gradient + n, p.out + n};
}

OneChannel one_channel(const BlendSpan& span, std::size_t entry) {
  const Channels& channels = *span.channels;
  return {span.t, channels.shift()[entry], channels.factor()[entry], channels.offset()[entry]};
}
EachElement each_element(const BlendSpan& span, std::size_t entry) {
  const Channels& channels = *span.channels;
  return {span.t, channels.shift() + entry, channels.factor() + entry, channels.offset() + entry};
}

// The sums of each element, in single precision for a while only.
class ElementSums {
 public:
  ElementSums(const Channels& channels, EntrySums& sums)
      : sums_(sums),
        value_(static_cast<std::size_t>(channels.entries() + Channels::kPadding)),
        slope_(value_.size()),
        gradient_(value_.size()) {}

  EachSum at(std::size_t entry) {
    return {value_.data() + entry, slope_.data() + entry, gradient_.data() + entry};
  }
  // To be called after each time round.
  void round_done() {
    if (++rounds_ == kRounds) {
      move();
    }
  }
  void move() {
    rounds_ = 0;
    move(value_, sums_.value);
    move(slope_, sums_.slope);
    move(gradient_, sums_.gradient);
  }

 private:
  static constexpr int kRounds = 64;

  static void move(std::vector<float>& from, std::vector<double>& to) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] += from[i];
      from[i] = 0.0F;
    }
  }

  EntrySums& sums_;
  std::vector<float> value_;
  std::vector<float> slope_;
  std::vector<float> gradient_;
  int rounds_ = 0;
};

// The source's part of a block; 0 where it has none.
template <class First>
void source_block(const BlendSpan& span, const float* x, float* buffer, std::size_t n,
                  First first) {
  if (span.t < 1.0F) {
    first(span.source, x, buffer, n);
  } else {
    std::fill_n(buffer, n, 0.0F);
  }
}

void calibrated_forward(const BlendSpan& span, std::size_t begin, const float* x, float* out,
                        std::size_t n) {
  alignas(64) float buffer[kBlock];
  source_block(span, x, buffer, n, values_of);
  const Pointers all = {x, buffer, nullptr, out};
  visit_target(span.target, [&](const auto& row) {
    for_parts(*span.channels, begin, n,
              [&](std::size_t start, std::size_t length, std::size_t entry) {
                if (span.channels->run() > 1) {
                  calibrated_values(row, one_channel(span, entry), all + start, length);
                } else {
                  calibrated_values(row, each_element(span, entry), all + start, length);
                }
              });
  });
}

// For a part of one channel's run, whose sums go to that channel's entry.
template <class Row>
void run_gradients(const Row& row, const OneChannel& place, const Pointers& pointers,
                   EntrySums& sums, std::size_t entry, std::size_t n) {
  OneSum sum{hn::Zero(Tag()), hn::Zero(Tag()), hn::Zero(Tag())};
  calibrated_gradients(row, place, pointers, sum, n);
  sums.value[entry] += sum_of_lanes(sum.value);
  sums.slope[entry] += sum_of_lanes(sum.slope);
  sums.gradient[entry] += sum_of_lanes(sum.gradient);
}

void calibrated_backward(const BlendSpan& span, std::size_t begin, const float* x,
                         const float* gradient, float* out, EntrySums* sums,
                         ElementSums* element_sums, std::size_t n) {
  alignas(64) float buffer[kBlock];
  source_block(span, x, buffer, n, derivatives_of);
  const Pointers all = {x, buffer, gradient, out};
  visit_target(span.target, [&](const auto& row) {
    NoSums none;
    for_parts(*span.channels, begin, n,
              [&](std::size_t start, std::size_t length, std::size_t entry) {
                const Pointers part = all + start;
                if (span.channels->run() > 1) {
                  const OneChannel place = one_channel(span, entry);
                  if (sums == nullptr) {
                    return calibrated_gradients(row, place, part, none, length);
                  }
                  run_gradients(row, place, part, *sums, entry, length);
                } else {
                  const EachElement place = each_element(span, entry);
                  if (sums == nullptr) {
                    return calibrated_gradients(row, place, part, none, length);
                  }
                  EachSum each = element_sums->at(entry);
                  calibrated_gradients(row, place, part, each, length);
                  element_sums->round_done();
                }
              });
  });
}

// At t = 0 channels have no part in the output, nor gradients.
bool is_plain(const BlendSpan& span) {
  return span.channels == nullptr || span.t <= 0.0F;
}

// Elements of other types are converted a block at a time.
const float* read(Element element, const void* from, std::size_t begin, std::size_t n,
                  float* buffer) {
  if (element == Element::float32) {
    return static_cast<const float*>(from) + begin;
  }
  const auto* bits = static_cast<const std::uint16_t*>(from) + begin;
  if (element == Element::bfloat16) {
    widen<Bfloat16>(bits, buffer, n);
  } else {
    widen<Float16>(bits, buffer, n);
  }
  return buffer;
}

float* place_for(Element element, void* to, std::size_t begin, float* buffer) {
  return element == Element::float32 ? static_cast<float*>(to) + begin : buffer;
}

void write(Element element, const float* buffer, std::size_t begin, std::size_t n, void* to) {
  if (element == Element::bfloat16) {
    narrow<Bfloat16>(buffer, static_cast<std::uint16_t*>(to) + begin, n);
  } else if (element == Element::float16) {
    narrow<Float16>(buffer, static_cast<std::uint16_t*>(to) + begin, n);
  }
}

// Calls work(done, n) for blocks, or once where nothing needs a buffer.
template <class Work>
void for_blocks(const BlendSpan& span, Work work) {
  const bool whole = is_plain(span) && span.element == Element::float32;
  const std::size_t block = whole ? span.size : kBlock;
  for (std::size_t done = 0; done < span.size; done += block) {
    work(done, std::min(block, span.size - done));
  }
}

void forward(const BlendSpan& span, const void* x, void* out) {
  alignas(64) float x_buffer[kBlock];
  alignas(64) float out_buffer[kBlock];
  for_blocks(span, [&](std::size_t done, std::size_t n) {
    const float* from = read(span.element, x, done, n, x_buffer);
    float* to = place_for(span.element, out, done, out_buffer);
    if (is_plain(span)) {
      plain_forward(span, from, to, n);
    } else {
      calibrated_forward(span, span.begin + done, from, to, n);
    }
    write(span.element, to, done, n, out);
  });
}

void backward(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x,
              EntrySums* sums) {
  alignas(64) float x_buffer[kBlock];
  alignas(64) float gradient_buffer[kBlock];
  alignas(64) float out_buffer[kBlock];
  std::optional<ElementSums> element_sums;
  if (sums != nullptr && span.channels->run() == 1) {
    element_sums.emplace(*span.channels, *sums);
  }
  for_blocks(span, [&](std::size_t done, std::size_t n) {
    const float* from = read(span.element, x, done, n, x_buffer);
    const float* gradient = read(span.element, grad_out, done, n, gradient_buffer);
    float* to = place_for(span.element, grad_x, done, out_buffer);
    if (is_plain(span)) {
      plain_backward(span, from, gradient, to, n);
    } else {
      calibrated_backward(span, span.begin + done, from, gradient, to, sums,
                          element_sums ? &*element_sums : nullptr, n);
    }
    write(span.element, to, done, n, grad_x);
  });
  if (element_sums) {
    element_sums->move();
  }
}

const char* instruction_set() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace
}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace actswap {

HWY_EXPORT(forward);
HWY_EXPORT(backward);
HWY_EXPORT(instruction_set);

void forward_float(const BlendSpan& span, const void* x, void* out) {
  HWY_DYNAMIC_DISPATCH(forward)(span, x, out);
}

void backward_float(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x,
                    EntrySums* sums) {
  HWY_DYNAMIC_DISPATCH(backward)(span, x, grad_out, grad_x, sums);
}

const char* kernel_instruction_set() {
  return HWY_DYNAMIC_DISPATCH(instruction_set)();
}

}  // namespace actswap
#endif
