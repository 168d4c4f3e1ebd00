/* first_block.c: the first block of a model as a model of its own, for whoever wants its activations: a pack of it
 * computes them as its logits. Nothing is copied but the plan; parameters stay where the whole model has them.
 */
#include "expconv/model.h"

void xc_model_first_block(const xc_model *model, xc_model *first) {
    *first = *model;
    first->layer_count = 1;
    xc_block *block = &first->layer[0].block;
    block->pool = 1;
    block->pool_pad_left = 0;
    block->out_length = block->conv_length;
    first->classes = block->conv_length * block->filters;
}
