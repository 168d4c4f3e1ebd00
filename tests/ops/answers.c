/* answers.c: small calls whose answers are known by hand or from a formula written out independently here, so that the
 * reference is checked by something that is not the reference. Run on every backend.
 */
#include "ops_test.h"

/* A one-trial block call on plain arrays: they go to the backend's memory and come back. */
typedef struct tiny {
    xc_block block;
    int32_t batch, training, references;
    xc_activation activation;
    uint64_t seed, step;
    const float *x, *x_skip;
    const xc_dna_view *dna; /* of the host */
    const uint32_t *index;
    const float *parameters; /* (count) */
    size_t parameter_count;
    float *running;  /* (2 F) in and out */
    float *y;        /* out */
    const float *dy; /* NULL: forward only */
    float *dx;       /* out */
} tiny;

static void *place(const xc_backend *backend, const void *values, size_t bytes) {
    void *memory = backend->allocate(backend, bytes + 64);
    assert_non_null(memory);
    if (values) backend->upload(backend, memory, values, bytes);
    return memory;
}

static void run_tiny(const xc_backend *backend, const tiny *c, xc_block_op forward, xc_block_op backward) {
    const xc_block *block = &c->block;
    const size_t in = (size_t)(c->batch * block->length * block->channels) * sizeof(float);
    const size_t out = (size_t)(c->batch * block->out_length * block->filters) * sizeof(float);
    const size_t running = 2 * (size_t)block->filters * sizeof(float), parameters = c->parameter_count * sizeof(float);
    xc_block_memory memory;
    backend->block_memory(backend, block, c->batch, &memory);
    xc_dna_view dna = {0};
    xc_block_args args = {
        .block = block,
        .trials = 1,
        .batch = c->batch,
        .training = c->training,
        .dna = &dna,
        .x = place(backend, c->x, c->x ? in : 0),
        .x_skip = c->x_skip ? place(backend, c->x_skip, in) : NULL,
        .index = place(backend, c->index, c->index ? (size_t)c->batch * 4 : 0),
        .parameters = place(backend, c->parameters, parameters),
        .gradients = c->references ? NULL : place(backend, NULL, parameters),
        .references = c->references,
        .parameter_stride = c->parameter_count,
        .running = place(backend, c->running, c->running ? running : 0),
        .running_stride = 2 * (size_t)block->filters,
        .activation = place(backend, &c->activation, sizeof c->activation),
        .seed = place(backend, &c->seed, sizeof c->seed),
        .step = place(backend, &c->step, sizeof c->step),
        .y = place(backend, NULL, out),
        .saved = place(backend, NULL, memory.saved),
        .saved_stride = memory.saved,
        .scratch = place(backend, NULL, memory.scratch + memory.trial_scratch),
        .thread_scratch = place(backend, NULL, memory.thread_scratch),
    };
    void *bases = NULL, *run_start = NULL, *runs = NULL;
    if (c->dna) {
        dna = *c->dna;
        dna.bases = bases = place(backend, dna.bases, (size_t)dna.sequences * dna.row_bytes);
        if (dna.run_start) {
            runs = place(backend, dna.runs, dna.run_start[dna.sequences] * sizeof(uint32_t));
            run_start = place(backend, dna.run_start, (dna.sequences + 1) * sizeof(uint32_t));
            dna.runs = runs, dna.run_start = run_start;
        }
    }
    xc_error error = {0};
    assert_int_equal(forward(backend, &args, &error), XC_OK);
    backend->download(backend, c->y, args.y, out);
    if (c->running) backend->download(backend, c->running, args.running, running);
    void *dy = place(backend, c->dy, c->dy ? out : 0), *dx = place(backend, NULL, in),
         *dx_skip = place(backend, NULL, in);
    if (c->dy) {
        args.dy = dy, args.dx = dx, args.dx_skip = block->kind == XC_BLOCK_ADD ? dx_skip : NULL;
        assert_int_equal(backward(backend, &args, &error), XC_OK);
        backend->download(backend, c->dx, dx, in);
    }
    void *all[] = {(void *)args.x,
                   (void *)args.x_skip,
                   (void *)args.index,
                   (void *)args.activation,
                   (void *)args.seed,
                   (void *)args.step,
                   (void *)args.parameters,
                   args.gradients,
                   args.running,
                   args.y,
                   args.saved,
                   args.scratch,
                   args.thread_scratch,
                   bases,
                   run_start,
                   runs,
                   dy,
                   dx,
                   dx_skip};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]) backend->release(backend, all[i]);
}

