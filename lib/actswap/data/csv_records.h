// The records of a CSV file (RFC 4180): fields between commas, semicolons or tabs, in quotes if
// they contain these or line ends.
#pragma once

#include <actswap/data/data_file.h>

#include <functional>
#include <string>
#include <vector>

namespace actswap {

/// The separator of the first line: a tab, a semicolon or a comma, the first of these that is in
/// it.
char csv_separator(const std::string& begin);

/// Calls `take(line, fields)` for each record, with the number of its first line, from 1. Skips
/// empty lines, and spaces around a field that is not in quotes.
/// @throws FileError for a quote without end, and for a field of more than a megabyte
void for_each_csv_record(
    const DataFile& file, char separator,
    const std::function<void(std::int64_t, const std::vector<std::string>&)>& take);

}  // namespace actswap
