/* motif_rows.c: the first layer where an activation stands before batch norm, or where the kernel is too wide to count
 * pairs of its taps: rows of z are looked up and written, and go on as every other block's do.
 */
#include "motif.h"

static void write_rows(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    float strip[MOTIF_STRIP_FLOATS];
    for (size_t c = 0; c < b->filters; c += MOTIF_PANEL) {
        const size_t wide = (size_t)motif_vectors(b, c) * LANES;
        for (size_t n = first; n < first + sequences; n++)
            for (size_t l = 0; l < b->conv_length; l += MOTIF_STRIP) {
                const size_t rows = b->conv_length - l < MOTIF_STRIP ? b->conv_length - l : MOTIF_STRIP;
                motif_look_up_strip(b, c, n, l, rows, strip);
                for (size_t r = 0; r < rows; r++)
                    memcpy(cpu_z_row(b, n, l + r) + c, strip + r * wide, wide * sizeof(float));
            }
    }
    xc_cpu_norm_range(b, first, sequences, partial_sums);
}

void xc_cpu_motif_rows_forward(cpu_trial *b) {
    xc_cpu_norm_begin(b);
    xc_cpu_each_range(b, write_rows);
    xc_cpu_norm_end(b);
    xc_cpu_tail_forward(b);
}

static void make_dz(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    (void)partial_sums;
    xc_cpu_tail_rows(b, first, sequences);
    if (!b->dx) return;
    xc_cpu_motif_dx_begin(b);
    for (size_t n = first; n < first + sequences; n++) xc_cpu_motif_dx(b, n, cpu_z_row(b, n, 0), b->columns);
}

/* dz to the tables of some groups of panel c. */
static void add_rows(cpu_trial *b, size_t c, xc_range groups) {
    const int vectors = motif_vectors(b, c);
    const size_t table = MOTIF_WORDS * (size_t)vectors * LANES, count = groups.end - groups.begin;
    float *sums = b->motif.sums + motif_panel_at(b, c) + groups.begin * table;
    memset(sums, 0, count * table * sizeof(float));
    for (size_t n = 0; n < b->batch; n++)
        for (size_t l = 0; l < b->conv_length; l++) {
            const float *dz = cpu_z_row(b, n, l) + c;
            vfloat d[2];
            for (int v = 0; v < vectors; v++) d[v] = v_load(dz + v * LANES);
            motif_add(vectors, motif_codes(b, n) + l + groups.begin * MOTIF_TAPS, sums, count, d);
        }
}

static void add_gradients(void *context, int thread, int threads) {
    cpu_trial *b = context;
    for (size_t c = 0; c < b->filters; c += MOTIF_PANEL) {
        const xc_range groups = motif_group_share(b, c, thread, threads);
        if (groups.begin == groups.end) continue;
        add_rows(b, c, groups);
        xc_cpu_motif_fold(b, c, groups);
    }
}

void xc_cpu_motif_rows_backward(cpu_trial *b) {
    xc_cpu_tail_begin(b);
    xc_cpu_each_range(b, make_dz);
    if (!b->dkernel) return;
    xc_team_run(b->team, add_gradients, b);
    for (size_t k = 0; k < b->width; k++)
        for (size_t a = 0; a < 4; a++)
            for (size_t f = 0; f < b->filters; f++)
                b->dkernel[(k * 4 + a) * b->filters + f] +=
                    (float)b->motif.response[(k * MOTIF_LETTERS + a) * b->columns + f];
    xc_cpu_tail_end(b);
}
