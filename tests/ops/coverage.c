/* coverage.c: that the cases of the block ops really contain what they are meant to try: a random draw may miss a
 * combination after any change to the lists, and nothing else would notice.
 */
#include "ops_test.h"

typedef struct tally {
    int activation[XC_ACTIVATION_COUNT][2]; /* inference, training */
    int trials[MAX_TRIALS + 1], dropout[3], norm[2], bias[2], before_norm[2], norm_inference;
    int pool_padded, pool_rest, wider_than_long, even_same, odd_same, valid, add_to_dx, no_dx;
    int no_n, runs, whole_n, reversed, forward_strand;
    uint64_t clipped[2]; /* hard, linear */
} tally;

static bool is_whole_n(const xc_dna_view *dna, uint32_t sequence) {
    uint32_t total = 0;
    for (uint32_t r = dna->run_start[sequence]; r < dna->run_start[sequence + 1]; r++) total += dna->runs[r] & 0xFFFu;
    return total == dna->length;
}

static void count_dna(const block_case *c, tally *n) {
    n->no_n += c->dna.run_start == NULL;
    for (int i = 0; i < c->trials * c->batch; i++) {
        const uint32_t sequence = c->index[i] & ~XC_REVERSE_COMPLEMENT;
        const bool reversed = c->index[i] & XC_REVERSE_COMPLEMENT;
        n->reversed += reversed;
        n->forward_strand += !reversed;
        if (!c->dna.run_start || c->dna.run_start[sequence] == c->dna.run_start[sequence + 1]) continue;
        n->runs++;
        n->whole_n += is_whole_n(&c->dna, sequence);
    }
}

static void count_case(const block_case *c, const expected *e, tally *n) {
    const xc_block *b = &c->block;
    const bool norm = b->gamma != XC_ABSENT, same = b->conv_length == b->length && b->width > 1;
    n->trials[c->trials]++;
    n->dropout[b->dropout == 0 ? 0 : b->dropout < 0.3f ? 1 : 2]++;
    n->norm[norm]++;
    n->bias[b->bias != XC_ABSENT]++;
    n->before_norm[b->before_norm == XC_RELU]++;
    n->norm_inference += norm && !c->training;
    n->pool_padded += b->pool_pad_left > 0;
    n->pool_rest += b->out_length * b->pool < b->conv_length;
    n->wider_than_long += b->width > b->length;
    n->even_same += same && b->width % 2 == 0;
    n->odd_same += same && b->width % 2 == 1;
    n->valid += b->conv_length < b->length;
    n->add_to_dx += c->add_to_dx;
    n->no_dx += !c->wants_dx;
    for (int t = 0; t < c->trials; t++) {
        n->activation[c->activation[t].kind][c->training]++;
        n->clipped[c->activation[t].beyond] += e->trial[t].clipped;
    }
    if (b->kind == XC_BLOCK_MOTIF) count_dna(c, n);
}

void test_block_coverage(xc_block_kind kind) {
    tally n = {0};
    for (int number = 0; number < case_count(kind, &LIMITS_VALUES); number++) {
        block_case c;
        expected e;
        expected_make(kind, number, &LIMITS_VALUES, &c, &e);
        count_case(&c, &e, &n);
        expected_free(&e);
        case_free(&c);
    }
    for (int a = 0; a < XC_ACTIVATION_COUNT; a++) assert_true(n.activation[a][0] > 0 && n.activation[a][1] > 0);
    assert_true(n.trials[1] > 0 && n.trials[2] > 0 && n.trials[5] > 0);
    assert_true(n.dropout[0] > 0 && n.dropout[1] > 0 && n.dropout[2] > 0);
    assert_true(n.clipped[XC_BEYOND_HARD] > 0 && n.clipped[XC_BEYOND_LINEAR] > 0);
    assert_true(n.add_to_dx > 0 && n.no_dx > 0);
    if (kind != XC_BLOCK_DENSE) assert_true(n.pool_padded > 0 && n.pool_rest > 0);
    if (kind != XC_BLOCK_ADD) {
        assert_true(n.norm[0] > 0 && n.norm[1] > 0 && n.bias[0] > 0 && n.bias[1] > 0);
        assert_true(n.before_norm[1] > 0 && n.norm_inference > 0);
    }
    if (kind == XC_BLOCK_MOTIF || kind == XC_BLOCK_CONV)
        assert_true(n.wider_than_long > 0 && n.even_same > 0 && n.odd_same > 0 && n.valid > 0);
    if (kind == XC_BLOCK_MOTIF)
        assert_true(n.no_n > 0 && n.runs > 0 && n.whole_n > 0 && n.reversed > 0 && n.forward_strand > 0);
}
