#!/usr/bin/env bash
# What `make cuda-check` is made of: compiles one kernel file for one architecture, and tables what ptxas said of all.
#
#     cuda_check.sh compile NVCC ARCH FILE.cu FOLDER/ARCH/NAME.log [FLAGS]   makes PTX and code; a failure is in the log
#     cuda_check.sh table OUT.tsv FOLDER/ARCH/NAME.log ...                   status 1 when something is wrong
#     cuda_check.sh occupancy     for lines ARCH THREADS REGISTERS SHARED BARRIERS: blocks an SM, and what limits them
#
# Wrong are: a file that does not compile (warnings are errors), a spill, a stack frame, a kernel without
# __launch_bounds__ (its threads a block are read from the PTX), one that cannot be launched.
set -u -o pipefail

# ---- compile ---------------------------------------------------------------------------------------------------------

# A log that says "does not compile" is dated back, so that make tries again the next time.
compile() {
    local nvcc=$1 arch=$2 file=$3 log=$4
    shift 4
    mkdir -p "${log%/*}"
    rm -f "${log%.log}.ptx" "${log%.log}.cubin"
    local to=${log%.log}
    if "$nvcc" "$@" -arch=compute_"$arch" --ptx -MMD -MP -MT "$log" -MF "$to.d" -o "$to.ptx" "$file" >"$log" 2>&1 &&
        "$nvcc" "$@" -arch=sm_"$arch" -Xptxas -v --cubin -o "$to.cubin" "$to.ptx" >>"$log" 2>&1; then
        return
    fi
    echo "does not compile" >>"$log"
    touch -d @1 "$log"
}

# ---- occupancy -------------------------------------------------------------------------------------------------------

# Of an SM: warps, blocks, KB of shared memory, from the CUDA Programming Guide, "Compute Capabilities", tables 30, 31
# (https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/compute-capabilities.html). The guide leaves out
# 8.8: it has the warps of 8.6 here, and blocks and shared memory from the toolkit's cuda_occupancy.h. From there too:
# barriers are as many as blocks or twice that, and counted since 9.0; shared memory comes in steps of 128 bytes (256
# before 8.0), and 1 KB of each block's is the system's since 8.0; 65536 registers are in four parts, given to warps in
# steps of 256. tests/test_cuda_check.c compares the two.
OCCUPANCY='
function limits(arch, warps, blocks, kilobytes, barriers) {
    most_warps[arch] = warps; most_blocks[arch] = blocks; most_shared[arch] = 1024 * kilobytes
    most_barriers[arch] = barriers * blocks
}
BEGIN {
    limits(75, 32, 16, 64, 2);   limits(80, 64, 32, 164, 2);  limits(86, 48, 16, 100, 1);  limits(87, 48, 16, 164, 1)
    limits(88, 48, 16, 100, 1);  limits(89, 48, 24, 100, 1);  limits(90, 64, 32, 228, 2);  limits(100, 64, 32, 228, 2)
    limits(103, 64, 32, 228, 2); limits(110, 48, 24, 228, 1); limits(120, 48, 24, 100, 1); limits(121, 48, 24, 100, 1)
}
function up(value, step) { return int((value + step - 1) / step) * step }
function shared_of(arch, shared) { return up(shared + (arch < 80 ? 0 : 1024), arch < 80 ? 256 : 128) }
function least(value, what) {
    if (value < fewest) limited_by = what
    else if (value == fewest) limited_by = limited_by "," what
    if (value < fewest) fewest = value
}
# Blocks an SM; what sets the limit is left in limited_by.
function occupancy(arch, threads, registers, shared, barriers,    warps, of_warp) {
    warps = up(threads, 32) / 32
    of_warp = up(32 * registers, 256)
    fewest = 1e9
    limited_by = ""
    least(int(most_warps[arch] / warps), "warps")
    least(most_blocks[arch], "blocks")
    if (of_warp * up(warps, 4) > 65536) least(0, "registers")
    else if (of_warp) least(int(int(16384 / of_warp) * 4 / warps), "registers")
    if (shared_of(arch, shared)) least(int(most_shared[arch] / shared_of(arch, shared)), "shared")
    if (barriers && arch >= 90) least(int(most_barriers[arch] / barriers), "barriers")
    return fewest
}'

