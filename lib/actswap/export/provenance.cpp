#include <actswap/base/json_text.h>
#include <actswap/export/provenance.h>

#include <torch/version.h>

#include <nlohmann/json.hpp>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;

void add_versions(Json& json) {
  json["schema"] = 1;
  json["actswap"] = ACTSWAP_VERSION;
  json["libtorch"] = TORCH_VERSION;
}

std::string with_entries(Json json, const std::map<std::string, std::string>& entries) {
  for (const auto& [key, value] : entries) {
    json[key] = value;
  }
  return json_text(json);
}

}  // namespace

std::string collapsed_provenance_json(const Model& blended,
                                      const std::map<std::string, std::string>& entries) {
  const auto stored = blended.extra_files.find(kProvenanceFile);
  // PyTorch's save does not keep the extra files of what it loaded.
  auto json = stored == blended.extra_files.end()
                  ? Json::object()
                  : Json::parse(stored->second, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    json = Json::object();
  }
  add_versions(json);
  json["collapsed"] = {{"path", blended.path}, {"sha256", blended.sha256()}};
  return with_entries(std::move(json), entries);
}

std::string provenance_json(const Retargeter& retargeter,
                            const std::map<std::string, std::string>& entries) {
  Json json;
  add_versions(json);
  const auto& original = retargeter.original();
  json["original"] = {{"path", original.path}, {"sha256", original.sha256()}};
  for (const auto& planned : retargeter.plan().sites) {
    json["sites"].push_back(
        {{"id", planned.site.id},
         {"source", planned.site.activation.to_string()},
         {"target", planned.target ? Json(planned.target->to_string()) : Json()}});
  }
  return with_entries(std::move(json), entries);
}

}  // namespace actswap
