/* motif_forward.c: the first layer's one pass forward. Tables hold batch norm's scale and shift, so a look-up gives u,
 * the activation's input, at once; a strip of u stays in the first cache until it is pooled or activated, and only
 * outputs are stored, with what backward wants of a window: where its winner was, and u there if need be.
 *
 * What no sum of table rows can reach is not looked for: neither a NaN nor the clip, unless the tables' bound allows
 * it. Sequences are done in chunks, which do not depend on each other.
 */
#include "motif.h"
#include "tail.h"

#define ROWS MOTIF_STRIP
#define NOWHERE 0x7fffffff /* becomes ROUTE_DROPPED when it is cut to 16 bits */

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
} forward_pass;

/* Windows of a strip, or the one that a strip is part of. */
typedef struct windows {
    float best[ROWS][MOTIF_PANEL];  /* largest key among those kept */
    float peak[ROWS][MOTIF_PANEL];  /* u there */
    int32_t at[ROWS][MOTIF_PANEL];  /* its place, NOWHERE if none is kept */
    int32_t gap[ROWS][MOTIF_PANEL]; /* place of the first that is dropped, NOWHERE if none is */
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

/* Rows (rows,panel) of u, activated if `as` says nothing else, to y; `element` is the number of the first. */
INLINE void store_rows(const forward_pass *p, const float *u, size_t rows, size_t element, const int vectors,
                       const cpu_fused as, const cpu_drop drop) {
    const cpu_trial *b = p->b;
    const size_t left = b->filters - p->c - (size_t)(vectors - 1) * LANES; /* filters of the last vector */
    const vfloat keep = v_set(cpu_keep_factor(b));
    for (size_t r = 0; r < rows; r++, element += b->filters)
        for (int v = 0; v < vectors; v++, u += LANES) {
            const size_t e = element + (size_t)v * LANES;
            vfloat y = v_load(u);
            if (as != FUSED_NOT) y = cpu_fused_value(b, as, y);
            if (drop != DROP_NONE) y = v_where(cpu_kept_as(drop, b->dropped, e), y * keep);
            v_store_part(b->y + e, y, v == vectors - 1 ? left : LANES);
        }
}

#define STORE(as, vectors, drop)                                                                                      \
    static void store_##as##_##vectors##_##drop(const forward_pass *p, const float *u, size_t rows, size_t element) { \
        const cpu_trial fixed = *p->b; /* whose pointers no store can change */                                       \
        const forward_pass pass = {.b = (cpu_trial *)&fixed, .c = p->c};                                              \
        store_rows(&pass, u, rows, element, vectors, as, drop);                                                       \
    }
#define STORES(as)           \
    STORE(as, 1, DROP_NONE)  \
    STORE(as, 1, DROP_ANY)   \
    STORE(as, 1, DROP_BYTES) \
    STORE(as, 2, DROP_NONE)  \
    STORE(as, 2, DROP_ANY)   \
    STORE(as, 2, DROP_BYTES)
STORES(FUSED_NOT)
STORES(FUSED_LINEAR)
STORES(FUSED_RELU)
STORES(FUSED_EXPONENTIAL)

