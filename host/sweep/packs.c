/* packs.c: unfinished trials as a queue of packs. Trials of one shape stand together; how many train in one pack the
 * user says, or the backend: one where memory is the host's, as many as a device has memory for.
 *
 * On a device two packs train at a time: one computes while another one's host part runs. Each has its share of what is
 * free; should memory be short all the same, train/parts.c makes smaller ones of them.
 */
#include <stdlib.h>

#include "../train/room.h"
#include "room.h"

#define AT_ONCE 2        /* packs, where memory is not the host's */
#define DEVICE_PACK 32   /* trials a pack on a device that does not tell what is free */
#define DEVICE_MOST 1024 /* trials that a device takes in one call */
#define SHARE 0.9        /* of the free memory; the rest is for what nobody counted */

typedef struct shape {
    size_t first, count; /* of the queue */
    const xc_config *config;
    xc_model *model; /* where memory is planned; NULL otherwise */
    size_t most;     /* trials a pack */
    bool equal;      /* packs of one size, instead of full ones and what is left */
} shape;

typedef struct planner {
    const xc_grid *grid;
    const xc_ground *ground;
    int threads;
    xc_queue *queue;
    shape *shapes; /* (grid->count) */
    size_t shape_count;
} planner;

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

/* Trials that have not ended, shape by shape. */
static xc_status queue_trials(planner *p, xc_error *error) {
    xc_status status = XC_OK;
    const xc_grid *grid = p->grid;
    xc_queue *queue = p->queue;
    bool *queued = NULL; /* (grid->count) */
    XC_TRY(xc_allocate(&queued, grid->count, sizeof *queued, "the queue", error));
    for (size_t i = 0; i < grid->count; i++) {
        if (xc_trial_ended(&grid->trial[i]) || queued[i]) continue;
        shape *new = &p->shapes[p->shape_count++];
        *new = (shape){.first = queue->trials, .config = grid->trial[i].config};
        for (size_t j = i; j < grid->count; j++) {
            if (xc_trial_ended(&grid->trial[j]) || queued[j]) continue;
            if (j > i && !xc_trials_fit(new->config, grid->trial[j].config)) continue;
            queued[j] = true;
            queue->trial[queue->trials++] = &grid->trial[j];
            new->count++;
        }
    }
fail:
    free(queued);
    return status;
}

