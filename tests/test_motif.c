/* test_motif.c: motif files: real ones against each other, what is seen in the wild, and malformed texts by the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "data_fixture.h"

#define MEME "MEME version 4\n\nALPHABET= ACGT\n\n"
#define MATRIX(w) "letter-probability matrix: alength= 4 w= " #w " nsites= 20 E= 0\n"
#define ROW "0.1 0.2 0.3 0.4\n"

static void expect_row(const xc_motif *motif, uint32_t position, double a, double c, double g, double t) {
    const double expected[4] = {a, c, g, t};
    for (size_t base = 0; base < 4; base++) assert_float_equal(motif->ppm[4 * position + base], expected[base], 1e-6);
}

/* ---- real files ------------------------------------------------------------------------------------------------- */

static void reads_jaspar_meme(void **state) {
    (void)state;
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_data("JASPAR_CORE_2016_vertebrates.meme"), &motifs, error));
    assert_int_equal(motifs.count, 518);
    assert_string_equal(motifs.motif[0].id, "MA0002.2");
    assert_string_equal(motifs.motif[0].name, "RUNX1");
    assert_int_equal(motifs.motif[0].width, 11);
    assert_float_equal(motifs.motif[0].sites, 2000, 0);
    expect_row(&motifs.motif[0], 1, 0.117, 0.2425, 0.2335, 0.407);
    xc_motif_list_free(&motifs);
}

/* Both files hold the same matrices, one as probabilities of six decimals, one as counts. */
static void formats_agree(void **state) {
    (void)state;
    xc_motif_list meme, jaspar;
    size_t compared = 0;
    MUST(xc_motif_read(fixture_data("JASPAR_CORE_2016_vertebrates.meme"), &meme, error));
    MUST(xc_motif_read(fixture_data("pfm_vertebrates.txt"), &jaspar, error));
    assert_int_equal(jaspar.count, 519);
    for (size_t i = 0; i < meme.count; i++) {
        const xc_motif *a = &meme.motif[i], *b = xc_motif_find(&jaspar, a->id);
        if (!b) continue;
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->width, b->width);
        for (size_t k = 0; k < (size_t)4 * a->width; k++) assert_float_equal(a->ppm[k], b->ppm[k], 2e-6);
        compared++;
    }
    assert_true(compared > 500);
    xc_motif_list_free(&meme);
    xc_motif_list_free(&jaspar);
}

/* The file that ships is what JASPAR's counts say, and the counts can be had back. */
static void task1_is_from_jaspar(void **state) {
    (void)state;
    static const char *const names[] = {"Arid3a", "CEBPB", "FOSL1", "Gabpa", "MAFK",  "MAX",
                                        "MEF2A",  "NFYB",  "SP1",   "SRF",   "STAT1", "YY1"};
    xc_motif_list task1, jaspar;
    MUST(xc_motif_read("configs/motifs/task1.meme", &task1, error));
    assert_int_equal(task1.count, 12);
    MUST(xc_motif_read(fixture_data("pfm_vertebrates.txt"), &jaspar, error));
    for (size_t i = 0; i < 12; i++) {
        const xc_motif *a = &task1.motif[i], *b = xc_motif_find(&jaspar, names[i]);
        assert_string_equal(a->name, names[i]);
        assert_string_equal(a->id, b->id);
        assert_int_equal(a->width, b->width);
        assert_float_equal(a->sites, b->sites, 0);
        for (size_t k = 0; k < (size_t)4 * a->width; k++) {
            assert_float_equal(a->ppm[k], b->ppm[k], 2e-6);
            /* Six decimals lose nothing: half a count is more than the rounding. */
            assert_true(fabs((double)a->ppm[k] - (double)b->ppm[k]) * b->sites < 0.5);
        }
    }
    xc_motif_list_free(&task1);
    xc_motif_list_free(&jaspar);
}

/* ---- what is accepted ------------------------------------------------------------------------------------------- */

