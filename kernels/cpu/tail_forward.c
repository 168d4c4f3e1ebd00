/* tail_forward.c: z to y: normalise, activate, drop, pool. Ranges of sequences are independent of each other. Blocks
 * with a pool are tail_pool.c's; here are those without.
 */
#include "tail.h"

/* ---- counts of the clip ------------------------------------------------------------------------------------------ */

/* How many of `rows` rows of z the clip will meet. */
void xc_cpu_count_clipped(cpu_trial *b, const float *z, size_t rows) {
    const vfloat times = v_set(b->activation.scale), clip = v_set(b->activation.clip);
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        vint clipped = {0};
        for (size_t e = f; e < rows * b->columns; e += b->columns)
            clipped -= cpu_normalised(&by, v_load(z + e)) * times > clip;
        for (size_t i = 0; i < LANES && f + i < b->filters; i++) *b->clipped += (uint64_t)clipped[i];
    }
}

void xc_cpu_normalise(const cpu_trial *b, const float *z, size_t rows, float *u) {
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0, e = r * b->columns; f < b->columns; f += LANES) {
            const cpu_normaliser by = cpu_normaliser_of(b, f);
            v_store(u + e + f, cpu_normalised(&by, v_load(z + e + f)));
        }
}

/* ---- no pool ----------------------------------------------------------------------------------------------------- */

/* Column f of a row of activated values, or of z if the activation is one that is done on the way. */
INLINE vfloat output_of(const cpu_trial *b, const float *row, size_t f, size_t element, vfloat keep, const cpu_fused as,
                        const cpu_drop drop) {
    vfloat value = v_load(row + f);
    if (as != FUSED_NOT) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        value = cpu_fused_value(b, as, cpu_normalised(&by, value));
    }
    return drop == DROP_NONE ? value
                             : v_where(cpu_kept_as(drop, b->dropped, element + f, b->filters - f), value * keep);
}

/* `rows` rows, of which the first element has number `element`. */
INLINE void plain_rows(const cpu_trial *b, const float *from, size_t rows, size_t element, const cpu_fused as,
                       const cpu_drop drop) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    for (size_t r = 0; r < rows; r++, from += b->columns, element += b->filters) {
        size_t f = 0;
        for (; f + LANES <= b->filters; f += LANES)
            v_store(b->y + element + f, output_of(b, from, f, element, keep, as, drop));
        if (f < b->filters)
            v_store_part(b->y + element + f, output_of(b, from, f, element, keep, as, drop), b->filters - f);
    }
}

#define ROWS(as, drop)                                                                                   \
    static void rows_##as##_##drop(const cpu_trial *b, const float *from, size_t rows, size_t element) { \
        const cpu_trial fixed = *b; /* whose pointers no store can change */                             \
        plain_rows(&fixed, from, rows, element, as, drop);                                               \
    }
#define ROWS_OF(as) ROWS(as, DROP_NONE) ROWS(as, DROP_ANY) ROWS(as, DROP_BYTES)
ROWS_OF(FUSED_NOT)
ROWS_OF(FUSED_LINEAR)
ROWS_OF(FUSED_RELU)
ROWS_OF(FUSED_EXPONENTIAL)

typedef void rows_function(const cpu_trial *b, const float *from, size_t rows, size_t element);
#define ROW_OF(as) \
    { rows_##as##_DROP_NONE, rows_##as##_DROP_ANY, rows_##as##_DROP_BYTES }
static rows_function *const FUNCTIONS[4][3] = {ROW_OF(FUSED_NOT), ROW_OF(FUSED_LINEAR), ROW_OF(FUSED_RELU),
                                               ROW_OF(FUSED_EXPONENTIAL)};

static void forward_plain(cpu_trial *b, size_t first, size_t sequences) {
    const cpu_fused as = cpu_fused_of(b);
    rows_function *const function = FUNCTIONS[as][cpu_drop_of(b)];
    const size_t spans = b->gap ? sequences : 1, rows = sequences * b->conv_length / spans;
    for (size_t s = first; s < first + spans; s++)
        for (size_t r = 0; r < rows; r += b->strip_rows) {
            const size_t count = rows - r < b->strip_rows ? rows - r : b->strip_rows;
            const float *from = cpu_z_row(b, s, r);
            if (cpu_counts(b)) xc_cpu_count_clipped(b, from, count);
            if (as == FUSED_NOT) {
                xc_cpu_normalise(b, from, count, b->strip);
                xc_cpu_activate(&b->activation, b->strip, count * b->columns);
                from = b->strip;
            }
            function(b, from, count, (s * b->conv_length + r) * b->filters);
        }
}

static void forward_range(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    (void)partial_sums;
    const size_t sequence = b->conv_length * b->filters, element = first * sequence; /* a byte's first */
    if (b->dropped)
        xc_cpu_dropout(b->dropped + element / 8, element, sequences * sequence, xc_dropout_threshold(b->block->dropout),
                       b->seed, b->block->dropout_stream, b->step);
    if (b->block->pool > 1)
        xc_cpu_pool(b, first, sequences);
    else
        forward_plain(b, first, sequences);
}

void xc_cpu_tail_forward(cpu_trial *b) { xc_cpu_each_range(b, forward_range); }
