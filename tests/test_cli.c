/* test_cli.c: the command line itself: help, versions, wrong use, and the commands that need no training. */
#include "e2e/cli.h"

static const char *const commands[] = {"simulate", "inspect", "train",  "sweep",
                                       "evaluate", "predict", "tomtom", "devices"};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* ---- help ---------------------------------------------------------------------------------------------------------
 */

static void test_overview(void **state) {
    (void)state;
    outcome bare = run("%s", ""), asked = run("--help");
    assert_done(&bare);
    assert_done(&asked);
    assert_string_equal(bare.out, asked.out);
    assert_string_equal(bare.err, "");
    for (int i = 0; i < COMMANDS; i++) assert_contains(bare.out, commands[i]);
    end(&bare);
    end(&asked);
}

static void test_version(void **state) {
    (void)state;
    outcome result = run("--version");
    int major, minor, patch, used = 0;
    assert_done(&result);
    assert_int_equal(sscanf(result.out, "expconv %d.%d.%d%n", &major, &minor, &patch, &used), 3);
    assert_string_equal(result.out + used, "\n");
    end(&result);
}

static void test_help_of_each_command(void **state) {
    (void)state;
    for (int i = 0; i < COMMANDS; i++) {
        char usage[64], example[64];
        snprintf(usage, sizeof usage, "usage: expconv %s", commands[i]);
        snprintf(example, sizeof example, "\nexamples:\n  expconv %s", commands[i]);
        outcome result = run("%s --help", commands[i]);
        assert_done(&result);
        assert_string_equal(result.err, "");
        assert_int_equal(strncmp(result.out, usage, strlen(usage)), 0);
        assert_contains(result.out, example);
        assert_contains(result.out, "--quiet");
        end(&result);
    }
}

