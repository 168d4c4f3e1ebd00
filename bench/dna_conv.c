/* dna_conv.c: how near the machine's limit are the convolutions, on one core? First the first block of cnn-50, forward
 * and backward with batch norm, exponential, dropout and pool, by lookup, beside the best dense form here: our own
 * convolution of the one-hot input, or PyTorch's. Then every deeper convolution of the paper's five models alone,
 * without norm, activation, dropout and pool: forward, weight gradient (a backward pass that is asked for no input
 * gradient), and the whole backward pass; the input gradient's time is their difference, so what both need counts as
 * the weights'.
 *
 *     dna_conv [--rounds 5] [--batch 100]
 *
 * Everything goes through the backend's table, as training does. Prints a JSON line a convolution: GFLOP/s counted as
 * direct convolution and the share of the multiply-add peak measured in this run, which a form of fewer operations (a
 * Fourier transform) may exceed; a table row gives the geometric mean of the layers' shares.
 */
#include <sched.h>

#include "floors.h"
#include "network.h"
#include "peer.h"

#define MAX_ROUNDS 99
#define MAX_LAYERS 64
#define ROUND_SECONDS 0.03

typedef struct question {
    const xc_backend *backend;
    int rounds;
    int32_t batch;
    floors floors;
} question;

/* One block with all that its ops touch. */
typedef struct block_bench {
    const question *q;
    xc_block block;
    xc_block_args args;
    xc_split split; /* of a motif block */
    uint32_t *index;
    float *memory;
} block_bench;

typedef enum pass { FORWARD, WEIGHTS, BACKWARD, BOTH } pass;

static const xc_activation linear = {XC_LINEAR, XC_BEYOND_HARD, 1, 30};

static void block_close(block_bench *b) {
    const xc_backend *backend = b->q->backend;
    backend->release(backend, b->args.saved);
    backend->release(backend, b->args.scratch);
    backend->release(backend, b->memory);
    free(b->index);
    xc_split_free(&b->split);
}

/* `block` and `parameters` are offsets of one trial whose parameters and running statistics have these sizes. */
static xc_status block_open(block_bench *b, const question *q, const xc_block *block, const xc_activation *activation,
                            const float *parameters, size_t parameter_count, size_t running_count, xc_error *error) {
    static const uint64_t zero = 0;
    xc_block_memory needed;
    xc_status status = XC_OK;
    *b = (block_bench){.q = q, .block = *block};
    const size_t n = (size_t)q->batch, in = n * (size_t)block->length * (size_t)block->channels;
    const size_t out = n * (size_t)block->out_length * (size_t)block->filters;
    const size_t parts[] = {in, in, out, out, parameter_count, parameter_count, running_count};
    float *part[7];
    size_t total = 0;
    for (int i = 0; i < 7; i++) total += (parts[i] + 15) / 16 * 16;
    q->backend->block_memory(q->backend, block, q->batch, &needed);
    b->memory = q->backend->allocate(q->backend, total * sizeof(float));
    void *saved = q->backend->allocate(q->backend, needed.saved + 64);
    char *scratch = q->backend->allocate(q->backend, needed.scratch + needed.thread_scratch + 64);
    b->args = (xc_block_args){.block = &b->block,
                              .trials = 1,
                              .batch = q->batch,
                              .training = 1,
                              .parameter_stride = parameter_count,
                              .running_stride = running_count,
                              .activation = activation,
                              .seed = &zero,
                              .step = &zero,
                              .saved = saved,
                              .saved_stride = needed.saved,
                              .scratch = scratch,
                              .thread_scratch = scratch ? scratch + needed.scratch : NULL,
                              .thread_scratch_stride = needed.thread_scratch};
    if (!b->memory || !saved || !scratch) {
        status = xc_fail(error, XC_MEMORY, "no memory for a block");
        goto fail;
    }
    for (size_t i = 0, at = 0; i < 7; at += (parts[i++] + 15) / 16 * 16) part[i] = b->memory + at;
    XC_TRY(network_split((uint32_t)n, block->length, 1, &b->split, error));
    XC_TRY(xc_allocate(&b->index, n, sizeof *b->index, "index", error));
    xc_random_sequence random = {.seed = 2, .stream = XC_STREAM_SIMULATE};
    for (size_t i = 0; i < n; i++) b->index[i] = (uint32_t)i;
    for (size_t i = 0; i < in; i++) part[0][i] = (float)xc_random_next(&random) / 4294967296.0f - 0.5f;
    for (size_t i = 0; i < out; i++) part[3][i] = (float)xc_random_next(&random) / 4294967296.0f - 0.5f;
    memcpy(part[4], parameters, parameter_count * sizeof(float));
    b->args.x = part[0], b->args.dx = part[1], b->args.y = part[2], b->args.dy = part[3];
    b->args.parameters = part[4], b->args.gradients = part[5], b->args.running = part[6];
    b->args.dna = &b->split.dna, b->args.index = b->index;
fail:
    if (status != XC_OK) block_close(b);
    return status;
}

