// The rows that a blend goes to, on vectors in single precision: three shapes, which differ in
// numbers only. Derivatives at kinks are those from the left, as in the table (activation.h).
// slope(x, f) is f times the derivative, which is one product less. Included once for each
// instruction set.
#if defined(ACTSWAP_KERNEL_TARGETS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ACTSWAP_KERNEL_TARGETS_INL_H_
#undef ACTSWAP_KERNEL_TARGETS_INL_H_
#else
#define ACTSWAP_KERNEL_TARGETS_INL_H_
#endif

#include <actswap/kernel/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

struct Relu {
  explicit Relu(const float*) {}

  HWY_INLINE Vector value(Vector x) const { return at_least(0.0F, x); }
  HWY_INLINE Vector derivative(Vector x) const { return slope(x, constant(1.0F)); }
  HWY_INLINE Vector slope(Vector x, Vector factor) const {
    return hn::IfThenElseZero(hn::Gt(x, hn::Zero(Tag())), factor);
  }
};

struct Relu6 {
  explicit Relu6(const float*) {}

  HWY_INLINE Vector value(Vector x) const { return at_most(6.0F, at_least(0.0F, x)); }
  HWY_INLINE Vector derivative(Vector x) const { return slope(x, constant(1.0F)); }
  HWY_INLINE Vector slope(Vector x, Vector factor) const {
    const auto inside = hn::And(hn::Gt(x, hn::Zero(Tag())), hn::Le(x, constant(6.0F)));
    return hn::IfThenElseZero(inside, factor);
  }
};

struct LeakyRelu {
  float left;

  explicit LeakyRelu(const float* p) : left(p[0]) {}

  HWY_INLINE Vector value(Vector x) const { return hn::Mul(x, derivative(x)); }
  HWY_INLINE Vector derivative(Vector x) const { return slope(x, constant(1.0F)); }
  HWY_INLINE Vector slope(Vector x, Vector factor) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(Tag())), factor, hn::Mul(factor, constant(left)));
  }
};

// x clamp(x + shift, 0, width) / width: hard_mish with 2 and 2, hardswish with 3 and 6
struct HardGate {
  float shift;
  float width;
  float scale;  // 1 / width

  HWY_INLINE Vector value(Vector x) const {
    const Vector gate = at_most(width, at_least(0.0F, hn::Add(x, constant(shift))));
    return hn::Mul(hn::Mul(at_least(-kLargest, x), constant(scale)), gate);
  }
  HWY_INLINE Vector derivative(Vector x) const { return slope(x, constant(1.0F)); }
  HWY_INLINE Vector slope(Vector x, Vector factor) const {
    const Vector middle = hn::MulAdd(x, hn::Mul(factor, constant(2.0F * scale)),
                                     hn::Mul(factor, constant(shift * scale)));
    const Vector left = hn::IfThenElseZero(hn::Gt(x, constant(-shift)), middle);
    return hn::IfThenElse(hn::Gt(x, constant(width - shift)), factor, left);
  }
};

struct HardMish : HardGate {
  explicit HardMish(const float*) : HardGate{2.0F, 2.0F, 0.5F} {}
};

struct Hardswish : HardGate {
  explicit Hardswish(const float*) : HardGate{3.0F, 6.0F, 1.0F / 6.0F} {}
};

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
