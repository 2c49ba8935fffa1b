// Blocks that stay in the first cache go through two loops: the source's values or derivatives into
// a buffer, then target and blend. That is as fast as one loop for each pair of rows, and a
// fourteenth of the code. This file is compiled once for each instruction set.
#include <actswap/kernel/blend_float.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <type_traits>
#include <vector>

// Highway 1.0's IfNegativeThenElse is wrong for SSSE3, and hardly any processor stops there.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS HWY_SSSE3
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "actswap/kernel/blend_float.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <actswap/kernel/convert-inl.h>
#include <actswap/kernel/sources-inl.h>
#include <actswap/kernel/targets-inl.h>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {
namespace {

constexpr std::size_t kBlock = 1024;

struct Pointers {
  const float* x;
  const float* source;    // the first loop's results
  const float* gradient;  // of the output; null in the forward pass
  float* out;
};

// Calls loop(p, offset, n) for the n elements that make up whole vectors and, where some are left
// over, for one more vector of copies, which ends in zeros. `offset` is where p points to.
template <class Loop>
HWY_INLINE void for_whole_vectors(const Pointers& p, std::size_t n, Loop loop) {
  constexpr std::size_t kMost = hn::MaxLanes(Tag());
  const std::size_t lanes = hn::Lanes(Tag());
  const std::size_t whole = n - n % lanes;
  const std::size_t rest = n - whole;
  float x[kMost];
  float source[kMost];
  float gradient[kMost];
  float out[kMost];
  const auto copy = [&](float* to, const float* from) {
    std::fill_n(std::copy_n(from + whole, rest, to), kMost - rest, 0.0F);
  };
  // One call in the source: the loop is there once, not twice.
  Pointers now = p;
  std::size_t offset = 0;
  std::size_t count = whole;
  for (int pass = whole > 0 ? 0 : 1; pass < (rest > 0 ? 2 : 1); ++pass) {
    if (pass == 1) {
      copy(x, p.x);
      if (p.source != nullptr) {
        copy(source, p.source);
      }
      if (p.gradient != nullptr) {
        copy(gradient, p.gradient);
      }
      now = {x, source, gradient, out};
      offset = whole;
      count = lanes;
    }
    loop(now, offset, count);
  }
  if (rest > 0 && p.out != nullptr) {
    std::copy_n(out, rest, p.out + whole);
  }
}

// The first loops -----------------------------------------------------------------------------

template <class Row>
HWY_NOINLINE void values(const Row& given, const float* x, float* out, std::size_t n) {
  const Row row = given;
  for_whole_vectors({x, nullptr, nullptr, out}, n,
                    [&](const Pointers& p, std::size_t, std::size_t count) HWY_ATTR {
                      for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
                        hn::StoreU(row.value(hn::LoadU(Tag(), p.x + i)), Tag(), p.out + i);
                      }
                    });
}

template <class Row>
HWY_NOINLINE void derivatives(const Row& given, const float* x, float* out, std::size_t n) {
  const Row row = given;
  for_whole_vectors({x, nullptr, nullptr, out}, n,
                    [&](const Pointers& p, std::size_t, std::size_t count) HWY_ATTR {
                      for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
                        hn::StoreU(row.derivative(hn::LoadU(Tag(), p.x + i)), Tag(), p.out + i);
                      }
                    });
}

// The second loops ----------------------------------------------------------------------------

// d, t a and t b: without channels, of one channel, and of each element.
struct Plain {
  float t;

  HWY_INLINE Vector shifted(std::size_t, Vector x) const { return x; }
  HWY_INLINE Vector factor(std::size_t) const { return constant(t); }
  // (1 - t) source + t (a target + b)
  HWY_INLINE Vector blend(std::size_t, Vector source, Vector target) const {
    return hn::MulAdd(target, constant(t), hn::Mul(source, constant(1.0F - t)));
  }
};

struct OneChannel {
  float t;
  float shift;
  float scale;
  float offset;

  HWY_INLINE Vector shifted(std::size_t, Vector x) const { return hn::Add(x, constant(shift)); }
  HWY_INLINE Vector factor(std::size_t) const { return constant(scale); }
  HWY_INLINE Vector blend(std::size_t, Vector source, Vector target) const {
    return hn::MulAdd(target, constant(scale),
                      hn::MulAdd(source, constant(1.0F - t), constant(offset)));
  }
};

