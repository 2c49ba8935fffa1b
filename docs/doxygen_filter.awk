#!/usr/bin/awk -f
# Makes the comment at the top of a header one of Doxygen's: the description of the file.
BEGIN { is_top = 1 }
is_top && FNR == 1 && /^\/\/ / { print "/// @file"; print "/// @brief " substr($0, 4); next }
is_top && /^\/\// { print "///" substr($0, 3); next }
{ is_top = 0; print }
