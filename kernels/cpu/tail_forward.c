/* tail_forward.c: z to y: normalise, activate, drop, pool. Works on strips of rows that the first cache holds.
 *
 * Where the activation never decreases the pool chooses before it, and only winners are activated; dropout's zeros then
 * compete with the winner at the end. What backward needs of a window is kept at the winner alone: z there (peak), and
 * where it was (route).
 */
#include "trial.h"

#define NOWHERE 0x7fffffff

/* Whether the clip of an exponential is to be counted. */
static bool counts(const cpu_trial *b) { return b->clipped && b->activation.kind == XC_EXPONENTIAL; }

/* Adds a count per lane, of which the first `valid` are filters. */
static void add_clipped(const cpu_trial *b, vint count, size_t valid) {
    for (size_t i = 0; i < LANES && i < valid; i++) *b->clipped += (uint64_t)count[i];
}

/* u of `rows` rows of z, and how many of them the clip will meet. */
INLINE void normalise_columns(const cpu_trial *b, const float *z, size_t rows, float *u, const bool count) {
    const vfloat times = v_set(b->activation.scale), clip = v_set(b->activation.clip);
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        vint clipped = {0};
        for (size_t e = f; e < rows * b->columns; e += b->columns) {
            const vfloat value = cpu_normalised(&by, v_load(z + e));
            if (count) clipped -= value * times > clip;
            v_store(u + e, value);
        }
        if (count) add_clipped(b, clipped, b->filters - f);
    }
}

static void normalise(const cpu_trial *b, const float *z, size_t rows, float *u) {
    if (counts(b))
        normalise_columns(b, z, rows, u, true);
    else
        normalise_columns(b, z, rows, u, false);
}

/* ---- no pool ----------------------------------------------------------------------------------------------------- */

/* Rows to y through dropout: of activated values, or of z where the activation is relu, which is done on the way.
 * `element` is the number of the first. */
INLINE void drop_rows(const cpu_trial *b, const float *from, size_t rows, size_t element, const bool relu,
                      const bool drop) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        const size_t left = b->filters - f;
        for (size_t r = 0; r < rows; r++) {
            const size_t e = element + r * b->filters + f;
            vfloat value = v_load(from + r * b->columns + f);
            if (relu) {
                value = cpu_normalised(&by, value);
                value = v_select(value <= 0.0f, v_set(0), value);
            }
            if (drop) value = v_where(cpu_kept(b->dropped, e), value * keep);
            v_store_part(b->y + e, value, left);
        }
    }
}

static void forward_strip(cpu_trial *b, const float *z, size_t rows, size_t element) {
    if (b->activation.kind == XC_RELU) {
        if (b->dropped)
            drop_rows(b, z, rows, element, true, true);
        else
            drop_rows(b, z, rows, element, true, false);
        return;
    }
    normalise(b, z, rows, b->strip);
    xc_cpu_activate(&b->activation, b->strip, rows * b->columns);
    if (b->dropped)
        drop_rows(b, b->strip, rows, element, false, true);
    else
        drop_rows(b, b->strip, rows, element, false, false);
}

static void forward_plain(cpu_trial *b) {
    const size_t spans = b->gap ? b->batch : 1, rows = b->batch * b->conv_length / spans;
    for (size_t s = 0; s < spans; s++)
        for (size_t r = 0; r < rows; r += b->strip_rows) {
            const size_t count = rows - r < b->strip_rows ? rows - r : b->strip_rows;
            forward_strip(b, cpu_z_row(b, s, r), count, (s * rows + r) * b->filters);
        }
}

/* ---- pool -------------------------------------------------------------------------------------------------------- */

/* One window: positions first .. first + count - 1 of sequence n exist; the first stands at `place` of the window. */
typedef struct window {
    const float *z;    /* (count,Fs) */
    const float *keys; /* (count,Fs) activations to compare, or NULL: compare u */
    size_t count, element;
    int32_t place;
} window;

static window find_window(const cpu_trial *b, size_t n, size_t j) {
    const int64_t start = (int64_t)j * b->block->pool - b->block->pool_pad_left;
    const int64_t first = start < 0 ? 0 : start;
    int64_t end = start + b->block->pool;
    if (end > (int64_t)b->conv_length) end = (int64_t)b->conv_length;
    return (window){.z = cpu_z_row(b, n, (size_t)first),
                    .count = (size_t)(end - first),
                    .element = (n * b->conv_length + (size_t)first) * b->filters,
                    .place = (int32_t)(first - start)};
}

/* What one window has chosen, for every filter. */
typedef struct choice {
    float *best;  /* (Fs) largest key among those kept */
    float *peak;  /* (Fs) z there */
    int32_t *at;  /* (Fs) its place, NOWHERE if none is kept */
    int32_t *gap; /* (Fs) place of the first that is dropped, NOWHERE if none is */
} choice;

