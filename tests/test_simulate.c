/* test_simulate.c: the synthetic tasks against their laws. What was implanted is found again in model_* by comparing
 * with the motif file alone; counts are held against the paper's probabilities within five standard errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "../host/data/simulate.h"
#include "data_fixture.h"

enum { LENGTH = 200, SEQUENCES = 6000, COUNTS = 8 };

static const double surplus_probability[] = {0.50, 0.25, 0.17, 0.05, 0.03};

static bool column_is(const float *model, size_t l, double a, double c, double g, double t) {
    return fabs((double)model[l] - a) < 1e-7 && fabs((double)model[LENGTH + l] - c) < 1e-7 &&
           fabs((double)model[2 * LENGTH + l] - g) < 1e-7 && fabs((double)model[3 * LENGTH + l] - t) < 1e-7;
}

/* Whether `motif`, on one strand, stands in model (4,LENGTH) from position l on. */
static bool stands_at(const xc_motif *motif, bool reverse, const float *model, size_t l) {
    if (l + motif->width > LENGTH) return false;
    for (size_t k = 0; k < motif->width; k++) {
        const float *p = motif->ppm + 4 * (reverse ? motif->width - 1 - k : k);
        const bool same = reverse ? column_is(model, l + k, (double)p[3], (double)p[2], (double)p[1], (double)p[0])
                                  : column_is(model, l + k, (double)p[0], (double)p[1], (double)p[2], (double)p[3]);
        if (!same) return false;
    }
    return true;
}

/* What a model is made of. */
typedef struct found {
    int count;         /* implants */
    int motif[COUNTS]; /* number in the motif list */
    bool reverse[COUNTS];
    size_t gap[COUNTS + 1]; /* before each implant, and at the end */
} found;

/* Cuts a model into implants and uniform gaps; the widest motif that stands somewhere is taken. */
static found parse_model(const xc_motif_list *motifs, const float *model) {
    found f = {0};
    size_t l = 0;
    while (l < LENGTH) {
        int best = -1;
        bool best_reverse = false;
        if (column_is(model, l, 0.25, 0.25, 0.25, 0.25)) {
            f.gap[f.count]++;
            l++;
            continue;
        }
        for (size_t m = 0; m < 2 * motifs->count; m++) {
            const xc_motif *motif = &motifs->motif[m / 2];
            if ((best < 0 || motif->width > motifs->motif[best].width) && stands_at(motif, m % 2, model, l)) {
                best = (int)(m / 2);
                best_reverse = m % 2;
            }
        }
        assert_true(best >= 0 && f.count < COUNTS);
        f.motif[f.count] = best;
        f.reverse[f.count++] = best_reverse;
        l += motifs->motif[best].width;
    }
    return f;
}

/* |count - n p| within five standard errors. */
static void expect_share(double count, double n, double p) {
    if (fabs(count - n * p) > 5 * sqrt(n * p * (1 - p)) + 1e-9)
        fail_msg("%g of %g; expected a share of %g", count, n, p);
}

/* ---- task motifs ------------------------------------------------------------------------------------------------ */

static xc_motif_list task1_motifs(void) {
    xc_motif_list motifs;
    MUST(xc_motif_read("configs/motifs/task1.meme", &motifs, error));
    return motifs;
}

