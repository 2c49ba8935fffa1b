// HTML as text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace actswap::page {

/// For element content and for attributes in double quotes. Control characters, which HTML does not
/// allow, become spaces.
std::string escaped(std::string_view text);

/// <name>content</name>, with `attributes` as given: "class=\"wide\"". The content is HTML.
std::string element(std::string_view name, std::string_view content,
                    std::string_view attributes = {});

/// A row of a table; cells are HTML. The first is the row's head.
using Row = std::vector<std::string>;

/// Which cells of a table take several lines where they are long.
enum class Wraps { none, last_column, all };

/// A table that scrolls sideways where it is wider than the page; empty without rows.
/// @param head the columns' heads, HTML
std::string table(const Row& head, const std::vector<Row>& rows, Wraps wraps = Wraps::none);

/// Terms and what is said of them, both HTML; empty without any.
std::string description_list(const std::vector<std::pair<std::string, std::string>>& terms);

/// A drawing with a caption below, both HTML.
std::string figure(const std::string& drawing, const std::string& caption);

/// Charts side by side; empty where all are.
std::string side_by_side(const std::vector<std::string>& figures);

}  // namespace actswap::page
