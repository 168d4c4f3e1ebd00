/* ranges.c: a batch as ranges of sequences that the threads of a team take. Ranges depend on the shape alone, and each
 * has its own partial sums, so that the number of threads is not seen in what their merging gives.
 */
#include "trial.h"

typedef struct range_call {
    cpu_trial *b;
    cpu_range_work *work;
} range_call;

static void work_on_share(void *context, int thread, int threads) {
    const range_call *call = context;
    cpu_trial b = *call->b;
    uint64_t clipped = 0;
    if (b.clipped) b.clipped = &clipped;
    xc_cpu_take_thread(&b, thread);
    const size_t range = cpu_range(&b);
    const xc_range share = xc_share(cpu_ranges(&b), thread, threads);
    for (size_t r = share.begin; r < share.end; r++) {
        const size_t first = r * range, left = b.batch - first;
        call->work(&b, first, left < range ? left : range, b.partial_sums + r * 2 * b.columns);
    }
    if (clipped > 0) __atomic_fetch_add(call->b->clipped, clipped, __ATOMIC_RELAXED);
}

void xc_cpu_each_range(cpu_trial *b, cpu_range_work *work) {
    range_call call = {b, work};
    xc_team_run(b->team, work_on_share, &call);
}