static void motifs_follow_their_law(void **state) {
    (void)state;
    static float model[4 * LENGTH];
    static int8_t x[4 * LENGTH];
    xc_motif_list motifs = task1_motifs();
    const xc_simulation simulation = {XC_TASK_MOTIFS, SEQUENCES, LENGTH, 3};
    xc_simulator simulator;
    double counts[COUNTS] = {0}, motif_counts[12] = {0}, present[12] = {0}, reversed = 0, implants = 0;
    double first_gap = 0, last_gap = 0, gap_square = 0, expected_present = 0;
    MUST(xc_simulator_open(&simulator, &simulation, &motifs, error));
    assert_int_equal(simulator.classes, 12);
    for (uint32_t i = 0; i < SEQUENCES; i++) {
        int8_t y[12], label[12] = {0};
        MUST(xc_simulator_draw(&simulator, i, model, x, y, error));
        const found f = parse_model(&motifs, model);
        counts[f.count]++;
        for (int k = 0; k < f.count; k++) {
            motif_counts[f.motif[k]]++;
            label[f.motif[k]] = 1;
            reversed += f.reverse[k];
            implants++;
        }
        assert_memory_equal(y, label, sizeof label);
        for (int m = 0; m < 12; m++) present[m] += label[m];
        first_gap += (double)f.gap[0];
        last_gap += (double)f.gap[f.count];
        gap_square += pow((double)f.gap[0] - (double)f.gap[f.count], 2);
    }
    for (int k = 0; k < 5; k++) {
        expect_share(counts[k + 1], SEQUENCES, surplus_probability[k]);
        expected_present += surplus_probability[k] * (1 - pow(11.0 / 12, k + 1));
    }
    for (int m = 0; m < 12; m++) {
        expect_share(motif_counts[m], implants, 1.0 / 12);
        expect_share(present[m], SEQUENCES, expected_present);
    }
    /* Palindromes count as forward, so a little under a half. */
    assert_in_range((int)(100 * reversed / implants), 35, 52);
    assert_true(fabs(first_gap - last_gap) < 5 * sqrt(gap_square));
    xc_simulator_free(&simulator);
    xc_motif_list_free(&motifs);
}

/* Bases have the model's probabilities, and none that it forbids. */
static void bases_follow_the_model(void **state) {
    (void)state;
    static float model[4 * LENGTH];
    static int8_t x[4 * LENGTH];
    xc_motif_list motifs = task1_motifs();
    const xc_simulation simulation = {XC_TASK_MOTIFS, 2000, LENGTH, 5};
    xc_simulator simulator;
    double excess[2][4] = {{0}}, variance[2][4] = {{0}}; /* background and implants apart */
    MUST(xc_simulator_open(&simulator, &simulation, &motifs, error));
    for (uint32_t i = 0; i < 2000; i++) {
        int8_t y[12];
        MUST(xc_simulator_draw(&simulator, i, model, x, y, error));
        for (size_t l = 0; l < LENGTH; l++) {
            const int implant = !column_is(model, l, 0.25, 0.25, 0.25, 0.25);
            int ones = 0;
            for (size_t base = 0; base < 4; base++) {
                const double p = (double)model[base * LENGTH + l];
                const int8_t value = x[base * LENGTH + l];
                assert_true(value == 0 || (value == 1 && p > 0));
                ones += value;
                excess[implant][base] += value - p;
                variance[implant][base] += p * (1 - p);
            }
            assert_int_equal(ones, 1);
        }
    }
    for (int implant = 0; implant < 2; implant++)
        for (int base = 0; base < 4; base++)
            assert_true(fabs(excess[implant][base]) < 5 * sqrt(variance[implant][base]));
    xc_simulator_free(&simulator);
    xc_motif_list_free(&motifs);
}

/* ---- task grammar ----------------------------------------------------------------------------------------------- */

static bool is_core(const xc_motif *motif) {
    static const char *const names[] = {"SP1", "Gabpa", "CEBPB", "MAX", "YY1"};
    for (int i = 0; i < 5; i++)
        if (strcmp(motif->name, names[i]) == 0) return true;
    return false;
}