static const struct {
    const char *what, *text, *id, *name;
    uint32_t width;
    double sites;
} accepted[] = {
    {"minimal", MEME "MOTIF m1 MAX\n" MATRIX(2) ROW ROW, "m1", "MAX", 2, 20},
    {"no final newline", MEME "MOTIF m1\n" MATRIX(1) "0.1 0.2 0.3 0.4", "m1", "", 1, 20},
    {"CRLF",
     "MEME version 4\r\n\r\nMOTIF m1 MAX\r\nletter-probability matrix: alength= 4 w= 1 nsites= 20\r\n\r\n"
     "0.1\t0.2\t0.3\t0.4\t\r\n",
     "m1", "MAX", 1, 20},
    {"comments, background, strands, URL",
     "# by hand\nMEME version 5.4.1 (Release date)\nALPHABET= acgt\nstrands: + -\n"
     "Background letter frequencies (from uniform):\nA 0.25 C 0.25 G 0.25 T 0.25\n\nMOTIF m1 MAX\n# note\n" MATRIX(2)
         ROW "\n" ROW "URL http://x\n",
     "m1", "MAX", 2, 20},
    {"no width, no sites", MEME "MOTIF m1\nletter-probability matrix: alength= 4\n" ROW ROW ROW "\nURL x\n", "m1", "",
     3, 0},
    {"MEME's own output",
     "****\nMEME - Motif discovery tool\n****\nMEME version 4.12.0\nALPHABET= ACGT\nMOTIF GGC MEME-1\t"
     "width =  2 sites = 3\nlog-odds matrix: alength= 4 w= 1 n= 9\n 12 -3 4 5\n" MATRIX(1) ROW,
     "GGC", "MEME-1", 1, 20},
    {"MEME's older output", "MEME version 4\nMOTIF  1\twidth =   1   sites =  8\n" MATRIX(1) ROW, "1", "", 1, 20},
    {"DNA alphabet by name",
     "MEME version 4.10\nALPHABET \"DNA\" DNA-LIKE\nA \"Adenine\" CC0000 ~ T \"Thymine\" 008000\n"
     "C \"Cyto = \\\"sine~\" 0000CC ~ G \"Guanine\" FFB300\nN \"Any base\" = ACGT\nX = ACGT\nU = T\n"
     "END ALPHABET\nMOTIF m1\n" MATRIX(1) ROW,
     "m1", "", 1, 20},
    {"DNA alphabet between asterisks, other order, no pairs",
     "MEME version 5\nALPHABET \"x y\"\n********\nt\ng\n# note\nc\n\na\n********\nMOTIF m1\n" MATRIX(1) ROW, "m1", "",
     1, 20},
    {"lower case, tabs, no blanks",
     "\tmeme  VERSION\t4\nalphabet=acgt\n\tMOTIF\tm1\tMAX\t\n\tLetter-Probability Matrix:W=1 ALENGTH=4\tNSites=20\n\t"
     "1e-1\t.2\t+0.3\t0.4\t\n",
     "m1", "MAX", 1, 20},
    {"byte order mark, a line end too many", "\xEF\xBB\xBFMEME version 4\r\r\nMOTIF m1\r\r\n" MATRIX(1) ROW "\r\r\n",
     "m1", "", 1, 20},
    {"no value after nsites=", MEME "MOTIF m1\nletter-probability matrix: nsites= alength= 4 E= w= 1\n" ROW, "m1", "",
     1, 0},
    {"no alphabet, no strands, blank lines anywhere",
     "\n\n  MEME version 4\n\nMOTIF m1 MAX\n\n\n" MATRIX(2) "\n\n" ROW "\n  \n" ROW "\n\n", "m1", "MAX", 2, 20},
    {"both matrices, log-odds after", MEME "MOTIF m1\n" MATRIX(1) ROW "log-odds matrix: alength= 4 w= 1\n1 2 3 4\n",
     "m1", "", 1, 20},
    {"STREME's P=", MEME "MOTIF 1-GATA STREME-1\nletter-probability matrix: alength= 4 w= 1 nsites= 7 P= 1e-400\n" ROW,
     "1-GATA", "STREME-1", 1, 7},
    {"an equals sign is no name", MEME "MOTIF m1 width=1 seqs=2\nBL   MOTIF m1 width=1 seqs=2\n" MATRIX(1) ROW, "m1",
     "", 1, 20},
    {"a name that is one", MEME "MOTIF m1 widthless 7\n" MATRIX(1) ROW, "m1", "widthless", 1, 20},
    {"no URL's value, rule after the matrix", MEME "MOTIF m1\nletter-probability matrix: alength= 4\n" ROW "-----\nURL",
     "m1", "", 1, 0},
    {"row a little off 1", MEME "MOTIF m1\n" MATRIX(1) "0.101 0.202 0.303 0.404\n", "m1", "", 1, 20},
    {"JASPAR", ">MA1.1\tMAX\nA  [1 2 ]\nC  [ 2  4 ]\nG  [ 3 6 ]\nT  [ 4 8]\n", "MA1.1", "MAX", 2, 20},
    {"JASPAR without a name, CRLF, blank lines", "\r\n> MA1.1\r\nA [ 1 ]\r\n\r\nC [ 2 ]\r\nG [ 3 ]\r\nT [ 4 ]", "MA1.1",
     "", 1, 10},
    {"plain rows", ">MA1.1 MAX\n1 2\n2 4\n3 6\n4 8\n", "MA1.1", "MAX", 2, 20},
    {"lower case, other order", ">MA1.1 MAX\nt [4]\ng [3]\nc [2]\na [1]\n", "MA1.1", "MAX", 1, 10},
    {"fractions", ">MA1.1 MAX\n0.5\n1\n1.5\n2\n", "MA1.1", "MAX", 1, 5},
};

