// What becomes of each site in a conversion, for its record.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/measure/site_values.h>

#include <map>
#include <string>
#include <vector>

namespace actswap {

class SiteHistory {
 public:
  /// Samples the original and the swap alone.
  /// @param swapped without blends
  SiteHistory(const Model& original, const torch::jit::Module& swapped,
              std::vector<torch::Tensor> inputs);

  /// Samples the exported model, and times the original's sites. The result is by site id; a site
  /// that the inputs do not reach has no entry.
  std::map<std::string, SiteRecord> records(const torch::jit::Module& exported) const;

 private:
  Model original_;
  std::vector<torch::Tensor> inputs_;
  std::map<std::string, SiteValues> before_;
  std::map<std::string, SiteValues> swapped_;
};

}  // namespace actswap