/* A block without norm, pool and dropout whose linear part is a sum; its x_skip is zeros. */
static xc_block plain_block(xc_block_kind kind, int32_t length, int32_t filters) {
    return (xc_block){.kind = kind,
                      .length = length,
                      .channels = filters,
                      .width = 1,
                      .conv_length = length,
                      .filters = filters,
                      .pool = 1,
                      .out_length = length,
                      .norm_momentum = 0.9f,
                      .norm_epsilon = 1,
                      .kernel = XC_ABSENT,
                      .bias = XC_ABSENT,
                      .gamma = XC_ABSENT,
                      .beta = XC_ABSENT,
                      .running = XC_ABSENT};
}

static void run_add(const xc_backend *backend, tiny *c) {
    run_tiny(backend, c, backend->add_block_forward, backend->add_block_backward);
}

static const xc_backend *backend_of(void **state) { return ((const op_test *)*state)->backend; }

/* ---- DNA --------------------------------------------------------------------------------------------------------- */

/* ACGTN, kernel of width 3 whose tap k of base b is 10^k (b + 1): outputs can be read off as digits. */
void answer_motif_strands(void **state) {
    static const uint8_t bases[] = {0 | 1 << 2 | 2 << 4 | 3 << 6, 0};
    static const uint32_t run_start[] = {0, 1}, runs[] = {4 << 12 | 1};
    const xc_dna_view dna = {
        .bases = bases, .run_start = run_start, .runs = runs, .sequences = 1, .length = 5, .row_bytes = 2};
    const uint32_t index[] = {0, XC_REVERSE_COMPLEMENT};
    float kernel[12], y[10];
    for (int i = 0; i < 12; i++) kernel[i] = (float)((i % 4 + 1) * (i < 4 ? 1 : i < 8 ? 10 : 100));
    tiny c = {.block = plain_block(XC_BLOCK_MOTIF, 5, 1),
              .batch = 2,
              .dna = &dna,
              .index = index,
              .parameters = kernel,
              .parameter_count = 12,
              .y = y};
    c.block.channels = 4;
    c.block.kernel = 0;
    c.block.width = 3;
    c.block.pad_left = 1;
    run_tiny(backend_of(state), &c, backend_of(state)->motif_block_forward, backend_of(state)->motif_block_backward);
    const float want[] = {210, 321, 432, 43,  4, /* _ACGTN_ */
                          100, 210, 321, 432, 43 /* _NACGT_ */};
    check_values(y, want, 10);
}

/* ---- pool -------------------------------------------------------------------------------------------------------- */

/* Positions that do not exist never win, not even over negative values. */
void answer_pool_padding(void **state) {
    const float x[] = {-4, -3, -2, -5}, zeros[4] = {0}, dy[] = {10, 20};
    float y[2], dx[4];
    tiny c = {
        .block = plain_block(XC_BLOCK_ADD, 4, 1), .batch = 1, .x = x, .x_skip = zeros, .y = y, .dy = dy, .dx = dx};
    c.block.pool = 3;
    c.block.pool_pad_left = 1; /* windows {0, 1} and {2, 3} */
    c.block.out_length = 2;
    run_add(backend_of(state), &c);
    check_values(y, (const float[]){-3, -2}, 2);
    check_values(dx, (const float[]){0, 10, 20, 0}, 4);

    const float equal[] = {1, 7, 7, 7};
    c.x = equal;
    c.block.pool_pad_left = 0; /* windows {0, 1, 2} and {3}; the first of equals wins */
    run_add(backend_of(state), &c);
    check_values(y, (const float[]){7, 7}, 2);
    check_values(dx, (const float[]){0, 10, 0, 20}, 4);

    c.block.out_length = 1; /* valid: position 3 is in no window */
    run_add(backend_of(state), &c);
    check_values(y, (const float[]){7}, 1);
    check_values(dx, (const float[]){0, 10, 0, 0}, 4);
}

/* ---- the rescale rule -------------------------------------------------------------------------------------------- */

