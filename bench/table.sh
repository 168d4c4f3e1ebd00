#!/usr/bin/env bash
# Prints the table that `make bench` ends with, from the lines of a results file that have "table":
# what, ours, the fastest peer, the ratio and what is asked of it, and the part of the floor that is reached.
set -u
grep -h '"table":' "$@" | awk '
function text(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
function number(key) { return match($0, "\"" key "\":[-+0-9.e]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
function value(x) { return x == 0 ? "-" : sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.3g", x) }
BEGIN { printf "| what | ours | fastest peer | ratio | asked | of the floor |\n|---|---|---|---|---|---|\n" }
{
    theirs = number("theirs") == 0 ? "-" : value(number("theirs")) " " text("unit") " (" text("peer") ")"
    ratio = number("ratio") == 0 ? "-" : sprintf("%.2f", number("ratio"))
    asked = number("at_least") == 0 ? "-" : number("at_least")
    reached = number("reached") == 0 ? "-" : sprintf("%.0f%%", 100 * number("reached"))
    printf "| %s | %s %s | %s | %s | %s | %s |\n", text("table"), value(number("ours")), text("unit"), theirs, ratio, asked, reached
    machine = text("machine"); commit = text("commit")
}
END { if (NR) printf "\n%s; commit %s; medians.\n", machine, commit }'
