/* layout.c: how much memory a block wants, and where the pieces of one trial lie in it. The same walk does both, so
 * that they cannot disagree; the call's own batch lays the pieces out.
 */
#include "gemm.h"
#include "motif.h"
#include "trial.h"

/* Hands out aligned pieces; with base == NULL it only counts. */
typedef struct piece_of {
    unsigned char *base;
    size_t used;
} piece_of;

static void *take(piece_of *memory, size_t count, size_t size) {
    void *piece = memory->base ? memory->base + memory->used : NULL;
    memory->used += round_up(count * size, 64);
    return piece;
}

static float *take_floats(piece_of *memory, size_t count) { return take(memory, count, sizeof(float)); }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void set_sizes(cpu_trial *b, const xc_block *block, int32_t batch) {
    *b = (cpu_trial){.block = block};
    b->batch = (size_t)batch;
    b->length = (size_t)block->length;
    b->channels = (size_t)block->channels;
    b->width = (size_t)block->width;
    b->conv_length = (size_t)block->conv_length;
    b->filters = (size_t)block->filters;
    b->out_length = (size_t)block->out_length;
    b->columns = round_up(b->filters, LANES);
    xc_cpu_spectral_plan(b);
    b->gap = b->spectral.size ? 0 : b->width - 1;
    b->norm = block->gamma != XC_ABSENT;
    b->motif.fused = block->kind == XC_BLOCK_MOTIF && block->before_norm == XC_LINEAR &&
                     (!b->norm || b->width <= MOTIF_PAIRED_WIDTH);
    const size_t rows = STRIP_BYTES / (b->columns * sizeof(float));
    b->strip_rows = rows < 1 ? 1 : rows > STRIP_ROWS ? STRIP_ROWS : rows;
}

/* Floats of the packed kernel, either way, or of the motif block's tables. */
static size_t panel_floats(const cpu_trial *b) {
    if (b->block->kind == XC_BLOCK_ADD || b->spectral.size) return 0;
    if (b->block->kind == XC_BLOCK_MOTIF) return motif_table_floats(b);
    const size_t forward = b->width * b->channels * b->columns;
    const size_t backward = b->width * b->columns * round_up(b->channels, LANES);
    return larger(forward, backward);
}

/* The tiles' points, and the kernel's: forward's are not wanted any more when backward puts its own there. */
static void lay_out_spectral(cpu_trial *b, piece_of *scratch) {
    cpu_spectral *s = &b->spectral;
    s->x = take_floats(scratch, s->points * s->x_plane);
    s->z = take_floats(scratch, s->points * s->z_plane);
    s->forward = s->backward = take_floats(scratch, s->points * larger(s->forward_plane, s->backward_plane));
    s->sum = take_floats(scratch, s->points * s->sum_plane);
    s->turned = take_floats(scratch, b->width * b->filters * s->channels);
}

/* Words of a mask of `bits` bits, whole vectors. */
static size_t mask_words(size_t bits) { return round_up((bits + 63) / 64, VECTOR_BYTES / sizeof(uint64_t)); }

static size_t motif_mask_words(const cpu_trial *b) { return mask_words(b->batch * motif_letter_count(b) + 64); }

static void lay_out_motif(cpu_trial *b, piece_of *saved, piece_of *scratch) {
    cpu_motif *m = &b->motif;
    const size_t columns = b->columns, rows = motif_tap_rows(b), even_rows = round_up(rows, 4);
    b->codes = take(saved, b->batch * motif_code_count(b->conv_length, b->width), sizeof(uint16_t));
    m->taps = take(saved, rows * columns, sizeof(double));
    m->inverse = take(saved, columns, sizeof(double));
    m->factor = take(scratch, columns, sizeof(double));
    m->offset = take(scratch, columns, sizeof(double));
    m->reach = take_floats(scratch, columns);
    m->dbeta = take(scratch, columns, sizeof(double));
    m->dgamma = take(scratch, columns, sizeof(double));
    m->response = take(scratch, rows * columns, sizeof(double));
    m->sums = take_floats(scratch, motif_table_floats(b));
    if (!m->fused || !b->norm) return;
    m->pull = take(saved, even_rows * columns, sizeof(double));
    m->counts = take(saved, rows, sizeof(double));
    m->pairs = take(scratch, rows * even_rows, sizeof(double));
    m->masks = take(scratch, 2 * 4 * motif_mask_words(b), sizeof(uint64_t));
    m->edges = take(scratch, 2 * b->width * 4 * mask_words(b->batch), sizeof(uint64_t));
}