static void one_hot(block_bench *b) {
    float *x = (float *)b->args.x;
    uint8_t codes[4096];
    for (int32_t n = 0; n < b->q->batch; n++, x += 4 * (size_t)b->block.length) {
        xc_dna_unpack(&b->split.dna, (uint32_t)n, codes);
        for (int32_t l = 0; l < b->block.length; l++)
            for (int c = 0; c < 4; c++) x[4 * l + c] = codes[l] == c;
    }
}

static xc_status run_pass(block_bench *b, pass which, xc_error *error) {
    const xc_backend *backend = b->q->backend;
    const bool motif = b->block.kind == XC_BLOCK_MOTIF;
    float *dx = b->args.dx;
    xc_status status = XC_OK;
    if (which != BACKWARD) b->args.dx = which == FORWARD ? dx : NULL;
    if (which == FORWARD || which == BOTH)
        XC_TRY((motif ? backend->motif_block_forward : backend->conv_block_forward)(backend, &b->args, error));
    if (which != FORWARD)
        XC_TRY((motif ? backend->motif_block_backward : backend->conv_block_backward)(backend, &b->args, error));
fail:
    b->args.dx = dx;
    return status;
}

/* Seconds of one pass, the mean over a round. */
static xc_status run_round(block_bench *b, pass which, double *seconds, xc_error *error) {
    int repeats = 0;
    const double start = xc_seconds();
    do {
        const xc_status status = run_pass(b, which, error);
        if (status != XC_OK) return status;
        repeats++;
    } while (xc_seconds() - start < ROUND_SECONDS);
    *seconds = (xc_seconds() - start) / repeats;
    return XC_OK;
}

/* ---- the first block --------------------------------------------------------------------------------------------- */

