/* ops_test.h: what the files of the ops test share: a case (the shape, options and data of one block call), the results
 * of running it somewhere, memory with guard zones, and the comparison.
 *
 * Expected values are doubles from the core of the reference (kernels/ref/reference.h), not its rounded outputs.
 */
#ifndef EXPCONV_OPS_TEST_H
#define EXPCONV_OPS_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../kernels/ref/reference.h"
#include "expconv/backend.h"

#define MAX_TRIALS 5

/* One row of ops.def. */
typedef struct op_row {
    const char *name;
    double values, gradients; /* tolerances */
} op_row;

/* What one cmocka test gets: a row and where to run it. */
typedef struct op_test {
    const op_row *row;
    const xc_backend *backend;
    int order; /* emu_order of the emulated GPU's threads */
} op_test;

/* ---- cases ----------------------------------------------------------------------------------------------------- */

/* Everything about one block call, on the host. Made by case_draw, freed by case_free. */
typedef struct block_case {
    char text[240]; /* for messages */
    xc_block block;
    int32_t trials, batch, training, add_to_dx;
    int32_t references; /* of the rescale rule; 0: gradients */
    bool wants_dx;
    bool without_gradients; /* those of the parameters are not asked for */
    int team;               /* of the teams of 1, 2 and 3 threads another than usual */
    xc_activation activation[MAX_TRIALS];
    uint64_t seed[MAX_TRIALS], step[MAX_TRIALS];
    size_t parameter_stride, running_stride;  /* floats */
    size_t in_count, middle_count, out_count; /* elements of one trial's x, z, y */
    size_t kernel_count;

    float *x;          /* (T,N,L,C) */
    float *x_skip;     /* (T,N,Lc,F) or NULL */
    float *parameters; /* (T,stride), NaN between tensors */
    float *gradients;  /* (T,stride) before the call */
    float *running;    /* (T,stride) before the call */
    float *dy;         /* (T,N,Lp,F) */
    float *dx;         /* (T,N,L,C) before the call, for add_to_dx */
    xc_dna_view dna;   /* its arrays are on the host */
    uint32_t *index;   /* (T,N) */

    void *owned[24];
    int owned_count;
} block_case;

/* How much of everything a case may have. */
typedef struct case_limits {
    double products; /* multiply-adds of the linear part, all trials */
    size_t elements; /* T N Lc F */
    int32_t trials;  /* at most */
    bool large;      /* with the shapes of real models besides */
    double margin;   /* distance of every value from the kinks of its activation */
    int every;       /* one case in so many is taken */
    bool full_adds;  /* add blocks have batch norm and bias, and some have no x_skip */
    bool ties;       /* exact ones in wide pools, and no others, of motif blocks */
    double rescaled; /* 0: gradients; otherwise by the rescale rule, to this tolerance */
} case_limits;

extern const case_limits LIMITS_VALUES, LIMITS_GRADIENTS;

/* How many cases cover every size of the lists in cases.c. */
int case_count(xc_block_kind kind, const case_limits *limits);

/* Case number `number`; the same every time. `attempt` draws other data for the same shape. */
block_case case_draw(xc_block_kind kind, int number, int attempt, const case_limits *limits);
void case_free(block_case *c);

/* Whether row n of a batch is a sequence whose multipliers are 0. */
bool case_is_sequence(const block_case *c, size_t n);

/* The arguments for the reference on the case's own host memory; saved and scratch are the caller's. */
xc_block_args case_args(const block_case *c);

/* ---- expected -------------------------------------------------------------------------------------------------- */

/* Every trial of a case, done by the core of the reference: forward, then backward. */
typedef struct expected {
    xc_ref_block trial[MAX_TRIALS];
    void *memory[MAX_TRIALS];
} expected;

/* Draws case `number` until no value is within limits->margin of a kink and no pool has two near winners, and computes
 * it. Fails the test when that never happens. */
void expected_make(xc_block_kind kind, int number, const case_limits *limits, block_case *c, expected *e);
void expected_free(expected *e);

/* On which side of the kinks of its activations each element of (N,Lc,F) lies. */
void expected_branches(const xc_ref_block *b, size_t elements, uint8_t *branches);

