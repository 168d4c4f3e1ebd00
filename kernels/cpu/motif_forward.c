/* motif_forward.c: the first layer's one pass forward. Tables hold batch norm's scale and shift, so a look-up gives u,
 * the activation's input, at once; a strip of u stays in the first cache until it is pooled (motif_pool.c) or activated
 * and stored. What no sum of table rows can reach is not looked for: neither a NaN nor the clip.
 */
#include "motif_pass.h"

void xc_cpu_motif_count_clipped(const forward_pass *p, const float *u, size_t rows) {
    const xc_activation *a = &p->b->activation;
    const size_t wide = (size_t)p->vectors * LANES;
    for (size_t v = 0; v < wide; v += LANES) {
        vint count = {0};
        for (size_t r = 0; r < rows; r++) count -= v_load(u + r * wide + v) * a->scale > v_set(a->clip);
        for (size_t i = 0; i < LANES && p->c + v + i < p->b->filters; i++) *p->b->clipped += (uint64_t)count[i];
    }
}

/* Rows (rows,panel) of a strip to y; `element` is the number of the first. */
INLINE void store_rows(const forward_pass *p, const float *u, size_t rows, size_t element, const int vectors,
                       const finish as, const cpu_drop drop) {
    const cpu_trial b = *p->b;                                            /* whose pointers no store can change */
    const size_t last = b.filters - p->c - (size_t)(vectors - 1) * LANES; /* filters from the last vector on */
    const vfloat keep = v_set(cpu_keep_factor(&b)), scale = v_set(b.activation.scale);
    for (size_t r = 0; r < rows; r++, element += b.filters)
        for (int v = 0; v < vectors; v++, u += LANES) {
            const size_t e = element + (size_t)v * LANES, left = (size_t)(vectors - 1 - v) * LANES + last;
            vfloat y = finished(as, v_load(u), scale);
            if (drop != DROP_NONE) y = v_where(cpu_kept_as(drop, b.dropped, e, left), y * keep);
            v_store_part(b.y + e, y, left);
        }
}

#define STORE(vectors, as, drop)                                                                                      \
    static void store_##vectors##_##as##_##drop(const forward_pass *p, const float *u, size_t rows, size_t element) { \
        store_rows(p, u, rows, element, vectors, as, drop);                                                           \
    }
#define STORES(vectors, as)       \
    STORE(vectors, as, DROP_NONE) \
    STORE(vectors, as, DROP_ANY)  \
    STORE(vectors, as, DROP_BYTES)
STORES(1, FINISHED)
STORES(1, FINISH_RELU)
STORES(1, FINISH_EXPONENTIAL)
STORES(2, FINISHED)
STORES(2, FINISH_RELU)
STORES(2, FINISH_EXPONENTIAL)

typedef void store_function(const forward_pass *p, const float *u, size_t rows, size_t element);
#define STORE_OF(vectors, as) \
    { store_##vectors##_##as##_DROP_NONE, store_##vectors##_##as##_DROP_ANY, store_##vectors##_##as##_DROP_BYTES }
static store_function *const STORE_BY[2][3][3] = {
    {STORE_OF(1, FINISHED), STORE_OF(1, FINISH_RELU), STORE_OF(1, FINISH_EXPONENTIAL)},
    {STORE_OF(2, FINISHED), STORE_OF(2, FINISH_RELU), STORE_OF(2, FINISH_EXPONENTIAL)}};

static void plain_sequence(const forward_pass *p, size_t n) {
    const cpu_trial *b = p->b;
    float u[MOTIF_STRIP_FLOATS];
    for (size_t l = 0; l < b->conv_length; l += MOTIF_STRIP) {
        const size_t rows = b->conv_length - l < MOTIF_STRIP ? b->conv_length - l : MOTIF_STRIP;
        motif_look_up_strip(b, p->c, n, l, rows, u);
        if (p->counts) xc_cpu_motif_count_clipped(p, u, rows);
        if (p->as == FINISHED) xc_cpu_activate(&b->activation, u, rows * (size_t)p->vectors * LANES);
        STORE_BY[p->vectors - 1][p->as][p->drop](p, u, rows, (n * b->conv_length + l) * b->filters + p->c);
    }
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

/* Whether dropout's zero never beats a value that was kept; where it equals one, the slope is 0. */
static bool never_negative(xc_activation_kind kind) {
    return kind != XC_LINEAR && kind != XC_TANH && kind != XC_ELU && kind != XC_SHIFT_TANH && kind != XC_LOG;
}

/* A bound of every |u|; NaN if a tap is. */
static float reach_of(const cpu_trial *b) {
    float most = 0;
    for (size_t f = 0; f < b->columns; f++) {
        const float reach = b->motif.reach[f];
        if (reach != reach) return reach;
        if (reach > most) most = reach;
    }
    return most;
}

static forward_pass make_pass(cpu_trial *b) {
    const xc_activation *a = &b->activation;
    const float bound = reach_of(b), scaled = 1.0001f * bound * (a->scale < 0 ? -a->scale : a->scale);
    const bool pooled = b->block->pool > 1, numbers = bound < 1e30f;
    const bool below_clip = numbers && scaled < a->clip, near = below_clip && scaled < 87;
    forward_pass p = {
        .b = b,
        .counts = cpu_counts(b) && !below_clip,
        .monotone = xc_cpu_is_monotone(a),
        .keeps_peak = !motif_slope_from_output(a),
        .drop = cpu_drop_of(b),
    };
    p.simple = numbers && p.monotone && (!b->dropped || never_negative(a->kind));
    if (pooled && !p.simple) return p;
    if (a->kind == XC_RELU) p.as = FINISH_RELU;
    if (a->kind == XC_EXPONENTIAL && near) p.as = FINISH_EXPONENTIAL;
    return p;
}

/* As many sequences as have their bits of dropout in the second cache, and that begin at a whole byte of them. */
static size_t chunk_of(const cpu_trial *b) {
    const size_t elements = b->conv_length * b->filters;
    return round_up(((size_t)512 << 10) / elements + 1, cpu_byte_unit(b));
}

static void drop(cpu_trial *b, size_t first, size_t count) {
    const size_t elements = b->conv_length * b->filters;
    xc_cpu_dropout(b->dropped + first * elements / 8, first * elements, count * elements,
                   xc_dropout_threshold(b->block->dropout), b->seed, b->block->dropout_stream, b->step);
}

void xc_cpu_motif_forward_pass(cpu_trial *b, xc_range sequences) {
    forward_pass p = make_pass(b);
    const size_t chunk = chunk_of(b);
    for (size_t first = sequences.begin; first < sequences.end; first += chunk) {
        const size_t count = sequences.end - first < chunk ? sequences.end - first : chunk;
        if (b->dropped) drop(b, first, count);
        for (p.c = 0; p.c < b->filters; p.c += MOTIF_PANEL) {
            p.vectors = motif_vectors(b, p.c);
            for (size_t n = first; n < first + count; n++)
                if (b->block->pool > 1)
                    xc_cpu_motif_pool(&p, n);
                else
                    plain_sequence(&p, n);
        }
    }
}
