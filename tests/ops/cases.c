/* cases.c: the shapes, options and data that every block op is tried with.
 *
 * Case i forces one member of one list of sizes (so that each member of each list is used) and draws the rest, within
 * limits. The lists hold 1, tile - 1, tile, tile + 1 for tiles of 4, 6, 8, 16 and 32, and primes. Options (padding,
 * norm, bias, dropout, training, N, strands, ...) are drawn too; activations go round in turn, another for each trial.
 *
 * Cases of their own have ties: wide pools over values that are exact in float, so that in most windows several are
 * the largest, beside each other or not, and those that lose to the first of them would give other gradients.
 */
#include "ops_test.h"

#define COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

static const int32_t SIZES[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 37};
static const int32_t LENGTHS[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 61, 4200};
static const int32_t WIDTHS[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 19, 31, 32, 33, 37};
static const int32_t POOLS[] = {1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50};
static const int32_t TRIALS[] = {1, 2, 5};
static const float RATES[] = {0, 0.1f, 0.5f};
static const int32_t REFERENCES[] = {1, 2, 5};

/* Builds with sanitizers, which take so much longer, define XC_TEST_SMALL as N to take one case of N, and small ones. N
 * shares no divisor with FORCE_COUNT, so that each list of sizes is still gone through. */
#ifdef XC_TEST_SMALL
const case_limits LIMITS_VALUES = {
    .products = 1e5, .elements = 1500, .trials = MAX_TRIALS, .margin = 1e-5, .every = XC_TEST_SMALL};
#else
const case_limits LIMITS_VALUES = {
    .products = 1.5e6, .elements = 20000, .trials = MAX_TRIALS, .margin = 1e-5, .every = 1, .large = true};
#endif
const case_limits LIMITS_GRADIENTS = {.products = 2e4, .elements = 300, .trials = 1, .margin = 1e-5, .every = 1};

/* Every activation, the exponential in several ways; clip 1 is met by many values, clip 30 by none. */
static const xc_activation VARIANTS[] = {
    {.kind = XC_LINEAR},
    {.kind = XC_RELU},
    {.kind = XC_SIGMOID},
    {.kind = XC_TANH},
    {.kind = XC_SOFTPLUS},
    {.kind = XC_ELU},
    {.kind = XC_SHIFT_RELU},
    {.kind = XC_SCALE_RELU},
    {.kind = XC_SHIFT_SCALE_RELU},
    {.kind = XC_SHIFT_SIGMOID},
    {.kind = XC_SCALE_SIGMOID},
    {.kind = XC_SHIFT_SCALE_SIGMOID},
    {.kind = XC_SHIFT_TANH},
    {.kind = XC_SCALE_TANH},
    {.kind = XC_SHIFT_SCALE_TANH},
    {.kind = XC_EXP_RELU},
    {.kind = XC_LOG},
    {.kind = XC_LOG_RELU},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_HARD, .scale = 1, .clip = 1},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = 1},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = 30},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_HARD, .scale = 0.25f, .clip = 30},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 3, .clip = 2},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_HARD, .scale = 1, .clip = -0.25f}, /* met by a 0 of padding too */
};

/* Which list a case forces a member of, in turn. */
enum { FORCE_LENGTH, FORCE_BATCH, FORCE_CHANNELS, FORCE_FILTERS, FORCE_WIDTH, FORCE_POOL, FORCE_COUNT };
_Static_assert(COUNT(POOLS) == COUNT(LENGTHS) && COUNT(SIZES) <= COUNT(POOLS), "case_count covers the longest list");

/* Sizes of real models, for what happens only beyond a cache, a strip or a chunk: N L C F K P and paddings. */
typedef struct large_shape {
    xc_block_kind kind;
    int32_t batch, length, channels, filters, width, pool;
    bool same, pool_same;
} large_shape;