static void reads_the_wild(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        xc_motif_list motifs;
        xc_error error = {0};
        if (xc_motif_read(fixture_text("wild", accepted[i].text), &motifs, &error) != XC_OK)
            fail_msg("%s: %s", accepted[i].what, error.text);
        if (motifs.count != 1 || strcmp(motifs.motif[0].id, accepted[i].id) ||
            strcmp(motifs.motif[0].name, accepted[i].name) || motifs.motif[0].width != accepted[i].width ||
            motifs.motif[0].sites != accepted[i].sites)
            fail_msg("%s: %zu motifs, %s, \"%s\", width %u, sites %g", accepted[i].what, motifs.count,
                     motifs.motif[0].id, motifs.motif[0].name, motifs.motif[0].width, motifs.motif[0].sites);
        for (uint32_t k = 0; k < motifs.motif[0].width; k++) expect_row(&motifs.motif[0], k, 0.1, 0.2, 0.3, 0.4);
        xc_motif_list_free(&motifs);
    }
}

/* ---- what is refused -------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *part; /* part of the error line */
} refused[] = {
    {"", "is empty; give a MEME or JASPAR motif file"},
    {"\n \n# nothing\n", "is empty"},
    {"<html>\nMEME version 4\n", "HTML or XML; give the same motifs as text"},
    {"hello\n", "neither a MEME file"},
    {MEME, "holds no motif"},
    {"MEME version 3\nMOTIF m1\n" MATRIX(1) ROW, "refused:1: MEME version 4 or later"},
    {"MEME version 4\nALPHABET= ACDEFGHIKLMNPQRSTVWY\n", "refused:2: the alphabet"},
    {"MEME version 4\nALPHABET= ACGU\n", "refused:2: the alphabet"},
    {"MEME version 4\nALPHABET \"RNA\" RNA-LIKE\n", "refused:2: the alphabet"},
    {MEME "MOTIF m1\nletter-probability matrix: alength= 20 w= 1\n", "refused:6: motif m1 has 20 letters"},
    {"MEME version 4\nMOTIF m1\nletter-probability matrix: alength= 20 w= 1\n",
     "refused:3: motif m1 has 20 letters (protein)"},
    {MEME "MOTIF m1\nletter-probability matrix: w= 1 nsites= 20\n" ROW,
     "refused:6: the matrix of motif m1 has no alength=; write \"alength= 4\""},
    {MEME "MOTIF m1\nletter-probability matrix: alength= x w= 1\n" ROW,
     "alength= of motif m1 is \"x\"; a number is needed"},
    {MEME "MOTIF m1\nletter-probability matrix: alength= 4 w= 1x\n" ROW,
     "w= of motif m1 is \"1x\"; a number is needed"},
    {MEME "MOTIF m1\nletter-probability matrix: alength= 4 w= nan\n" ROW, "w= of motif m1 is \"nan\""},
    {MEME "MOTIF m1\nletter-probability matrix: alength= 4 w= 1 nsites= -3\n" ROW, "nsites= of motif m1 is -3"},
    {MEME "MOTIF m1\nletter-probability matrix: alength= 4 w= 1 nsites= inf\n" ROW, "nsites= of motif m1 is \"inf\""},
    {MEME "MOTIF m1\n" MATRIX(0), "width 0"},
    {MEME "MOTIF m1\n" MATRIX(9999) ROW ROW ROW ROW ROW,
     "refused:11: the matrix of motif m1 ends after 5 of 9999 positions"},
    {MEME "MOTIF m1\n" MATRIX(1) ROW ROW, "refused:8: motif m1 has more rows than its w= 1"},
    {MEME "MOTIF m1\n" MATRIX(1) ROW MATRIX(1) ROW, "refused:8: a second matrix of motif m1; a MOTIF line is missing"},
    {MEME "MOTIF m1\n" MATRIX(10000), "width 10000; 1 to 9999 can be read"},
    {MEME "MOTIF m1\n" MATRIX(-3) ROW, "width -3"},
    {MEME "MOTIF m1\n" MATRIX(1.5) ROW, "width 1.5"},
    {MEME "MOTIF m1\n" MATRIX(3) ROW ROW, "the matrix of motif m1 ends after 2 of 3 positions"},
    {MEME "MOTIF m1\n" MATRIX(3) ROW "MOTIF m2\n" MATRIX(1) ROW, "refused:8: the matrix of motif m1 ends after 1 of 3"},
    {MEME "MOTIF m1\nletter-probability matrix: alength= 4\nURL x\n", "ends after 0"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.1 0.2 0.3\n", "refused:7: four probabilities are needed"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.1 0.2 0.3 0.2 0.2\n", "after four probabilities"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.1 0.2 0.3 x\n", "four probabilities are needed"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.1,0.2,0.3,0.4\n", "four probabilities are needed, found \"0.1,0.2,0.3,0.4\""},
    {MEME "MOTIF m1\n" MATRIX(1) "0.10.20.30.4\n", "four probabilities are needed"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.1 0.2 0.3\v0.4 0.1\n", "\"0.1\" after four"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.1 0.2 0.3 0.37\n", "sum to 0.97"},
    {MEME "MOTIF m1\n" MATRIX(1) "0.7 0.7 -0.4 0\n", "probability -0.4"},
    {MEME "MOTIF m1\n" MATRIX(1) "nan 0 0 1\n", "probability nan"},
    {MEME "MOTIF m1\n" MATRIX(1) "0 nan 0 1\n", "probability nan"},
    {MEME "MOTIF m1\n" MATRIX(1) "0 inf 0 1\n", "sum to inf"},
    {MEME "MOTIF m1\n", "ends before the matrix of motif m1"},
    {MEME "MOTIF m1\nMOTIF m2\n" MATRIX(1) ROW, "motif m1 before this has no matrix"},
    {MEME "MOTIF \n", "no identifier"},
    {MEME MATRIX(1) ROW, "without a MOTIF line"},
    {">\n1\n2\n3\n4\n", "refused:1: this header has no identifier"},
    {">m1\n1\n2\n3\n", "motif m1 ends after 3 of 4 rows"},
    {">m1\n1\n2\n3\n>m2\n1\n2\n3\n4\n", "motif m1 ends after 3 of 4 rows"},
    {">m1\n1\n2\n3\n4\n5\n", "refused:6: a header"},
    {">m1\n1 2\n2 3\n3\n4 5\n", "refused:4: this row has 1 counts, the one before it 2"},
    {">m1\n1 2\n2 x\n3 4\n4 5\n", "\"x\" is not a count"},
    {">m1\n1,2\n2,1\n3,4\n4,5\n", "\"1,2\" is not a count"},
    {">m1\n1 2\n2 -1\n3 4\n4 5\n", "count -1"},
    {">m1\n1 2\n2 nan\n3 4\n4 5\n", "count nan"},
    {">m1\n1 2\n2 inf\n3 4\n4 5\n", "count inf"},
    {">m1\n1 0\n2 0\n3 0\n4 0\n", "no counts at position 2"},
    {">m1\nA [ ]\nC [ ]\nG [ ]\nT [ ]\n", "a row without counts"},
    {">m1\nA [1]\nA [2]\nG [3]\nT [4]\n", "a second row A"},
    {">m1\nA [1]\nC [2]\nG [3]\nU [4]\n", "a row must begin with"},
};

static void refuses_malformed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        xc_motif_list motifs;
        const char *path = fixture_text("refused", refused[i].text);
        MUST_FAIL(xc_motif_read(path, &motifs, error), XC_INPUT, refused[i].part);
        xc_motif_list_free(&motifs);
    }
}

