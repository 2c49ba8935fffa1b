// Values and derivatives of the table's rows in double: the reference that tests compare with.
// Formulas stand in table.cpp beside the rows. All are finite for finite x unless the function is
// not.
#pragma once

#include <actswap/activation/activation.h>

namespace actswap::functions {

#define ACTSWAP_DECLARE(name)                        \
  double name(double x, ParameterValues parameters); \
  double name##_derivative(double x, ParameterValues parameters)

ACTSWAP_DECLARE(relu);
ACTSWAP_DECLARE(hard_mish);
ACTSWAP_DECLARE(swish);
ACTSWAP_DECLARE(mish);
ACTSWAP_DECLARE(gelu);
ACTSWAP_DECLARE(gelu_tanh);
ACTSWAP_DECLARE(aptx);
ACTSWAP_DECLARE(aptx_mish);
ACTSWAP_DECLARE(swish_mish);
ACTSWAP_DECLARE(hardswish);
ACTSWAP_DECLARE(relu6);
ACTSWAP_DECLARE(leaky_relu);
ACTSWAP_DECLARE(hardtanh);
ACTSWAP_DECLARE(elu);
ACTSWAP_DECLARE(selu);
ACTSWAP_DECLARE(celu);
ACTSWAP_DECLARE(softplus);
ACTSWAP_DECLARE(tanh);
ACTSWAP_DECLARE(sigmoid);
ACTSWAP_DECLARE(hardsigmoid);
ACTSWAP_DECLARE(softsign);
ACTSWAP_DECLARE(log_sigmoid);
ACTSWAP_DECLARE(tanhshrink);

#undef ACTSWAP_DECLARE

}  // namespace actswap::functions
