// What an exported file says of how it was made.
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

/// What a blended model's own says, with the file that was collapsed and the entries given.
std::string collapsed_provenance_json(const Model& blended,
                                      const std::map<std::string, std::string>& entries);

}  // namespace actswap