/* A file of one gigabyte that takes no room on the disk. */
static const char *gigabyte(void) {
    const char *path = fixture_text("gigabyte", MEME);
    assert_int_equal(truncate(path, (off_t)1 << 30), 0);
    return path;
}

static void refuses_odd_files(void **state) {
    (void)state;
    xc_motif_list motifs;
    unsigned char garbage[4096];
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (unsigned char)(1 + i * 2654435761u / 7 % 255);
    MUST_FAIL(xc_motif_read(fixture_write("binary", "MEME version 4\n\0\n", 17), &motifs, error), XC_INPUT,
              "binary: not a text file; give a MEME or JASPAR motif file");
    MUST_FAIL(xc_motif_read(fixture_write("garbage", garbage, sizeof garbage), &motifs, error), XC_INPUT,
              "garbage: not a text file");
    MUST_FAIL(xc_motif_read(fixture_path("absent"), &motifs, error), XC_INPUT, "absent: cannot read");
    MUST_FAIL(xc_motif_read(fixture_folder, &motifs, error), XC_INPUT, "is a folder, not a file");
    const double start = xc_seconds();
    MUST_FAIL(xc_motif_read(gigabyte(), &motifs, error), XC_INPUT, "gigabyte: larger than 67108864 bytes");
    assert_true(xc_seconds() - start < 0.1);
    /* Wider than allowed, without w=. */
    const size_t rows = 10002;
    char *text = test_malloc(256 + rows * sizeof ROW);
    size_t used = (size_t)sprintf(text, MEME "MOTIF m1\nletter-probability matrix: alength= 4\n");
    for (size_t i = 0; i < rows; i++) used += (size_t)sprintf(text + used, ROW);
    MUST_FAIL(xc_motif_read(fixture_text("wide", text), &motifs, error), XC_INPUT, "above 9999");
    test_free(text);
    xc_motif_list_free(&motifs);
}

