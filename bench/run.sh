#!/usr/bin/env bash
# Runs the benches named as arguments (or BENCH="load train_step" of them), one after another. Each answers one question
# and prints JSON lines; all lines go to build/bench/results.jsonl too, with the machine and the commit in each. Ends with
# a table of the questions (table.sh).
set -u -o pipefail
mkdir -p build/bench
results=build/bench/results.jsonl
: >"$results"
status=0
for program in "$@"; do
    name=${program##*/}
    [ -n "${BENCH:-}" ] && [[ " $BENCH " != *" $name "* ]] && continue
    echo "== $name" >&2
    "$program" | tee -a "$results" || status=1
done
echo
"${BASH_SOURCE%/*}/table.sh" "$results" | tee build/bench/table.md
exit "$status"
