/* motif_backward.c: the first layer's one pass back. With g the gradient at batch norm's output, g alone is added to
 * the tables; folded, they are R = sum of g over the positions where a tap reads a letter, from which everything
 * follows:
 *
 *   dbeta = sum g            dgamma = sum over taps of (tap - its mean) R / deviation
 *   dW = scale (R - dbeta / n counts - dgamma / n pull / deviation)
 *
 * pull being the sum of z - mean over the same positions (motif_norm.c). Source: Ioffe & Szegedy 2015, section 3, for
 * one-hot inputs. dgamma comes from R rather than from the peaks: it needs no z, and as taps are centred one by one it
 * cancels no worse.
 *
 * With a pool g is not 0 at winners alone: a wide pool adds each winner's by itself, a narrow one rows of zeros and
 * winners.
 */
#include "motif.h"
#include "tail.h"

/* ---- g ----------------------------------------------------------------------------------------------------------- */

/* From y, which holds dropout's factor: relu has the slope `keep` where y > 0; the exponential's slope is its value,
 * but no more than at the clip. Both are 0 where y is a dropped 0. */
INLINE void slope_from_output(const cpu_trial *b, size_t c, size_t output, size_t rows, const int vectors,
                              const bool relu, float *g) {
    const vfloat keep = v_set(cpu_keep_factor(b)), scale = v_set(b->activation.scale);
    const vfloat most = v_exp(v_set(b->activation.clip)) * keep;
    const size_t left = b->filters - c - (size_t)(vectors - 1) * LANES; /* filters of the last vector */
    size_t e = output * b->filters + c;
    for (size_t r = 0; r < rows; r++, e += b->filters)
        for (int v = 0; v < vectors; v++, g += LANES) {
            const size_t at = e + (size_t)v * LANES, part = v == vectors - 1 ? left : LANES;
            const vfloat y = v_load_part(b->y + at, part), dy = v_load_part(b->dy + at, part);
            v_store(g, relu ? v_where(y > 0.0f, dy * keep) : dy * (v_at_most(y, most) * scale));
        }
}

/* From u (rows,panel): that of the winners, or looked up again. */
static void slope_from_input(const cpu_trial *b, size_t c, size_t output, size_t rows, const float *u, float *g) {
    const size_t wide = (size_t)motif_vectors(b, c) * LANES;
    const vfloat keep = v_set(cpu_keep_factor(b));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < wide; i += LANES)
            v_store(g + r * wide + i, v_load_part(b->dy + (output + r) * b->filters + c + i, b->filters - c - i));
    xc_cpu_multiply_slope(&b->activation, u, g, rows * wide);
    for (size_t r = 0; b->dropped && r < rows; r++)
        for (size_t i = 0; i < wide; i += LANES) {
            float *to = g + r * wide + i;
            vint kept;
            if (b->block->pool > 1)
                kept = motif_route(b, output + r, c + i) != (int32_t)ROUTE_DROPPED;
            else
                kept = cpu_kept(b->dropped, (output + r) * b->filters + c + i, b->filters - c - i);
            v_store(to, v_where(kept, v_load(to) * keep));
        }
}

void xc_cpu_motif_slopes(const cpu_trial *b, size_t c, size_t n, size_t first, size_t rows, float *g) {
    const size_t wide = (size_t)motif_vectors(b, c) * LANES, output = n * b->out_length + first;
    const bool relu = b->activation.kind == XC_RELU, from_output = motif_slope_from_output(&b->activation);
    const cpu_trial fixed = *b; /* whose pointers no store can change */
    if (from_output && wide == 2 * LANES && relu) slope_from_output(&fixed, c, output, rows, 2, true, g);
    if (from_output && wide == 2 * LANES && !relu) slope_from_output(&fixed, c, output, rows, 2, false, g);
    if (from_output && wide == LANES && relu) slope_from_output(&fixed, c, output, rows, 1, true, g);
    if (from_output && wide == LANES && !relu) slope_from_output(&fixed, c, output, rows, 1, false, g);
    if (from_output) return;
    float u[MOTIF_STRIP_FLOATS];
    if (b->block->pool > 1)
        for (size_t r = 0; r < rows; r++)
            memcpy(u + r * wide, b->peak + (output + r) * b->columns + c, wide * sizeof(float));
    else
        motif_look_up_strip(b, c, n, first, rows, u);
    slope_from_input(b, c, output, rows, u, g);
}

