/* motif_pool.c: the first layer's look-ups through the max pool. A strip of u is looked up, each of its windows chooses
 * its winner, and outputs alone are stored, with what backward wants of a window: where its winner was, and u there if
 * need be. Strips hold whole windows, or a window whole strips.
 */
#include "motif_pass.h"

#define ROWS MOTIF_STRIP
#define NOWHERE 0x7fffffff /* becomes ROUTE_DROPPED when it is cut to 16 bits */

/* Windows of a strip, or the one that a strip is part of. */
typedef struct windows {
    _Alignas(VECTOR_BYTES) float best[ROWS][MOTIF_PANEL]; /* largest key among those kept */
    float peak[ROWS][MOTIF_PANEL];                        /* u there */
    int32_t at[ROWS][MOTIF_PANEL];                        /* its place, NOWHERE if none is kept */
    int32_t gap[ROWS][MOTIF_PANEL];                       /* place of the first that is dropped, NOWHERE if none is */
} windows;

/* A strip of one or more windows, of which the first and the last may not be all there. */
typedef struct strip {
    const float *u, *keys; /* (rows,panel); keys are compared */
    size_t rows, element;  /* number of the first row's first element in this panel */
    size_t left;           /* filters from the panel on */
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
                if (drop != DROP_NONE)
                    key = v_select(cpu_kept_as(drop, b->dropped, e, s->left - (size_t)v * LANES), key, lowest);
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
            const vint kept = cpu_kept(b->dropped, s->element + r * b->filters + c, s->left - c);
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
    if (p->counts) xc_cpu_motif_count_clipped(p, u, rows);
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
        s.left = b->filters - p->c;
        s.keys = make_strip(p, n, l, s.rows, u, keys);
        choose(p, &s, w);
    }
}

void xc_cpu_motif_pool(const forward_pass *p, size_t n) {
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