/* z, and what norm.c and the tail want beside it. */
static void lay_out_rows(cpu_trial *b, piece_of *saved, piece_of *scratch) {
    const size_t columns = b->columns;
    b->z = take_floats(saved, (b->gap + b->batch * (b->conv_length + b->gap)) * columns);
    b->mean = take_floats(saved, columns);
    b->inverse = take_floats(saved, columns);
    b->scale = take_floats(scratch, columns);
    b->shift = take_floats(scratch, columns);
    b->start = take_floats(scratch, columns);
    b->slope = take_floats(scratch, columns);
    b->level = take_floats(scratch, columns);
    b->sums = take(scratch, 2 * columns, sizeof(double));
    b->partial_sums = take(scratch, cpu_ranges(b) * 2 * columns, sizeof(double));
    if (b->block->bias != XC_ABSENT) b->bias_sums = take(scratch, b->batch * columns, sizeof(double));
    b->du = take_floats(scratch, b->batch * b->out_length * columns);
}

static void lay_out(cpu_trial *b, piece_of *saved, piece_of *scratch) {
    const xc_block *block = b->block;
    const size_t columns = b->columns, out = b->batch * b->out_length * columns;
    const size_t elements = b->batch * b->conv_length * b->filters;
    const size_t drop_bytes = xc_dropout_threshold(block->dropout) > 0 ? cpu_dropout_bytes(elements) : 0;
    const bool pooled = block->pool > 1;

    if (!b->motif.fused) lay_out_rows(b, saved, scratch);
    if (pooled) b->peak = take_floats(saved, out);
    if (pooled) b->route = take(saved, out, sizeof(uint16_t));
    if (drop_bytes > 0) b->dropped = take(pooled ? scratch : saved, drop_bytes, 1);
    b->panels = take_floats(scratch, panel_floats(b));
    if (block->kind == XC_BLOCK_MOTIF) lay_out_motif(b, saved, scratch);
    if (b->spectral.size)
        lay_out_spectral(b, scratch);
    else if (block->kind == XC_BLOCK_CONV || block->kind == XC_BLOCK_DENSE) {
        const size_t rows = b->conv_length + b->gap;
        if (cpu_needs_zeros(b)) b->padded = take_floats(scratch, cpu_conv_chunk(b) * rows * b->channels);
    }
    if (xc_cpu_winners_pay(b)) b->winners.kernel = take_floats(scratch, xc_cpu_winners_kernel_floats(b));
}

static void lay_out_thread(cpu_trial *b, piece_of *scratch) {
    cpu_motif *m = &b->motif;
    if (b->block->kind == XC_BLOCK_MOTIF) m->letters = take(scratch, motif_letter_count(b), 1);
    if (m->fused) m->rows = take_floats(scratch, b->conv_length * b->columns);
    if (b->block->input_gradient) {
        const size_t taps = round_up(4 * b->width, LANES);
        m->turned = take_floats(scratch, b->filters * 4 * b->width);
        m->turned_panels = take_floats(scratch, b->filters * taps);
        m->products = take_floats(scratch, b->conv_length * taps);
    }
    if (m->fused && b->norm) m->shifted = take(scratch, 4 * motif_mask_words(b), sizeof(uint64_t));
    if (m->fused) return;
    b->strip = take_floats(scratch, 5 * b->strip_rows * b->columns);
    b->keys = take_floats(scratch, (size_t)b->block->pool * b->columns);
    if (xc_cpu_winners_pay(b)) {
        b->winners.sums = take_floats(scratch, xc_cpu_winners_sum_floats(b));
        b->winners.bits = take(scratch, xc_cpu_winners_word_count(b), sizeof(uint64_t));
    }
    const bool product = b->block->kind == XC_BLOCK_CONV || b->block->kind == XC_BLOCK_DENSE;
    if (product && !b->spectral.size)
        b->gathered = take_floats(scratch, cpu_gradient_chunk(b) * b->conv_length * OUTER_COLUMNS);
}

