/* measure.h: what the benches share: the machine and commit that a JSON line names, medians, the lines that the closing
 * table is made of, and the multiply-add rate of one core, measured. Included once by each bench. Other floors:
 * floors.h.
 */
#ifndef EXPCONV_MEASURE_H
#define EXPCONV_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expconv/base.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The first line of a command's output, or "unknown". */
static inline void measure_first_line(const char *command, char *line, size_t size) {
    FILE *stream = popen(command, "r");
    if (!stream || !fgets(line, (int)size, stream)) snprintf(line, size, "unknown");
    if (stream) pclose(stream);
    line[strcspn(line, "\n\"\\")] = 0;
}

/* "machine":"AMD EPYC, 2 cores","commit":"0123abc", without braces. */
static inline const char *measure_where(void) {
    static char text[256];
    char machine[128], commit[64];
    if (text[0]) return text;
    measure_first_line("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo", machine, sizeof machine);
    measure_first_line("git rev-parse --short HEAD 2>/dev/null", commit, sizeof commit);
    snprintf(text, sizeof text, "\"machine\":\"%s, %d cores\",\"commit\":\"%s\"", machine, xc_core_count(), commit);
    return text;
}

static inline int measure_compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts `values`; count > 0. */
static inline double measure_median(double *values, size_t count) {
    qsort(values, count, sizeof *values, measure_compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* One row of the table that `make bench` ends with (table.sh). A number that does not exist is 0: a peer's time and the
 * ratio without a peer, a least ratio where none is asked for, the reached part of the floor where there is no floor.
 */
typedef struct measure_row {
    char what[96], peer[96]; /* the question; the fastest peer and its arrangement */
    const char *unit;        /* of both: "ms", "seq/s" */
    double ours, theirs, ratio, at_least, reached;
} measure_row;

static inline void measure_print_row(const char *bench, const measure_row *row) {
    printf(
        "{\"bench\":\"%s\",\"table\":\"%s\",\"unit\":\"%s\",\"ours\":%.6g,\"theirs\":%.6g,\"peer\":\"%s\","
        "\"ratio\":%.3f,\"at_least\":%g,\"reached\":%.3f,%s}\n",
        bench, row->what, row->unit, row->ours, row->theirs, row->peer, row->ratio, row->at_least, row->reached,
        measure_where());
    fflush(stdout);
}

/* Twelve sums, so that neither latency nor memory counts; returns operations done. */
#define MEASURE_SUMS 12
#define MEASURE_LOOPS 1000000
#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) static double measure_avx512(float one) {
    __m512 sum[MEASURE_SUMS], x = _mm512_set1_ps(one);
    for (int i = 0; i < MEASURE_SUMS; i++) sum[i] = _mm512_set1_ps((float)i);
    for (int k = 0; k < MEASURE_LOOPS; k++)
        for (int i = 0; i < MEASURE_SUMS; i++) sum[i] = _mm512_fmadd_ps(sum[i], x, x);
    for (int i = 1; i < MEASURE_SUMS; i++) sum[0] = _mm512_add_ps(sum[0], sum[i]);
    volatile float keep = _mm512_cvtss_f32(sum[0]);
    (void)keep;
    return 2.0 * 16 * MEASURE_SUMS * MEASURE_LOOPS;
}
__attribute__((target("avx2,fma"), noinline)) static double measure_avx2(float one) {
    __m256 sum[MEASURE_SUMS], x = _mm256_set1_ps(one);
    for (int i = 0; i < MEASURE_SUMS; i++) sum[i] = _mm256_set1_ps((float)i);
    for (int k = 0; k < MEASURE_LOOPS; k++)
        for (int i = 0; i < MEASURE_SUMS; i++) sum[i] = _mm256_fmadd_ps(sum[i], x, x);
    for (int i = 1; i < MEASURE_SUMS; i++) sum[0] = _mm256_add_ps(sum[0], sum[i]);
    volatile float keep = _mm256_cvtss_f32(sum[0]);
    (void)keep;
    return 2.0 * 8 * MEASURE_SUMS * MEASURE_LOOPS;
}
#endif
__attribute__((noinline)) static double measure_baseline(float one) {
    typedef float four __attribute__((vector_size(16)));
    four sum[MEASURE_SUMS], x = {one, one, one, one};
    for (int i = 0; i < MEASURE_SUMS; i++) sum[i] = x * (float)i;
    for (int k = 0; k < MEASURE_LOOPS; k++)
        for (int i = 0; i < MEASURE_SUMS; i++) sum[i] = sum[i] * x + x;
    for (int i = 1; i < MEASURE_SUMS; i++) sum[0] += sum[i];
    volatile float keep = sum[0][0];
    (void)keep;
    return 2.0 * 4 * MEASURE_SUMS * MEASURE_LOOPS;
}

/* Operations a second (a multiply-add is two) of one core, the best of several tries. */
static inline double measure_peak(void) {
    double (*run)(float) = measure_baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) run = measure_avx2;
    if (__builtin_cpu_supports("avx512f")) run = measure_avx512;
#endif
    double best = 0;
    for (int i = 0; i < 30; i++) {
        const double start = xc_seconds(), operations = run(1e-30f), rate = operations / (xc_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}

#endif
