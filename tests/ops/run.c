/* run.c: runs a case on a backend the hard way: every buffer is the backend's own, NaN before it is written, with guard
 * zones on both sides that must survive, and inputs that must come back unchanged.
 */
#include "ops_test.h"

#define GUARD 128
#define GUARD_BYTE 0xA5

guarded guarded_make(const xc_backend *backend, size_t bytes, const void *content, bool constant) {
    guarded g = {backend, NULL, bytes, constant ? content : NULL};
    unsigned char *image = malloc(bytes + 2 * GUARD);
    assert_non_null(image);
    memset(image, GUARD_BYTE, bytes + 2 * GUARD);
    if (content && bytes > 0) memcpy(image + GUARD, content, bytes);
    if (!content) memset(image + GUARD, 0xFF, bytes);
    g.base = backend->allocate(backend, bytes + 2 * GUARD);
    assert_non_null(g.base);
    backend->upload(backend, g.base, image, bytes + 2 * GUARD);
    free(image);
    return g;
}

void *guarded_pointer(const guarded *g) { return g->base ? g->base + GUARD : NULL; }

void guarded_end(guarded *g, void *to, const char *what, const char *text) {
    if (!g->base) return;
    unsigned char *image = malloc(g->bytes + 2 * GUARD);
    assert_non_null(image);
    g->backend->download(g->backend, image, g->base, g->bytes + 2 * GUARD);
    for (size_t i = 0; i < GUARD; i++) {
        if (image[i] != GUARD_BYTE) fail_msg("wrote %zu bytes before %s; %s", GUARD - i, what, text);
        if (image[GUARD + g->bytes + i] != GUARD_BYTE) fail_msg("wrote %zu bytes after %s; %s", i + 1, what, text);
    }
    if (g->constant && memcmp(image + GUARD, g->constant, g->bytes) != 0) fail_msg("changed %s; %s", what, text);
    if (to && g->bytes > 0) memcpy(to, image + GUARD, g->bytes);
    free(image);
    g->backend->release(g->backend, g->base);
    g->base = NULL;
}

/* The buffers of one call, in the backend's memory. */
typedef struct call {
    guarded x, x_skip, parameters, gradients, running, y, dy, dx, dx_skip, saved, scratch, thread_scratch;
    guarded bases, run_start, runs, index, activation, seed, step, clipped;
    xc_dna_view dna;
    xc_block_args args;
} call;

static guarded input(const xc_backend *backend, const void *values, size_t first, size_t count, size_t size) {
    if (!values) return (guarded){0};
    return guarded_make(backend, count * size, (const unsigned char *)values + first * size, true);
}

static void place_dna(call *k, const xc_backend *backend, const block_case *c, size_t first, size_t trials) {
    const size_t batch = (size_t)c->batch, sequences = c->dna.sequences;
    k->bases = input(backend, c->dna.bases, 0, sequences * c->dna.row_bytes, 1);
    k->run_start = input(backend, c->dna.run_start, 0, sequences + 1, sizeof(uint32_t));
    k->runs = input(backend, c->dna.runs, 0, c->dna.runs ? c->dna.run_start[sequences] : 0, sizeof(uint32_t));
    k->index = input(backend, c->index, first * batch, trials * batch, sizeof(uint32_t));
    k->dna = c->dna;
    k->dna.bases = guarded_pointer(&k->bases);
    k->dna.run_start = guarded_pointer(&k->run_start);
    k->dna.runs = guarded_pointer(&k->runs);
    k->args.dna = &k->dna;
    k->args.index = guarded_pointer(&k->index);
}

static void place_tensors(call *k, const xc_backend *backend, const block_case *c, size_t first, size_t trials) {
    const size_t f4 = sizeof(float), stride = c->parameter_stride, running = c->running_stride;
    const bool motif = c->block.kind == XC_BLOCK_MOTIF,
               parameters = c->block.kind != XC_BLOCK_ADD || c->block.gamma != XC_ABSENT || c->block.bias != XC_ABSENT;
    k->x = input(backend, motif ? NULL : c->x, first * c->in_count, trials * c->in_count, f4);
    k->x_skip = input(backend, c->x_skip, first * c->in_count, trials * c->in_count, f4);
    k->parameters = input(backend, parameters ? c->parameters : NULL, first * stride, trials * stride, f4);
    k->gradients = guarded_make(backend, trials * stride * f4, c->gradients + first * stride, false);
    k->running = guarded_make(backend, trials * running * f4, c->running + first * running, false);
    k->y = guarded_make(backend, trials * c->out_count * f4, NULL, false);
    k->dy = input(backend, c->dy, first * c->out_count, trials * c->out_count, f4);
    if (c->wants_dx)
        k->dx =
            guarded_make(backend, trials * c->in_count * f4, c->add_to_dx ? c->dx + first * c->in_count : NULL, false);
    if (c->x_skip) k->dx_skip = guarded_make(backend, trials * c->in_count * f4, NULL, false);
}

