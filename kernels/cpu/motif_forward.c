/* motif_forward.c: the first layer's one pass forward. Tables hold batch norm's scale and shift, so a look-up gives u,
 * the activation's input, at once; a strip of u stays in the first cache until it is pooled or activated, and only
 * outputs are stored, with what backward wants of a window: where its winner was, and u there if need be.
 *
 * What no sum of table rows can reach is not looked for: neither a NaN nor the clip, unless the tables' bound allows
 * it. Sequences are done in chunks, which do not depend on each other.
 */
#include "motif.h"
#include "tail.h"
#include "vmath.h"

#define ROWS MOTIF_STRIP
#define NOWHERE 0x7fffffff /* becomes ROUTE_DROPPED when it is cut to 16 bits */

/* What is left to do for an activation when a strip is stored: nothing, or relu or the exponential of bounded values.
 */
typedef enum finish { FINISHED, FINISH_RELU, FINISH_EXPONENTIAL } finish;

INLINE vfloat finished(const finish as, vfloat u, vfloat scale) {
    if (as == FINISH_RELU) return v_select(u <= 0.0f, v_set(0), u);
    return as == FINISH_EXPONENTIAL ? v_exp_near(u * scale) : u;
}

/* What the whole pass knows. */
typedef struct forward_pass {
    cpu_trial *b;
    size_t c; /* the panel's first column */
    int vectors;
    bool counts;     /* of elements that the clip meets */
    bool monotone;   /* the pool may choose before the activation */
    bool simple;     /* and needs no regard to NaN, nor to dropout's zeros, which lose */
    bool keeps_peak; /* u at the winner */
    cpu_drop drop;
    finish as;
} forward_pass;

/* Windows of a strip, or the one that a strip is part of. */
typedef struct windows {
    _Alignas(VECTOR_BYTES) float best[ROWS][MOTIF_PANEL]; /* largest key among those kept */
    float peak[ROWS][MOTIF_PANEL];                        /* u there */
    int32_t at[ROWS][MOTIF_PANEL];                        /* its place, NOWHERE if none is kept */
    int32_t gap[ROWS][MOTIF_PANEL];                       /* place of the first that is dropped, NOWHERE if none is */
} windows;

static void count_clipped(const forward_pass *p, const float *u, size_t rows) {
    const xc_activation *a = &p->b->activation;
    const size_t wide = (size_t)p->vectors * LANES;
    for (size_t v = 0; v < wide; v += LANES) {
        vint count = {0};
        for (size_t r = 0; r < rows; r++) count -= v_load(u + r * wide + v) * a->scale > v_set(a->clip);
        for (size_t i = 0; i < LANES && p->c + v + i < p->b->filters; i++) *p->b->clipped += (uint64_t)count[i];
    }
}

/* ---- no pool ----------------------------------------------------------------------------------------------------- */

