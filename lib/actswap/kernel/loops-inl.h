// The loops over memory: one for each pair of rows, so that nothing goes through memory twice.
// Included once for each instruction set.
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
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

struct Pointers {
  const float* x;
  const float* gradient;  // of the output; null in the forward pass
  float* out;
};

// Calls loop(p, n) for the n elements that make up whole vectors and, where some are left over, for
// one more vector of copies, which ends in zeros.
template <class Loop>
HWY_INLINE void for_whole_vectors(const Pointers& p, std::size_t n, Loop loop) {
  constexpr std::size_t kMost = hn::MaxLanes(Tag());
  const std::size_t lanes = hn::Lanes(Tag());
  const std::size_t whole = n - n % lanes;
  const std::size_t rest = n - whole;
  float x[kMost];
  float gradient[kMost];
  float out[kMost];
  const auto copy = [&](float* to, const float* from) {
    std::fill_n(std::copy_n(from + whole, rest, to), kMost - rest, 0.0F);
  };
  // One call in the source: the loop is there once, not twice.
  Pointers now = p;
  std::size_t count = whole;
  for (int pass = whole > 0 ? 0 : 1; pass < (rest > 0 ? 2 : 1); ++pass) {
    if (pass == 1) {
      copy(x, p.x);
      if (p.gradient != nullptr) {
        copy(gradient, p.gradient);
      }
      now = {x, gradient, out};
      count = lanes;
    }
    loop(now, count);
  }
  if (rest > 0) {
    std::copy_n(out, rest, p.out + whole);
  }
}

// Arrays larger than any cache are written past it: a line that is only written need not be read.
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
  for_whole_vectors({x, nullptr, out}, n, [&](const Pointers& p, std::size_t count) HWY_ATTR {
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
  for_whole_vectors({x, gradient, out}, n, [&](const Pointers& p, std::size_t count) HWY_ATTR {
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
HWY_NOINLINE void gradients(const Row& given, const float* x, const float* gradient, float* out,
                            std::size_t n) {
  const Row row = given;
  map_gradient(x, gradient, out, n, [&](Vector v) HWY_ATTR { return row.derivative(v); });
}

// Two rows ------------------------------------------------------------------------------------

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

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