static void test_help_has_every_option_and_its_default(void **state) {
    (void)state;
    outcome result = run("sweep --help --threads nonsense");
    assert_done(&result); /* whoever asks for help gets it */
    static const char *const parts[] = {"--out DIR",     "--set KEY=VALUE", "--pack N",           "--threads N",
                                        "--device NAME", "--log-json FILE", "default: all cores", "default: auto"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_contains(result.out, parts[i]);
    end(&result);
}

/* ---- wrong use ----------------------------------------------------------------------------------------------------
 */

static void refuse(const char *arguments, const char *part, const char *other) {
    outcome result = run("%s", arguments);
    assert_refused(&result, 2, part, other, NULL);
    end(&result);
}

static void test_unknown_words(void **state) {
    (void)state;
    refuse("trian", "unknown command trian", "did you mean train?");
    refuse("--versoin", "unknown option --versoin", "--help");
    refuse("sweep x.yaml --thread-count 2", "unknown option --thread-count", "did you mean --threads?");
    refuse("sweep x.yaml --pakc=2", "unknown option --pakc=2", "did you mean --pack?");
    refuse("inspect -z x.h5", "unknown option -z", "expconv inspect --help");
    refuse("simulate --task grammer --motifs m --out o", "--task grammer", "did you mean grammar?");
    refuse("predict d --data x.h5 --out o --device gpu", "--device gpu", "did you mean cpu?");
}

static void test_missing_words(void **state) {
    (void)state;
    refuse("inspect", "FILE.h5 is missing", "inspect");
    refuse("train", "CONFIG.yaml is missing", "train");
    refuse("train c.yaml", "--out is missing", "");
    refuse("evaluate d", "--data is missing", "");
    refuse("predict d --out o", "--data", "--fasta");
    refuse("predict d --data a --fasta b --out o", "--data", "--fasta");
    refuse("simulate --motifs m --out o", "--task is missing", "");
    refuse("tomtom", "QUERY.meme is missing", "tomtom --help");
    refuse("tomtom q.meme", "TARGET.meme is missing", "tomtom --help");
    refuse("tomtom a b c", "unexpected argument c", "tomtom");
    refuse("tomtom a b --thresh x", "--thresh x", "number");
    refuse("tomtom a b --thresh -1", "--thresh -1", "number");
    refuse("tomtom a b --thresh 2", "a q-value is at most 1", "--evalue");
    refuse("tomtom a b --distance euclid", "--distance euclid", "did you mean");
    refuse("sweep c.yaml --out", "option --out needs a value", "sweep");
    refuse("inspect a.h5 b.h5", "unexpected argument b.h5", "inspect");
    refuse("devices --quiet=yes", "--quiet takes no value", "devices");
}

static void test_numbers_are_whole_and_in_range(void **state) {
    (void)state;
    refuse("sweep c.yaml --out o --threads 0", "--threads 0", "from 1");
    refuse("sweep c.yaml --out o --threads two", "--threads two", "whole number");
    refuse("sweep c.yaml --out o --pack -3", "--pack -3", "whole number");
    refuse("simulate --task motifs --motifs m --out o --sequences 1e4", "--sequences 1e4", "whole number");
    refuse("simulate --task motifs --motifs m --out o --seed 99999999999999999999", "--seed 9", "whole number");
}

/* ---- commands that need no training -------------------------------------------------------------------------------
 */

static void test_devices(void **state) {
    (void)state;
    outcome result = run("devices");
    assert_done(&result);
    assert_int_equal(strncmp(result.out, "cpu\tusable\t", 11), 0);
    assert_contains(result.out, "\ncuda\t");
    end(&result);
}

static void test_results_that_cannot_be_written(void **state) {
    (void)state;
    if (!exists("/dev/full")) skip();
    char command[600];
    const char *program = getenv("EXPCONV");
    snprintf(command, sizeof command, "%s devices >/dev/full 2>'%s'", program ? program : "./expconv",
             in_folder("err"));
    assert_int_equal(WEXITSTATUS(system(command)), 1);
    char *line = read_text(in_folder("err"));
    assert_contains(line, "expconv: error: standard output: ");
    free(line);
}

static void test_tomtom(void **state) {
    (void)state;
    static const char text[] =
        "MEME version 4\nMOTIF m1 MAX\nletter-probability matrix: alength= 4 w= 2 nsites= 20\n1 0 0 0\n0 1 0 0\n";
    const char *motifs = write_text("motifs.meme", text), *table = in_folder("out.tsv");
    outcome result = run("tomtom %s %s --thresh 1 --quiet", motifs, motifs);
    assert_done(&result);
    assert_contains(result.out, "Query_ID\tTarget_ID\tOptimal_offset\tp-value\tE-value\tq-value\tOverlap\t");
    assert_contains(result.out, "\nm1\tm1\t0\t");
    outcome filed = run("tomtom %s %s --thresh 1 --quiet --out %s", motifs, motifs, table);
    assert_done(&filed);
    assert_string_equal(filed.out, "");
    char *written = read_text(table);
    assert_string_equal(written, result.out);
    free(written);
    outcome broken = run("tomtom %s %s", motifs, write_text("broken.meme", "MEME version 4\nMOTIF m1\n"));
    assert_refused(&broken, 1, "broken.meme", "matrix of motif m1", NULL);
    end(&broken);
    end(&filed);
    end(&result);
}

static void test_inspect_made_file(void **state) {
    (void)state;
    const char *data = make_data("good.h5");
    outcome result = run("inspect %s", data);
    assert_done(&result);
    assert_contains(result.out, "(n,4,L)");
    assert_contains(result.out, "200");
    assert_contains(result.out, "X_valid");
    end(&result);
}

/* The files of ChIP-seq experiments that the README's numbers come from. */
static void inspect_real(const char *name, const char *count) {
    const char *where = getenv("EXPCONV_TEST_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", where ? where : "../shared/data", name);
    if (!exists(path)) skip();
    outcome result = run("inspect %s", path);
    assert_done(&result);
    assert_contains(result.out, "X_train");
    assert_contains(result.out, "Y_test");
    assert_contains(result.out, "400");
    assert_contains(result.out, count);
    end(&result);
}

static void test_inspect_irf1(void **state) {
    (void)state;
    inspect_real("IRF1_400_h3k27ac.h5", "(n,4,L)");
}

static void test_inspect_zbed2(void **state) {
    (void)state;
    inspect_real("ZBED2_400_h3k27ac.h5", "(n,4,L)");
}

/* ---- simulate -----------------------------------------------------------------------------------------------------
 */

#define MOTIFS "configs/motifs/task1.meme"

static void test_simulate_is_a_function_of_its_seed(void **state) {
    (void)state;
    if (!exists(MOTIFS)) skip();
    for (int i = 0; i < 3; i++) {
        outcome result = run("simulate --quiet --task motifs --motifs " MOTIFS " --sequences 300 --seed %d --out %s",
                             i == 2 ? 8 : 7, in_folder("task%d.h5", i));
        assert_done(&result);
        assert_string_equal(result.err, "");
        end(&result);
    }
    assert_same_bytes(in_folder("task0.h5"), in_folder("task1.h5"));
    char command[300];
    snprintf(command, sizeof command, "cmp -s %s %s", in_folder("task0.h5"), in_folder("task2.h5"));
    assert_int_not_equal(system(command), 0);
    outcome result = run("inspect %s", in_folder("task0.h5"));
    assert_done(&result);
    assert_contains(result.out, "210"); /* 70 of 100 */
    end(&result);
    assert_no_leftovers();
}

static void test_simulate_refuses(void **state) {
    (void)state;
    outcome none = run("simulate --task motifs --motifs %s --out %s", in_folder("none.meme"), in_folder("o.h5"));
    assert_refused(&none, 1, "none.meme", NULL);
    write_text("few.meme",
               "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF MA0001 MAX\n\n"
               "letter-probability matrix: alength= 4 w= 2 nsites= 20\n1 0 0 0\n0 1 0 0\n");
    outcome few = run("simulate --task motifs --motifs %s --out %s", in_folder("few.meme"), in_folder("o.h5"));
    if (few.status == 0) fail_msg("simulated from one motif");
    assert_refused(&few, few.status, "Arid3a", NULL);
    assert_false(exists(in_folder("o.h5")));
    assert_no_leftovers();
    end(&none);
    end(&few);
}

static void test_log_as_json(void **state) {
    (void)state;
    if (!exists(MOTIFS)) skip();
    outcome result = run("simulate --task motifs --motifs " MOTIFS " --sequences 100 --out %s --log-json %s",
                         in_folder("log.h5"), in_folder("log.json"));
    assert_done(&result);
    char *log = read_text(in_folder("log.json"));
    int lines = 0;
    for (char *rest = log, *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        assert_int_equal(strncmp(line, "{\"time\":\"", 9), 0);
        assert_contains(line, "\"level\":\"");
        assert_string_equal(line + strlen(line) - 2, "\"}");
    }
    assert_true(lines > 0);
    free(log);
    end(&result);
    outcome refused = run("devices --log-json %s", in_folder("no/such/folder.json"));
    assert_refused(&refused, 1, "folder.json", NULL);
    end(&refused);
    /* Nothing is added to a file that is no log. */
    const char *data = write_text("data.txt", "mine\n");
    outcome other = run("devices --log-json %s", data);
    assert_refused(&other, 2, "data.txt: is not a log of JSON lines", NULL);
    char *text = read_text(data);
    assert_string_equal(text, "mine\n");
    free(text);
    end(&other);
}

/* What is read is not written over, by whatever name. */
static void test_out_is_not_an_input(void **state) {
    (void)state;
    if (!exists(MOTIFS)) skip();
    write_text("motifs.meme", "MEME version 4\n");
    assert_int_equal(symlink("motifs.meme", in_folder("link.meme")), 0);
    outcome same = run("simulate --task motifs --motifs %s --out %s", in_folder("motifs.meme"), in_folder("link.meme"));
    assert_refused(&same, 2, "link.meme: that file is read here; name another", NULL);
    char *text = read_text(in_folder("motifs.meme"));
    assert_string_equal(text, "MEME version 4\n");
    free(text);
    end(&same);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_overview),
        IN_FOLDER(test_version),
        IN_FOLDER(test_out_is_not_an_input),
        IN_FOLDER(test_help_of_each_command),
        IN_FOLDER(test_help_has_every_option_and_its_default),
        IN_FOLDER(test_unknown_words),
        IN_FOLDER(test_missing_words),
        IN_FOLDER(test_numbers_are_whole_and_in_range),
        IN_FOLDER(test_devices),
        IN_FOLDER(test_tomtom),
        IN_FOLDER(test_results_that_cannot_be_written),
        IN_FOLDER(test_inspect_made_file),
        IN_FOLDER(test_inspect_irf1),
        IN_FOLDER(test_inspect_zbed2),
        IN_FOLDER(test_simulate_is_a_function_of_its_seed),
        IN_FOLDER(test_simulate_refuses),
        IN_FOLDER(test_log_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