/* ---- g to the tables --------------------------------------------------------------------------------------------- */

/* Of the width that nearly all first layers have, 19. */
#define USUAL_GROUPS 7

/* Some groups' tables of one panel, for one sequence. */
typedef struct target {
    const cpu_trial *b;
    const uint16_t *codes;    /* of the first group at the first position */
    float *sums;              /* of the first group */
    size_t c, groups, output; /* the panel's first column; the sequence's first output */
} target;

INLINE void add_rows(const target *t, const int vectors, const size_t groups, const float *g, size_t first,
                     size_t rows) {
    for (size_t r = 0; r < rows; r++) {
        vfloat d[2];
        for (int v = 0; v < vectors; v++) d[v] = v_load(g + (r * (size_t)vectors + (size_t)v) * LANES);
        motif_add(vectors, t->codes + first + r, t->sums, groups, d);
    }
}

/* Position of the first place of window j; it may lie before the sequence. */
static int64_t window_start(const cpu_trial *b, size_t j) {
    return (int64_t)j * b->block->pool - b->block->pool_pad_left;
}

INLINE void add_windows(const target *t, const int vectors, const size_t groups, const float *g, size_t first,
                        size_t rows) {
    const cpu_trial *b = t->b;
    for (size_t r = 0; r < rows; r++, g += vectors * LANES) {
        const int64_t start = window_start(b, first + r), stop = start + b->block->pool;
        const int64_t end = stop < (int64_t)b->conv_length ? stop : (int64_t)b->conv_length;
        vint route[2];
        for (int v = 0; v < vectors; v++) route[v] = motif_route(b, t->output + first + r, t->c + (size_t)v * LANES);
        for (int64_t l = start < 0 ? 0 : start; l < end; l++) {
            vfloat d[2];
            for (int v = 0; v < vectors; v++) d[v] = v_where(route[v] == (int32_t)(l - start), v_load(g + v * LANES));
            motif_add(vectors, t->codes + l, t->sums, groups, d);
        }
    }
}

INLINE void add_winners(const target *t, const int vectors, const size_t groups, const float *g, size_t first,
                        size_t rows) {
    const cpu_trial *b = t->b;
    const size_t wide = (size_t)vectors * LANES;
    for (size_t r = 0; r < rows; r++, g += wide) {
        const uint16_t *route = b->route + (t->output + first + r) * b->columns + t->c;
        const int64_t start = window_start(b, first + r);
        for (size_t i = 0; i < wide; i++) {
            if (route[i] == ROUTE_DROPPED) continue;
            const uint16_t *code = t->codes + (start + route[i]);
            const float gradient = g[i];
            float *sums = t->sums + i;
            for (size_t k = 0; k < groups; k++)
                sums[k * MOTIF_WORDS * wide + (size_t)code[k * MOTIF_TAPS] * (size_t)vectors] += gradient;
        }
    }
}

/* A winner by itself costs an addition for each of its lanes, a row of zeros and winners one for all. */
INLINE void add_outputs(const target *t, const int vectors, const size_t groups, const float *g, size_t first,
                        size_t rows) {
    if (t->b->block->pool == 1)
        add_rows(t, vectors, groups, g, first, rows);
    else if (t->b->block->pool * 4 < LANES * 5)
        add_windows(t, vectors, groups, g, first, rows);
    else
        add_winners(t, vectors, groups, g, first, rows);
}

