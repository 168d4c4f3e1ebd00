/* attribute.c: attributions of any number of sequences: threads take groups of a round, and the round's results go to
 * the sink in order. What a group gives depends on its sequences alone, so that nothing depends on the threads.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "windows.h"

/* Rows of a batch, and substitutions: what keeps a core's products busy and its second cache not too full, and what
 * fills a device. */
#define HOST_ROWS 100
#define HOST_SUBSTITUTIONS 300
#define DEVICE_ROWS 1000
#define DEVICE_SUBSTITUTIONS 2048

/* One prepares what the other computes: more threads would only take more of a device's memory. */
#define DEVICE_THREADS 2

/* Sequences whose substitutions make batches together. */
#define MUTATED_SEQUENCES 4

/* Groups of a round for each thread. */
#define ROUND_GROUPS 4

typedef struct attribution_run {
    xc_explanation what;
    xc_windows windows;
    const uint32_t *index; /* (count) */
    size_t count;
    int threads;
    xc_worker *worker;             /* (threads) */
    xc_error *error;               /* (threads) */
    xc_results round;              /* of `round_size` sequences */
    size_t round_size, first, end; /* the round's sequences */
    atomic_size_t next;
    atomic_bool failed;
} attribution_run;

/* ---- one group --------------------------------------------------------------------------------------------------- */

static xc_status explain_group(attribution_run *run, xc_worker *worker, size_t first, int32_t count, xc_error *error) {
    const size_t place = first - run->first, floats = 4 * (size_t)run->what.split->dna.length;
    const xc_results results = {run->round.hypothetical + place * floats, run->round.contributions + place * floats,
                                run->round.output + place, run->round.gap + place};
    const xc_status status = xc_worker_take(worker, run->index + first, count, error);
    if (status != XC_OK) return status;
    switch (run->what.settings->method) {
        case XC_SALIENCY:
            return xc_explain_saliency(worker, count, &results, error);
        case XC_INTEGRATED_GRADIENTS:
            return xc_explain_path(worker, count, &results, error);
        case XC_DEEPSHAP:
            return xc_explain_deepshap(worker, count, &results, error);
        default:
            return xc_explain_mutagenesis(worker, count, &results, error);
    }
}

static xc_status explain_groups(attribution_run *run, int thread) {
    const size_t most = (size_t)run->what.sequences;
    for (;;) {
        const size_t first = atomic_fetch_add(&run->next, most);
        if (first >= run->end || atomic_load(&run->failed)) return XC_OK;
        const size_t left = run->end - first;
        xc_status status = xc_go_on(&run->error[thread]);
        if (status == XC_OK)
            status = explain_group(run, &run->worker[thread], first, (int32_t)(left < most ? left : most),
                                   &run->error[thread]);
        if (status != XC_OK) return status;
    }
}

