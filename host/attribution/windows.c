/* windows.c: the reach of one changed base. With taps 0 .. K - 1 a change of positions a .. b of the input is one of
 * positions a + pad - (K - 1) .. b + pad of a convolution, and of the pooled windows that these are in. Of each layer
 * as many outputs are computed as the widest reach has, for every change, so that changes make batches; where that is
 * all there are, the layer is computed as it is. Pools are layers of their own: a change reaches fewer positions than
 * the windows have that these are in, and the others are as they were.
 */
#include "windows.h"

#include <stdlib.h>

/* The outputs that a change reaches: begin .. end - 1; none where they are the same. */
typedef struct reach {
    int32_t begin, end;
} reach;

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* What is reached in the output when `in` of the input is. */
static reach through(const xc_block *block, reach in) {
    if (in.begin >= in.end) return (reach){0, 0};
    if (block->kind == XC_BLOCK_DENSE) return (reach){0, 1};
    const int32_t first = larger(in.begin + block->pad_left - (block->width - 1), 0);
    const int32_t last = smaller(in.end - 1 + block->pad_left, block->conv_length - 1);
    if (first > last) return (reach){0, 0};
    const int32_t begin = (first + block->pool_pad_left) / block->pool;
    const int32_t end = smaller((last + block->pool_pad_left) / block->pool + 1, block->out_length);
    return begin < end ? (reach){begin, end} : (reach){0, 0};
}

static reach both(reach a, reach b) {
    if (a.begin >= a.end) return b;
    if (b.begin >= b.end) return a;
    return (reach){smaller(a.begin, b.begin), larger(a.end, b.end)};
}

/* The layer for `length` outputs, and where it reads and writes for each reach (L). */
static void cut_layer(xc_window *window, const reach *reached, int32_t positions) {
    xc_block *block = &window->model.layer[0].block;
    int32_t length = 1;
    for (int32_t p = 0; p < positions; p++) length = larger(length, reached[p].end - reached[p].begin);
    const bool cut = block->kind != XC_BLOCK_DENSE && length < block->out_length;
    window->length = cut ? length : block->out_length;
    for (int32_t p = 0; p < positions; p++) {
        window->start[p] = smaller(reached[p].begin, block->out_length - window->length);
        window->input_start[p] = cut ? window->start[p] - block->pad_left : 0;
    }
    if (!cut) return;
    block->conv_length = block->out_length = length;
    block->length = length + block->width - 1;
    block->pad_left = 0;
    window->model.length = block->length; /* of DNA, of the first layer */
    window->model.classes = length * block->filters;
}

static xc_status make_window(const xc_model *model, int32_t i, const reach *reached, xc_window *window,
                             xc_error *error) {
    xc_status status;
    const int32_t positions = model->length;
    xc_model_layer(model, i, &window->model, &window->parameters, &window->running);
    XC_TRY(xc_allocate(&window->start, (size_t)positions, sizeof(int32_t), "windows", error));
    XC_TRY(xc_allocate(&window->input_start, (size_t)positions, sizeof(int32_t), "windows", error));
    cut_layer(window, reached, positions);
fail:
    return status;
}

/* What layer i's outputs a change at each position reaches, of all layers' (layers,L). */
static void reach_layer(const xc_model *model, int32_t i, reach *reached) {
    const xc_layer *layer = &model->layer[i];
    const size_t positions = (size_t)model->length;
    for (size_t p = 0; p < positions; p++) {
        reach in = {(int32_t)p, (int32_t)p + 1};
        if (layer->input >= 0) in = reached[(size_t)layer->input * positions + p];
        if (layer->skip >= 0) in = both(in, reached[(size_t)layer->skip * positions + p]);
        reached[(size_t)i * positions + p] = through(&layer->block, in);
    }
}

xc_status xc_windows_make(const xc_model *network, xc_windows *windows, xc_error *error) {
    xc_status status;
    reach *reached = NULL; /* (layers,L) */
    const size_t positions = (size_t)network->length;
    *windows = (xc_windows){0};
    XC_TRY(xc_allocate(&windows->model, 1, sizeof *windows->model, "a model", error));
    XC_TRY(xc_model_part_pools(network, windows->model, error));
    const size_t layers = (size_t)windows->model->layer_count;
    XC_TRY(xc_allocate(&windows->window, layers, sizeof *windows->window, "windows", error));
    XC_TRY(xc_allocate(&reached, layers * positions, sizeof *reached, "windows", error));
    for (int32_t i = 0; i < windows->model->layer_count; i++) {
        reach_layer(windows->model, i, reached);
        if (xc_windows_pool(windows, i)) continue;
        XC_TRY(make_window(windows->model, i, reached + (size_t)i * positions, &windows->window[i], error));
    }
fail:
    free(reached);
    return status;
}

void xc_windows_free(xc_windows *windows) {
    for (int32_t i = 0; windows->window && i < windows->model->layer_count; i++) {
        free(windows->window[i].start);
        free(windows->window[i].input_start);
    }
    free(windows->window);
    free(windows->model);
    *windows = (xc_windows){0};
}