static void add_panel(cpu_trial *b, size_t c, xc_range groups) {
    const size_t table = MOTIF_WORDS * (size_t)motif_vectors(b, c) * LANES;
    float g[MOTIF_STRIP_FLOATS];
    target t = {.b = b,
                .sums = b->motif.sums + motif_panel_at(b, c) + groups.begin * table,
                .c = c,
                .groups = groups.end - groups.begin};
    memset(t.sums, 0, t.groups * table * sizeof(float));
    for (size_t n = 0; n < b->batch; n++) {
        t.codes = motif_codes(b, n) + groups.begin * MOTIF_TAPS;
        t.output = n * b->out_length;
        for (size_t o = 0; o < b->out_length; o += MOTIF_STRIP) {
            const size_t rows = b->out_length - o < MOTIF_STRIP ? b->out_length - o : MOTIF_STRIP;
            xc_cpu_motif_slopes(b, c, n, o, rows, g);
            if (motif_vectors(b, c) == 2 && t.groups == USUAL_GROUPS)
                add_outputs(&t, 2, USUAL_GROUPS, g, o, rows);
            else if (motif_vectors(b, c) == 2)
                add_outputs(&t, 2, t.groups, g, o, rows);
            else
                add_outputs(&t, 1, t.groups, g, o, rows);
        }
    }
}

void xc_cpu_motif_backward_pass(cpu_trial *b, int thread, int threads) {
    for (size_t c = 0; c < b->filters; c += MOTIF_PANEL) {
        const xc_range groups = motif_group_share(b, c, thread, threads);
        if (groups.begin == groups.end) continue;
        add_panel(b, c, groups);
        xc_cpu_motif_fold(b, c, groups);
    }
}

/* ---- gradients from R -------------------------------------------------------------------------------------------- */

/* dbeta and dgamma, which stay for dx. */
static void norm_gradients(cpu_trial *b, xc_range columns) {
    double *restrict dbeta = b->motif.dbeta, *restrict dgamma = b->motif.dgamma;
    for (size_t f = columns.begin; f < columns.end; f++) dbeta[f] = dgamma[f] = 0;
    for (size_t i = 0; i < motif_tap_rows(b); i++) {
        const double *restrict response = b->motif.response + i * b->columns;
        const double *restrict tap = b->motif.taps + i * b->columns;
        for (size_t f = columns.begin; f < columns.end; f++) {
            dgamma[f] += tap[f] * response[f];
            if (i < MOTIF_LETTERS) dbeta[f] += response[f];
        }
    }
    for (size_t f = columns.begin; f < columns.end; f++) dgamma[f] *= b->motif.inverse[f];
}

static void kernel_gradient(const cpu_trial *b, xc_range columns) {
    const double n = (double)(b->batch * b->conv_length);
    const double *dbeta = b->motif.dbeta, *dgamma = b->motif.dgamma, *inverse = b->motif.inverse;
    for (size_t k = 0; k < b->width; k++)
        for (size_t a = 0; a < 4; a++) {
            const size_t row = k * MOTIF_LETTERS + a;
            const double *response = b->motif.response + row * b->columns, *pull = b->motif.pull + row * b->columns;
            float *dkernel = b->dkernel + (k * 4 + a) * b->filters;
            for (size_t f = columns.begin; f < columns.end; f++) {
                double d = response[f];
                if (b->motif.paired) /* the batch's mean and variance depend on the kernel */
                    d -= (dbeta[f] * b->motif.counts[row] + dgamma[f] * inverse[f] * pull[f]) / n;
                dkernel[f] += (float)(d * b->motif.factor[f]);
            }
        }
}

void xc_cpu_motif_gradients(cpu_trial *b, xc_range columns) {
    const xc_range filters = {columns.begin, columns.end < b->filters ? columns.end : b->filters};
    norm_gradients(b, columns);
    if (!b->dkernel) return;
    kernel_gradient(b, filters);
    for (size_t f = filters.begin; f < filters.end; f++) {
        if (b->norm) b->dbeta[f] += (float)b->motif.dbeta[f];
        if (b->norm) b->dgamma[f] += (float)b->motif.dgamma[f];
        if (b->dbias && !b->motif.paired) /* else batch norm takes the bias away */
            b->dbias[f] += (float)(b->motif.dbeta[f] * b->motif.factor[f]);
    }
}
