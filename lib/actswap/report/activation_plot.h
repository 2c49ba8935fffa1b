// Activations as a picture.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/export.h>

#include <string>
#include <vector>

namespace actswap {

/// An SVG file with a panel for each function: its value and its derivative from -5 to 5. It needs
/// nothing from elsewhere, and goes by the reader's light or dark colours.
ACTSWAP_API std::string activation_plot(const std::vector<ActivationSpec>& activations);

}  // namespace actswap