static const large_shape LARGE[] = {
    {XC_BLOCK_MOTIF, 10, 200, 4, 32, 19, 1, true, false},
    {XC_BLOCK_MOTIF, 12, 200, 4, 32, 19, 50, true, true},
    {XC_BLOCK_MOTIF, 7, 400, 4, 24, 19, 10, true, false},
    {XC_BLOCK_MOTIF, 1, 600, 4, 100, 19, 3, false, false},
    {XC_BLOCK_MOTIF, 5, 150, 4, 13, 65, 4, true, false}, /* wider than its pairs are counted */
    {XC_BLOCK_CONV, 19, 50, 32, 48, 7, 4, true, false},
    {XC_BLOCK_CONV, 19, 50, 24, 64, 7, 1, false, false},
    {XC_BLOCK_CONV, 6, 400, 24, 24, 5, 1, true, false},
    {XC_BLOCK_CONV, 3, 190, 32, 124, 5, 50, true, true},
    /* Through the Fourier domain (kernels/cpu/spectral.h) in tiles of 8, 16 and 32, the last of them partial, with
       columns that fill no vector, chunks that end early, and a width that all but fills a tile. */
    {XC_BLOCK_CONV, 60, 4, 32, 124, 5, 2, true, true},
    {XC_BLOCK_CONV, 70, 12, 40, 36, 4, 3, true, false},
    {XC_BLOCK_CONV, 11, 100, 33, 29, 11, 1, false, false},
    {XC_BLOCK_CONV, 9, 57, 37, 44, 19, 2, true, false},
    {XC_BLOCK_CONV, 3, 30, 45, 30, 28, 1, true, false},
    {XC_BLOCK_DENSE, 100, 1, 450, 300, 1, 1, true, false},
    {XC_BLOCK_DENSE, 100, 1, 512, 12, 1, 1, true, false},
    {XC_BLOCK_ADD, 8, 400, 24, 24, 1, 10, true, false},
    {XC_BLOCK_ADD, 6, 400, 24, 24, 1, 1, true, false},
};

/* Pools below, at and above the width from which only a part of the window is recorded (cuda_motif_grain), of 1, 3, 4
 * and 5 positions, one of them wider than the sequence; filters in one group of 32, in two, and no multiple of 8. */
static const large_shape TIED[] = {
    {XC_BLOCK_MOTIF, 3, 100, 4, 12, 3, 31, true, true},  {XC_BLOCK_MOTIF, 4, 100, 4, 24, 2, 32, true, true},
    {XC_BLOCK_MOTIF, 3, 80, 4, 37, 3, 33, false, false}, {XC_BLOCK_MOTIF, 2, 139, 4, 40, 4, 45, true, true},
    {XC_BLOCK_MOTIF, 5, 101, 4, 13, 5, 46, true, true},  {XC_BLOCK_MOTIF, 3, 200, 4, 24, 3, 50, true, false},
    {XC_BLOCK_MOTIF, 4, 73, 4, 32, 6, 61, false, true},  {XC_BLOCK_MOTIF, 9, 64, 4, 1, 1, 75, true, true},
};
/* Values below 0 lose to what was dropped; of flat ones all are equal. */
static const xc_activation TIED_VARIANTS[] = {
    {.kind = XC_TANH},
    {.kind = XC_RELU},
    {.kind = XC_ELU},
    {.kind = XC_LINEAR},
    {.kind = XC_EXPONENTIAL, .beyond = XC_BEYOND_LINEAR, .scale = 1, .clip = 1},
};

/* $EXPCONV_TEST_SMALL leaves the drawn cases and takes the large shapes away, for tools that slow everything down. */
static bool is_small(void) { return getenv("EXPCONV_TEST_SMALL") != NULL; }

static int drawn_count(void) { return (is_small() ? 1 : 2) * FORCE_COUNT * COUNT(POOLS); }

/* Large shape number `which` of a kind; NULL beyond the last. */
static const large_shape *find_large(xc_block_kind kind, int which) {
    for (int i = 0; i < COUNT(LARGE); i++)
        if (LARGE[i].kind == kind && which-- == 0) return &LARGE[i];
    return NULL;
}

