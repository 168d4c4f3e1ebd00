#!/usr/bin/env bash
# Runs the test programs named as arguments, one after another, and ends with the line "N passed, N failed, N skipped".
# An argument may be a whole command, of words without spaces. Each program is a cmocka runner that speaks TAP. A
# program that dies or hangs has its missing tests counted as failed.
# Exit status 1 when anything failed or nothing ran.
set -u
passed=0 failed=0 skipped=0
log=$(mktemp) && trap 'rm -f "$log"' EXIT
for program in "$@"; do
    start=$SECONDS
    read -ra command <<<"$program"
    CMOCKA_MESSAGE_OUTPUT=TAP timeout "${TEST_TIMEOUT:-600}" "${command[@]}" >"$log" 2>&1
    status=$?
    planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
    good=$(grep -c '^ok ' "$log")
    skip=$(grep -c '^not ok .*# SKIP' "$log")
    bad=$(grep '^not ok ' "$log" | grep -cv '# SKIP')
    lost=$((planned - good - skip - bad))
    [ "$lost" -gt 0 ] && bad=$((bad + lost))
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
    [ "$planned" -eq 0 ] && [ "$bad" -eq 0 ] && bad=1
    label=${program#*build/}
    printf '%-28s %4d passed %3d failed %3d skipped  %4d s\n' "${label/tests\//}" "$good" "$bad" "$skip" \
        $((SECONDS - start))
    [ "$skip" -gt 0 ] && sed -n 's/^not ok .*# SKIP/    skipped:/p' "$log"
    if [ "$bad" -gt 0 ]; then
        grep -vE '^(ok |1\.\.)' "$log" | tail -n 60 | sed 's/^/    /'
        [ "$status" -eq 124 ] && echo "    did not end within ${TEST_TIMEOUT:-600} s"
        [ "$lost" -gt 0 ] && echo "    $lost tests never reported (exit status $status)"
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