/* The widest motif is read, and one position more is refused before any row is. */
static void reads_the_widest(void **state) {
    (void)state;
    xc_motif_list motifs;
    const size_t rows = 9999;
    char *text = test_malloc(256 + rows * sizeof ROW);
    size_t used = (size_t)sprintf(text, MEME "MOTIF m1\n" MATRIX(9999));
    for (size_t i = 0; i < rows; i++) used += (size_t)sprintf(text + used, ROW);
    MUST(xc_motif_read(fixture_text("widest", text), &motifs, error));
    assert_int_equal(motifs.motif[0].width, 9999);
    expect_row(&motifs.motif[0], 9998, 0.1, 0.2, 0.3, 0.4);
    test_free(text);
    xc_motif_list_free(&motifs);
}

/* An id that does not fit is refused in both formats, and a long name is cut. */
static void keeps_ids_whole(void **state) {
    (void)state;
    const char id[] = "CisBP_M00001_2.00_Homo_sapiens_012345678901234567890123456789xy"; /* 63 */
    char text[512];
    xc_motif_list motifs;
    snprintf(text, sizeof text, MEME "MOTIF %s %s\xC3\xA9\n" MATRIX(1) ROW, id, id + 1);
    MUST(xc_motif_read(fixture_text("ids", text), &motifs, error));
    assert_int_equal(motifs.count, 1);
    assert_string_equal(motifs.motif[0].id, id);
    assert_string_equal(motifs.motif[0].name, id + 1); /* without half an e acute */
    xc_motif_list_free(&motifs);
    snprintf(text, sizeof text, MEME "MOTIF x%s\n" MATRIX(1) ROW, id);
    MUST_FAIL(
        xc_motif_read(fixture_text("long", text), &motifs, error), XC_INPUT,
        "long:5: the identifier \"xCisBP_M00001_2.00_Homo_sapiens_01234567...\" has 64 characters; give it at most 63");
    xc_motif_list_free(&motifs);
    snprintf(text, sizeof text, ">x%s\n1\n1\n1\n1\n", id);
    MUST_FAIL(xc_motif_read(fixture_text("long", text), &motifs, error), XC_INPUT, "long:1: the identifier");
    xc_motif_list_free(&motifs);
}

