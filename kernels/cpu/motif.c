/* motif.c: the steps of the first layer (motif.h), shared out among a team's threads. Nearly every block goes in one
 * pass each way; the others' rows of z are motif_rows.c's.
 */
#include "motif.h"

/* A thread's own copy of the trial. */
static cpu_trial own_trial(const cpu_trial *shared, int thread, uint64_t *clipped) {
    cpu_trial b = *shared;
    xc_cpu_take_thread(&b, thread);
    *clipped = 0;
    if (b.clipped) b.clipped = clipped;
    return b;
}

/* Some sequences, a multiple of `unit` but for the last thread's. */
static xc_range sequences_of(const cpu_trial *b, size_t unit, int thread, int threads) {
    const xc_range share = xc_share((b->batch + unit - 1) / unit, thread, threads);
    return (xc_range){share.begin * unit, share.end * unit < b->batch ? share.end * unit : b->batch};
}

static void forward(void *context, int thread, int threads) {
    const cpu_trial *shared = context;
    uint64_t clipped;
    cpu_trial b = own_trial(shared, thread, &clipped);
    const xc_range columns = motif_column_share(&b, thread, threads);
    xc_cpu_motif_encode(&b, sequences_of(&b, 8, thread, threads));
    xc_team_barrier(b.team);
    if (b.motif.paired) xc_cpu_motif_count(&b, thread, threads);
    xc_cpu_motif_norm(&b, columns);
    xc_cpu_motif_factors(&b, columns);
    xc_cpu_motif_build(&b, columns);
    xc_team_barrier(b.team);
    if (b.motif.fused) xc_cpu_motif_forward_pass(&b, sequences_of(&b, cpu_byte_unit(&b), thread, threads));
    if (clipped > 0) __atomic_fetch_add(shared->clipped, clipped, __ATOMIC_RELAXED);
}

void xc_cpu_motif_forward(cpu_trial *b) {
    xc_team_run(b->team, forward, b);
    if (!b->motif.fused) xc_cpu_motif_rows_forward(b);
}

static void backward(void *context, int thread, int threads) {
    uint64_t clipped;
    cpu_trial b = own_trial(context, thread, &clipped);
    const xc_range columns = motif_column_share(&b, thread, threads);
    const bool sums = b.dkernel || b.motif.paired; /* the batch's statistics, as dx wants them, come from the same */
    const bool from_input = b.block->pool == 1 && !motif_slope_from_output(&b.activation);
    xc_cpu_motif_factors(&b, columns);
    if (from_input || b.dx) { /* u is looked up again */
        xc_cpu_motif_build(&b, columns);
        xc_team_barrier(b.team);
    }
    if (sums) {
        xc_cpu_motif_backward_pass(&b, thread, threads);
        xc_team_barrier(b.team);
        xc_cpu_motif_gradients(&b, columns);
    }
    if (!b.dx) return;
    xc_team_barrier(b.team);
    xc_cpu_motif_fused_dx(&b, sequences_of(&b, 1, thread, threads));
}

void xc_cpu_motif_backward(cpu_trial *b) {
    if (b->motif.fused)
        xc_team_run(b->team, backward, b);
    else
        xc_cpu_motif_rows_backward(b);
}
