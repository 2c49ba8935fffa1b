// The loops over memory. Without channels there is one for each pair of rows, so that nothing goes
// through memory twice. With channels there are two, over blocks that stay in the first cache: the
// source's values or derivatives into a buffer, then target and blend. Included once for each
// instruction set.
#if defined(ACTSWAP_KERNEL_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ACTSWAP_KERNEL_LOOPS_INL_H_
#undef ACTSWAP_KERNEL_LOOPS_INL_H_
#else
#define ACTSWAP_KERNEL_LOOPS_INL_H_
#endif

#include <actswap/kernel/sources-inl.h>
#include <actswap/kernel/targets-inl.h>

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

struct Pointers {
  const float* x;
  const float* source;    // the source's values or derivatives; null where the loop has them
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
  if (rest > 0) {
    std::copy_n(out, rest, p.out + whole);
  }
}

// What is larger than any cache is written past it: a line that is only written need not be read.
constexpr std::size_t kStreamed = std::size_t{1} << 22;  // elements

class Store {
 public:
  Store(const float* out, std::size_t n)
      : past_caches_(n >= kStreamed &&
                     reinterpret_cast<std::uintptr_t>(out) % (hn::Lanes(Tag()) * sizeof(float)) ==
                         0) {}

  // To be called at the end: other threads may read only then.
  void finish() const {
    if (past_caches_) {
      hwy::FlushStream();
    }
  }

  HWY_INLINE void operator()(Vector v, float* to) const {
    if (past_caches_) {
      hn::Stream(v, Tag(), to);
    } else {
      hn::StoreU(v, Tag(), to);
    }
  }

 private:
  bool past_caches_;
};

// out = f(x), vector by vector.
template <class Function>
HWY_INLINE void map(const float* x, float* out, std::size_t n, Function f) {
  for_whole_vectors({x, nullptr, nullptr, out}, n,
                    [&](const Pointers& p, std::size_t, std::size_t count) HWY_ATTR {
                      const Store store(p.out, count);
                      for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
                        store(f(hn::LoadU(Tag(), p.x + i)), p.out + i);
                      }
                      store.finish();
                    });
}

// out = gradient f(x)
template <class Function>
HWY_INLINE void map_gradient(const float* x, const float* gradient, float* out, std::size_t n,
                             Function f) {
  for_whole_vectors({x, nullptr, gradient, out}, n,
                    [&](const Pointers& p, std::size_t, std::size_t count) HWY_ATTR {
                      const Store store(p.out, count);
                      for (std::size_t i = 0; i < count; i += hn::Lanes(Tag())) {
                        const Vector slope = f(hn::LoadU(Tag(), p.x + i));
                        const Vector g = hn::LoadU(Tag(), p.gradient + i);
                        store(hn::Mul(g, slope), p.out + i);
                      }
                      store.finish();
                    });
}

// One row -------------------------------------------------------------------------------------

template <class Row>
HWY_NOINLINE void values(const Row& given, const float* x, float* out, std::size_t n) {
  const Row row = given;
  map(x, out, n, [&](Vector v) HWY_ATTR { return row.value(v); });
}

template <class Row>
HWY_NOINLINE void derivatives(const Row& given, const float* x, float* out, std::size_t n) {
  const Row row = given;
  map(x, out, n, [&](Vector v) HWY_ATTR { return row.derivative(v); });
}

template <class Row>
HWY_NOINLINE void gradients(const Row& given, const float* x, const float* gradient, float* out,
                            std::size_t n) {
  const Row row = given;
  map_gradient(x, gradient, out, n, [&](Vector v) HWY_ATTR { return row.derivative(v); });
}

// Two rows, without channels ------------------------------------------------------------------

// From max(x, 0) + rest to max(x, 0) only the rest is blended.
template <class Source, class Target>
constexpr bool is_ramp_to_relu() {
  return std::is_base_of_v<RampTag, Source> && std::is_same_v<Target, Relu>;
}

template <class Source, class Target>
HWY_NOINLINE void blend_values(const Source& given_source, const Target& given_target, float t,
                               const float* x, float* out, std::size_t n) {
  const Source source = given_source;
  const Target target = given_target;
  const Vector of_source = constant(1.0F - t);
  const Vector of_target = constant(t);
  map(x, out, n, [&](Vector v) HWY_ATTR {
    if constexpr (is_ramp_to_relu<Source, Target>()) {
      return hn::MulAdd(source.rest(v), of_source, positive_part(v));
    } else {
      return hn::MulAdd(target.value(v), of_target, hn::Mul(source.value(v), of_source));
    }
  });
}

template <class Source, class Target>
HWY_NOINLINE void blend_gradients(const Source& given_source, const Target& given_target, float t,
                                  const float* x, const float* gradient, float* out,
                                  std::size_t n) {
  const Source source = given_source;
  const Target target = given_target;
  const Vector of_source = constant(1.0F - t);
  const Vector of_target = constant(t);
  map_gradient(x, gradient, out, n, [&](Vector v) HWY_ATTR {
    return hn::MulAdd(source.derivative(v), of_source, target.slope(v, of_target));
  });
}

// Two rows, with channels ---------------------------------------------------------------------

// d, t a and t b: of one channel, and of each element.
struct OneChannel {
  float t;
  float shift;
  float scale;
  float offset;

  HWY_INLINE Vector shifted(std::size_t, Vector x) const { return hn::Add(x, constant(shift)); }
  HWY_INLINE Vector factor(std::size_t) const { return constant(scale); }
  // (1 - t) source + t (a target + b)
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
HWY_NOINLINE void calibrated_values(const Row& given_row, const Place& given_place,
                                    const Pointers& pointers, std::size_t n) {
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

inline double sum_of_lanes(Vector v) {
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
HWY_NOINLINE void calibrated_gradients(const Row& given_row, const Place& given_place,
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

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
