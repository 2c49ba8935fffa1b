// How the report looks: CSS for screens of any width, light and dark, and for print.
#pragma once

#include <string_view>

namespace actswap::page {

std::string_view style();

}  // namespace actswap::page
