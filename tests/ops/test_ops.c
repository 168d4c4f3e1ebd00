/* test_ops.c: one test for each row of ops.def on each backend here, one for the gradients of each row that has some,
 * and answers known by hand. A new op is a new row and a line in `run_row`; a new backend is a line in `find_backends`.
 */
#include "ops_test.h"

static const op_row ROWS[] = {
#define XC_OP(name, values, gradients, why) {#name, values, gradients},
#include "../../kernels/ops.def"
#undef XC_OP
};
#define ROW_COUNT (sizeof ROWS / sizeof ROWS[0])

enum {
#define XC_OP(name, values, gradients, why) ROW_##name,
#include "../../kernels/ops.def"
#undef XC_OP
};

/* The table's ops and the rows of ops.def are the same, in the same order. */
#define FIRST_OP offsetof(xc_backend, motif_block_forward)
_Static_assert(ROW_COUNT == (sizeof(xc_backend) - FIRST_OP) / sizeof(xc_block_op), "ops.def has a row for every op");
#define XC_OP(name, values, gradients, why) \
    _Static_assert(offsetof(xc_backend, name) == FIRST_OP + ROW_##name * sizeof(xc_block_op), "order of " #name);
#include "../../kernels/ops.def"
#undef XC_OP

static void run_row(void **state) {
    const op_test *test = *state;
    switch (test->row - ROWS) {
        case ROW_motif_block_forward:
            test_block_forward(XC_BLOCK_MOTIF, test);
            break;
        case ROW_motif_block_backward:
            test_block_backward(XC_BLOCK_MOTIF, test);
            break;
        case ROW_conv_block_forward:
            test_block_forward(XC_BLOCK_CONV, test);
            break;
        case ROW_conv_block_backward:
            test_block_backward(XC_BLOCK_CONV, test);
            break;
        case ROW_dense_block_forward:
            test_block_forward(XC_BLOCK_DENSE, test);
            break;
        case ROW_dense_block_backward:
            test_block_backward(XC_BLOCK_DENSE, test);
            break;
        case ROW_add_block_forward:
            test_block_forward(XC_BLOCK_ADD, test);
            break;
        case ROW_add_block_backward:
            test_block_backward(XC_BLOCK_ADD, test);
            break;
        case ROW_loss:
            test_loss_values(test);
            break;
        case ROW_step:
            test_step_values(test);
            break;
        case ROW_path_points:
            test_path_points(test);
            break;
        case ROW_path_sum:
            test_path_sum(test);
            break;
        case ROW_splice:
            test_splice(test);
            break;
        default:
            fail_msg("no test for the row %s", test->row->name);
    }
}

static void run_gradients(void **state) {
    const op_test *test = *state;
    const double tolerance = test->row->gradients;
    switch (test->row - ROWS) {
        case ROW_motif_block_backward:
            test_block_gradients(XC_BLOCK_MOTIF, false, tolerance);
            break;
        case ROW_conv_block_backward:
            test_block_gradients(XC_BLOCK_CONV, false, tolerance);
            break;
        case ROW_dense_block_backward:
            test_block_gradients(XC_BLOCK_DENSE, false, tolerance);
            break;
        case ROW_add_block_backward:
            test_block_gradients(XC_BLOCK_ADD, false, tolerance);
            break;
        case ROW_loss:
            test_loss_gradients(tolerance);
            break;
        default:
            fail_msg("no gradient test for the row %s", test->row->name);
    }
}

/* What blocks do besides: add blocks with batch norm, which have the tolerances of convolutions, ties in wide pools,
 * and the rescale rule.
 */
static void run_full_adds_forward(void **state) { test_full_adds(*state, false); }
static void run_full_adds_backward(void **state) { test_full_adds(*state, true); }
static void run_ties_forward(void **state) { test_ties(*state, false); }
static void run_ties_backward(void **state) { test_ties(*state, true); }
static void run_rescale_conv(void **state) { test_rescale(XC_BLOCK_CONV, false, *state); }
static void run_rescale_dense(void **state) { test_rescale(XC_BLOCK_DENSE, false, *state); }
static void run_rescale_add(void **state) { test_rescale(XC_BLOCK_ADD, false, *state); }
static void run_rescale_full_add(void **state) { test_rescale(XC_BLOCK_ADD, true, *state); }

static const struct {
    const char *name;
    CMUnitTestFunction function;
    int row; /* whose tolerance it has */
} BESIDES[] = {
    {"full_add_forward", run_full_adds_forward, ROW_conv_block_forward},
    {"full_add_backward", run_full_adds_backward, ROW_conv_block_backward},
    {"motif_ties_forward", run_ties_forward, ROW_motif_block_forward},
    {"motif_ties_backward", run_ties_backward, ROW_motif_block_backward},
    {"rescale_conv", run_rescale_conv, ROW_conv_block_backward},
    {"rescale_dense", run_rescale_dense, ROW_dense_block_backward},
    {"rescale_add", run_rescale_add, ROW_add_block_backward},
    {"rescale_full_add", run_rescale_full_add, ROW_conv_block_backward},
};
#define BESIDES_COUNT (sizeof BESIDES / sizeof BESIDES[0])

static void run_full_adds_gradients(void **state) {
    const op_test *test = *state;
    test_block_gradients(XC_BLOCK_ADD, true, test->row->gradients);
}

static void run_rescale_law(void **state) {
    (void)state;
    for (int kind = XC_BLOCK_CONV; kind <= XC_BLOCK_ADD; kind++) test_rescale_law((xc_block_kind)kind);
}

static void run_coverage(void **state) {
    (void)state;
    for (int kind = XC_BLOCK_MOTIF; kind <= XC_BLOCK_ADD; kind++) test_block_coverage((xc_block_kind)kind);
    test_ties_coverage();
}

/* A backend that is not here is reported as skipped, with its reason. */
static void skip_backend(void **state) {
    (void)state;
    skip();
}

/* ---- backends ---------------------------------------------------------------------------------------------------- */

typedef struct named_backend {
    char name[160];
    const xc_backend *backend; /* NULL: not on this machine */
    int order;                 /* emu_order of the emulated GPU's threads */
} named_backend;

#define MAX_BACKENDS 9

/* The CUDA backend on the emulated GPU (tests/emu), which is linked in where the toolkit's headers are: once for each
 * order in which the threads of a block, and blocks, may take turns. */
#ifdef XC_TEST_CUDAEMU
#include "emu/emu.h"

xc_status xc_backend_cuda(uint32_t version, const xc_backend **backend, xc_error *error);

static int set_order(void **state) {
    const op_test *test = *state;
    emu_set_order((emu_order)test->order, 7);
    return 0;
}

static int find_emulated(named_backend *found) {
    static const char *const orders[] = {"forward", "reverse", "shuffled"}; /* as emu_order */
    static xc_backend emulated[3];
    const xc_backend *one;
    xc_error error = {0};
    if (xc_backend_cuda(XC_BACKEND_VERSION, &one, &error) != XC_OK) {
        fprintf(stderr, "cudaemu: %s\n", error.text);
        exit(1);
    }
    for (int order = 0; order < 3; order++) {
        emulated[order] = *one;
        found[order] = (named_backend){.backend = &emulated[order], .order = order};
        snprintf(found[order].name, sizeof found[order].name, "cudaemu %s", orders[order]);
    }
    return 3;
}
#else
static int set_order(void **state) {
    (void)state;
    return 0;
}

static int find_emulated(named_backend *found) {
    *found = (named_backend){.name = "cudaemu: built without the CUDA toolkit"};
    return 1;
}
#endif

/* The GPU, where $EXPCONV_TEST_GPU asks for it (`make gpu-check`): it must then be there. */
static int find_gpu(named_backend *found) {
    xc_error error = {0};
    if (!getenv("EXPCONV_TEST_GPU")) return 0;
    *found = (named_backend){0};
    if (xc_backend_open("cuda", &found->backend, &error) != XC_OK) {
        fprintf(stderr, "cuda: %s\n", error.text);
        exit(1);
    }
    snprintf(found->name, sizeof found->name, "cuda: %.140s", found->backend->description);
    return 1;
}

/* The reference, the CPU backend once for each instruction set that this machine has, the emulated GPU and the real. */
static int find_backends(named_backend *found) {
    static const char *const sets[] = {"baseline", "avx2", "avx512", "zen4"};
    int count = 0;
    found[count++] = (named_backend){.name = "ref", .backend = xc_backend_reference()};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        named_backend *next = &found[count++];
        xc_error error = {0};
        setenv("EXPCONV_ISA", sets[i], 1);
        next->backend = NULL;
        if (xc_backend_cpu(&next->backend, &error) != XC_OK) next->backend = NULL;
        snprintf(next->name, sizeof next->name, "cpu-%s%s%.100s", sets[i], next->backend ? "" : ": ", error.text);
    }
    unsetenv("EXPCONV_ISA");
    count += find_emulated(found + count);
    count += find_gpu(found + count);
    for (int i = 1; i < count; i++) /* each set must be a backend of its own, or one was tested twice */
        for (int j = 0; j < i; j++)
            if (found[i].backend && found[i].backend == found[j].backend) {
                fprintf(stderr, "%s and %s are the same backend\n", found[i].name, found[j].name);
                exit(1);
            }
    return count;
}