INLINE void choose(const cpu_trial *b, const window *w, const choice *to, const bool fused, const bool drop,
                   const bool count) {
    const vfloat times = v_set(b->activation.scale), clip = v_set(b->activation.clip);
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        vfloat best = v_set(-__builtin_inff()), peak = v_set(0);
        vint at = v_set_int(NOWHERE), gap = v_set_int(NOWHERE), place = v_set_int(w->place), clipped = {0};
        for (size_t p = 0; p < w->count; p++, place += 1) {
            const vfloat z = v_load(w->z + p * b->columns + f);
            const vfloat key = fused ? cpu_normalised(&by, z) : v_load(w->keys + p * b->columns + f);
            vint take = (key > best) | (key != key);
            if (count) clipped -= key * times > clip;
            if (drop) {
                const vint kept = cpu_kept(b->dropped, w->element + p * b->filters + f);
                take &= kept;
                gap = v_select_int(kept | (gap < place), gap, place);
            }
            best = v_select(take, key, best);
            peak = v_select(take, z, peak);
            at = v_select_int(take, place, at);
        }
        v_store(to->best + f, best);
        v_store(to->peak + f, peak);
        *(vint *)(to->at + f) = at;
        if (drop) *(vint *)(to->gap + f) = gap;
        if (count) add_clipped(b, clipped, b->filters - f);
    }
}

/* Chosen values, activated by now, to y and route: 0 where a dropped element was first or larger. */
static void finish(const cpu_trial *b, const choice *from, size_t output) {
    float *y = b->y + output * b->filters;            /* (F) */
    uint16_t *route = b->route + output * b->columns; /* (Fs) */
    const vfloat keep = v_set(cpu_keep_factor(b));
    for (size_t f = 0; f < b->columns; f += LANES) {
        vfloat value = v_load(from->best + f) * keep;
        vint at = *(const vint *)(from->at + f);
        if (b->dropped) {
            const vint gap = *(const vint *)(from->gap + f);
            const vint lost = ((gap < NOWHERE) & ((value < 0.0f) | ((value == 0.0f) & (gap < at)))) | (at == NOWHERE);
            value = v_where(~lost, value);
            at = v_select_int(lost, v_set_int(ROUTE_DROPPED), at);
        }
        v_store_part(y + f, value, b->filters - f);
        *(vshort_memory *)(route + f) = __builtin_convertvector(at, vshort);
    }
}

/* The choice for one window; `fused`: on u, before the activation. */
static void choose_window(cpu_trial *b, window *w, const choice *to, bool fused) {
    const bool drop = b->dropped != NULL, count = fused && counts(b);
    if (!fused) {
        normalise(b, w->z, w->count, b->keys);
        xc_cpu_activate(&b->activation, b->keys, w->count * b->columns);
        w->keys = b->keys;
    }
    if (!fused && drop) choose(b, w, to, false, true, false);
    if (!fused && !drop) choose(b, w, to, false, false, false);
    if (fused && drop && count) choose(b, w, to, true, true, true);
    if (fused && drop && !count) choose(b, w, to, true, true, false);
    if (fused && !drop && count) choose(b, w, to, true, false, true);
    if (fused && !drop && !count) choose(b, w, to, true, false, false);
}

/* Outputs `first` .. `first + count - 1` of sequence n. */
static void pool_strip(cpu_trial *b, size_t n, size_t first, size_t count, bool fused) {
    const size_t strip = b->strip_rows * b->columns;
    for (size_t i = 0; i < count; i++) {
        const size_t output = n * b->out_length + first + i, row = i * b->columns;
        const choice to = {b->strip + row, b->peak + output * b->columns, (int32_t *)(b->strip + strip + row),
                           (int32_t *)(b->strip + 2 * strip + row)};
        window w = find_window(b, n, first + i);
        choose_window(b, &w, &to, fused);
    }
    if (fused) xc_cpu_activate(&b->activation, b->strip, count * b->columns);
    for (size_t i = 0; i < count; i++) {
        const size_t row = i * b->columns;
        const choice from = {b->strip + row, NULL, (int32_t *)(b->strip + strip + row),
                             (int32_t *)(b->strip + 2 * strip + row)};
        finish(b, &from, n * b->out_length + first + i);
    }
}

static void forward_pooled(cpu_trial *b) {
    const bool fused = xc_cpu_is_monotone(&b->activation);
    const int64_t covered = (int64_t)b->out_length * b->block->pool - b->block->pool_pad_left;
    for (size_t n = 0; n < b->batch; n++) {
        for (size_t j = 0; j < b->out_length; j += b->strip_rows)
            pool_strip(b, n, j, b->out_length - j < b->strip_rows ? b->out_length - j : b->strip_rows, fused);
        for (int64_t l = covered; counts(b) && l < (int64_t)b->conv_length; l++) /* in no window, but they count */
            normalise(b, cpu_z_row(b, n, (size_t)l), 1, b->keys);
    }
}

void xc_cpu_tail_forward(cpu_trial *b) {
    const uint32_t threshold = xc_dropout_threshold(b->block->dropout);
    if (b->dropped)
        xc_cpu_dropout(b->dropped, 0, b->batch * b->conv_length * b->filters, threshold, b->seed, b->block->dropout_stream,
                       b->step);
    if (b->block->pool > 1)
        forward_pooled(b);
    else
        forward_plain(b);
}