static xc_status measure_first(const question *q, xc_error *error) {
    static xc_model model;
    xc_activation activation;
    block_bench lookup = {.q = q}, dense = {.q = q};
    double times[3][MAX_ROUNDS]; /* milliseconds: lookup, dense, PyTorch */
    char batch[16], text[80] = "expconv's convolution of the one-hot input";
    const char *own[] = {"--model", "cnn-50", "--steps", "20", "--batch", batch, NULL};
    peer_arrangement torch = {
        .package = "torch", .script = "bench/peers/torch_first_block.py", .processes = 1, .threads = 1, .trials = 1};
    xc_trial_state state = {0};
    bool has_torch = false;
    xc_status status;
    snprintf(batch, sizeof batch, "%d", (int)q->batch);
    XC_TRY(network_model("cnn-50", 12, &model, &activation, error));
    XC_TRY(xc_allocate(&state.parameters, model.parameter_count, sizeof(float), "parameters", error));
    XC_TRY(xc_allocate(&state.running, model.running_count, sizeof(float), "running statistics", error));
    xc_model_initialise(&model, 1, state.parameters, state.running);
    xc_block block = model.layer[0].block;
    XC_TRY(block_open(&lookup, q, &block, &activation, state.parameters, model.parameter_count, model.running_count,
                      error));
    block.kind = XC_BLOCK_CONV;
    XC_TRY(block_open(&dense, q, &block, &activation, state.parameters, model.parameter_count, model.running_count,
                      error));
    one_hot(&dense);
    has_torch = peer_arrange(&torch, own);
    for (int round = -1; round < q->rounds; round++) { /* the first warms up */
        const int at = round < 0 ? 0 : round;
        XC_TRY(run_round(&lookup, BOTH, &times[0][at], error));
        XC_TRY(run_round(&dense, BOTH, &times[1][at], error));
        times[0][at] *= 1e3, times[1][at] *= 1e3;
        times[2][at] = has_torch ? peer_round(&torch) : INFINITY;
    }
    double median[3];
    for (int i = 0; i < 3; i++) median[i] = measure_median(times[i], (size_t)q->rounds);
    if (median[2] < median[1]) snprintf(text, sizeof text, "%s, 1 thread", torch.system);
    const double theirs = fmin(median[1], median[2]);
    const double additions = 2.0 * q->batch * block.conv_length * block.filters * ((block.width + 2) / 3);
    const double floor = 1e3 * additions / q->floors.peak;
    printf(
        "{\"bench\":\"dna_conv\",\"block\":\"cnn-50 first\",\"lookup_ms\":%.4f,\"dense_ms\":%.4f,\"pytorch_ms\":%.4f,"
        "\"rounds\":%d,\"gflop\":%.4f,%s,\"floor_ms\":%.4f,\"reached\":%.3f,%s}\n",
        median[0], median[1], has_torch ? median[2] : 0, q->rounds, 1e-9 * additions, floors_text(&q->floors), floor,
        floor / median[0], measure_where());
    measure_row row = {.what = "first block of cnn-50, forward and backward, 1 core",
                       .unit = "ms",
                       .ours = median[0],
                       .theirs = theirs,
                       .ratio = theirs / median[0],
                       .at_least = 8,
                       .reached = floor / median[0]};
    snprintf(row.peer, sizeof row.peer, "%s", text);
    measure_print_row("dna_conv", &row);
fail:
    if (has_torch) peer_dismiss(&torch);
    block_close(&lookup);
    block_close(&dense);
    free(state.parameters);
    free(state.running);
    return status;
}

/* ---- the deeper convolutions ------------------------------------------------------------------------------------- */

typedef struct totals {
    double logarithms[3], least[3]; /* of layers' shares of the peak: forward, weight gradient, input gradient */
} totals;

/* The linear part of a block alone. */
static xc_block bare(const xc_block *from) {
    xc_block block = *from;
    block.gamma = block.beta = block.running = block.bias = XC_ABSENT;
    block.kernel = 0;
    block.dropout = 0, block.pool = 1, block.pool_pad_left = 0, block.out_length = block.conv_length;
    block.before_norm = XC_LINEAR;
    return block;
}

static xc_status measure_conv(const question *q, const xc_block *from, const char *model, totals *sum,
                              xc_error *error) {
    const xc_block block = bare(from);
    const size_t count = (size_t)(block.width * block.channels * block.filters);
    const double operations = 2.0 * q->batch * block.conv_length * (double)count;
    double times[3][MAX_ROUNDS], seconds[3];
    float *kernel = NULL;
    block_bench b = {.q = q};
    xc_status status;
    XC_TRY(xc_allocate(&kernel, count, sizeof *kernel, "kernel", error));
    for (size_t i = 0; i < count; i++) kernel[i] = 0.01f * (float)(i * 7 % 11) - 0.05f;
    XC_TRY(block_open(&b, q, &block, &linear, kernel, (count + 15) / 16 * 16, 16, error));
    for (int round = -1; round < q->rounds; round++) /* the first warms up */
        for (int i = 0; i < 3; i++) {
            XC_TRY(run_pass(&b, FORWARD, error)); /* backward follows a forward */
            XC_TRY(run_round(&b, (pass)i, &times[i][round < 0 ? 0 : round], error));
        }
    for (int i = 0; i < 3; i++) seconds[i] = measure_median(times[i], (size_t)q->rounds);
    const double both = seconds[BACKWARD];
    seconds[2] = fmax(seconds[BACKWARD] - seconds[WEIGHTS], 1e-9);
    printf(
        "{\"bench\":\"dna_conv\",\"model\":\"%s\",\"length\":%d,\"channels\":%d,\"filters\":%d,\"width\":%d,"
        "\"gflop\":%.4f,\"forward_ms\":%.4f,\"weights_ms\":%.4f,\"backward_ms\":%.4f,\"rounds\":%d,%s",
        model, block.length, block.channels, block.filters, block.width, 1e-9 * operations, 1e3 * seconds[FORWARD],
        1e3 * seconds[WEIGHTS], 1e3 * both, q->rounds, floors_text(&q->floors));
    static const char *const names[] = {"forward", "weights", "input"};
    for (int i = 0; i < 3; i++) {
        const double share = operations / seconds[i] / q->floors.peak;
        sum->logarithms[i] += log(share);
        sum->least[i] = fmin(sum->least[i], share);
        printf(",\"%s_gflops\":%.1f,\"%s_share\":%.3f", names[i], 1e-9 * operations / seconds[i], names[i], share);
    }
    printf(",\"backward_share\":%.3f,%s}\n", 2 * operations / both / q->floors.peak, measure_where());
    fflush(stdout);
fail:
    block_close(&b);
    free(kernel);
    return status;
}