static void grammar_follows_its_law(void **state) {
    (void)state;
    enum { HALF = 1500 };
    static float model[4 * LENGTH];
    static int8_t x[4 * LENGTH];
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_data("pfm_vertebrates.txt"), &motifs, error));
    const xc_simulation simulation = {XC_TASK_GRAMMAR, 2 * HALF, LENGTH, 3};
    xc_simulator simulator;
    double counts[COUNTS] = {0}, core = 0, implants = 0;
    int others = 0, *seen = test_calloc(motifs.count, sizeof *seen);
    MUST(xc_simulator_open(&simulator, &simulation, &motifs, error));
    assert_int_equal(simulator.classes, 1);
    assert_int_equal(simulator.implants, 110);
    for (uint32_t i = 0; i < 2 * HALF; i++) {
        int8_t y;
        MUST(xc_simulator_draw(&simulator, i, model, x, &y, error));
        const found f = parse_model(&motifs, model);
        assert_int_equal(y, i < HALF);
        if (y) counts[f.count]++;
        for (int k = 0; k < f.count; k++) {
            const bool of_core = is_core(&motifs.motif[f.motif[k]]);
            if (y) assert_true(of_core);
            if (!y) core += of_core;
            if (!y && !of_core) seen[f.motif[k]] = 1;
            implants += !y;
        }
    }
    for (int k = 0; k < 5; k++) expect_share(counts[k + 3], HALF, surplus_probability[k]);
    for (size_t m = 0; m < motifs.count; m++) others += seen[m];
    assert_int_equal(others, 50);
    expect_share(core, implants, 10.0 / 110);
    xc_simulator_free(&simulator);
    xc_motif_list_free(&motifs);
    test_free(seen);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static xc_status simulate(xc_task task, uint32_t sequences, uint32_t length, uint64_t seed, const char *path,
                          xc_error *error) {
    xc_motif_list motifs = task1_motifs();
    const xc_simulation simulation = {task, sequences, length, seed};
    const xc_status status = xc_simulate(&simulation, &motifs, path, error);
    xc_motif_list_free(&motifs);
    return status;
}

/* What is read back from the file is what the simulator draws, in its order, split 70/10/20. */
static void file_holds_the_simulation(void **state) {
    (void)state;
    enum { N = 1007, SHORT = 90 };
    static const uint32_t expected[XC_SPLIT_COUNT] = {704, 100, 203};
    static float model[4 * SHORT];
    static int8_t x[4 * SHORT];
    const char *path = fixture_path("task1.h5");
    xc_dataset dataset;
    xc_simulator simulator;
    xc_motif_list motifs = task1_motifs();
    const xc_simulation simulation = {XC_TASK_MOTIFS, N, SHORT, 9};
    bool seen[N] = {false};
    MUST(simulate(XC_TASK_MOTIFS, N, SHORT, 9, path, error));
    MUST(xc_dataset_read(path, NULL, 7, false, 0, &dataset, error));
    MUST(xc_simulator_open(&simulator, &simulation, &motifs, error));
    assert_true(dataset.has_model);
    uint32_t row = 0, moved = 0;
    for (int split = 0; split < XC_SPLIT_COUNT; split++) {
        const xc_split *s = &dataset.split[split];
        assert_int_equal(s->dna.sequences, expected[split]);
        assert_int_equal(s->classes, 12);
        for (uint32_t i = 0; i < s->dna.sequences; i++, row++) {
            uint8_t codes[SHORT];
            int8_t y[12];
            const uint32_t number = simulator.order[row];
            moved += number != row;
            assert_false(seen[number]);
            seen[number] = true;
            MUST(xc_simulator_draw(&simulator, number, model, x, y, error));
            xc_dna_unpack(&s->dna, i, codes);
            for (size_t l = 0; l < SHORT; l++) assert_int_equal(x[codes[l] * (size_t)SHORT + l], 1);
            for (size_t c = 0; c < 12; c++) assert_true(s->labels[12 * (size_t)i + c] == (float)y[c]);
        }
    }
    assert_int_equal(row, N);
    assert_true(moved > N - 20);
    xc_simulator_free(&simulator);
    xc_motif_list_free(&motifs);
    xc_dataset_free(&dataset);
}

static char *whole_file(const char *path, size_t *size) {
    char *bytes;
    MUST(xc_file_read(path, (size_t)1 << 30, &bytes, size, error));
    return bytes;
}