/* How many outputs the rescale rule was compared at, how many not (dy is 0 there), and what is among the former. */
typedef struct rescaled_tally {
    int compared, left_out;
    int slopes;     /* sequence and reference are equal there */
    int equal;      /* outputs are equal, inputs are not */
    int charged[2]; /* in a pool, to the reference's winner, to the sequence's */
    int activations[XC_ACTIVATION_COUNT];
} rescaled_tally;
extern rescaled_tally rescaled_count;

/* After forward of trial t, in a case of the rescale rule: dy becomes NaN at sequences, whose it is nobody's to read,
 * and 0 at outputs where float and double may rightly differ. rescaled.c. */
void rescaled_prepare(const block_case *c, int t, double tolerance, xc_ref_block *b);

/* Distance, with a sign, of u from where the activation's slope or the count of clipped values jumps. */
double expected_from_kink(const xc_activation *activation, double u);

/* Magnitude of the terms that an output is summed from, where they may cancel (batch norm over few values, a bias
 * before batch norm). */
typedef struct term_sizes {
    double y, dx, dkernel, dbias, dgamma;
} term_sizes;
term_sizes expected_terms(const xc_ref_block *b);

/* Share of the terms' magnitude below which an error is not measured against the tensor's own magnitude. */
#define CANCELLATION 1e-2

/* ---- running --------------------------------------------------------------------------------------------------- */

/* Outputs of trials first .. first + trials - 1 of a case, on the host. */
typedef struct results {
    float *y, *running, *gradients, *dx, *dx_skip; /* as in block_case, these trials only */
    uint64_t clipped[MAX_TRIALS];
} results;

#define CLIPPED_BEFORE 1000u /* content of `clipped` before the call: it is added to */

/* Runs the case's trials on a backend, in memory that is NaN before and guarded on both sides; fails the test when a
 * guard or an input was written, or the op fails. */
results run_block(const xc_backend *backend, const block_case *c, int first, int trials, bool backward);
void results_free(results *r);

/* Memory of a backend with guard zones. */
typedef struct guarded {
    const xc_backend *backend;
    unsigned char *base;
    size_t bytes;
    const void *constant; /* content that must not change, or NULL */
} guarded;

/* Content NULL: NaN. Where `constant`, `content` must outlive the guarded memory. */
guarded guarded_make(const xc_backend *backend, size_t bytes, const void *content, bool constant);
void *guarded_pointer(const guarded *g);
/* Checks guards (and content, when constant), copies the content to `to` when not NULL, and releases. */
void guarded_end(guarded *g, void *to, const char *what, const char *text);

/* ---- comparing ------------------------------------------------------------------------------------------------- */

/* Fails unless |got - before - want| <= tolerance * max(max |want|, least) for all elements; `before` may be NULL. */
void check_near(const float *got, const double *want, const float *before, size_t count, double tolerance, double least,
                const char *what, const char *text);

/* Fails unless each element is within rounding of the wanted one, by its own magnitude. */
void check_values(const float *got, const float *want, size_t count);

/* ---- tests ----------------------------------------------------------------------------------------------------- */

void test_block_forward(xc_block_kind kind, const op_test *test);
void test_block_backward(xc_block_kind kind, const op_test *test);
void test_full_adds(const op_test *test, bool backward);
void test_ties(const op_test *test, bool backward);
void test_ties_coverage(void);
void test_block_coverage(xc_block_kind kind);
void test_block_gradients(xc_block_kind kind, bool full_adds, double tolerance);
void test_rescale(xc_block_kind kind, bool full_adds, const op_test *test);
void test_rescale_law(xc_block_kind kind);
void test_path_points(const op_test *test);
void test_path_sum(const op_test *test);
void test_splice(const op_test *test);
void test_loss_values(const op_test *test);
void test_loss_gradients(double tolerance);
void test_step_values(const op_test *test);

/* Answers known by hand, on the backend of the op_test in *state: answers.c, answers_loss.c, answers_precision.c. */
void answer_motif_strands(void **state);
void answer_pool_padding(void **state);
void answer_batch_norm(void **state);
void answer_dropout(void **state);
void answer_dropout_ties(void **state);
void answer_activations(void **state);
void answer_nan_stays(void **state);
void answer_nan_before_norm(void **state);
void answer_rescale(void **state);
void answer_losses(void **state);
void answer_steps(void **state);
void answer_precision(void **state);

#endif
