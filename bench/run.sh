#!/usr/bin/env bash
# Runs the benches named as arguments (or BENCH="read train_step" of them), one after another. Each answers one question
# and prints JSON lines; all lines go to build/bench/results.jsonl too, with the machine and the commit in each.
set -u
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
exit "$status"
