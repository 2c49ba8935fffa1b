// Precompiled: LibTorch's headers take some ten seconds a file otherwise. torch/torch.h would add
// torch::nn, whose templates each file then instantiates again for a second and a half.
#pragma once

#include <torch/script.h>

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