/* ---- the list of tests ------------------------------------------------------------------------------------------- */

#define MAX_TESTS 320
static struct CMUnitTest tests[MAX_TESTS];
static op_test states[MAX_TESTS];
static char names[MAX_TESTS][256];
static size_t test_count;

static void add_test(CMUnitTestFunction function, const char *what, const op_row *row, const named_backend *on) {
    if (test_count == MAX_TESTS) abort();
    snprintf(names[test_count], sizeof names[0], "%.60s/%.160s", what, on->name);
    states[test_count] = (op_test){row, on->backend, on->order};
    tests[test_count] = (struct CMUnitTest){.name = names[test_count],
                                            .test_func = function,
                                            .setup_func = set_order,
                                            .initial_state = &states[test_count]};
    test_count++;
}

static void add_backend(const named_backend *on) {
    static const struct {
        const char *name;
        CMUnitTestFunction function;
    } answers[] = {
        {"answer_motif_strands", answer_motif_strands},
        {"answer_pool_padding", answer_pool_padding},
        {"answer_batch_norm", answer_batch_norm},
        {"answer_dropout", answer_dropout},
        {"answer_dropout_ties", answer_dropout_ties},
        {"answer_activations", answer_activations},
        {"answer_nan_stays", answer_nan_stays},
        {"answer_nan_before_norm", answer_nan_before_norm},
        {"answer_losses", answer_losses},
        {"answer_steps", answer_steps},
        {"answer_precision", answer_precision},
        {"answer_rescale", answer_rescale},
    };
    if (!on->backend) {
        add_test(skip_backend, "all rows", NULL, on);
        return;
    }
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        add_test(answers[i].function, answers[i].name, NULL, on);
    for (size_t i = 0; i < ROW_COUNT; i++) add_test(run_row, ROWS[i].name, &ROWS[i], on);
    for (size_t i = 0; i < BESIDES_COUNT; i++)
        add_test(BESIDES[i].function, BESIDES[i].name, &ROWS[BESIDES[i].row], on);
}

/* `test_ops WORD` runs the tests whose name contains WORD. */
int main(int argc, char **argv) {
    static named_backend backends[MAX_BACKENDS];
    const named_backend differences = {.name = "central differences", .backend = xc_backend_reference()};
    const int backend_count = find_backends(backends);
    for (int i = 0; i < backend_count; i++) add_backend(&backends[i]);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].gradients > 0) add_test(run_gradients, ROWS[i].name, &ROWS[i], &differences);
    add_test(run_full_adds_gradients, "full_add_backward", &ROWS[ROW_add_block_backward], &differences);
    add_test(run_rescale_law, "rescale_law", NULL, &differences);
    add_test(run_coverage, "coverage", NULL, &(named_backend){.name = "cases"});
    if (argc > 1) {
        size_t kept = 0;
        for (size_t i = 0; i < test_count; i++)
            if (strstr(tests[i].name, argv[1])) tests[kept++] = tests[i];
        test_count = kept;
    }
    return _cmocka_run_group_tests("ops", tests, test_count, NULL, NULL);
}