# ---- table -----------------------------------------------------------------------------------------------------------

# Reads PTX, then ptxas's words, for each log; a row for each kernel, with what is wrong with it in the last column.
ROWS='
function begin_log(stem,    part, count) {
    if (log_stem != "") end_log()
    log_stem = stem
    count = split(stem, part, "/")
    arch = part[count - 1]
    source = part[count]
    kernels = functions = failed = 0
    why = dynamic_name = entry = said = ""
}
function end_log(    i) {
    if (failed) row("-", "does not compile: " (why == "" ? "see its log" : why))
    for (i = 1; i <= kernels && !failed; i++) row(kernel[i], wrong(kernel[i]))
    for (i = 1; i <= functions && !failed; i++)
        if (!(called[i] in threads_of) && stack[called[i]] + stores[called[i]] + loads[called[i]])
            row(called[i], "a function with a stack frame or spills")
    split("", threads_of); split("", stack); split("", stores); split("", loads); split("", registers)
    split("", shared); split("", barriers); split("", parameters); split("", dynamic)
}
function both(one, other) { return one == "" ? other : one "; " other }
function wrong(k,    text) {
    text = ""
    if (!(k in registers)) return "nothing known: ptxas did not report it"
    if (stores[k] + loads[k]) text = both(text, "spills")
    if (stack[k]) text = both(text, "has a stack frame")
    if (!threads_of[k]) text = both(text, "has no __launch_bounds__")
    if (!(arch in most_warps)) text = both(text, "the limits of sm_" arch " are not in tests/cuda_check.sh")
    else if (threads_of[k] && !occupancy(arch, threads_of[k], registers[k], shared[k], barriers[k]))
        text = both(text, "cannot be launched")
    return text == "" ? "-" : text
}
# Dynamic shared memory is chosen at launch: "-", or the bytes a block that leave the occupancy as it is.
function room(k, blocks,    bytes) {
    if (!(k in dynamic)) return "-"
    if (!blocks) return "?"
    bytes = int(most_shared[arch] / blocks / (arch < 80 ? 256 : 128)) * (arch < 80 ? 256 : 128) - shared[k]
    return bytes - (arch < 80 ? 0 : 1024)
}
# An element that was never set is not to be touched: gawk 5.2.1 then loses its memory.
function of(list, k) { return k in list ? list[k] : 0 }
function row(k, problem,    blocks, warps) {
    blocks = 0
    limited_by = "-"
    if (of(threads_of, k) && arch in most_warps)
        blocks = occupancy(arch, threads_of[k], of(registers, k), of(shared, k), of(barriers, k))
    warps = blocks * up(of(threads_of, k), 32) / 32
    printf "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d\t%d\t", source, k, arch, of(threads_of, k), of(registers, k),
        of(shared, k), room(k, blocks), of(parameters, k), of(barriers, k)
    printf "%d\t%d\t%d\t%d\t%d\t%s\t%s\n", of(stores, k), of(loads, k), of(stack, k), warps, of(most_warps, arch),
        limited_by, problem
}
# A log follows its PTX; one of a file that did not get so far comes alone.
FNR == 1 {
    stem = FILENAME
    sub(/\.(ptx|log)$/, "", stem)
    if (stem != log_stem) begin_log(stem)
}