/* Teams of 1, 2 and 3 threads, made once: the number of threads must not be seen in any result. */
static xc_team *team_of(int number) {
    static xc_team *teams[3];
    xc_error error;
    const int which = number % 3;
    if (which > 0 && !teams[which]) assert_int_equal(xc_team_create(which + 1, &teams[which], &error), XC_OK);
    return teams[which];
}

static void prepare(call *k, const xc_backend *backend, const block_case *c, int first, int trials) {
    xc_block_memory memory = {1, 1, 1, 1};
    backend->block_memory(backend, &c->block, c->batch + c->batch % 3, &memory); /* a call may have fewer */
    assert_int_equal(memory.saved % 64, 0);
    assert_int_equal(memory.scratch % 64, 0);
    assert_int_equal(memory.thread_scratch % 64, 0);
    *k = (call){.args = {.block = &c->block, .trials = trials, .batch = c->batch, .training = c->training}};
    place_tensors(k, backend, c, (size_t)first, (size_t)trials);
    if (c->block.kind == XC_BLOCK_MOTIF) place_dna(k, backend, c, (size_t)first, (size_t)trials);
    const size_t saved_stride = memory.saved + (c->batch % 2 ? 64 : 0);
    k->saved = guarded_make(backend, saved_stride * (size_t)trials, NULL, false);
    xc_team *team = team_of(c->batch + c->block.length + c->team); /* alone, two, or three threads */
    assert_int_equal(memory.trial_scratch % 64, 0);
    k->scratch = guarded_make(backend, memory.scratch + memory.trial_scratch * (size_t)trials, NULL, false);
    k->thread_scratch = guarded_make(backend, memory.thread_scratch * (size_t)xc_team_threads(team), NULL, false);
    uint64_t clipped[MAX_TRIALS];
    for (int t = 0; t < trials; t++) clipped[t] = CLIPPED_BEFORE;
    k->activation = input(backend, c->activation, (size_t)first, (size_t)trials, sizeof *c->activation);
    k->seed = input(backend, c->seed, (size_t)first, (size_t)trials, sizeof *c->seed);
    k->step = input(backend, c->step, (size_t)first, (size_t)trials, sizeof *c->step);
    k->clipped = guarded_make(backend, (size_t)trials * sizeof *clipped, clipped, false);
    xc_block_args *args = &k->args;
    args->x = guarded_pointer(&k->x);
    args->x_skip = guarded_pointer(&k->x_skip);
    args->parameters = guarded_pointer(&k->parameters);
    args->gradients = guarded_pointer(&k->gradients);
    args->parameter_stride = c->parameter_stride;
    args->running = guarded_pointer(&k->running);
    args->running_stride = c->running_stride;
    args->activation = guarded_pointer(&k->activation);
    args->seed = guarded_pointer(&k->seed);
    args->step = guarded_pointer(&k->step);
    args->y = guarded_pointer(&k->y);
    args->clipped = guarded_pointer(&k->clipped);
    args->saved = guarded_pointer(&k->saved);
    args->saved_stride = saved_stride;
    args->scratch = guarded_pointer(&k->scratch);
    args->scratch_bytes = memory.scratch;
    args->team = team;
    args->thread_scratch = guarded_pointer(&k->thread_scratch);
    args->thread_scratch_stride = memory.thread_scratch;
}

static void poison(const xc_backend *backend, const guarded *g) {
    unsigned char *nan = malloc(g->bytes ? g->bytes : 1);
    assert_non_null(nan);
    memset(nan, 0xFF, g->bytes);
    backend->upload(backend, guarded_pointer(g), nan, g->bytes);
    free(nan);
}