struct EachElement {
  float t;
  const float* shift;
  const float* scale;
  const float* offset;

  HWY_INLINE Vector shifted(std::size_t at, Vector x) const {
    return hn::Add(x, hn::LoadU(Tag(), shift + at));
  }
  HWY_INLINE Vector factor(std::size_t at) const { return hn::LoadU(Tag(), scale + at); }
  HWY_INLINE Vector blend(std::size_t at, Vector source, Vector target) const {
    return hn::MulAdd(target, factor(at),
                      hn::MulAdd(source, constant(1.0F - t), hn::LoadU(Tag(), offset + at)));
  }
};

template <class Row, class Place>
HWY_NOINLINE void blend(const Row& given_row, const Place& given_place, const Pointers& pointers,
                        std::size_t n) {
  const Row row = given_row;
  const Place place = given_place;
  for_whole_vectors(pointers, n,
                    [&](const Pointers& p, std::size_t offset, std::size_t count) HWY_ATTR {
                      for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
                        const Vector x = place.shifted(offset + i, hn::LoadU(Tag(), p.x + i));
                        const Vector source = hn::LoadU(Tag(), p.source + i);
                        hn::StoreU(place.blend(offset + i, source, row.value(x)), Tag(), p.out + i);
                      }
                    });
}

// Where the sums of the calibration's gradients go: nowhere, into one entry, into one for each
// element.
struct NoSums {
  HWY_INLINE void add(std::size_t, Vector, Vector, Vector) {}
};

struct OneSum {
  Vector value;
  Vector slope;
  Vector gradient;

  HWY_INLINE void add(std::size_t, Vector g, Vector v, Vector s) {
    value = hn::MulAdd(g, v, value);
    slope = hn::MulAdd(g, s, slope);
    gradient = hn::Add(g, gradient);
  }
};

double sum_of_lanes(Vector v) {
  float lanes[hn::MaxLanes(Tag())];
  hn::StoreU(v, Tag(), lanes);
  return std::accumulate(lanes, lanes + hn::Lanes(Tag()), 0.0);
}

struct EachSum {
  float* value;
  float* slope;
  float* gradient;

  HWY_INLINE void add(std::size_t at, Vector g, Vector v, Vector s) const {
    hn::StoreU(hn::MulAdd(g, v, hn::LoadU(Tag(), value + at)), Tag(), value + at);
    hn::StoreU(hn::MulAdd(g, s, hn::LoadU(Tag(), slope + at)), Tag(), slope + at);
    hn::StoreU(hn::Add(g, hn::LoadU(Tag(), gradient + at)), Tag(), gradient + at);
  }
};

template <class Row, class Place, class Sums>
HWY_NOINLINE void blend_gradient(const Row& given_row, const Place& given_place,
                                 const Pointers& pointers, Sums& given_sums, std::size_t n) {
  const Row row = given_row;
  const Place place = given_place;
  Sums sums = given_sums;
  const Vector rest = constant(1.0F - place.t);
  for_whole_vectors(
      pointers, n, [&](const Pointers& p, std::size_t offset, std::size_t count) HWY_ATTR {
        for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
          const std::size_t at = offset + i;
          const Vector x = place.shifted(at, hn::LoadU(Tag(), p.x + i));
          const Vector g = hn::LoadU(Tag(), p.gradient + i);
          const Vector target = row.slope(x, place.factor(at));
          const Vector slope = hn::MulAdd(hn::LoadU(Tag(), p.source + i), rest, target);
          if constexpr (!std::is_same_v<Sums, NoSums>) {
            sums.add(at, g, row.value(x), row.derivative(x));
          }
          hn::StoreU(hn::Mul(g, slope), Tag(), p.out + i);
        }
      });
  given_sums = sums;
}

// For a part of one channel's run, whose sums go to that channel's entry.
template <class Row>
void run_gradient(const Row& row, const OneChannel& place, const Pointers& pointers,
                  EntrySums& sums, std::size_t entry, std::size_t n) {
  OneSum sum{hn::Zero(Tag()), hn::Zero(Tag()), hn::Zero(Tag())};
  blend_gradient(row, place, pointers, sum, n);
  sums.value[entry] += sum_of_lanes(sum.value);
  sums.slope[entry] += sum_of_lanes(sum.slope);
  sums.gradient[entry] += sum_of_lanes(sum.gradient);
}

