/* test_meme.c: the parts of a MEME file that are not a matrix of probabilities (alphabets, background, log-odds), and
 * the writer: what it writes is read back, byte for byte what it must be, or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "data_fixture.h"

#define MEME "MEME version 4\n\nALPHABET= ACGT\n\n"
#define MATRIX "letter-probability matrix: alength= 4 w= 1 nsites= 20 E= 0\n0.1 0.2 0.3 0.4\n"
#define MOTIF "MOTIF m1\n" MATRIX
#define BACKGROUND "Background letter frequencies"

static xc_motif_list read_text(const char *text) {
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_text("read", text), &motifs, error));
    return motifs;
}

/* ---- alphabets -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *part;
} alphabets[] = {
    {"ALPHABET= ACDEFGHIKLMNPQRSTVWY\n", "read:2: the alphabet is protein ACDEFGHIKLMNPQRSTVWY; only DNA (ACGT)"},
    {"ALPHABET= ACGU\n", "read:2: the alphabet is RNA ACGU; only DNA"},
    {"ALPHABET= CAGT\n", "the alphabet is CAGT;"},
    {"ALPHABET \"RNA\" RNA-LIKE\n", "the alphabet is \"RNA\" RNA-LIKE"},
    {"ALPHABET PROTEIN-LIKE\n", "the alphabet is PROTEIN-LIKE"},
    {"ALPHABET \"Methyl\" DNA-LIKE\nA ~ T\nC ~ G\nm \"5mC\" ~ 1\nEND ALPHABET\n",
     "read:5: the alphabet has \"m \"5mC\" ~ 1\"; only DNA"},
    {"ALPHABET \"x\"\nA ~ U\n", "read:3: the alphabet has \"A ~ U\";"},
    {"ALPHABET \"x\"\nA ~ C\n", "read:3: the alphabet pairs A with C;"},
    {"ALPHABET \"x\"\nA ~\n", "read:3: the alphabet has \"A ~\";"},
    {"ALPHABET \"x\"\nA ~ T\nC\nEND ALPHABET\n", "read:5: the alphabet has no G;"},
    {"ALPHABET \"x\"\nA ~ T\nC ~ G\nstrands: + -\n", "read:5: \"strands: + -\" inside an alphabet; END ALPHABET is"},
    {"ALPHABET \"x\"\nA ~ T\nC ~ G\n", "read:4: the file ends inside the alphabet"},
};

static void refuses_alphabets_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof alphabets / sizeof *alphabets; i++) {
        char text[512];
        xc_motif_list motifs;
        snprintf(text, sizeof text, "MEME version 4\n%s", alphabets[i].text);
        MUST_FAIL(xc_motif_read(fixture_text("read", text), &motifs, error), XC_INPUT, alphabets[i].part);
        xc_motif_list_free(&motifs);
    }
}

/* ---- background ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    double expected[4];
} backgrounds[] = {
    {"", {0}},
    {BACKGROUND "\nA 0.4 C 0.3 G 0.2 T 0.1\n", {0.4, 0.3, 0.2, 0.1}},
    {BACKGROUND " (from file `x y'):\nA 0.4\n\nC 0.3 G 0.2\r\n\tT 0.1\n\n", {0.4, 0.3, 0.2, 0.1}},
    {"background  LETTER frequencies:\nc 0.3 t 1e-1 a .4 g 0.2\n", {0.4, 0.3, 0.2, 0.1}},
    {BACKGROUND "\nA 0.42 C 0.3 G 0.2 T 0.1\n", {0.42 / 1.02, 0.3 / 1.02, 0.2 / 1.02, 0.1 / 1.02}},
    {BACKGROUND "\nA 0.5 C 0.3 G 0.2 T 0\n",
     {0.5000005 / 1.000002, 0.3000005 / 1.000002, 0.2000005 / 1.000002, 5e-7 / 1.000002}},
    {BACKGROUND "\nA 0.4 C 0.3\n", {0}},
    {BACKGROUND "\n", {0}},
    {BACKGROUND "\nA 0.4 C 0.3 G 0.2 T 0.1\n" MOTIF BACKGROUND "\nA 0.1 C 0.1 G 0.1 T 0.7\n", {0.4, 0.3, 0.2, 0.1}},
};

static void reads_backgrounds(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof backgrounds / sizeof *backgrounds; i++) {
        char text[512];
        snprintf(text, sizeof text, MEME "%s" MOTIF, backgrounds[i].text);
        xc_motif_list motifs = read_text(text);
        assert_true(motifs.count >= 1); /* the line after the background is not lost */
        for (size_t base = 0; base < 4; base++)
            assert_float_equal(motifs.background[base], backgrounds[i].expected[base], 1e-12);
        xc_motif_list_free(&motifs);
    }
}

