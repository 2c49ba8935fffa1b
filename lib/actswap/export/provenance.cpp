#include <actswap/export/provenance.h>

#include <torch/version.h>

#include <nlohmann/json.hpp>

namespace actswap {

std::string provenance_json(const Retargeter& retargeter,
                            const std::map<std::string, std::string>& entries) {
  nlohmann::ordered_json json;
  json["schema"] = 1;
  json["actswap"] = ACTSWAP_VERSION;
  json["libtorch"] = TORCH_VERSION;
  const auto& original = retargeter.original();
  json["original"] = {{"path", original.path}, {"sha256", original.sha256}};
  for (const auto& planned : retargeter.plan().sites) {
    json["sites"].push_back(
        {{"id", planned.site.id},
         {"source", planned.site.activation.to_string()},
         {"target", planned.target ? nlohmann::ordered_json(planned.target->to_string())
                                   : nlohmann::ordered_json()}});
  }
  for (const auto& [key, value] : entries) {
    json[key] = value;
  }
  return json.dump(2);
}

}  // namespace actswap
