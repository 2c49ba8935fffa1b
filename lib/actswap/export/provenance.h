// The record in an exported file of how it was made.
#pragma once

#include <actswap/graph/retarget.h>

#include <map>
#include <string>

namespace actswap {

/// The extra file that holds it.
inline constexpr char kProvenanceFile[] = "actswap/provenance.json";

/// A JSON object: schema, versions, the original's path and hash, each site with its functions, and
/// the entries given.
std::string provenance_json(const Retargeter& retargeter,
                            const std::map<std::string, std::string>& entries);

/// A blended model's own provenance, with the collapsed file and the given entries added.
std::string collapsed_provenance_json(const Model& blended,
                                      const std::map<std::string, std::string>& entries);

}  // namespace actswap