static xc_block_op op_of(const xc_backend *backend, xc_block_kind kind, bool backward) {
    switch (kind) {
        case XC_BLOCK_MOTIF:
            return backward ? backend->motif_block_backward : backend->motif_block_forward;
        case XC_BLOCK_CONV:
            return backward ? backend->conv_block_backward : backend->conv_block_forward;
        case XC_BLOCK_DENSE:
            return backward ? backend->dense_block_backward : backend->dense_block_forward;
        case XC_BLOCK_ADD:
            break;
    }
    return backward ? backend->add_block_backward : backend->add_block_forward;
}

static float *floats(size_t count) {
    float *values = calloc(count ? count : 1, sizeof(float));
    assert_non_null(values);
    return values;
}

/* Checks and releases every buffer, and brings the outputs home. */
static results finish(call *k, const block_case *c, size_t trials) {
    results r = {
        .y = floats(trials * c->out_count),
        .running = floats(trials * c->running_stride),
        .gradients = floats(trials * c->parameter_stride),
        .dx = floats(trials * c->in_count),
        .dx_skip = floats(trials * c->in_count),
    };
    guarded_end(&k->x, NULL, "x", c->text);
    guarded_end(&k->x_skip, NULL, "x_skip", c->text);
    guarded_end(&k->parameters, NULL, "parameters", c->text);
    guarded_end(&k->gradients, r.gradients, "gradients", c->text);
    guarded_end(&k->running, r.running, "running", c->text);
    guarded_end(&k->y, r.y, "y", c->text);
    guarded_end(&k->dy, NULL, "dy", c->text);
    guarded_end(&k->dx, r.dx, "dx", c->text);
    guarded_end(&k->dx_skip, r.dx_skip, "dx_skip", c->text);
    guarded_end(&k->saved, NULL, "saved", c->text);
    guarded_end(&k->scratch, NULL, "scratch", c->text);
    guarded_end(&k->thread_scratch, NULL, "thread scratch", c->text);
    guarded_end(&k->bases, NULL, "bases", c->text);
    guarded_end(&k->run_start, NULL, "run_start", c->text);
    guarded_end(&k->runs, NULL, "runs", c->text);
    guarded_end(&k->index, NULL, "index", c->text);
    guarded_end(&k->activation, NULL, "activation", c->text);
    guarded_end(&k->seed, NULL, "seed", c->text);
    guarded_end(&k->step, NULL, "step", c->text);
    guarded_end(&k->clipped, r.clipped, "clipped", c->text);
    return r;
}

results run_block(const xc_backend *backend, const block_case *c, int first, int trials, bool backward) {
    call k;
    xc_error error = {0};
    prepare(&k, backend, c, first, trials);
    if (op_of(backend, c->block.kind, false)(backend, &k.args, &error) != XC_OK)
        fail_msg("forward failed: %s; %s", error.text, c->text);
    if (backward) {
        k.args.dy = guarded_pointer(&k.dy);
        k.args.dx = guarded_pointer(&k.dx);
        k.args.dx_skip = guarded_pointer(&k.dx_skip);
        k.args.add_to_dx = c->add_to_dx;
        k.args.references = c->references;
        if (c->without_gradients) k.args.gradients = NULL;
        poison(backend, &k.scratch); /* these are nobody's between calls */
        poison(backend, &k.thread_scratch);
        if (op_of(backend, c->block.kind, true)(backend, &k.args, &error) != XC_OK)
            fail_msg("backward failed: %s; %s", error.text, c->text);
    }
    return finish(&k, c, (size_t)trials);
}

void results_free(results *r) {
    free(r->y);
    free(r->running);
    free(r->gradients);
    free(r->dx);
    free(r->dx_skip);
    *r = (results){0};
}

void check_near(const float *got, const double *want, const float *before, size_t count, double tolerance, double least,
                const char *what, const char *text) {
    double scale = least, worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - (before ? (double)before[i] : 0) - want[i]);
        if (error > worst || isnan(error)) worst = error, at = i;
        if (isnan(error)) break;
    }
    if (count > 0 && !(worst <= tolerance * scale))
        fail_msg("%s[%zu] is %.9g, expected %.9g: off by %.2g of %.3g, tolerance %.2g; %s", what, at,
                 (double)got[at] - (before ? (double)before[at] : 0), want[at], worst / scale, scale, tolerance, text);
}

void check_values(const float *got, const float *want, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-6f * fabsf(want[i]) + 1e-7f))
            fail_msg("[%zu] is %.9g, expected %.9g", i, (double)got[i], (double)want[i]);
}
