/* coverage.c: that the cases of the block ops really contain what they are meant to try: a random draw may miss a
 * combination after any change to the lists, and nothing else would notice.
 */
#include "../../kernels/ref/activation.h"
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

/* ---- ties -------------------------------------------------------------------------------------------------------- */

/* Windows by how their winner came to be found, of winners whose slope is not 0. */
typedef struct tie_tally {
    int next_equal, before_equal; /* beside it is an equal one that was kept; one before it has its u and was dropped */
    int next_dropped;             /* beside it, on either side, a larger one was dropped */
    int negative, dropped;        /* the winner is below 0; the winner was dropped, and something below 0 was kept */
    int cut_first, cut_last;      /* its window begins before position 0; ends behind the last */
} tie_tally;

static void count_window(const xc_ref_block *b, size_t o, tie_tally *n) {
    const xc_block *block = b->block;
    const size_t filters = (size_t)block->filters, f = o % filters, window = o / filters;
    const size_t row = window / (size_t)block->out_length * (size_t)block->conv_length;
    const int32_t start = (int32_t)(window % (size_t)block->out_length) * block->pool - block->pool_pad_left;
    const int32_t stop = start + block->pool < block->conv_length ? start + block->pool : block->conv_length;
    const int32_t w = b->winner[o];
    const size_t won = (row + (size_t)w) * filters + f;
    const bool kept = xc_ref_dropout_factor(b, won) != 0;
    if (kept && xc_ref_activation_slope(&b->activation, b->u[won]) == 0) return;
    n->negative += kept && b->y[o] < 0;
    n->cut_first += kept && start < 0;
    n->cut_last += kept && stop < start + block->pool;
    for (int32_t l = start < 0 ? 0 : start; l < stop; l++) {
        const size_t e = (row + (size_t)l) * filters + f;
        const bool e_kept = xc_ref_dropout_factor(b, e) != 0, equal = b->u[e] == b->u[won];
        if (!kept) n->dropped += e_kept && xc_ref_activated(b, e) < 0;
        if (!kept || l == w) continue;
        n->next_equal += l == w + 1 && e_kept && equal;
        n->before_equal += l < w && !e_kept && equal;
        n->next_dropped += abs(l - w) == 1 && !e_kept && b->u[e] > b->u[won];
    }
}

void test_ties_coverage(void) {
    case_limits limits = LIMITS_VALUES;
    tie_tally n = {0};
    limits.ties = true;
    for (int number = 0; number < case_count(XC_BLOCK_MOTIF, &limits); number++) {
        block_case c;
        expected e;
        expected_make(XC_BLOCK_MOTIF, number, &limits, &c, &e);
        for (int t = 0; c.block.pool > 31 && t < c.trials; t++)
            for (size_t o = 0; o < c.out_count; o++) count_window(&e.trial[t], o, &n);
        expected_free(&e);
        case_free(&c);
    }
    print_message("             ties: %d %d %d; %d %d; %d %d\n", n.next_equal, n.before_equal, n.next_dropped,
                  n.negative, n.dropped, n.cut_first, n.cut_last);
    assert_true(n.next_equal > 20 && n.before_equal > 20 && n.next_dropped > 20);
    assert_true(n.negative > 20 && n.dropped > 20 && n.cut_first > 20 && n.cut_last > 20);
}
