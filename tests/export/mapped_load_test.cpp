#include <actswap/export/mapped_load.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>

#include "models.h"

namespace actswap {
namespace {

/// Whether the address is in this process's mapping of the file.
bool is_mapped_from(const std::string& path, const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (line.ends_with(path) && std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 &&
        begin <= at && at < end) {
      return true;
    }
  }
  return false;
}

// Every model, against LibTorch's own loading: those with constants, with code that loads them and
// with tied tensors too.
TEST(MappedLoad, GivesWhatLibTorchLoads) {
  for (const auto& entry : test_models()) {
    const auto expected = torch::jit::load(entry.path, torch::kCPU);
    const auto found = load_mapped(entry.path);
    const auto inputs = recorded(entry.name).inputs;
    EXPECT_EQ(largest_difference(outputs_of(found, inputs), outputs_of(expected, inputs)), 0.0)
        << entry.name;
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& attribute : expected.named_attributes()) {
      if (attribute.value.isTensor() && attribute.value.toTensor().defined()) {
        tensors.emplace(attribute.name, attribute.value.toTensor());
      }
    }
    std::size_t compared = 0;
    for (const auto& attribute : found.named_attributes()) {
      if (attribute.value.isTensor() && attribute.value.toTensor().defined()) {
        const auto& other = tensors.at(attribute.name);
        const auto& tensor = attribute.value.toTensor();
        EXPECT_TRUE(torch::equal(tensor, other)) << entry.name << " " << attribute.name;
        EXPECT_EQ(tensor.strides(), other.strides()) << entry.name << " " << attribute.name;
        EXPECT_EQ(tensor.requires_grad(), other.requires_grad()) << attribute.name;
        ++compared;
      }
    }
    EXPECT_EQ(compared, tensors.size()) << entry.name;
  }
}

TEST(MappedLoad, SharesTheFileAndNeverWritesToIt) {
  const ScratchFolder scratch;
  const auto path = scratch / "model.pt";
  std::filesystem::copy_file(test_model("scripted_module.pt"), path);
  const torch::NoGradGuard no_grad;
  {
    const auto mapped = load_mapped(path);
    for (auto parameter : mapped.parameters()) {
      EXPECT_TRUE(is_mapped_from(path, parameter.data_ptr()));
      parameter.fill_(7.0);
    }
  }
  const auto again = torch::jit::load(path);
  for (const auto& parameter : again.parameters()) {
    EXPECT_FALSE((parameter == 7.0).all().item<bool>());
  }
}

TEST(MappedLoad, RefusesWhatIsNoModel) {
  EXPECT_ANY_THROW(load_mapped(test_model("truncated.pt")));
  EXPECT_ANY_THROW(load_mapped(test_model("state_dict.pt")));
  EXPECT_ANY_THROW(load_mapped(test_model("missing.pt")));
  EXPECT_ANY_THROW(load_mapped(test_model("empty.pt")));
}

}  // namespace
}  // namespace actswap