int case_count(xc_block_kind kind, const case_limits *limits) {
    int large = 0;
    if (limits->ties) return COUNT(TIED) * COUNT(RATES) * (is_small() ? 1 : 2);
    while (limits->large && !is_small() && find_large(kind, large)) large++;
    return drawn_count() + large;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

static uint32_t below(xc_random_sequence *random, int bound) { return xc_random_below(random, (uint32_t)bound); }
static bool coin(xc_random_sequence *random) { return below(random, 2); }

static double normal(xc_random_sequence *random) {
    const double radius = sqrt(-2 * log(1 - xc_uniform(xc_random_next(random))));
    return radius * cos(6.283185307179586 * xc_uniform(xc_random_next(random)));
}

static void *own(block_case *c, size_t count, size_t size) {
    assert_true(c->owned_count < COUNT(c->owned));
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return c->owned[c->owned_count++] = memory;
}

static float *own_normals(block_case *c, size_t count, xc_random_sequence *random) {
    float *values = own(c, count, sizeof(float));
    for (size_t i = 0; i < count; i++) values[i] = (float)normal(random);
    return values;
}

/* ---- shape ------------------------------------------------------------------------------------------------------ */

static int32_t draw_size(xc_random_sequence *random, const int32_t *list, int count, bool forced, int number) {
    return list[forced ? (number / FORCE_COUNT) % count : (int)below(random, count)];
}
#define DRAW(list, which) draw_size(random, list, COUNT(list), number % FORCE_COUNT == (which), number)

/* Lengths with some zeros before and after each sequence; false when nothing would be left. */
static bool place_zeros(xc_block *block, int32_t before, int32_t after, bool pool_same) {
    block->pad_left = before;
    block->conv_length = block->length + before + after - block->width + 1;
    if (block->conv_length < 1) return false;
    block->out_length = (block->conv_length + (pool_same ? block->pool - 1 : 0)) / block->pool;
    block->pool_pad_left = pool_same ? (block->out_length * block->pool - block->conv_length) / 2 : 0;
    return block->out_length > 0;
}

/* As Keras has them. */
static bool place_padding(xc_block *block, bool same, bool pool_same) {
    const int32_t all = same ? block->width - 1 : 0;
    return place_zeros(block, all / 2, all - all / 2, pool_same);
}

/* The batch in whole groups. */
static int32_t whole_groups(const block_case *c, int32_t batch) {
    const int32_t group = c->references + 1;
    return (batch + c->references) / group * group;
}

bool case_is_sequence(const block_case *c, size_t n) {
    return c->references > 0 && n % ((size_t)c->references + 1) == 0;
}

/* Sizes of one shape; false when such a block cannot be or is beyond the limits. */
static bool draw_shape(block_case *c, int number, const case_limits *limits, xc_random_sequence *random) {
    xc_block *block = &c->block;
    const xc_block_kind kind = block->kind;
    c->trials = TRIALS[below(random, COUNT(TRIALS))];
    if (c->trials > limits->trials) c->trials = limits->trials;
    c->batch = whole_groups(c, DRAW(SIZES, FORCE_BATCH));
    block->length = kind == XC_BLOCK_DENSE ? 1 : DRAW(LENGTHS, FORCE_LENGTH);
    const size_t group = (size_t)c->references + 1;
    if ((size_t)block->length * group > limits->elements) block->length = 61;
    if ((size_t)block->length * group > limits->elements) block->length = 33;
    block->filters = DRAW(SIZES, FORCE_FILTERS);
    block->channels = kind == XC_BLOCK_MOTIF ? 4 : kind == XC_BLOCK_ADD ? block->filters : DRAW(SIZES, FORCE_CHANNELS);
    block->width = kind == XC_BLOCK_MOTIF || kind == XC_BLOCK_CONV ? DRAW(WIDTHS, FORCE_WIDTH) : 1;
    block->pool = kind == XC_BLOCK_DENSE ? 1 : DRAW(POOLS, FORCE_POOL);
    const bool same = coin(random), pool_same = coin(random);
    const bool any = kind == XC_BLOCK_MOTIF && below(random, 3) == 0; /* zeros that no model of ours has */
    const int32_t before = any ? (int32_t)below(random, block->width) : 0;
    const int32_t after = any ? (int32_t)below(random, block->width) : 0;
    if (!(any ? place_zeros(block, before, after, pool_same) : place_padding(block, same, pool_same))) return false;
    const double elements = (double)c->trials * c->batch * block->conv_length * block->filters;
    return elements <= (double)limits->elements && elements * block->width * block->channels <= limits->products &&
           (double)c->trials * c->batch * block->length * block->channels <= 4.0 * (double)limits->elements;
}

static void take_shape(block_case *c, const large_shape *shape) {
    xc_block *block = &c->block;
    c->trials = shape->batch % 2 ? 1 : 2;
    c->batch = whole_groups(c, shape->batch);
    block->length = shape->length;
    block->channels = shape->channels;
    block->filters = shape->filters;
    block->width = shape->width;
    block->pool = shape->pool;
    place_padding(block, shape->same, shape->pool_same);
}

/* Where most inputs of an activation should lie: the logarithm is ill-conditioned near 0, and tanh(x - 6) far below 6
 * is -1 to within a float's spacing. 0: anywhere. */
static double centre(xc_activation_kind kind) { return kind == XC_LOG ? 3 : kind == XC_SHIFT_TANH ? 5 : 0; }

/* Whether a trial's activation has a centre that only a bias or a batch norm can bring its inputs to. */
static bool needs_offset(const block_case *c) {
    for (int t = 0; t < c->trials; t++)
        if (centre(c->activation[t].kind) > 0) return true;
    return false;
}

/* Places parameters with gaps and without alignment, which the contract does not promise. */
static void draw_layout(block_case *c, const case_limits *limits, xc_random_sequence *random) {
    xc_block *block = &c->block;
    const size_t filters = (size_t)block->filters;
    const bool norm = below(random, 3) > 0, bias = norm ? below(random, 4) == 0 : coin(random) || needs_offset(c);
    size_t next = coin(random) ? 0 : 3;
    block->kernel = block->bias = block->gamma = block->beta = block->running = XC_ABSENT;
    if (block->kind != XC_BLOCK_ADD || limits->full_adds) {
        c->kernel_count = (size_t)block->width * (size_t)block->channels * filters;
        if (block->kind == XC_BLOCK_ADD) c->kernel_count = 0;
        if (c->kernel_count > 0) block->kernel = next, next += c->kernel_count + 2;
        if (bias) block->bias = next, next += filters;
        if (norm) block->beta = next, next += filters + 1;
        if (norm) block->gamma = next, next += filters;
        if (norm) block->running = coin(random) ? 0 : 5;
        if (norm && coin(random) && !c->references) block->before_norm = XC_RELU;
    }
    c->parameter_stride = (next + 31) / 16 * 16;
    c->running_stride = (2 * filters + 5 + 15) / 16 * 16;
    block->norm_momentum = coin(random) ? 0.99f : 0.9f;
    block->norm_epsilon = 1e-3f;
    block->dropout = RATES[below(random, COUNT(RATES))];
    block->dropout_stream = below(random, 8);
}

/* Without batch norm, which would round, and with a way of its own for the CUDA backend, which has no dx. */
static void take_ties(block_case *c, int number) {
    xc_block *block = &c->block;
    block->gamma = block->beta = block->running = XC_ABSENT;
    block->before_norm = XC_LINEAR;
    block->dropout = RATES[number / COUNT(TIED) % COUNT(RATES)];
    block->input_gradient = false;
    c->wants_dx = false;
    c->add_to_dx = false;
    c->training = number % 7 != 6;
}

/* ---- data ------------------------------------------------------------------------------------------------------- */

static void draw_parameters(block_case *c, int t, xc_random_sequence *random) {
    const xc_block *block = &c->block;
    float *parameters = c->parameters + (size_t)t * c->parameter_stride;
    float *gradients = c->gradients + (size_t)t * c->parameter_stride;
    float *running = c->running + (size_t)t * c->running_stride;
    const double inputs = block->kind == XC_BLOCK_MOTIF ? block->width : block->width * block->channels;
    const size_t filters = (size_t)block->filters;
    const double middle = centre(c->activation[t].kind), spread = middle > 0 ? 0.2 : 1;
    for (size_t i = 0; i < c->parameter_stride; i++) parameters[i] = NAN, gradients[i] = (float)normal(random) / 8;
    for (size_t i = 0; i < c->running_stride; i++) running[i] = NAN;
    for (size_t i = 0; i < c->kernel_count; i++)
        parameters[block->kernel + i] = (float)(spread * normal(random) / sqrt(inputs));
    for (size_t f = 0; f < filters; f++) {
        const double sign = coin(random) ? 1 : -1, offset = middle > 0 ? middle : 0.5 * normal(random);
        if (block->bias != XC_ABSENT) parameters[block->bias + f] = (float)offset;
        if (block->gamma == XC_ABSENT) continue;
        parameters[block->gamma + f] = (float)(spread * sign * (0.5 + xc_uniform(xc_random_next(random))));
        parameters[block->beta + f] = (float)offset;
        running[block->running + f] = (float)(0.3 * normal(random));
        running[block->running + filters + f] = (float)(0.5 + xc_uniform(xc_random_next(random)));
    }
}

/* Multiples of 1/4, whose sums are exact, and biases that keep them from 0 and 1. */
static void round_parameters(block_case *c, int t) {
    float *parameters = c->parameters + (size_t)t * c->parameter_stride;
    for (size_t i = 0; i < c->kernel_count; i++) {
        float *tap = &parameters[c->block.kernel + i];
        *tap = rintf(4 * *tap) / 4;
    }
    for (size_t f = 0; c->block.bias != XC_ABSENT && f < (size_t)c->block.filters; f++) {
        float *bias = &parameters[c->block.bias + f];
        *bias = rintf(4 * *bias) / 4 + 0.125f;
    }
}

/* Inputs of trial t: normal, in some cases with exact zeros like a relu's output. */
static void draw_inputs(block_case *c, int t, bool zeros) {
    float *x = c->x + (size_t)t * c->in_count;
    float *x_skip = c->x_skip ? c->x_skip + (size_t)t * c->in_count : NULL;
    const float middle = (float)centre(c->activation[t].kind);
    for (size_t i = 0; i < c->in_count; i++) {
        if (zeros && x[i] < 0) x[i] = 0;
        if (c->block.kind != XC_BLOCK_ADD || middle == 0) continue;
        x[i] *= 0.2f;
        if (!x_skip) x[i] += middle;
        if (x_skip) x_skip[i] = 0.2f * x_skip[i] + middle;
    }
}

/* Makes references like their sequence: some everywhere, some nowhere, the others over some positions; but not where
 * a convolution may go through the Fourier domain, in which all of a tile shows in the rounding of each position. */
static void draw_references(const block_case *c, bool whole, float *x, xc_random_sequence *random) {
    const size_t rows = (size_t)c->trials * (size_t)c->batch, length = (size_t)c->block.length;
    const size_t channels = (size_t)c->block.channels, each = length * channels, group = (size_t)c->references + 1;
    for (size_t n = 0; n < rows; n++) {
        const size_t way = below(random, 5), first = way == 0 ? 0 : below(random, (int)length);
        const size_t last = way == 0            ? length
                            : way == 1 || whole ? first
                                                : first + below(random, (int)(length - first) + 1);
        const size_t sequence = n - n % group;
        memcpy(x + n * each + first * channels, x + sequence * each + first * channels,
               (last - first) * channels * sizeof(float));
    }
}

enum { DNA_WITHOUT_N, DNA_WITHOUT_RUNS, DNA_RUNS, DNA_ALL_N, DNA_WAYS };

/* The runs of N of one sequence, ascending; returns how many. */
static uint32_t draw_runs(uint32_t length, int way, bool all, uint32_t *runs, xc_random_sequence *random) {
    uint32_t count = 0, position = coin(random) ? 0 : below(random, (int)length);
    if (way < DNA_RUNS) return 0;
    if (all) position = 0;
    while (position < length && count < 4) {
        uint32_t run = all ? 4095 : 1 + below(random, coin(random) ? 2 : 12);
        if (position + run > length || (!all && below(random, 4) == 0)) run = length - position;
        if (run > 4095) run = 4095;
        runs[count++] = position << 12 | run;
        position += run + (all ? 0 : 1 + below(random, 9));
    }
    return count;
}

static void draw_dna(block_case *c, xc_random_sequence *random) {
    const uint32_t length = (uint32_t)c->block.length, sequences = (uint32_t)c->batch + 3;
    const int way = (int)below(random, DNA_WAYS);
    const bool strands = coin(random);
    c->dna = (xc_dna_view){.sequences = sequences, .length = length, .row_bytes = (length + 3) / 4};
    uint8_t *bases = own(c, (size_t)sequences * c->dna.row_bytes, 1);
    uint32_t *run_start = own(c, sequences + 1, sizeof(uint32_t));
    uint32_t *runs = own(c, (size_t)sequences * 4, sizeof(uint32_t));
    for (uint32_t i = 0; i < sequences; i++) {
        uint8_t *row = bases + (size_t)i * c->dna.row_bytes;
        for (uint32_t l = 0; l < length; l++) row[l / 4] |= (uint8_t)(below(random, 4) << (2 * (l % 4)));
        const bool all = way == DNA_ALL_N && (i == 0 || below(random, 4) == 0);
        const uint32_t count = draw_runs(length, way, all, runs + run_start[i], random);
        run_start[i + 1] = run_start[i] + count;
        for (uint32_t r = run_start[i]; r < run_start[i + 1]; r++)
            for (uint32_t l = runs[r] >> 12; l < (runs[r] >> 12) + (runs[r] & 0xFFFu); l++)
                row[l / 4] &= (uint8_t) ~(3u << (2 * (l % 4)));
    }
    c->dna.bases = bases;
    if (way != DNA_WITHOUT_N) c->dna.run_start = run_start, c->dna.runs = runs;
    c->index = own(c, (size_t)c->trials * (size_t)c->batch, sizeof(uint32_t));
    for (int i = 0; i < c->trials * c->batch; i++) {
        c->index[i] = below(random, (int)sequences);
        if (strands && coin(random)) c->index[i] |= XC_REVERSE_COMPLEMENT;
    }
}

static void describe(block_case *c, int number) {
#define WORD(name, word) word,
    static const char *const words[] = {XC_ACTIVATIONS(WORD)};
#undef WORD
    const xc_block *b = &c->block;
    snprintf(c->text, sizeof c->text,
             "case %d: T%d N%d R%d L%d C%d F%d K%d pad %d Lc%d pool %d pad %d Lp%d%s%s%s%s dropout %.1f%s%s %s", number,
             c->trials, c->batch, c->references, b->length, b->channels, b->filters, b->width, b->pad_left,
             b->conv_length, b->pool, b->pool_pad_left, b->out_length, b->bias == XC_ABSENT ? "" : " bias",
             b->before_norm ? " relu" : "", b->gamma == XC_ABSENT ? "" : " norm", c->x_skip ? " skip" : "",
             (double)b->dropout, c->training ? " training" : " inference", c->dna.run_start ? " N" : "",
             words[c->activation[0].kind]);
}

block_case case_draw(xc_block_kind kind, int number, int attempt, const case_limits *limits) {
    block_case c = {.block = {.kind = kind}};
    xc_random_sequence shape = {.seed = (uint64_t)number, .stream = XC_STREAM_SIMULATE, .substream = (uint32_t)kind};
    xc_random_sequence data = {
        .seed = (uint64_t)number << 32 | (uint64_t)attempt, .stream = XC_STREAM_WEIGHTS, .substream = (uint32_t)kind};
    xc_random_sequence *const random = &data;
    int draws = 0;
    if (limits->rescaled > 0) c.references = REFERENCES[(number / FORCE_COUNT + number + 1) % COUNT(REFERENCES)];
    const large_shape *large = limits->ties             ? &TIED[number % COUNT(TIED)]
                               : number < drawn_count() ? NULL
                                                        : find_large(kind, number - drawn_count());
    if (large) take_shape(&c, large);
    while (!large && !draw_shape(&c, number, limits, &shape))
        if (++draws > 100000) fail_msg("no shape for case %d", number);
    static const int often[] = {1, 19, 18, 1, 20}; /* relu and the exponential, which large models have */
    for (int t = 0; t < c.trials; t++)
        c.activation[t] = limits->ties ? TIED_VARIANTS[(number + t) % COUNT(TIED_VARIANTS)]
                          : large      ? VARIANTS[often[(number + t) % COUNT(often)]]
                                       : VARIANTS[(number + 5 * t) % COUNT(VARIANTS)];
    draw_layout(&c, limits, &shape);
    c.training = below(&shape, 3) > 0 && !c.references;
    c.wants_dx =
        below(&shape, 4) > (kind == XC_BLOCK_MOTIF) || c.references; /* a motif block has a way of its own without it */
    c.block.input_gradient = c.wants_dx;
    c.add_to_dx = c.wants_dx && below(&shape, 3) == 0;
    if (limits->ties) take_ties(&c, number);
    const bool zeros = below(&shape, 3) == 0;
    const size_t trials = (size_t)c.trials, batch = (size_t)c.batch;
    c.in_count = batch * (size_t)c.block.length * (size_t)c.block.channels;
    c.middle_count = batch * (size_t)c.block.conv_length * (size_t)c.block.filters;
    c.out_count = batch * (size_t)c.block.out_length * (size_t)c.block.filters;
    c.x = own_normals(&c, trials * c.in_count, random);
    if (kind == XC_BLOCK_ADD && !(limits->full_adds && number % 3 == 0))
        c.x_skip = own_normals(&c, trials * c.in_count, random);
    xc_random_sequence same = *random; /* both inputs of an add block are equal at the same places */
    if (c.references) draw_references(&c, large && kind == XC_BLOCK_CONV, c.x, random);
    if (c.references && c.x_skip) draw_references(&c, false, c.x_skip, &same);
    c.dy = own_normals(&c, trials * c.out_count, random);
    c.dx = own_normals(&c, trials * c.in_count, random);
    c.parameters = own(&c, trials * c.parameter_stride, sizeof(float));
    c.gradients = own(&c, trials * c.parameter_stride, sizeof(float));
    c.running = own(&c, trials * c.running_stride, sizeof(float));
    for (int t = 0; t < c.trials; t++) {
        c.seed[t] = xc_random_next(random) * UINT64_C(0x100000003);
        c.step[t] = xc_random_next(random);
        c.step[t] >>= below(random, 32);
        draw_parameters(&c, t, random);
        if (limits->ties) round_parameters(&c, t);
        draw_inputs(&c, t, zeros);
    }
    if (kind == XC_BLOCK_MOTIF) draw_dna(&c, random);
    describe(&c, number);
    return c;
}

void case_free(block_case *c) {
    for (int i = 0; i < c->owned_count; i++) free(c->owned[i]);
    c->owned_count = 0;
}

xc_block_args case_args(const block_case *c) {
    return (xc_block_args){
        .block = &c->block,
        .trials = c->trials,
        .batch = c->batch,
        .training = c->training,
        .references = c->references,
        .dna = &c->dna,
        .index = c->index,
        .x = c->x,
        .x_skip = c->x_skip,
        .parameters = c->parameters,
        .gradients = c->gradients,
        .parameter_stride = c->parameter_stride,
        .running = c->running,
        .running_stride = c->running_stride,
        .activation = c->activation,
        .seed = c->seed,
        .step = c->step,
        .dy = c->dy,
    };
}