/* Rows (rows,panel) of a strip to y; `element` is the number of the first. */
INLINE void store_rows(const forward_pass *p, const float *u, size_t rows, size_t element, const int vectors,
                       const finish as, const cpu_drop drop) {
    const cpu_trial b = *p->b;                                            /* whose pointers no store can change */
    const size_t last = b.filters - p->c - (size_t)(vectors - 1) * LANES; /* filters of the last vector */
    const vfloat keep = v_set(cpu_keep_factor(&b)), scale = v_set(b.activation.scale);
    for (size_t r = 0; r < rows; r++, element += b.filters)
        for (int v = 0; v < vectors; v++, u += LANES) {
            const size_t e = element + (size_t)v * LANES;
            vfloat y = finished(as, v_load(u), scale);
            if (drop != DROP_NONE) y = v_where(cpu_kept_as(drop, b.dropped, e), y * keep);
            v_store_part(b.y + e, y, v == vectors - 1 ? last : LANES);
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
    for (size_t l = 0; l < b->conv_length; l += ROWS) {
        const size_t rows = b->conv_length - l < ROWS ? b->conv_length - l : ROWS;
        motif_look_up_strip(b, p->c, n, l, rows, u);
        if (p->counts) count_clipped(p, u, rows);
        if (p->as == FINISHED) xc_cpu_activate(&b->activation, u, rows * (size_t)p->vectors * LANES);
        STORE_BY[p->vectors - 1][p->as][p->drop](p, u, rows, (n * b->conv_length + l) * b->filters + p->c);
    }
}

/* ---- pool -------------------------------------------------------------------------------------------------------- */

/* A strip of one or more windows, of which the first and the last may not be all there. */
typedef struct strip {
    const float *u, *keys; /* (rows,panel); keys are compared */
    size_t rows, element;  /* number of the first row's first element in this panel */
    size_t pool, count;    /* windows */
    size_t place;          /* of the first row in the first window */
    bool begins;           /* the first window with it */
} strip;

/* Rows of window j of a strip, and the place of the first. */
INLINE xc_range rows_of(const strip *s, size_t j, size_t *place) {
    const size_t begin = j * s->pool > s->place ? j * s->pool - s->place : 0, end = (j + 1) * s->pool - s->place;
    *place = begin + s->place - j * s->pool;
    return (xc_range){begin, end < s->rows ? end : s->rows};
}

/* The largest of those kept, where all are numbers: two selects and a maximum, so that a row waits little for another.
 */
INLINE void choose_simply(const cpu_trial *b, const strip *s, windows *w, const int vectors, const cpu_drop drop) {
    const vfloat lowest = v_set(-__builtin_inff());
    for (size_t j = 0; j < s->count; j++) {
        const bool begins = j > 0 || s->begins;
        size_t first_place;
        const xc_range rows = rows_of(s, j, &first_place);
        vint at[2], place = v_set_int((int32_t)first_place);
        vfloat best[2];
        for (int v = 0; v < vectors; v++) {
            best[v] = begins ? lowest : v_load(w->best[j] + v * LANES);
            at[v] = begins ? v_set_int(NOWHERE) : *(vint *)(w->at[j] + v * LANES);
        }
        for (size_t r = rows.begin; r < rows.end; r++, place += 1)
            for (int v = 0; v < vectors; v++) {
                const size_t e = s->element + r * b->filters + (size_t)v * LANES;
                vfloat key = v_load(s->u + (r * (size_t)vectors + (size_t)v) * LANES);
                if (drop != DROP_NONE) key = v_select(cpu_kept_as(drop, b->dropped, e), key, lowest);
                at[v] = v_select_int(key > best[v], place, at[v]);
                best[v] = v_at_least(key, best[v]);
            }
        for (int v = 0; v < vectors; v++) {
            v_store(w->best[j] + v * LANES, best[v]);
            *(vint *)(w->at[j] + v * LANES) = at[v];
        }
    }
}

/* The same with regard to everything; columns c .. c + LANES - 1 of window j. */
static void choose_carefully(const forward_pass *p, const strip *s, windows *w, size_t j, size_t c) {
    const cpu_trial *b = p->b;
    const bool begins = j > 0 || s->begins;
    size_t first_place;
    const xc_range rows = rows_of(s, j, &first_place);
    vfloat best = begins ? v_set(-__builtin_inff()) : v_load(w->best[j] + c);
    vfloat peak = begins ? v_set(0) : v_load(w->peak[j] + c);
    vint at = begins ? v_set_int(NOWHERE) : *(vint *)(w->at[j] + c);
    vint gap = begins ? v_set_int(NOWHERE) : *(vint *)(w->gap[j] + c);
    vint place = v_set_int((int32_t)first_place);
    for (size_t r = rows.begin; r < rows.end; r++, place += 1) {
        const size_t row = r * (size_t)p->vectors * LANES + c;
        const vfloat key = v_load(s->keys + row);
        vint take = (key > best) | (key != key);
        if (b->dropped) {
            const vint kept = cpu_kept(b->dropped, s->element + r * b->filters + c);
            take &= kept;
            gap = v_select_int(kept | (gap < place), gap, place);
        }
        best = v_select(take, key, best);
        peak = v_select(take, v_load(s->u + row), peak);
        at = v_select_int(take, place, at);
    }
    v_store(w->best[j] + c, best);
    v_store(w->peak[j] + c, peak);
    *(vint *)(w->at[j] + c) = at;
    *(vint *)(w->gap[j] + c) = gap;
}

#define CHOOSE(vectors, drop)                                                               \
    static void choose_##vectors##_##drop(const cpu_trial *b, const strip *s, windows *w) { \
        const cpu_trial fixed = *b; /* whose pointers no store can change */                \
        const strip same = *s;                                                              \
        choose_simply(&fixed, &same, w, vectors, drop);                                     \
    }
CHOOSE(1, DROP_NONE)
CHOOSE(1, DROP_ANY)
CHOOSE(1, DROP_BYTES)
CHOOSE(2, DROP_NONE)
CHOOSE(2, DROP_ANY)
CHOOSE(2, DROP_BYTES)

static void choose(const forward_pass *p, const strip *s, windows *w) {
    static void (*const SIMPLY[2][3])(const cpu_trial *b, const strip *s, windows *w) = {
        {choose_1_DROP_NONE, choose_1_DROP_ANY, choose_1_DROP_BYTES},
        {choose_2_DROP_NONE, choose_2_DROP_ANY, choose_2_DROP_BYTES}};
    if (p->simple) {
        SIMPLY[p->vectors - 1][p->drop](p->b, s, w);
        return;
    }
    for (size_t j = 0; j < s->count; j++)
        for (size_t c = 0; c < (size_t)p->vectors * LANES; c += LANES) choose_carefully(p, s, w, j, c);
}