static void work(void *context, int thread) {
    attribution_run *run = context;
    xc_worker *worker = &run->worker[thread];
    xc_status status = XC_OK;
    if (worker->what == NULL) status = xc_worker_open(&run->what, worker, &run->error[thread]);
    if (status == XC_OK) status = explain_groups(run, thread);
    run->error[thread].status = status;
    if (status != XC_OK) atomic_store(&run->failed, true);
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

static xc_status run_round(attribution_run *run, xc_error *error) {
    atomic_store(&run->next, run->first);
    run->end = run->count - run->first < run->round_size ? run->count : run->first + run->round_size;
    xc_parallel(run->threads, work, run);
    for (int i = 0; i < run->threads; i++) {
        if (run->error[i].status == XC_OK) continue;
        if (error) *error = run->error[i];
        return run->error[i].status;
    }
    return XC_OK;
}

static void close_workers(attribution_run *run) {
    for (int i = 0; run->worker && i < run->threads; i++) {
        xc_worker_close(&run->worker[i]);
        run->worker[i] = (xc_worker){0};
    }
}

/* Closes all workers; whether less can be done at a time, by one thread of a device, then by halves. */
static bool shrink(attribution_run *run) {
    xc_explanation *what = &run->what;
    int32_t *const sizes[] = {&what->sequences, &what->pairs, &what->substitutions};
    bool any = false;
    close_workers(run);
    if (!what->backend->host_memory && run->threads > 1) {
        run->threads = 1;
        return true;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        any |= *sizes[i] > 1;
        *sizes[i] = (*sizes[i] + 1) / 2;
    }
    return any;
}

/* A round, with less at a time where memory is too little for the workers, who open in the first. */
static xc_status fit_round(attribution_run *run, xc_error *error) {
    xc_status status;
    do {
        atomic_store(&run->failed, false);
        status = run_round(run, error);
    } while (status == XC_MEMORY && shrink(run));
    return status;
}

static xc_status run_rounds(attribution_run *run, xc_attribution_sink *sink, void *context, xc_error *error) {
    xc_status status = XC_OK;
    for (; run->first < run->count; run->first = run->end) {
        XC_TRY(fit_round(run, error));
        const xc_attribution_part part = {.first = run->first,
                                          .count = run->end - run->first,
                                          .hypothetical = run->round.hypothetical,
                                          .contributions = run->round.contributions,
                                          .output = run->round.output,
                                          .gap = run->round.gap};
        XC_TRY(sink(context, &part, error));
    }
fail:
    return status;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static int32_t references_of(const xc_attribution_settings *settings) {
    if (settings->method != XC_INTEGRATED_GRADIENTS && settings->method != XC_DEEPSHAP) return 0;
    if (settings->background == XC_BACKGROUND_ZERO) return 1;
    return (int32_t)(settings->background == XC_BACKGROUND_FILE ? settings->file->dna.sequences
                                                                : settings->backgrounds);
}

static int32_t at_least_one(int32_t number) { return number > 1 ? number : 1; }
static int32_t at_most(int32_t number, size_t most) { return (size_t)number < most ? number : (int32_t)most; }

/* How much is done at a time, and by how many threads; nothing of it changes a result. */
static void choose_sizes(attribution_run *run, int threads) {
    xc_explanation *what = &run->what;
    const bool on_host = what->backend->host_memory;
    const int32_t rows = on_host ? HOST_ROWS : DEVICE_ROWS;
    what->references = references_of(what->settings);
    what->sequences = at_least_one(rows / (what->references + 1));
    if (what->settings->method == XC_MUTAGENESIS) {
        what->sequences = MUTATED_SEQUENCES;
        what->substitutions = on_host ? HOST_SUBSTITUTIONS : DEVICE_SUBSTITUTIONS;
    }
    what->sequences = at_least_one(at_most(what->sequences, run->count));
    if (what->settings->method == XC_INTEGRATED_GRADIENTS) {
        what->pairs = at_least_one(rows / (int32_t)at_least_one((int32_t)what->settings->steps));
        what->pairs = at_most(what->pairs, (size_t)what->sequences * (size_t)what->references);
    }
    if (threads < 1) threads = xc_core_count();
    if (!on_host && threads > DEVICE_THREADS) threads = DEVICE_THREADS;
    const size_t groups = (run->count + (size_t)what->sequences - 1) / (size_t)what->sequences;
    run->threads = (size_t)threads < groups ? threads : (int)(groups > 0 ? groups : 1);
    run->round_size = (size_t)run->threads * ROUND_GROUPS * (size_t)what->sequences;
}

static xc_status open_run(attribution_run *run, xc_error *error) {
    xc_status status;
    xc_explanation *what = &run->what;
    const size_t floats = 4 * (size_t)what->split->dna.length;
    what->activation = xc_config_activation(what->network->config);
    what->windows = &run->windows;
    if (what->settings->method == XC_MUTAGENESIS) XC_TRY(xc_windows_make(&what->network->model, &run->windows, error));
    XC_TRY(xc_allocate(&what->first, 1, sizeof *what->first, "a model", error));
    XC_TRY(xc_allocate(&what->rest, 1, sizeof *what->rest, "a model", error));
    XC_TRY(xc_model_cut(&what->network->model, what->first, what->rest, error));
    XC_TRY(xc_allocate(&what->place, what->settings->steps, sizeof(float), "steps", error));
    XC_TRY(xc_allocate(&what->share, what->settings->steps, sizeof(float), "steps", error));
    xc_quadrature_points(what->settings->quadrature, what->settings->steps, what->place, what->share);
    XC_TRY(xc_allocate(&run->worker, (size_t)run->threads, sizeof *run->worker, "threads", error));
    XC_TRY(xc_allocate(&run->error, (size_t)run->threads, sizeof *run->error, "threads", error));
    XC_TRY(xc_allocate(&run->round.hypothetical, run->round_size * floats, sizeof(float), "attributions", error));
    XC_TRY(xc_allocate(&run->round.contributions, run->round_size * floats, sizeof(float), "attributions", error));
    XC_TRY(xc_allocate(&run->round.output, run->round_size, sizeof(float), "attributions", error));
    XC_TRY(xc_allocate(&run->round.gap, run->round_size, sizeof(float), "attributions", error));
fail:
    return status;
}

static void close_run(attribution_run *run) {
    close_workers(run);
    free(run->worker);
    free(run->error);
    xc_windows_free(&run->windows);
    free(run->what.first);
    free(run->what.rest);
    free(run->what.place);
    free(run->what.share);
    free(run->round.hypothetical);
    free(run->round.contributions);
    free(run->round.output);
    free(run->round.gap);
}

xc_status xc_attribute(const xc_network *network, const xc_backend *backend, const xc_split *split,
                       const uint32_t *index, size_t count, const xc_attribution_settings *settings, int threads,
                       xc_attribution_sink *sink, void *context, xc_error *error) {
    xc_status status;
    attribution_run run = {
        .what = {.network = network, .backend = backend, .split = split, .settings = settings},
        .index = index,
        .count = count,
    };
    XC_TRY(xc_attribution_settings_check(network, split, settings, error));
    choose_sizes(&run, threads);
    XC_TRY(open_run(&run, error));
    XC_TRY(run_rounds(&run, sink, context, error));
fail:
    close_run(&run);
    return status;
}
