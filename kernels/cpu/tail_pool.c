/* tail_pool.c: normalise, activate, drop and pool. What backward needs of a window is kept at the winner alone: z there
 * (peak), and where it was (route).
 *
 * Where the activation never decreases the pool chooses before it, and only winners are activated; dropout's zeros then
 * compete with the winner at the end. With relu and the exponential they cannot matter: they are below no value, and
 * where they equal one its slope is 0. So there a window is one pass over z, whose order is that of u or its reverse.
 */
#include "tail.h"

#define NOWHERE 0x7fffffff /* becomes ROUTE_DROPPED when it is cut to 16 bits */

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

/* ---- any activation ---------------------------------------------------------------------------------------------- */

/* What one window has chosen, for every filter. */
typedef struct choice {
    float *best;  /* (Fs) largest key among those kept */
    float *peak;  /* (Fs) z there */
    int32_t *at;  /* (Fs) its place, NOWHERE if none is kept */
    int32_t *gap; /* (Fs) place of the first that is dropped, NOWHERE if none is */
} choice;

INLINE void choose(const cpu_trial *b, const window *w, const choice *to, const bool fused, const bool drop) {
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        vfloat best = v_set(-__builtin_inff()), peak = v_set(0);
        vint at = v_set_int(NOWHERE), gap = v_set_int(NOWHERE), place = v_set_int(w->place);
        for (size_t p = 0; p < w->count; p++, place += 1) {
            const vfloat z = v_load(w->z + p * b->columns + f);
            const vfloat key = fused ? cpu_normalised(&by, z) : v_load(w->keys + p * b->columns + f);
            vint take = (key > best) | (key != key);
            if (drop) {
                const vint kept = cpu_kept(b->dropped, w->element + p * b->filters + f, b->filters - f);
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
    const bool drop = b->dropped != NULL;
    if (!fused) {
        xc_cpu_normalise(b, w->z, w->count, b->keys);
        xc_cpu_activate(&b->activation, b->keys, w->count * b->columns);
        w->keys = b->keys;
    }
    if (fused && drop) choose(b, w, to, true, true);
    if (fused && !drop) choose(b, w, to, true, false);
    if (!fused && drop) choose(b, w, to, false, true);
    if (!fused && !drop) choose(b, w, to, false, false);
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

/* ---- relu and the exponential ------------------------------------------------------------------------------------ */

/* Whether z itself may be compared: batch norm neither flattens nor spoils any filter. */
static bool keeps_order(const cpu_trial *b) {
    for (size_t f = 0; f < b->filters; f++)
        if (!(__builtin_fabsf(b->scale[f]) > 0) || __builtin_isinf(b->scale[f])) return false;
    return true;
}

/* What one window has chosen, in z times the sign of scale, and its place; of `vectors` vectors of columns. */
INLINE void scan(const cpu_trial *b, const window *w, size_t f, const int vectors, const cpu_drop drop,
                 const bool numbers, vfloat *best, vint *at) {
    vint sign[4], place = v_set_int(w->place);
    for (int v = 0; v < vectors; v++) {
        sign[v] = (vint)v_load(b->scale + f + v * LANES) & (int32_t)0x80000000;
        best[v] = v_set(-__builtin_inff());
        at[v] = v_set_int(NOWHERE);
    }
    for (size_t p = 0; p < w->count; p++, place += 1)
        for (int v = 0; v < vectors; v++) {
            const size_t column = f + (size_t)v * LANES;
            vfloat key = (vfloat)((vint)v_load(w->z + p * b->columns + column) ^ sign[v]);
            vint take = numbers ? key > best[v] : (key > best[v]) | (key != key);
            if (drop != DROP_NONE)
                take &= cpu_kept_as(drop, b->dropped, w->element + p * b->filters + column, b->filters - column);
            best[v] = v_select(take, key, best[v]);
            at[v] = v_select_int(take, place, at[v]);
        }
}

INLINE void window_group(const cpu_trial *b, const window *w, size_t output, size_t f, const int vectors,
                         const cpu_drop drop, const bool numbers) {
    const vfloat keep = v_set(cpu_keep_factor(b));
    vfloat best[4];
    vint at[4];
    scan(b, w, f, vectors, drop, numbers, best, at);
    for (int v = 0; v < vectors; v++, f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        const vint found = at[v] != NOWHERE;
        const vfloat peak = v_where(found, (vfloat)((vint)best[v] ^ ((vint)by.scale & (int32_t)0x80000000)));
        const vfloat u = cpu_normalised(&by, peak);
        const vfloat value = b->activation.kind == XC_RELU ? cpu_fused_value(b, FUSED_RELU, u)
                                                           : cpu_fused_value(b, FUSED_EXPONENTIAL, u);
        v_store(b->peak + output * b->columns + f, peak);
        v_store_part(b->y + output * b->filters + f, v_where(found, value * keep), b->filters - f);
        *(vshort_memory *)(b->route + output * b->columns + f) = __builtin_convertvector(at[v], vshort);
    }
}

/* All outputs of a sequence; `numbers`: no z is a NaN. */
INLINE void sequence_windows(const cpu_trial *b, size_t n, const cpu_drop drop, const bool numbers) {
    for (size_t j = 0; j < b->out_length; j++) {
        const window w = find_window(b, n, j);
        const size_t output = n * b->out_length + j;
        size_t f = 0;
        for (; f + 4 * LANES <= b->columns; f += 4 * LANES) window_group(b, &w, output, f, 4, drop, numbers);
        for (; f + 2 * LANES <= b->columns; f += 2 * LANES) window_group(b, &w, output, f, 2, drop, numbers);
        if (f < b->columns) window_group(b, &w, output, f, 1, drop, numbers);
    }
}

/* Batch statistics that gave a finite scale met no NaN. */
static void fast_sequence(const cpu_trial *b, size_t n) {
    const bool numbers = b->norm && b->training;
    const cpu_drop drop = cpu_drop_of(b);
    const cpu_trial fixed = *b; /* whose pointers no store can change */
    if (numbers && drop == DROP_NONE) sequence_windows(&fixed, n, DROP_NONE, true);
    if (numbers && drop == DROP_ANY) sequence_windows(&fixed, n, DROP_ANY, true);
    if (numbers && drop == DROP_BYTES) sequence_windows(&fixed, n, DROP_BYTES, true);
    if (!numbers && drop == DROP_NONE) sequence_windows(&fixed, n, DROP_NONE, false);
    if (!numbers && drop != DROP_NONE) sequence_windows(&fixed, n, DROP_ANY, false);
}

/* ---- ranges ------------------------------------------------------------------------------------------------------ */

void xc_cpu_pool(cpu_trial *b, size_t first, size_t sequences) {
    const bool fused = xc_cpu_is_monotone(&b->activation);
    const bool fast =
        fused && (cpu_fused_of(b) == FUSED_RELU || cpu_fused_of(b) == FUSED_EXPONENTIAL) && keeps_order(b);
    for (size_t n = first; n < first + sequences; n++) {
        if (cpu_counts(b)) xc_cpu_count_clipped(b, cpu_z_row(b, n, 0), b->conv_length);
        if (fast)
            fast_sequence(b, n);
        else
            for (size_t j = 0; j < b->out_length; j += b->strip_rows)
                pool_strip(b, n, j, b->out_length - j < b->strip_rows ? b->out_length - j : b->strip_rows, fused);
    }
}