/* Relu of a sequence and two references: quotients of differences; the slope where both are equal. */
static void answer_rescale_plain(const xc_backend *backend) {
    const float x[] = {3, -2, -1, 1, 3, -3}, dy[] = {NAN, NAN, 2, 9, 5, 5};
    float y[6], dx[6];
    tiny c = {
        .block = plain_block(XC_BLOCK_ADD, 2, 1), .batch = 3, .references = 2, .x = x, .y = y, .dy = dy, .dx = dx};
    c.activation.kind = XC_RELU;
    run_add(backend, &c);
    check_values(y, (const float[]){3, 0, 0, 1, 3, 0}, 6);
    check_values(dx, (const float[]){0, 0, 2 * 3.0f / 4, 9 * 1.0f / 3, 5, 0}, 6);
}

/* Of pools 5 against 4 and 9: the winner of the larger output is charged. */
static void answer_rescale_pool(const xc_backend *backend) {
    const float x[] = {1, 5, 2, 0, 4, 1, 0, 0, 0, 6, 9, 0}, dy[] = {NAN, 8, 7};
    float y[3], dx[12];
    tiny c = {
        .block = plain_block(XC_BLOCK_ADD, 4, 1), .batch = 3, .references = 2, .x = x, .y = y, .dy = dy, .dx = dx};
    c.block.pool = 4;
    c.block.out_length = 1;
    run_add(backend, &c);
    check_values(y, (const float[]){5, 4, 9}, 3);
    check_values(dx, (const float[]){0, 0, 0, 0, 0, 8 * 1.0f / 4, 0, 0, 0, 0, 7 * 4.0f / 7, 0}, 12);
}

/* Kernel 1, gamma 4, beta 0, running mean 1, deviation 2: 3 and 0 become 4 and -2, then relu. */
static void answer_rescale_norm(const xc_backend *backend) {
    const float x[] = {3, 0}, parameters[] = {1, 4, 0}, dy[] = {NAN, 3};
    float y[2], dx[2], running[] = {1, 3};
    tiny c = {.block = plain_block(XC_BLOCK_DENSE, 1, 1),
              .batch = 2,
              .references = 1,
              .x = x,
              .parameters = parameters,
              .parameter_count = 3,
              .running = running,
              .y = y,
              .dy = dy,
              .dx = dx};
    c.block.kernel = 0, c.block.gamma = 1, c.block.beta = 2, c.block.running = 0;
    c.activation.kind = XC_RELU;
    run_tiny(backend, &c, backend->dense_block_forward, backend->dense_block_backward);
    check_values(y, (const float[]){4, 0}, 2);
    check_values(dx, (const float[]){0, 3 * (4.0f / 6) * 2}, 2);
}

void answer_rescale(void **state) {
    answer_rescale_plain(backend_of(state));
    answer_rescale_pool(backend_of(state));
    answer_rescale_norm(backend_of(state));
}

/* ---- batch norm -------------------------------------------------------------------------------------------------- */

/* Values 1 and 4 under gamma 2, beta 10: mean 2.5, biased variance 2.25; with epsilon 1.75 the deviation is 2. */
void answer_batch_norm(void **state) {
    const xc_backend *backend = backend_of(state);
    const float x[] = {1, 4}, parameters[] = {1, 2, 10}, dy[] = {1, 0};
    float y[2], dx[2], running[] = {1, 3};
    tiny c = {.block = plain_block(XC_BLOCK_DENSE, 1, 1),
              .batch = 2,
              .training = 1,
              .x = x,
              .parameters = parameters,
              .parameter_count = 3,
              .running = running,
              .y = y,
              .dy = dy,
              .dx = dx};
    c.block.kernel = 0, c.block.gamma = 1, c.block.beta = 2, c.block.running = 0;
    c.block.norm_epsilon = 1.75f;
    run_tiny(backend, &c, backend->dense_block_forward, backend->dense_block_backward);
    check_values(y, (const float[]){8.5f, 11.5f}, 2);
    check_values(running, (const float[]){0.9f + 0.25f, 2.7f + 0.225f}, 2);
    /* h = -.75, .75; dr = 2/2 (du - 1/2 - h (-.75)/2) */
    check_values(dx, (const float[]){0.5f - 0.28125f, -0.5f + 0.28125f}, 2);

    c.training = 0;
    running[0] = 2, running[1] = 2.25f;
    run_tiny(backend, &c, backend->dense_block_forward, backend->dense_block_backward);
    check_values(y, (const float[]){9, 12}, 2);
    check_values(running, (const float[]){2, 2.25f}, 2);
    check_values(dx, (const float[]){1, 0}, 2);
}

/* ---- dropout ----------------------------------------------------------------------------------------------------- */