static void same_seed_same_bytes(void **state) {
    (void)state;
    size_t size[3];
    char *bytes[3];
    static const uint64_t seeds[] = {1, 1, 2};
    for (int i = 0; i < 3; i++) {
        if (i) sleep(1); /* a stored time would show */
        MUST(simulate(XC_TASK_MOTIFS, 50, 100, seeds[i], fixture_path("seed.h5"), error));
        bytes[i] = whole_file(fixture_path("seed.h5"), &size[i]);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    assert_true(size[0] != size[2] || memcmp(bytes[0], bytes[2], size[0]) != 0);
    for (int i = 0; i < 3; i++) free(bytes[i]);
}

/* The numbers of today are the numbers of tomorrow: the first bases of the first sequence of seed 0. */
static void numbers_do_not_change(void **state) {
    (void)state;
    float model[4 * LENGTH];
    int8_t x[4 * LENGTH], y[12];
    char text[41] = "";
    xc_motif_list motifs = task1_motifs();
    const xc_simulation simulation = {XC_TASK_MOTIFS, 100, LENGTH, 0};
    xc_simulator simulator;
    MUST(xc_simulator_open(&simulator, &simulation, &motifs, error));
    MUST(xc_simulator_draw(&simulator, 0, model, x, y, error));
    for (size_t l = 0; l < 40; l++)
        for (size_t base = 0; base < 4; base++)
            if (x[base * LENGTH + l]) text[l] = "ACGT"[base];
    assert_string_equal(text, "CCTGCCGCGGAGTTTTACAGTTGCTATTGTAAACATAATC");
    assert_int_equal(simulator.order[0], 67);
    xc_simulator_free(&simulator);
    xc_motif_list_free(&motifs);
}

static void refuses(void **state) {
    (void)state;
    const char *path = fixture_path("refused.h5");
    const xc_simulation simulation = {XC_TASK_MOTIFS, 100, 200, 0};
    xc_motif_list motifs = task1_motifs();
    const int files = fixture_files(false);
    motifs.count--; /* without YY1 */
    MUST_FAIL(xc_simulate(&simulation, &motifs, path, error), XC_INPUT, "named YY1");
    motifs.count++;
    xc_motif_list_free(&motifs);
    MUST_FAIL(simulate(XC_TASK_GRAMMAR, 100, 200, 0, path, error), XC_INPUT, "needs 50 motifs");
    MUST_FAIL(simulate(XC_TASK_MOTIFS, 9, 200, 0, path, error), XC_USAGE, "9 sequences");
    MUST_FAIL(simulate(XC_TASK_MOTIFS, 100, 0, 0, path, error), XC_USAGE, "length of 0");
    MUST_FAIL(simulate(XC_TASK_MOTIFS, 100, 5, 0, path, error), XC_USAGE, "5 bases are too short");
    MUST_FAIL(simulate(XC_TASK_MOTIFS, 100, 200, 0, "/nowhere/x.h5", error), XC_IO, "/nowhere/x.h5: cannot write");
    assert_int_equal(fixture_files(false), files); /* nothing half-written */
}

/* A disk that is full, as a limit on the size of files: one clear line, and the file that was there stays. */
static void survives_a_full_disk(void **state) {
    (void)state;
    const char *path = fixture_path("full.h5");
    struct rlimit before, small = {.rlim_cur = 20000};
    size_t sizes[2];
    MUST(simulate(XC_TASK_MOTIFS, 20, 100, 1, path, error));
    free(whole_file(path, &sizes[0]));
    const int files = fixture_files(false);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    xc_error error = {0};
    const xc_status status = simulate(XC_TASK_MOTIFS, 5000, 100, 1, path, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, XC_IO);
    assert_non_null(strstr(error.text, "full.h5: cannot write"));
    assert_int_equal(fixture_files(false), files);
    free(whole_file(path, &sizes[1]));
    assert_int_equal(sizes[0], sizes[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(motifs_follow_their_law),
        cmocka_unit_test(bases_follow_the_model),
        cmocka_unit_test(grammar_follows_its_law),
        cmocka_unit_test(file_holds_the_simulation),
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(numbers_do_not_change),
        cmocka_unit_test(refuses),
        cmocka_unit_test(survives_a_full_disk),
    };
    return cmocka_run_group_tests_name("simulate", tests, fixture_open, fixture_close);
}