typedef void store_function(const forward_pass *p, const float *u, size_t rows, size_t element);
#define STORE_OF(as, vectors) \
    { store_##as##_##vectors##_DROP_NONE, store_##as##_##vectors##_DROP_ANY, store_##as##_##vectors##_DROP_BYTES }
static store_function *const STORED[4][2][3] = {{STORE_OF(FUSED_NOT, 1), STORE_OF(FUSED_NOT, 2)},
                                                {STORE_OF(FUSED_LINEAR, 1), STORE_OF(FUSED_LINEAR, 2)},
                                                {STORE_OF(FUSED_RELU, 1), STORE_OF(FUSED_RELU, 2)},
                                                {STORE_OF(FUSED_EXPONENTIAL, 1), STORE_OF(FUSED_EXPONENTIAL, 2)}};

static void plain_sequence(const forward_pass *p, size_t n) {
    cpu_trial *b = p->b;
    const cpu_fused as = cpu_fused_of(b);
    store_function *const store = STORED[as][p->vectors - 1][p->drop];
    float u[MOTIF_STRIP_FLOATS];
    for (size_t l = 0; l < b->conv_length; l += ROWS) {
        const size_t rows = b->conv_length - l < ROWS ? b->conv_length - l : ROWS;
        motif_look_up_strip(b, p->c, n, l, rows, u);
        if (p->counts) count_clipped(p, u, rows);
        if (as == FUSED_NOT) xc_cpu_activate(&b->activation, u, rows * (size_t)p->vectors * LANES);
        store(p, u, rows, (n * b->conv_length + l) * b->filters + p->c);
    }
}

/* ---- pool -------------------------------------------------------------------------------------------------------- */

/* Rows of a strip that belong to one window; the first stands at `place` of it. */
typedef struct part {
    const float *u, *keys; /* (rows,panel); keys are compared */
    size_t rows, element;
    int32_t place;
    bool first; /* of its window */
} part;

/* The largest of those kept, where all are numbers: two selects and a maximum, so that one row waits little for
 * another. */
INLINE void choose_simply(const cpu_trial *b, const part *s, windows *w, size_t j, const int vectors,
                          const cpu_drop drop) {
    vfloat best[2];
    vint at[2];
    for (int v = 0; v < vectors; v++) {
        best[v] = s->first ? v_set(-__builtin_inff()) : v_load(w->best[j] + v * LANES);
        at[v] = s->first ? v_set_int(NOWHERE) : *(vint *)(w->at[j] + v * LANES);
    }
    vint place = v_set_int(s->place);
    size_t e = s->element;
    const float *u = s->u;
    for (size_t r = 0; r < s->rows; r++, place += 1, e += b->filters, u += vectors * LANES)
        for (int v = 0; v < vectors; v++) {
            vfloat key = v_load(u + v * LANES);
            if (drop != DROP_NONE)
                key = v_select(cpu_kept_as(drop, b->dropped, e + (size_t)v * LANES), key, v_set(-__builtin_inff()));
            at[v] = v_select_int(key > best[v], place, at[v]);
            best[v] = v_at_least(key, best[v]);
        }
    for (int v = 0; v < vectors; v++) {
        v_store(w->best[j] + v * LANES, best[v]);
        *(vint *)(w->at[j] + v * LANES) = at[v];
    }
}

/* The same with regard to everything. */
static void choose_carefully(const cpu_trial *b, const part *s, windows *w, size_t j, int vectors) {
    for (int v = 0; v < vectors; v++) {
        const size_t c = (size_t)v * LANES;
        vfloat best = s->first ? v_set(-__builtin_inff()) : v_load(w->best[j] + c);
        vfloat peak = s->first ? v_set(0) : v_load(w->peak[j] + c);
        vint at = s->first ? v_set_int(NOWHERE) : *(vint *)(w->at[j] + c);
        vint gap = s->first ? v_set_int(NOWHERE) : *(vint *)(w->gap[j] + c);
        vint place = v_set_int(s->place);
        for (size_t r = 0; r < s->rows; r++, place += 1) {
            const size_t row = r * (size_t)vectors * LANES + c;
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
}

#define CHOOSE(vectors, drop)                                                                        \
    static void choose_##vectors##_##drop(const cpu_trial *b, const part *s, windows *w, size_t j) { \
        choose_simply(b, s, w, j, vectors, drop);                                                    \
    }
CHOOSE(1, DROP_NONE)
CHOOSE(1, DROP_ANY)
CHOOSE(1, DROP_BYTES)
CHOOSE(2, DROP_NONE)
CHOOSE(2, DROP_ANY)
CHOOSE(2, DROP_BYTES)

static void choose(const forward_pass *p, const part *s, windows *w, size_t j) {
    static void (*const SIMPLY[2][3])(const cpu_trial *b, const part *s, windows *w, size_t j) = {
        {choose_1_DROP_NONE, choose_1_DROP_ANY, choose_1_DROP_BYTES},
        {choose_2_DROP_NONE, choose_2_DROP_ANY, choose_2_DROP_BYTES}};
    if (p->simple)
        SIMPLY[p->vectors - 1][p->drop](p->b, s, w, j);
    else
        choose_carefully(p->b, s, w, j, p->vectors);
}

/* Window j of the strip, activated by now, to y and route: 0 where a dropped element was first or larger. */
static void store_window(const forward_pass *p, const windows *w, size_t j, const float *value, size_t output) {
    const cpu_trial *b = p->b;
    const vfloat keep = v_set(cpu_keep_factor(b));
    for (size_t v = 0; v < (size_t)p->vectors * LANES; v += LANES) {
        const size_t f = p->c + v;
        vint at = *(const vint *)(w->at[j] + v);
        vfloat y = v_where(at != NOWHERE, v_load(value + v) * keep);
        if (!p->simple && b->dropped) {
            const vint gap = *(const vint *)(w->gap[j] + v);
            const vint lost = (gap < NOWHERE) & ((y < 0.0f) | ((y == 0.0f) & (gap < at)));
            y = v_where(~lost, y);
            at = v_select_int(lost, v_set_int(NOWHERE), at);
        }
        v_store_part(b->y + output * b->filters + f, y, b->filters - f);
        *(vshort_memory *)(b->route + output * b->columns + f) = __builtin_convertvector(at, vshort);
        if (p->keeps_peak) v_store(b->peak + output * b->columns + f, v_load(w->peak[j] + v));
    }
}

/* `count` finished windows, the first of which is output `output`. */
static void store_windows(const forward_pass *p, windows *w, size_t count, size_t output) {
    const size_t wide = (size_t)p->vectors * LANES;
    if (p->monotone && p->keeps_peak) memcpy(w->peak, w->best, count * sizeof w->best[0]);
    if (p->monotone && wide == MOTIF_PANEL) xc_cpu_activate(&p->b->activation, w->best[0], count * MOTIF_PANEL);
    for (size_t j = 0; j < count; j++) {
        if (p->monotone && wide < MOTIF_PANEL) xc_cpu_activate(&p->b->activation, w->best[j], wide);
        store_window(p, w, j, w->best[j], output + j);
    }
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

/* Strips hold whole windows, or a window whole strips. */
static void pooled_sequence(const forward_pass *p, size_t n) {
    const cpu_trial *b = p->b;
    const size_t pool = (size_t)b->block->pool, wide = (size_t)p->vectors * LANES;
    const size_t at_once = pool < ROWS ? ROWS / pool : 1;
    float u[MOTIF_STRIP_FLOATS], keys[MOTIF_STRIP_FLOATS];
    windows w;
    int64_t start = -b->block->pool_pad_left; /* of the strip's first window */
    for (size_t j = 0; j < b->out_length; j += at_once, start += (int64_t)(at_once * pool)) {
        const size_t count = b->out_length - j < at_once ? b->out_length - j : at_once;
        const int64_t stop = start + (int64_t)(count * pool);
        const size_t end = stop < (int64_t)b->conv_length ? (size_t)stop : b->conv_length;
        size_t l = start < 0 ? 0 : (size_t)start;
        for (size_t first = l; first < end; first += ROWS) {
            const size_t rows = end - first < ROWS ? end - first : ROWS;
            const float *key = make_strip(p, n, first, rows, u, keys);
            while (l < first + rows) {
                const size_t i = (size_t)((int64_t)l - start) / pool; /* window within the strip */
                const int64_t next = start + (int64_t)((i + 1) * pool);
                const size_t until = next < (int64_t)(first + rows) ? (size_t)next : first + rows;
                const size_t place = (size_t)((int64_t)l - start) - i * pool, row = (l - first) * wide;
                const bool fresh = place == 0 || l == 0;
                const part s = {u + row,        key + row, until - l, (n * b->conv_length + l) * b->filters + p->c,
                                (int32_t)place, fresh};
                choose(p, &s, &w, i);
                l = until;
            }
        }
        store_windows(p, &w, count, n * b->out_length + j);
    }
    const int64_t covered = (int64_t)(b->out_length * pool) - b->block->pool_pad_left;
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
    const float reach = reach_of(b);
    const bool numbers = reach < 1e30f, monotone = xc_cpu_is_monotone(a);
    const bool below = numbers && 1.0001f * reach * (a->scale < 0 ? -a->scale : a->scale) < a->clip;
    return (forward_pass){
        .b = b,
        .counts = cpu_counts(b) && !below,
        .monotone = monotone,
        .simple = numbers && monotone && (!b->dropped || never_negative(a->kind)),
        .keeps_peak = !motif_slope_from_output(a),
        .drop = cpu_drop_of(b),
    };
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