/* Numbers by the words of xc_dropout_threshold's contract: eight to a Philox block, low half of word 0 first. */
void answer_dropout(void **state) {
    enum { COUNT = 203 };
    float x[COUNT], zeros[COUNT] = {0}, y[COUNT], want[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i + 1);
    tiny c = {.block = plain_block(XC_BLOCK_ADD, 29, 7),
              .batch = 1,
              .training = 1,
              .x = x,
              .x_skip = zeros,
              .y = y,
              .seed = 0x123456789abcdefu,
              .step = 77};
    c.block.dropout = 0.3f;
    c.block.dropout_stream = 5;
    for (uint32_t e = 0; e < COUNT; e++) {
        const xc_philox_words words = xc_philox4x32(e / 8, 77, 5, 3, 0x89abcdefu, 0x1234567u);
        uint16_t numbers[8];
        for (int i = 0; i < 8; i++) numbers[i] = (uint16_t)(words.word[i / 2] >> (i % 2 ? 16 : 0));
        want[e] = numbers[e % 8] >= 19661 ? x[e] * (float)(65536.0 / (65536 - 19661)) : 0;
    }
    run_add(backend_of(state), &c);
    check_values(y, want, COUNT);
    c.training = 0;
    run_add(backend_of(state), &c);
    check_values(y, x, COUNT);
}