/* Of equal ids the first counts, in both formats, and the order stays. */
static void leaves_out_repeated_ids(void **state) {
    (void)state;
    static const char *const files[] = {MEME "MOTIF b\n" MATRIX(1) ROW "MOTIF a\n" MATRIX(1) ROW "MOTIF b\n" MATRIX(2)
                                            ROW ROW "MOTIF a\n" MATRIX(2) ROW ROW "MOTIF B x\n" MATRIX(1) ROW,
                                        ">b\n1\n1\n1\n1\n>a\n1\n1\n1\n1\n>b\n1 2\n1 2\n1 2\n1 2\n>B\n1\n1\n1\n1\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        xc_motif_list motifs;
        MUST(xc_motif_read(fixture_text("repeated", files[i]), &motifs, error));
        assert_int_equal(motifs.count, 3);
        assert_string_equal(motifs.motif[0].id, "b");
        assert_string_equal(motifs.motif[1].id, "a");
        assert_string_equal(motifs.motif[2].id, "B");
        for (size_t k = 0; k < motifs.count; k++) assert_int_equal(motifs.motif[k].width, 1);
        xc_motif_list_free(&motifs);
    }
}

/* Every cut of a good file either reads or fails cleanly. */
static void survives_cuts(void **state) {
    (void)state;
    static const char text[] = "# c\n" MEME "MOTIF m1 MAX\n" MATRIX(2) ROW ROW "\nMOTIF m2\n" MATRIX(1) ROW;
    int read = 0;
    for (size_t size = 0; size < sizeof text; size++) {
        xc_motif_list motifs;
        xc_error error = {0};
        const xc_status status = xc_motif_read(fixture_write("cut", text, size), &motifs, &error);
        assert_true(status == XC_OK || (error.status == status && *error.text));
        read += status == XC_OK;
        xc_motif_list_free(&motifs);
    }
    assert_in_range(read, 1, 60);
}

static void finds_by_name_and_id(void **state) {
    (void)state;
    xc_motif_list motifs;
    MUST(xc_motif_read(fixture_text("two", ">a1 MAX::MYC\n1\n1\n1\n1\n>a2 max\n1\n1\n1\n1\n>a3 MAX\n1\n1\n1\n1\n"),
                       &motifs, error));
    assert_ptr_equal(xc_motif_find(&motifs, "MAX"), &motifs.motif[1]);
    assert_ptr_equal(xc_motif_find(&motifs, "A3"), &motifs.motif[2]);
    assert_null(xc_motif_find(&motifs, "MA"));
    xc_motif_list_free(&motifs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_jaspar_meme),       cmocka_unit_test(formats_agree),
        cmocka_unit_test(task1_is_from_jaspar),    cmocka_unit_test(reads_the_wild),
        cmocka_unit_test(refuses_malformed),       cmocka_unit_test(refuses_odd_files),
        cmocka_unit_test(reads_the_widest),        cmocka_unit_test(keeps_ids_whole),
        cmocka_unit_test(leaves_out_repeated_ids), cmocka_unit_test(survives_cuts),
        cmocka_unit_test(finds_by_name_and_id),
    };
    return cmocka_run_group_tests_name("motif", tests, fixture_open, fixture_close);
}