void xc_cpu_take_thread(cpu_trial *b, int thread) {
    piece_of scratch = {b->thread_scratch + (size_t)thread * b->thread_stride, 0};
    lay_out_thread(b, &scratch);
}

void xc_cpu_block_memory(const xc_backend *backend, const xc_block *block, int32_t batch, xc_block_memory *memory) {
    (void)backend;
    cpu_trial b;
    piece_of saved = {0}, scratch = {0}, thread = {0};
    set_sizes(&b, block, batch);
    lay_out(&b, &saved, &scratch);
    lay_out_thread(&b, &thread);
    *memory = (xc_block_memory){.saved = saved.used, .scratch = scratch.used, .thread_scratch = thread.used};
}

static void find_parameters(const xc_block_args *args, size_t trial, cpu_trial *b) {
    const xc_block *block = args->block;
    const size_t offset = trial * args->parameter_stride;
    const bool kernel = block->kernel != XC_ABSENT;
    if (args->parameters) {
        const float *parameters = args->parameters + offset;
        if (kernel) b->kernel = parameters + block->kernel;
        if (block->bias != XC_ABSENT) b->bias = parameters + block->bias;
        if (b->norm) b->gamma = parameters + block->gamma;
        if (b->norm) b->beta = parameters + block->beta;
    }
    if (args->gradients) {
        float *gradients = args->gradients + offset;
        if (kernel) b->dkernel = gradients + block->kernel;
        if (block->bias != XC_ABSENT) b->dbias = gradients + block->bias;
        if (b->norm) b->dgamma = gradients + block->gamma;
        if (b->norm) b->dbeta = gradients + block->beta;
    }
    if (b->norm) b->running = args->running + trial * args->running_stride + block->running;
}

void xc_cpu_load(const xc_block_args *args, size_t trial, cpu_trial *b) {
    const xc_block *block = args->block;
    piece_of saved = {(unsigned char *)args->saved + trial * args->saved_stride, 0};
    piece_of scratch = {args->scratch, 0};
    set_sizes(b, block, args->batch);
    lay_out(b, &saved, &scratch);
    const size_t in = b->batch * b->length * b->channels, middle = b->batch * b->conv_length * b->filters;
    const size_t out = b->batch * b->out_length * b->filters;
    b->training = args->training;
    b->motif.paired = b->motif.fused && b->norm && b->training;
    if (!b->training) b->dropped = NULL;
    b->add_to_dx = args->add_to_dx;
    b->references = (size_t)args->references;
    b->activation = args->activation[trial];
    b->team = args->team;
    b->thread_scratch = args->thread_scratch;
    b->thread_stride = args->thread_scratch_stride;
    xc_cpu_take_thread(b, 0);
    b->seed = args->seed ? args->seed[trial] : 0;
    b->step = args->step ? args->step[trial] : 0;
    b->dna = args->dna;
    if (args->index) b->index = args->index + trial * b->batch;
    if (args->x) b->x = args->x + trial * in;
    if (args->x_skip) b->x_skip = args->x_skip + trial * middle;
    if (args->y) b->y = args->y + trial * out;
    if (args->dy) b->dy = args->dy + trial * out;
    if (args->dx) b->dx = args->dx + trial * in;
    if (args->dx_skip) b->dx_skip = args->dx_skip + trial * middle;
    if (args->clipped && b->training) b->clipped = args->clipped + trial;
    find_parameters(args, trial, b);
}