/* Every shape in packs. The last ones of equal packs have one trial less where the number is not divisible. */
static void cut_packs(planner *p) {
    xc_queue *queue = p->queue;
    for (size_t s = 0; s < p->shape_count; s++) {
        const shape *one = &p->shapes[s];
        size_t first = one->first, left = one->count;
        for (size_t packs = (left + one->most - 1) / one->most; packs > 0; packs--) {
            const size_t even = (left + packs - 1) / packs;
            const size_t count = one->equal ? even : left < one->most ? left : one->most;
            queue->pack[queue->packs++] = (xc_queued_pack){first, count};
            first += count;
            left -= count;
        }
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Bytes that a pack takes at its most, while `together` of them train. */
static size_t bytes_of(const planner *p, const shape *one, size_t trials, int together) {
    const xc_ground *ground = p->ground;
    const int threads = p->threads > together ? p->threads / together : 1; /* that measure filters */
    const xc_split *test = &ground->dataset.split[XC_TEST];
    const size_t filters = one->config->filters ? xc_filters_bytes(one->model, ground->backend, test, threads) : 0;
    return xc_train_bytes(ground->backend, &ground->data, one->config, one->model, (int32_t)trials) + filters;
}

/* The most trials of a shape that take no more than `bytes`. */
static size_t most_in(const planner *p, const shape *one, size_t bytes, int together) {
    size_t fits = 0, over = (one->count < DEVICE_MOST ? one->count : DEVICE_MOST) + 1;
    while (over - fits > 1) {
        const size_t middle = fits + (over - fits) / 2;
        if (bytes_of(p, one, middle, together) <= bytes)
            fits = middle;
        else
            over = middle;
    }
    return fits;
}

static void log_plan(const planner *p, const shape *one, size_t free_bytes) {
    char each[24];
    const size_t packs = (one->count + one->most - 1) / one->most, trials = (one->count + packs - 1) / packs;
    const size_t bytes = bytes_of(p, one, trials, p->queue->together);
    const bool large = free_bytes >= 1000000000;
    const double unit = large ? 1e9 : 1e6;
    xc_bytes_write(bytes_of(p, one, trials + 1, p->queue->together) - bytes, each);
    xc_log(XC_LOG_INFO, "packs of %zu trials of %s: %.1f of %.1f %s free, %s a trial", trials, one->model->name,
           (double)bytes / unit, (double)free_bytes / unit, large ? "GB" : "MB", each);
}

static xc_status build_models(planner *p, xc_error *error) {
    xc_status status = XC_OK;
    const xc_split *train = &p->ground->dataset.split[XC_TRAIN];
    for (size_t s = 0; s < p->shape_count; s++) {
        shape *one = &p->shapes[s];
        XC_TRY(xc_allocate(&one->model, 1, sizeof *one->model, "a model", error));
        XC_TRY(xc_model_build(&one->config->model, (int32_t)train->dna.length, train->classes, one->model, error));
    }
fail:
    return status;
}

/* What is free is shared by packs that train together; where a shape's trial does not fit into a share, by one pack. */
static xc_status plan_memory(planner *p, xc_error *error) {
    xc_status status = XC_OK;
    const xc_backend *backend = p->ground->backend;
    const size_t free_bytes = backend->free_memory(backend), usable = (size_t)(SHARE * (double)free_bytes);
    XC_TRY(build_models(p, error));
    for (size_t s = 0; s < p->shape_count && p->queue->together > 1; s++)
        if (most_in(p, &p->shapes[s], usable / (size_t)p->queue->together, p->queue->together) == 0)
            p->queue->together = 1;
    for (size_t s = 0; s < p->shape_count; s++) {
        shape *one = &p->shapes[s];
        one->equal = true;
        one->most = most_in(p, one, usable / (size_t)p->queue->together, p->queue->together);
        if (one->most == 0 && bytes_of(p, one, 1, 1) <= free_bytes) one->most = 1;
        if (one->most == 0) {
            const int32_t batch = xc_batch_needed(&one->config->train, &p->ground->dataset);
            status = xc_train_refuse_memory(backend, one->model, batch, bytes_of(p, one, 1, 1), error);
            goto fail;
        }
        log_plan(p, one, free_bytes);
    }
fail:
    return status;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

/* What the user said, or what goes without counting. */
static void set_sizes(const planner *p, int32_t said) {
    const bool host = p->ground->backend->host_memory;
    size_t most = said > 0 ? (size_t)said : host ? 1 : DEVICE_PACK;
    if (!host && most > DEVICE_MOST) most = DEVICE_MOST;
    for (size_t s = 0; s < p->shape_count; s++) p->shapes[s].most = most;
}

static int packs_together(const planner *p) {
    if (p->ground->backend->host_memory) return p->threads;
    const int most = p->threads < AT_ONCE ? p->threads : AT_ONCE;
    return (size_t)most < p->queue->trials ? most : p->queue->trials > 0 ? (int)p->queue->trials : 1;
}

xc_status xc_queue_build(const xc_grid *grid, const xc_ground *ground, int32_t pack, int threads, xc_queue *queue,
                         xc_error *error) {
    xc_status status = XC_OK;
    planner p = {.grid = grid, .ground = ground, .threads = threads, .queue = queue};
    *queue = (xc_queue){0};
    XC_TRY(xc_allocate(&queue->trial, grid->count, sizeof *queue->trial, "the queue", error));
    XC_TRY(xc_allocate(&queue->pack, grid->count + AT_ONCE, sizeof *queue->pack, "the queue", error));
    XC_TRY(xc_allocate(&p.shapes, grid->count, sizeof *p.shapes, "the queue", error));
    XC_TRY(queue_trials(&p, error));
    queue->together = packs_together(&p);
    if (pack > 0 || ground->backend->host_memory || !ground->backend->free_memory)
        set_sizes(&p, pack);
    else
        XC_TRY(plan_memory(&p, error));
    cut_packs(&p);
fail:
    for (size_t s = 0; s < p.shape_count; s++) free(p.shapes[s].model);
    free(p.shapes);
    return status;
}

void xc_queue_free(xc_queue *queue) {
    free(queue->trial);
    free(queue->pack);
    *queue = (xc_queue){0};
}