HWY_NOINLINE void multiply(const Pointers& pointers, std::size_t n) {
  for_whole_vectors(pointers, n, [&](const Pointers& p, std::size_t, std::size_t count) HWY_ATTR {
    for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
      hn::StoreU(hn::Mul(hn::LoadU(Tag(), p.source + i), hn::LoadU(Tag(), p.gradient + i)), Tag(),
                 p.out + i);
    }
  });
}

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

void forward_block(const BlendSpan& span, std::size_t begin, const float* x, float* out,
                   std::size_t n) {
  if (span.t <= 0.0F) {
    return values_of(span.source, x, out, n);
  }
  if (span.t >= 1.0F && span.channels == nullptr) {
    return values_of(span.target, x, out, n);
  }
  float buffer[kBlock];
  source_block(span, x, buffer, n, values_of);
  const Pointers all = {x, buffer, nullptr, out};
  visit_target(span.target, [&](const auto& row) {
    if (span.channels == nullptr) {
      return blend(row, Plain{span.t}, all, n);
    }
    for_parts(*span.channels, begin, n,
              [&](std::size_t start, std::size_t length, std::size_t entry) {
                if (span.channels->run() > 1) {
                  blend(row, one_channel(span, entry), all + start, length);
                } else {
                  blend(row, each_element(span, entry), all + start, length);
                }
              });
  });
}

void backward_block(const BlendSpan& span, std::size_t begin, const float* x, const float* gradient,
                    float* out, EntrySums* sums, ElementSums* element_sums, std::size_t n) {
  float buffer[kBlock];
  const Pointers all = {x, buffer, gradient, out};
  if (span.t <= 0.0F || (span.t >= 1.0F && span.channels == nullptr)) {
    derivatives_of(span.t <= 0.0F ? span.source : span.target, x, buffer, n);
    return multiply(all, n);
  }
  source_block(span, x, buffer, n, derivatives_of);
  visit_target(span.target, [&](const auto& row) {
    NoSums none;
    if (span.channels == nullptr) {
      return blend_gradient(row, Plain{span.t}, all, none, n);
    }
    for_parts(*span.channels, begin, n,
              [&](std::size_t start, std::size_t length, std::size_t entry) {
                const Pointers part = all + start;
                if (span.channels->run() > 1) {
                  const OneChannel place = one_channel(span, entry);
                  if (sums == nullptr) {
                    return blend_gradient(row, place, part, none, length);
                  }
                  run_gradient(row, place, part, *sums, entry, length);
                } else {
                  const EachElement place = each_element(span, entry);
                  if (sums == nullptr) {
                    return blend_gradient(row, place, part, none, length);
                  }
                  EachSum each = element_sums->at(entry);
                  blend_gradient(row, place, part, each, length);
                  element_sums->round_done();
                }
              });
  });
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

void forward(const BlendSpan& span, const void* x, void* out) {
  float x_buffer[kBlock];
  float out_buffer[kBlock];
  for (std::size_t done = 0; done < span.size; done += kBlock) {
    const std::size_t n = std::min(kBlock, span.size - done);
    float* to = place_for(span.element, out, done, out_buffer);
    forward_block(span, span.begin + done, read(span.element, x, done, n, x_buffer), to, n);
    write(span.element, to, done, n, out);
  }
}

void backward(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x,
              EntrySums* sums) {
  float x_buffer[kBlock];
  float gradient_buffer[kBlock];
  float out_buffer[kBlock];
  std::optional<ElementSums> element_sums;
  if (sums != nullptr && span.channels->run() == 1) {
    element_sums.emplace(*span.channels, *sums);
  }
  for (std::size_t done = 0; done < span.size; done += kBlock) {
    const std::size_t n = std::min(kBlock, span.size - done);
    float* to = place_for(span.element, grad_x, done, out_buffer);
    backward_block(span, span.begin + done, read(span.element, x, done, n, x_buffer),
                   read(span.element, grad_out, done, n, gradient_buffer), to, sums,
                   element_sums ? &*element_sums : nullptr, n);
    write(span.element, to, done, n, grad_x);
  }
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
