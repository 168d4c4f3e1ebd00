#!/usr/bin/env bash
# What `make gpu-check` runs, in the root of the repository, on a machine with a GPU; without one it says in a line what
# is missing and fails. Builds for that GPU, then runs in turn the parts that GPU_CHECK_PARTS names (all of them):
#
#     ops       every row of kernels/ops.def and the answers known by hand, on the GPU
#     golden    every model of the zoo against PyTorch's numbers, on the GPU
#     maps      every attribution method against PyTorch's, likewise
#     memcheck racecheck initcheck synccheck    fewer op tests, under that tool of compute-sanitizer
#     training  the demo's sweep, smaller, on the GPU and on the CPU: metrics alike to GPU_CHECK_TOLERANCE (1e-3)
#     bench     the benches that can ask a device
#
# It goes on after a part that fails, ends with a table, and succeeds when every part has passed. All that it prints is
# added to build/gpu-check.log (GPU_CHECK_LOG: another FILE.log). GPU_CHECK_SEQUENCES (3000), GPU_CHECK_EPOCHS (3),
# GPU_CHECK_SEEDS (1) and GPU_CHECK_MODELS (cnn-2, cnn-50) are the training's size, GPU_CHECK_SECONDS (3600) the most
# that a part may take, GPU_CHECK_BENCH further arguments of the benches. $EXPCONV_CUDA names another backend than the
# one it builds.
set -u -o pipefail
PARTS=${GPU_CHECK_PARTS:-ops golden maps memcheck racecheck initcheck synccheck training bench}
CUDA=${CUDA:-/usr/local/cuda}
LOG=${GPU_CHECK_LOG:-build/gpu-check.log}
FOLDER=${LOG%.log}
SKIPPED=77 # the status of a part that could not be run

# ---- is there one? ---------------------------------------------------------------------------------------------------

# Quietly: its words are shown when it fails.
build() {
    make --no-print-directory "-j${GPU_CHECK_JOBS:-$(nproc)}" "$@" >"$FOLDER/build.log" 2>&1 && return
    tail -n 40 "$FOLDER/build.log"
    echo "gpu-check: could not build: $*"
    return 1
}

has() { if eval "$1" >/dev/null 2>&1; then echo here; else echo missing; fi; }

no_gpu() {
    printf 'gpu-check: no GPU to check (nvcc %s, driver %s, device %s): %s\n' "$(has '[ -x "$CUDA/bin/nvcc" ]')" \
        "$(has 'ldconfig -p | grep -q libcuda.so.1 || [ -e /proc/driver/nvidia/version ]')" \
        "$(has 'ls /dev/nvidia[0-9]* /dev/nvhost-gpu* 2>/dev/null | grep -q .')" "$1"
    exit 1
}

# What `expconv devices` says of CUDA decides. Leaves the description in GPU and "90" in ARCH.
find_gpu() {
    local line
    [ -n "${EXPCONV_CUDA:-}" ] || [ -x "$CUDA/bin/nvcc" ] ||
        no_gpu "no $CUDA/bin/nvcc (make CUDA=FOLDER says where it is)"
    build expconv || exit 1
    if [ -z "${EXPCONV_CUDA:-}" ]; then build build/libexpconv_cuda.so || exit 1; fi
    line=$(EXPCONV_CUDA=${EXPCONV_CUDA:-build/libexpconv_cuda.so} ./expconv devices | grep '^cuda')
    case $line in
        cuda$'\t'usable$'\t'*) GPU=${line#*usable$'\t'} ;;
        *) no_gpu "$(cut -f 3- <<<"$line")" ;;
    esac
    ARCH=$(sed -n 's/.*compute capability \([0-9]*\)\.\([0-9]*\).*/\1\2/p' <<<"$GPU")
    [ -n "$ARCH" ] || ARCH=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sed -n '1s/\.//p')
    [ -n "$ARCH" ] || { echo "gpu-check: which compute capability has $GPU?"; exit 1; }
}

say_where() {
    echo "== gpu-check of $(date -u '+%Y-%m-%d %H:%M:%S') UTC"
    echo "commit      $(git describe --always --dirty 2>/dev/null || echo unknown)"
    echo "gpu         $GPU"
    echo "nvidia-smi  $(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit \
        --format=csv,noheader 2>/dev/null || echo 'not here')"
    echo "cuda        $("$CUDA/bin/nvcc" --version 2>/dev/null | sed -n 's/.*release //p' || echo unknown)"
    echo "backend     $EXPCONV_CUDA"
    echo "machine     $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores; $(uname -sr)"
}

# ---- parts -----------------------------------------------------------------------------------------------------------

# Runs a cmocka program on the GPU and shows what it says; at least one test must pass, and none fail or be skipped.
run_tests() {
    local output=$FOLDER/tests.log status
    EXPCONV_TEST_GPU=1 CMOCKA_MESSAGE_OUTPUT=TAP "$@" 2>&1 | tee "$output"
    status=$?
    printf '%s: %d passed, %d failed, exit status %d\n' "$part" "$(grep -c '^ok ' "$output")" \
        "$(grep -c '^not ok ' "$output")" "$status"
    [ "$status" -eq 0 ] && grep -q '^ok ' "$output" && ! grep -q '^not ok ' "$output"
}

ops() { run_tests build/tests/test_ops /cuda:; }
golden() { run_tests build/tests/test_golden '(cuda)'; }
maps() { run_tests build/tests/test_attribution_golden '(cuda)'; }