/* Among zeros, dropped and kept, the first position of the window wins, and passes its gradient only if it was kept. */
void answer_dropout_ties(void **state) {
    enum { LENGTH = 36, POOL = 3, FILTERS = 5, COUNT = LENGTH * FILTERS, OUTPUTS = COUNT / POOL };
    float zeros[COUNT] = {0}, y[OUTPUTS], dy[OUTPUTS], dx[COUNT], want[COUNT] = {0};
    tiny c = {.block = plain_block(XC_BLOCK_ADD, LENGTH, FILTERS),
              .batch = 1,
              .training = 1,
              .x = zeros,
              .x_skip = zeros,
              .y = y,
              .dy = dy,
              .dx = dx,
              .seed = 11,
              .step = 3};
    c.block.dropout = 0.5f;
    c.block.pool = POOL;
    c.block.out_length = LENGTH / POOL;
    for (uint32_t o = 0; o < OUTPUTS; o++) {
        const uint32_t e = o / FILTERS * POOL * FILTERS + o % FILTERS;
        const xc_philox_words words = xc_philox4x32(e / 8, 3, 0, 3, 11, 0);
        const uint32_t number = words.word[e % 8 / 2] >> (e % 2 ? 16 : 0) & 0xFFFFu;
        dy[o] = (float)(o + 1);
        want[e] = number >= 32768 ? 2 * dy[o] : 0;
    }
    run_add(backend_of(state), &c);
    check_values(dx, want, COUNT);
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

static long double max0(long double x) { return x > 0 ? x : 0; }
static long double s(long double x) { return 1 / (1 + expl(-x)); }

/* The formulas as the paper writes them, in long double. */
static long double formula(xc_activation_kind kind, long double x) {
    switch (kind) {
        case XC_LINEAR:
            return x;
        case XC_RELU:
            return max0(x);
        case XC_EXPONENTIAL:
            return expl(x < 2 ? x : 2) + (x > 2 ? expl(2) * (x - 2) : 0); /* clip 2, linear beyond */
        case XC_SIGMOID:
            return s(x);
        case XC_TANH:
            return tanhl(x);
        case XC_SOFTPLUS:
            return log1pl(expl(x));
        case XC_ELU:
            return x > 0 ? x : expm1l(x);
        case XC_SHIFT_RELU:
            return max0(x - 0.2L);
        case XC_SCALE_RELU:
            return max0(powl(x, 3));
        case XC_SHIFT_SCALE_RELU:
            return max0(powl(x - 0.2L, 3));
        case XC_SHIFT_SIGMOID:
            return s(x - 8);
        case XC_SCALE_SIGMOID:
            return 4000 * s(x);
        case XC_SHIFT_SCALE_SIGMOID:
            return 4000 * s(x - 8);
        case XC_SHIFT_TANH:
            return tanhl(x - 6);
        case XC_SCALE_TANH:
            return 500 * tanhl(x) + 500;
        case XC_SHIFT_SCALE_TANH:
            return 500 * tanhl(x - 6) + 500;
        case XC_EXP_RELU:
            return max0(expm1l(0.1L * x));
        case XC_LOG:
            return logl(fabsl(x) + 1e-10L);
        case XC_LOG_RELU:
            return max0(logl(fabsl(x) + 1e-10L));
        case XC_ACTIVATION_COUNT:
            break;
    }
    return NAN;
}

/* Largest magnitude that an activation's formula passes through: its rounding is what may be lost. */
static double height(xc_activation_kind kind) {
    if (kind == XC_SCALE_TANH || kind == XC_SHIFT_SCALE_TANH) return 1000;
    return 1;
}

void answer_activations(void **state) {
    enum { COUNT = 149 };
    float x[COUNT], zeros[COUNT] = {0}, ones[COUNT], y[COUNT], dx[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = -11.03f + 0.15f * (float)i, ones[i] = 1;
    for (int kind = 0; kind < XC_ACTIVATION_COUNT; kind++) {
        tiny c = {.block = plain_block(XC_BLOCK_ADD, COUNT, 1),
                  .batch = 1,
                  .x = x,
                  .x_skip = zeros,
                  .y = y,
                  .dy = ones,
                  .dx = dx,
                  .activation = {.kind = (xc_activation_kind)kind, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = 2}};
        run_add(backend_of(state), &c);
        for (int i = 0; i < COUNT; i++) {
            const long double step = 1e-6L, at = x[i];
            const double value = (double)formula(c.activation.kind, at);
            const double slope =
                (double)((formula(c.activation.kind, at + step) - formula(c.activation.kind, at - step)) / (2 * step));
            const double floor = 2e-7 * height(c.activation.kind);
            if (!(fabs((double)y[i] - value) <= 2e-6 * fabs(value) + floor))
                fail_msg("activation %d at %g is %.9g, expected %.9g", kind, (double)x[i], (double)y[i], value);
            if (!(fabs((double)dx[i] - slope) <= 1e-5 * fabs(slope) + floor))
                fail_msg("slope of activation %d at %g is %.9g, expected %.9g", kind, (double)x[i], (double)dx[i],
                         slope);
        }
    }
}

/* A NaN must reach the loss, through every activation and through the pool, or a broken trial would go on unseen. */
void answer_nan_stays(void **state) {
    float x[4 * 9], zeros[4 * 9] = {0}, y[4 * 9];
    for (int kind = 0; kind < XC_ACTIVATION_COUNT; kind++)
        for (int pool = 1; pool <= 4; pool += 3)
            for (int at = 0; at < 4; at++) {
                for (int i = 0; i < 4 * 9; i++) x[i] = (float)(1 + i % 5);
                for (int f = 0; f < 9; f += 2) x[at * 9 + f] = NAN;
                tiny c = {.block = plain_block(XC_BLOCK_ADD, 4, 9),
                          .batch = 1,
                          .training = 1,
                          .x = x,
                          .x_skip = zeros,
                          .y = y,
                          .activation = {.kind = (xc_activation_kind)kind, .scale = 1, .clip = 2}};
                c.block.pool = pool;
                c.block.out_length = 4 / pool;
                run_add(backend_of(state), &c);
                for (int f = 0; f < 9; f++)
                    if (isnan(y[(pool == 1 ? at : 0) * 9 + f]) != (f % 2 == 0))
                        fail_msg("activation %d, pool %d, NaN at %d, filter %d: %g", kind, pool, at, f,
                                 (double)y[(pool == 1 ? at : 0) * 9 + f]);
            }
}

/* The same through the activation before the norm. */
void answer_nan_before_norm(void **state) {
    const xc_backend *backend = backend_of(state);
    const float x[] = {1, NAN}, parameters[] = {1, 2, 10};
    float y[2], running[] = {1, 3};
    tiny c = {.block = plain_block(XC_BLOCK_DENSE, 1, 1),
              .batch = 2,
              .x = x,
              .parameters = parameters,
              .parameter_count = 3,
              .running = running,
              .y = y};
    c.block.kernel = 0, c.block.gamma = 1, c.block.beta = 2, c.block.running = 0;
    c.block.before_norm = XC_RELU;
    run_tiny(backend, &c, backend->dense_block_forward, backend->dense_block_backward);
    assert_true(y[0] == 10 && isnan(y[1]));
    c.training = 1;
    run_tiny(backend, &c, backend->dense_block_forward, backend->dense_block_backward);
    assert_true(isnan(y[0]) && isnan(y[1]));
}