/* Windows to y and route; the first is output `output`. */
INLINE void store_windows(const forward_pass *p, const windows *w, size_t count, size_t output, const finish as,
                          const bool simple) {
    const cpu_trial b = *p->b; /* whose pointers no store can change */
    const size_t c = p->c, wide = (size_t)p->vectors * LANES;
    const vfloat keep = v_set(cpu_keep_factor(&b)), scale = v_set(b.activation.scale);
    for (size_t j = 0; j < count; j++, output++)
        for (size_t v = 0; v < wide; v += LANES) {
            vint at = *(const vint *)(w->at[j] + v);
            vfloat y = v_where(at != NOWHERE, finished(as, v_load(w->best[j] + v), scale) * keep);
            if (!simple && b.dropped) { /* 0 where a dropped element was first or larger */
                const vint gap = *(const vint *)(w->gap[j] + v);
                const vint lost = (gap < NOWHERE) & ((y < 0.0f) | ((y == 0.0f) & (gap < at)));
                y = v_where(~lost, y);
                at = v_select_int(lost, v_set_int(NOWHERE), at);
            }
            v_store_part(b.y + output * b.filters + c + v, y, b.filters - c - v);
            *(vshort_memory *)(b.route + output * b.columns + c + v) = __builtin_convertvector(at, vshort);
        }
}

static void finish_windows(const forward_pass *p, windows *w, size_t count, size_t output) {
    const cpu_trial *b = p->b;
    float(*peak)[MOTIF_PANEL] = p->monotone ? w->best : w->peak;
    for (size_t j = 0; p->keeps_peak && j < count; j++)
        memcpy(b->peak + (output + j) * b->columns + p->c, peak[j], (size_t)p->vectors * LANES * sizeof(float));
    if (p->monotone && p->as == FINISHED) xc_cpu_activate(&b->activation, w->best[0], count * MOTIF_PANEL);
    if (!p->simple)
        store_windows(p, w, count, output, FINISHED, false);
    else if (p->as == FINISH_RELU)
        store_windows(p, w, count, output, FINISH_RELU, true);
    else if (p->as == FINISH_EXPONENTIAL)
        store_windows(p, w, count, output, FINISH_EXPONENTIAL, true);
    else
        store_windows(p, w, count, output, FINISHED, true);
}

/* Positions first .. first + rows - 1 of sequence n: u to the strip, and what is compared to keys. */
static const float *make_strip(const forward_pass *p, size_t n, size_t first, size_t rows, float *u, float *keys) {
    const size_t floats = rows * (size_t)p->vectors * LANES;
    motif_look_up_strip(p->b, p->c, n, first, rows, u);
    if (p->counts) count_clipped(p, u, rows);
    if (p->monotone) return u;
    memcpy(keys, u, floats * sizeof(float));
    xc_cpu_activate(&p->b->activation, keys, floats);
    return keys;
}

/* `count` windows from `start` on, which may lie before the sequence: all in one strip, or one in some strips. */
static void make_windows(const forward_pass *p, size_t n, int64_t start, size_t count, windows *w) {
    const cpu_trial *b = p->b;
    const size_t pool = (size_t)b->block->pool;
    const int64_t stop = start + (int64_t)(count * pool);
    const size_t begin = start < 0 ? 0 : (size_t)start;
    const size_t end = stop < (int64_t)b->conv_length ? (size_t)stop : b->conv_length;
    float u[MOTIF_STRIP_FLOATS], keys[MOTIF_STRIP_FLOATS];
    for (size_t l = begin; l < end; l += ROWS) {
        strip s = {.u = u, .rows = end - l < ROWS ? end - l : ROWS, .pool = pool, .count = count, .begins = l == begin};
        s.place = (size_t)((int64_t)l - start);
        s.element = (n * b->conv_length + l) * b->filters + p->c;
        s.keys = make_strip(p, n, l, s.rows, u, keys);
        choose(p, &s, w);
    }
}

static void pooled_sequence(const forward_pass *p, size_t n) {
    const cpu_trial *b = p->b;
    const size_t pool = (size_t)b->block->pool, at_once = pool < ROWS ? ROWS / pool : 1;
    const int64_t start = -b->block->pool_pad_left, covered = start + (int64_t)(b->out_length * pool);
    float u[MOTIF_STRIP_FLOATS], keys[MOTIF_STRIP_FLOATS];
    windows w;
    for (size_t j = 0; j < b->out_length; j += at_once) {
        const size_t count = b->out_length - j < at_once ? b->out_length - j : at_once;
        make_windows(p, n, start + (int64_t)(j * pool), count, &w);
        finish_windows(p, &w, count, n * b->out_length + j);
    }
    for (int64_t l = covered; p->counts && l < (int64_t)b->conv_length; l += ROWS) { /* in no window, but they count */
        const size_t left = b->conv_length - (size_t)l;
        make_strip(p, n, (size_t)l, left < ROWS ? left : ROWS, u, keys);
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
    const bool numbers = bound < 1e30f, near = numbers && scaled < a->clip && scaled<87, pooled = b->block->pool> 1;
    forward_pass p = {
        .b = b,
        .counts = cpu_counts(b) && !(numbers && scaled < a->clip),
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
    size_t unit = 1;
    while (unit * elements % 8 != 0) unit *= 2;
    return round_up(((size_t)512 << 10) / elements + 1, unit);
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
                    pooled_sequence(&p, n);
                else
                    plain_sequence(&p, n);
        }
    }
}