static void refuses_backgrounds(void **state) {
    (void)state;
    static const char *const refused[][2] = {
        {"A 0.25 C 0.25 G 0.25 U 0.25", "read:6: the background has the letter \"U\"; only DNA (ACGT) can be read"},
        {"A 0.25 C 0.25 G 0.25 T", "read:6: the background of T is \"\", not a number between 0 and 1"},
        {"A 0.25 C nan G 0.25 T 0.25", "the background of C is \"nan\""},
        {"A 0.25 C -1 G 0.25 T 0.25", "the background of C is \"-1\""},
        {"A 0.25 C 0.25, G 0.25 T 0.25", "the background of C is \"0.25,\""},
        {"A 0.25 C 0.25 G 0.25 T 0.4", "read:7: the background frequencies before this line sum to 1.15, not 1"},
        {"A 0 C 0 G 0 T 0", "sum to 0, not 1"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[512];
        xc_motif_list motifs;
        snprintf(text, sizeof text, MEME BACKGROUND "\n%s\n" MOTIF, refused[i][0]);
        MUST_FAIL(xc_motif_read(fixture_text("read", text), &motifs, error), XC_INPUT, refused[i][1]);
        xc_motif_list_free(&motifs);
    }
}

/* ---- log-odds --------------------------------------------------------------------------------------------------- */

#define SCORES(w) "MOTIF m1\nlog-odds matrix: alength= 4 w= " #w " n= 9 bayes= 7 E= 1e-3\n"

/* The numbers of the suite's formula, with 0.01 pseudocounts and 100 sites, and the background made equal on both
 * strands. The suite's own tomtom gives a file of these probabilities and the file of scores the same p-values. */
static void scores_become_probabilities(void **state) {
    (void)state;
    static const char scores[] = SCORES(3) "100 -50 0 -300\n-1400 200 -1000000 50\n1000000 0 0 0\n";
    static const double expected[2][12] = {
        {0.521934506822, 0.184514845258, 0.260954205701, 0.03259644222, 0, 0.738790472931, 0, 0.261209527069, 1 / 1.75,
         0.25 / 1.75, 0.25 / 1.75, 0.25 / 1.75},
        {0.612951477864, 0.144460841492, 0.204306943941, 0.038280736703, 0, 0.653464144204, 0, 0.346535855796, 1 / 1.7,
         0.2 / 1.7, 0.2 / 1.7, 0.3 / 1.7},
    };
    for (int given = 0; given < 2; given++) {
        char text[512];
        snprintf(text, sizeof text, MEME "%s%s", given ? BACKGROUND "\nA 0.5 C 0.3 G 0.1 T 0.1\n" : "", scores);
        xc_motif_list motifs = read_text(text);
        assert_int_equal(motifs.count, 1);
        assert_int_equal(motifs.motif[0].width, 3);
        assert_float_equal(motifs.motif[0].sites, 0, 0);
        for (size_t i = 0; i < 12; i++) {
            assert_float_equal(motifs.motif[0].written[i], expected[given][i], 1e-11);
            assert_float_equal(motifs.motif[0].ppm[i], expected[given][i], 1e-7);
        }
        xc_motif_list_free(&motifs);
    }
}

/* Where a motif has both, its probabilities count; a motif after it with scores alone is not mixed up with it. */
static void probabilities_win(void **state) {
    (void)state;
    xc_motif_list motifs = read_text(MEME SCORES(1) "0 0 0 0\n" MATRIX "MOTIF m2\n" MATRIX
                                                    "MOTIF m3\nlog-odds matrix: alength= 4 w= 1\n0 0 0 0\n");
    assert_int_equal(motifs.count, 3);
    assert_float_equal(motifs.motif[0].ppm[3], 0.4, 1e-7);
    assert_float_equal(motifs.motif[1].ppm[3], 0.4, 1e-7);
    assert_float_equal(motifs.motif[1].sites, 20, 0);
    assert_float_equal(motifs.motif[2].ppm[3], 0.25, 1e-7);
    assert_float_equal(motifs.motif[2].sites, 0, 0);
    xc_motif_list_free(&motifs);
}

static void refuses_scores(void **state) {
    (void)state;
    static const char *const refused[][2] = {
        {SCORES(1) "1 2 3 inf\n", "read:7: score inf is not a number"},
        {SCORES(1) "1 2 3\n", "read:7: four scores are needed, found \"1 2 3\""},
        {SCORES(2) "1 2 3 4\n", "the matrix of motif m1 ends after 1 of 2 positions"},
        {SCORES(1) "-9999 -9999 -9999 -9999\n", "the log-odds of motif m1 leave no probability at position 1"},
        {SCORES(2) "1 2 3 4\n1 2 3 4\n" MATRIX, "the matrices of motif m1 before this have 1 and 2 positions"},
        {"MOTIF m1\nlog-odds matrix: w= 1\n1 2 3 4\n", "read:6: the matrix of motif m1 has no alength="},
        {"log-odds matrix: alength= 4 w= 1\n1 2 3 4\n", "read:5: a matrix without a MOTIF line before it"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[512];
        xc_motif_list motifs;
        snprintf(text, sizeof text, MEME "%s", refused[i][0]);
        MUST_FAIL(xc_motif_read(fixture_text("read", text), &motifs, error), XC_INPUT, refused[i][1]);
        xc_motif_list_free(&motifs);
    }
}

/* ---- the writer ------------------------------------------------------------------------------------------------- */

#define THIRD (1.0f / 3)

/* One motif on the stack, and the text that comes of it in fresh memory. */
static char *write_text(const xc_motif *motif, const double background[4]) {
    xc_motif_list motifs = {.motif = (xc_motif *)motif, .count = 1};
    char *text = NULL;
    size_t size;
    if (background) memcpy(motifs.background, background, sizeof motifs.background);
    FILE *stream = open_memstream(&text, &size);
    MUST(xc_meme_write(stream, &motifs, error));
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void writes_this_text(void **state) {
    (void)state;
    float ppm[] = {THIRD, THIRD, THIRD, 0, 0.25f, 0.25f, 0.25f, 0.25f, 1e-9f, 1, 0, 0, 0.1f, 0.2f, 0.3f, 0.4f};
    xc_motif motif = {.id = "filter0", .width = 4, .sites = 1, .ppm = ppm};
    char *text = write_text(&motif, NULL);
    assert_string_equal(text,
                        "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\n"
                        "A 0.250000 C 0.250000 G 0.250000 T 0.250000\n\n"
                        "MOTIF filter0\nletter-probability matrix: alength= 4 w= 4 nsites= 1 E= 0\n"
                        "0.333334 0.333333 0.333333 0.000000\n0.250000 0.250000 0.250000 0.250000\n"
                        "0.000000 1.000000 0.000000 0.000000\n0.100000 0.200000 0.300000 0.400000\n");
    free(text);
    snprintf(motif.name, sizeof motif.name, "MAX::MYC");
    motif.sites = 1234567890123;
    text = write_text(&motif, (const double[4]){0.4, 0.1, 0.2, 0.3});
    assert_non_null(strstr(text, "\nA 0.400000 C 0.100000 G 0.200000 T 0.300000\n"));
    assert_non_null(strstr(text, "\nMOTIF filter0 MAX::MYC\n"));
    assert_non_null(strstr(text, " nsites= 1234567890123 E= 0\n"));
    free(text);
}

/* Rows of random probabilities, small ones too: six decimals that sum to exactly 1, each less than one unit off. */
static void rows_sum_to_one(void **state) {
    (void)state;
    enum { ROWS = 5000 };
    static float ppm[4 * ROWS];
    uint64_t random = 1;
    for (size_t i = 0; i < ROWS; i++) {
        double row[4], sum = 0;
        for (size_t base = 0; base < 4; base++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            row[base] = exp2(-(double)(random >> 33) / (double)(1u << 26));
            sum += row[base];
        }
        for (size_t base = 0; base < 4; base++) ppm[4 * i + base] = (float)(row[base] / sum);
    }
    const xc_motif motif = {.id = "m", .width = ROWS, .ppm = ppm};
    char *text = write_text(&motif, NULL);
    const char *line = strstr(text, "letter-probability");
    for (size_t i = 0; i < ROWS; i++) {
        int whole[4], part[4], sum = 0;
        line = strchr(line, '\n') + 1;
        assert_int_equal(sscanf(line, "%d.%6d %d.%6d %d.%6d %d.%6d\n", &whole[0], &part[0], &whole[1], &part[1],
                                &whole[2], &part[2], &whole[3], &part[3]),
                         8);
        for (size_t base = 0; base < 4; base++) {
            const int millionths = 1000000 * whole[base] + part[base];
            assert_true(fabs(millionths * 1e-6 - (double)ppm[4 * i + base]) < 1.2e-6);
            sum += millionths;
        }
        assert_int_equal(sum, 1000000);
    }
    free(text);
}

/* What MOTIF lines can carry comes back as it was: signs, colons, UTF-8, words that mean something elsewhere. */
static void odd_names_come_back(void **state) {
    (void)state;
    static const char *const words[][2] = {
        {"MA0058.3", "MAX"},
        {"Zfp::128(var.2)", "a/b|c\"d'"},
        {"#1", "#"},
        {"MOTIF", "BL"},
        {"a=b", "URL"},
        {"\xCE\xB1", "\xE2\x88\x9E"},
        {"<x>", "&amp;"},
        {"0.25", "-1"},
        {"%s%n", "letter-prob:"},
        {"width", ""},
        {"x", "width"},
        {">a", "\\"},
    };
    enum { COUNT = sizeof words / sizeof *words };
    float flat[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    xc_motif motif[COUNT] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        motif[i] = (xc_motif){.width = 1, .sites = (double)i, .ppm = flat};
        snprintf(motif[i].id, sizeof motif[i].id, "%s", words[i][0]);
        snprintf(motif[i].name, sizeof motif[i].name, "%s", words[i][1]);
    }
    const xc_motif_list motifs = {.motif = motif, .count = COUNT};
    const char *path = fixture_path("odd.meme");
    xc_motif_list back;
    MUST(xc_meme_write_file(path, &motifs, error));
    MUST(xc_motif_read(path, &back, error));
    assert_int_equal(back.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(back.motif[i].id, words[i][0]);
        assert_string_equal(back.motif[i].name, words[i][1]);
        assert_float_equal(back.motif[i].sites, i, 0);
    }
    xc_motif_list_free(&back);
}

static void writes_what_it_reads(void **state) {
    (void)state;
    xc_motif_list motifs, back;
    const char *path = fixture_path("back.meme");
    MUST(xc_motif_read("configs/motifs/task1.meme", &motifs, error));
    MUST(xc_meme_write_file(path, &motifs, error));
    MUST(xc_motif_read(path, &back, error));
    assert_int_equal(back.count, motifs.count);
    for (size_t i = 0; i < motifs.count; i++) {
        const xc_motif *a = &motifs.motif[i], *b = &back.motif[i];
        assert_string_equal(a->id, b->id);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->width, b->width);
        assert_float_equal(a->sites, b->sites, 0);
        for (size_t k = 0; k < (size_t)4 * a->width; k++) assert_float_equal(a->ppm[k], b->ppm[k], 1.1e-6);
    }
    for (size_t base = 0; base < 4; base++) assert_float_equal(motifs.background[base], back.background[base], 1e-6);
    xc_motif_list_free(&motifs);
    xc_motif_list_free(&back);
}

/* What could not be read back is refused, and no file is left. */
static void refuses_to_write(void **state) {
    (void)state;
    float flat[4] = {0.25f, 0.25f, 0.25f, 0.25f}, none[4] = {0}, bad[4] = {NAN, 0, 0, 1},
          minus[4] = {-0.5f, 0.5f, 0.5f, 0.5f};
    const struct {
        xc_motif motif;
        const char *part;
    } refused[] = {
        {{.id = "", .ppm = flat}, "no.meme: motif \"\": an identifier must be one word"},
        {{.id = "a b", .ppm = flat}, "motif \"a b\": an identifier must be one word"},
        {{.id = "a\tb", .ppm = flat}, "an identifier must be one word"},
        {{.id = "a", .name = "b c", .ppm = flat}, "motif a: its name \"b c\" must be one word"},
        {{.id = "a", .name = "b=", .ppm = flat}, "motif a: its name \"b=\" must be one word without \"=\""},
        {{.id = "a", .ppm = none}, "motif a: position 1 is not four probabilities"},
        {{.id = "a", .ppm = bad}, "motif a: position 1 is not four probabilities"},
        {{.id = "a", .ppm = minus}, "motif a: position 1 is not four probabilities"},
    };
    const char *path = fixture_path("no.meme");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        xc_motif motif = refused[i].motif;
        motif.width = 1;
        const xc_motif_list motifs = {.motif = &motif, .count = 1};
        MUST_FAIL(xc_meme_write_file(path, &motifs, error), XC_INPUT, refused[i].part);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    const xc_motif motif = {.id = "a", .width = 1, .ppm = flat};
    const xc_motif_list motifs = {.motif = (xc_motif *)&motif, .count = 1};
    MUST_FAIL(xc_meme_write_file(fixture_path("absent/no.meme"), &motifs, error), XC_IO,
              "absent/no.meme: cannot write");
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        MUST_FAIL(xc_meme_write(full, &motifs, error), XC_IO, "cannot write the motifs: No space left");
        fclose(full);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_alphabets_by_name), cmocka_unit_test(reads_backgrounds),
        cmocka_unit_test(refuses_backgrounds),       cmocka_unit_test(scores_become_probabilities),
        cmocka_unit_test(probabilities_win),         cmocka_unit_test(refuses_scores),
        cmocka_unit_test(writes_this_text),          cmocka_unit_test(rows_sum_to_one),
        cmocka_unit_test(odd_names_come_back),       cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(refuses_to_write),
    };
    return cmocka_run_group_tests_name("meme", tests, fixture_open, fixture_close);
}