FILENAME ~ /\.ptx$/ {
    if ($0 ~ /^\.extern \.shared/) {
        dynamic_name = $NF
        sub(/\[.*/, "", dynamic_name)
        uses_dynamic = "[^A-Za-z0-9_$]" dynamic_name "([^A-Za-z0-9_$]|$)"
    }
    if (match($0, /\.entry [^ (]+/)) {
        entry = substr($0, RSTART + 7, RLENGTH - 7)
        kernel[++kernels] = entry
        threads_of[entry] = parameters[entry] = 0
    } else if ($0 ~ /^(\.visible |\.weak )?\.func/) entry = ""
    if (entry != "" && $1 == ".param") parameters[entry] += parameter_bytes()
    if (entry != "" && ($1 == ".maxntid" || $1 == ".reqntid")) {
        size = $0
        gsub(/[^0-9,]/, "", size)
        threads_of[entry] = 1
        for (i = split(size, side, ","); i > 0; i--) threads_of[entry] *= side[i]
    }
    if (entry != "" && dynamic_name != "" && $0 ~ uses_dynamic) dynamic[entry] = 1
    next
}
# ".param .align 8 .b8 name[136]," is an array of bytes, ".param .u64 name" a number of so many bits.
function parameter_bytes(    text) {
    text = $0
    if (match(text, /\[[0-9]+\]/)) return substr(text, RSTART + 1, RLENGTH - 2)
    match(text, /\.[usbf](8|16|32|64)/)
    return substr(text, RSTART + 2, RLENGTH - 2) / 8
}
/^does not compile$/ { failed = 1 }
why == "" && /(error|warning|fatal)/ { why = $0; gsub(/\t/, " ", why) }
/Function properties for/ { said = $NF; called[++functions] = said }
/bytes stack frame/ {
    stack[said] = $1
    stores[said] = number_before(" bytes spill stores")
    loads[said] = number_before(" bytes spill loads")
}
/Compiling entry function/ { entry = $0; sub(/^[^\047]*\047/, "", entry); sub(/\047.*/, "", entry) }
/: Used [0-9]+ registers/ {
    registers[entry] = number_before(" registers")
    barriers[entry] = number_before(" barriers")
    shared[entry] = number_before(" bytes smem")
}
function number_before(words,    at, text) {
    at = index($0, words)
    if (!at) return 0
    text = substr($0, 1, at - 1)
    sub(/.*[^0-9]/, "", text)
    return text + 0
}
END { if (log_stem != "") end_log() }'

HEAD='file kernel arch threads registers shared dynamic_room parameters barriers spill_stores spill_loads stack warps'
HEAD="$HEAD most_warps limited_by wrong"

SHOW='
BEGIN {
    form = "%-32s %4s %7s %4s %7s %8s %6s %6s %5s %8s %4s  %s\n"
    printf form, "kernel", "sm", "threads", "regs", "shared", "dynamic", "params", "spill", "stack", "warps", "",
        "limited by"
}
NR == 1 { next }
$1 != source { source = $1; printf "%s.cu\n", source }
$2 != "-" {
    known = $4 && $14 # the threads a block and the limits of the architecture
    printf form, "  " $2, $3, $4 ? $4 : "?", $5, $6, $7, $8, $10 "/" $11, $12, known ? $13 "/" $14 : "?",
        known ? int(100 * $13 / $14 + .5) "%" : "", $15 ($16 == "-" ? "" : "  <-- " $16)
    counted[$1, $2]++ || kernels++
}
$2 == "-" { printf "%-32s %4s  %s\n", "  (all)", $3, "<-- " $16 }
$16 != "-" {
    what = "  " $1 ".cu" ($2 == "-" ? "" : ", " $2) ": " $16
    if (!(what in where)) {
        list[++wrongs] = what
        where[what] = ""
    }
    where[what] = sprintf("%s %s", where[what], $3)
    wrong++
}
!seen[$3]++ { archs++ }
END {
    print "\nshared, dynamic, params, spill (stores/loads) and stack are bytes. Warps are the most that an SM holds, in"
    print "blocks of so many threads without dynamic shared memory. That is chosen at launch: a kernel that has some keeps"
    print "its warps up to the bytes a block in that column."
    printf "%d kernels, %d architectures, %d rows in %s, %d wrong\n", kernels, archs, NR - 1, out, wrong
    for (i = 1; i <= wrongs; i++) printf "%s (sm%s)\n", list[i], where[list[i]]
    exit wrong > 0 || NR < 2
}'

table() {
    local out=$1 log inputs=() tab=$'\t'
    shift
    for log in "$@"; do
        [ -s "${log%.log}.ptx" ] && inputs+=("${log%.log}.ptx")
        inputs+=("$log")
    done
    { echo "${HEAD// /$tab}"; awk "$OCCUPANCY$ROWS" "${inputs[@]}" | c++filt -p | sed 's/\tvoid /\t/' |
        sort -t "$tab" -k1,1 -k2,2 -k3,3n; } >"$out.part" || return 1
    mv "$out.part" "$out"
    awk -F '\t' -v out="$out" "$SHOW" "$out"
}

case ${1:-} in
    compile) shift && compile "$@" ;;
    table) shift && table "$@" ;;
    occupancy) awk "$OCCUPANCY"'{ print occupancy($1, $2, $3, $4, $5), limited_by }' ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