# The tool's own count of errors decides too: with it a test may well pass.
sanitize() {
    local tool
    tool=$(command -v compute-sanitizer || ls "$CUDA"/bin/compute-sanitizer 2>/dev/null) || {
        echo "!!!! $part: NOT RUN: no compute-sanitizer, which comes with the CUDA toolkit (cuda-sanitizer)"
        return $SKIPPED
    }
    EXPCONV_TEST_SMALL=1 run_tests "$tool" --tool "$part" --error-exitcode 9 build/tests/test_ops /cuda: || return 1
    grep -Eq '(ERROR|RACECHECK) SUMMARY: 0 ' "$FOLDER/tests.log" || { echo "$part: no summary of 0 errors"; return 1; }
}
memcheck() { sanitize; }
racecheck() { sanitize; }
initcheck() { sanitize; }
synccheck() { sanitize; }

# Both results.tsv, number by number. Losses and scores must agree; what follows from the filters (motifs matched, their
# q-values) goes in steps, so that a rounding may move it: it is shown.
COMPARE='
FNR == 1 { file++ }
file == 1 { for (i = 1; i <= NF; i++) cpu[FNR, i] = $i; rows = FNR; next }
FNR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
FNR > rows { exit 1 }
{
    printf "%s %s, seed %s\n", $1, $2, $3
    for (i = 1; i <= NF; i++) {
        number = $i ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ && cpu[FNR, i] ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/
        judged = name[i] ~ /^(train|valid|test)_|^clip_fraction$/
        difference = number ? $i - cpu[FNR, i] : 0
        if (difference < 0) difference = -difference
        bad = judged && (number ? !(difference <= tolerance) : $i != cpu[FNR, i]) || i <= 5 && $i != cpu[FNR, i]
        if (judged && difference > worst) worst = difference
        if (!judged && i > 6 && difference > moved) moved = difference
        if (judged || bad) printf "  %-26s GPU %-14s CPU %-14s%s\n", name[i], $i, cpu[FNR, i], bad ? "  <-- differ" : ""
        wrong += bad
    }
}
END {
    printf "training: %d trials, metrics differ by %.3g at most (%g allowed), ", FNR - 1, worst, tolerance
    printf "what follows from the filters by %.3g; %d wrong\n", moved, wrong
    exit wrong > 0 || FNR < 2 || FNR != rows # more or fewer trials fail too
}'

training() {
    local device seconds
    rm -rf "$FOLDER/sweep" && mkdir -p "$FOLDER/sweep"
    ./expconv simulate --quiet --task motifs --motifs configs/motifs/task1.meme --seed 1 \
        --sequences "${GPU_CHECK_SEQUENCES:-3000}" --out "$FOLDER/sweep/data.h5" || return 1
    for device in cuda cpu; do
        seconds=$(date +%s.%N)
        ./expconv sweep configs/demo.yaml --quiet --device "$device" --out "$FOLDER/sweep/$device" \
            --set "data.file=$FOLDER/sweep/data.h5" --set "train.epochs=${GPU_CHECK_EPOCHS:-3}" \
            --set "sweep.seeds=${GPU_CHECK_SEEDS:-1}" --set "sweep.zoo=[${GPU_CHECK_MODELS:-cnn-2, cnn-50}]" || return 1
        awk -v from="$seconds" -v to="$(date +%s.%N)" -v device="$device" \
            'BEGIN { printf "training: %.1f s with --device %s\n", to - from, device }'
    done
    awk -F '\t' -v tolerance="${GPU_CHECK_TOLERANCE:-1e-3}" "$COMPARE" "$FOLDER"/sweep/{cpu,cuda}/results.tsv
}

# A bench that can ask a device takes --device, as expconv does.
bench() {
    local able=() name status=0
    for name in bench/*.c; do grep -q -e '--device' "$name" && able+=("$(basename "$name" .c)"); done
    if [ ${#able[@]} -eq 0 ]; then
        echo "bench: no question asks the GPU yet (none takes --device): $(cd bench && echo *.c | sed 's/\.c//g')"
        return $SKIPPED
    fi
    build "${able[@]/#/build/bench/}" || return 1
    for name in "${able[@]}"; do
        "build/bench/$name" --device cuda ${GPU_CHECK_BENCH:-} || { echo "bench: $name failed"; status=1; }
    done
    return $status
}

# ---- all -------------------------------------------------------------------------------------------------------------

run_parts() {
    local part status result started table="" wrong=0
    for part in $PARTS; do
        printf '\n== %s\n' "$part"
        started=$SECONDS
        # A shell of its own ends with all that it started when its time is up.
        timeout "${GPU_CHECK_SECONDS:-3600}" bash "$0" part "$part"
        status=$?
        case $status in
            0) result=passed ;;
            "$SKIPPED") result=skipped wrong=1 ;;
            124) result="failed (not done in ${GPU_CHECK_SECONDS:-3600} s)" wrong=1 ;;
            *) result=failed wrong=1 ;;
        esac
        table+=$(printf '%-10s %-8s %5d s' "$part" "$result" $((SECONDS - started)))$'\n'
    done
    printf '\n%s' "$table"
    return $wrong
}

main() {
    local part
    for part in $PARTS; do
        [[ " ops golden maps memcheck racecheck initcheck synccheck training bench " == *" $part "* ]] ||
            { echo "gpu-check: GPU_CHECK_PARTS: there is no part $part"; exit 1; }
    done
    find_gpu
    if [ -z "${EXPCONV_CUDA:-}" ]; then
        export EXPCONV_CUDA=$FOLDER/sm_$ARCH/libexpconv_cuda.so
        build "BUILD=$FOLDER/sm_$ARCH" "CUDA_ARCHS=$ARCH" "$EXPCONV_CUDA" || exit 1
    fi
    build build/tests/test_ops build/tests/test_golden build/tests/test_attribution_golden || exit 1
    say_where
    run_parts
}

if [ "${1:-}" = part ]; then
    part=$2
    "$part"
    exit
fi
mkdir -p "$FOLDER"
main 2>&1 | tee -a "$LOG"