static bool same_shape(const xc_block *a, const xc_block *b) {
    return a->length == b->length && a->channels == b->channels && a->filters == b->filters && a->width == b->width &&
           a->conv_length == b->conv_length;
}

static xc_status measure_deeper(const question *q, xc_error *error) {
    static xc_model model;
    static xc_block seen[MAX_LAYERS];
    static const char *const what[] = {"deeper convolutions, forward, 1 core",
                                       "deeper convolutions, weight gradient, 1 core",
                                       "deeper convolutions, input gradient, 1 core"};
    totals sum = {.least = {INFINITY, INFINITY, INFINITY}};
    int count = 0;
    xc_activation activation;
    xc_status status = XC_OK;
    for (int m = 0; m < MODEL_COUNT; m++) {
        XC_TRY(network_model(MODELS[m].name, MODELS[m].classes, &model, &activation, error));
        for (int32_t i = 0; i < model.layer_count; i++) {
            const xc_block *block = &model.layer[i].block;
            int known = 0;
            while (known < count && !same_shape(&seen[known], block)) known++;
            if (block->kind != XC_BLOCK_CONV || known < count || count == MAX_LAYERS) continue;
            seen[count++] = *block;
            XC_TRY(measure_conv(q, block, MODELS[m].name, &sum, error));
        }
    }
    for (int i = 0; i < 3; i++) {
        const double share = exp(sum.logarithms[i] / count);
        measure_row row = {.unit = "GFLOP/s",
                           .ours = 1e-9 * share * q->floors.peak,
                           .theirs = 1e-9 * q->floors.peak,
                           .ratio = share,
                           .at_least = 0.8,
                           .reached = share};
        snprintf(row.what, sizeof row.what, "%s", what[i]);
        snprintf(row.peer, sizeof row.peer, "multiply-add peak (lowest of %d layers %.2f)", count, sum.least[i]);
        measure_print_row("dna_conv", &row);
    }
fail:
    return status;
}

int main(int count, char **arguments) {
    question q = {.rounds = 5, .batch = 100};
    xc_error error = {0};
    cpu_set_t one;
    for (int at = 1; at < count; at += 2) {
        const int value = at + 1 < count ? atoi(arguments[at + 1]) : 0;
        if (strcmp(arguments[at], "--rounds") == 0 && value >= 1 && value <= MAX_ROUNDS)
            q.rounds = value;
        else if (strcmp(arguments[at], "--batch") == 0 && value >= 1 && value <= 1024)
            q.batch = value;
        else
            return fprintf(stderr, "usage: dna_conv [--rounds 1..99] [--batch 1..1024]\n"), 2;
    }
    measure_where(); /* the machine as it is before this */
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one); /* the peer inherits it */
    signal(SIGPIPE, SIG_IGN);
    xc_status status;
    XC_TRY(xc_make_folder("build/bench", &error));
    XC_TRY(xc_backend_cpu(&q.backend, &error));
    measure_floors(q.backend, &q.floors);
    XC_TRY(measure_first(&q, &error));
    XC_TRY(measure_deeper(&q, &error));
fail:
    if (status != XC_OK) fprintf(stderr, "dna_conv: %s\n", error.text);
    return status == XC_OK ? 0 : 1;
}
