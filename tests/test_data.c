/* test_data.c: packed DNA (builder, unpacking, runs of N, reverse complements), binary labels, and FASTA files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <htslib/bgzf.h>

#include "data_fixture.h"

/* ---- packed DNA ------------------------------------------------------------------------------------------------- */

/* Packs `sequences` rows of codes (sequences, length). */
static xc_split pack(const uint8_t *codes, uint32_t sequences, uint32_t length) {
    xc_dna_builder builder;
    xc_split split = {0};
    MUST(xc_dna_builder_open(&builder, sequences, length, error));
    for (uint32_t i = 0; i < sequences; i++) MUST(xc_dna_builder_append(&builder, codes + (size_t)i * length, error));
    xc_dna_builder_finish(&builder, &split.dna);
    assert_null(builder.bases);
    return split;
}

static void random_codes(uint8_t *codes, size_t count, uint32_t one_n_in) {
    xc_random_sequence draw = {.seed = 7, .stream = XC_STREAM_SIMULATE, .substream = 1000 + one_n_in, .next = count};
    for (size_t i = 0; i < count; i++)
        codes[i] = one_n_in && xc_random_below(&draw, one_n_in) == 0 ? XC_BASE_N : (uint8_t)xc_random_below(&draw, 4);
}

/* Unpacks both strands of every sequence and compares with codes. */
static void expect_codes(const xc_split *split, const uint8_t *codes) {
    const uint32_t length = split->dna.length;
    uint8_t *forward = test_malloc(length), *reverse = test_malloc(length);
    for (uint32_t i = 0; i < split->dna.sequences; i++) {
        const uint8_t *row = codes + (size_t)i * length;
        xc_dna_unpack(&split->dna, i, forward);
        xc_dna_unpack(&split->dna, i | XC_REVERSE_COMPLEMENT, reverse);
        assert_memory_equal(forward, row, length);
        for (uint32_t l = 0; l < length; l++) {
            const uint8_t code = row[length - 1 - l];
            assert_int_equal(reverse[l], code == XC_BASE_N ? XC_BASE_N : 3 - code);
        }
    }
    test_free(forward);
    test_free(reverse);
}

static void packs_every_length(void **state) {
    (void)state;
    static const uint32_t rates[] = {0, 5, 1};
    for (uint32_t length = 1; length <= 70; length++) {
        for (int r = 0; r < 3; r++) {
            uint8_t codes[3 * 70];
            random_codes(codes, 3 * (size_t)length, rates[r]);
            xc_split split = pack(codes, 3, length);
            assert_int_equal(split.dna.row_bytes, (length + 3) / 4);
            if (rates[r] == 0) assert_null(split.dna.run_start);
            expect_codes(&split, codes);
            xc_split_free(&split);
        }
    }
}

/* The format itself, bit by bit, as kernels read it. */
static void layout_is_the_contract(void **state) {
    (void)state;
    const uint8_t codes[2][6] = {{0, 1, 2, 3, 3, 2}, {1, 4, 4, 0, 2, 4}};
    xc_split split = pack(codes[0], 2, 6);
    const uint8_t bases[] = {0xE4, 0x0B, 0x01, 0x02};
    const uint32_t run_start[] = {0, 0, 2}, runs[] = {1 << 12 | 2, 5 << 12 | 1};
    assert_int_equal(split.dna.row_bytes, 2);
    assert_memory_equal(split.dna.bases, bases, sizeof bases);
    assert_memory_equal(split.dna.run_start, run_start, sizeof run_start);
    assert_memory_equal(split.dna.runs, runs, sizeof runs);
    xc_split_free(&split);
}

/* A run is at most 4095 long; longer stretches of N take several. */
static void long_runs_are_split(void **state) {
    (void)state;
    enum { LENGTH = 20000 };
    uint8_t *codes = test_calloc(2, LENGTH);
    memset(codes, XC_BASE_N, LENGTH);
    memset(codes + LENGTH + 3, XC_BASE_N, 4095);
    xc_split split = pack(codes, 2, LENGTH);
    assert_int_equal(split.dna.run_start[1], 5);
    assert_int_equal(split.dna.run_start[2], 6);
    for (uint32_t run = 0; run < 6; run++) assert_in_range(split.dna.runs[run] & 4095, 1, 4095);
    expect_codes(&split, codes);
    xc_split_free(&split);
    test_free(codes);
}

static void builder_refuses(void **state) {
    (void)state;
    const uint8_t codes[4] = {0};
    xc_dna_builder builder;
    MUST_FAIL(xc_dna_builder_open(&builder, 1, 0, error), XC_INPUT, "0 bases");
    xc_dna_builder_free(&builder);
    MUST_FAIL(xc_dna_builder_open(&builder, 1, 1u << 20, error), XC_INPUT, "1048576 bases");
    xc_dna_builder_free(&builder);
    MUST(xc_dna_builder_open(&builder, 1, 4, error));
    MUST(xc_dna_builder_append(&builder, codes, error));
    MUST_FAIL(xc_dna_builder_append(&builder, codes, error), XC_INPUT, "more than the 1 sequences");
    xc_dna_builder_free(&builder);
}

static void items_of_a_split(void **state) {
    (void)state;
    const uint8_t codes[6] = {0};
    xc_split split = pack(codes, 3, 2);
    assert_int_equal(xc_split_items(&split), 3);
    assert_int_equal(xc_split_index(&split, 2), 2);
    split.reverse_complement = true;
    assert_int_equal(xc_split_items(&split), 6);
    assert_int_equal(xc_split_index(&split, 2), 2);
    assert_int_equal(xc_split_index(&split, 3), XC_REVERSE_COMPLEMENT | 0);
    assert_int_equal(xc_split_index(&split, 5), XC_REVERSE_COMPLEMENT | 2);
    xc_split_free(&split);
}

static void binary_labels(void **state) {
    (void)state;
    float labels[6] = {0, 1, 1, 0, 0, 1};
    xc_split split = {.labels = labels, .classes = 2, .dna = {.sequences = 3}};
    MUST(xc_split_check_binary(&split, "Y_train", error));
    labels[3] = 0.5f;
    MUST_FAIL(xc_split_check_binary(&split, "Y_train", error), XC_INPUT,
              "Y_train: the label of sequence 1, class 1 is 0.5");
}

/* ---- FASTA ------------------------------------------------------------------------------------------------------ */

static void expect_text(const xc_split *split, uint32_t sequence, const char *text) {
    uint8_t codes[64];
    xc_dna_unpack(&split->dna, sequence, codes);
    assert_int_equal(split->dna.length, strlen(text));
    for (size_t l = 0; text[l]; l++) assert_int_equal("ACGTN"[codes[l]], text[l]);
}

static const char fasta[] = ">one first\nACGT\nac\n\n>two\r\nNNryAC\r\n>three\nTTTTTT";

static void reads_fasta(void **state) {
    (void)state;
    xc_split split;
    char **names;
    MUST(xc_fasta_read(fixture_text("a.fa", fasta), 0, &split, &names, error));
    assert_int_equal(split.dna.sequences, 3);
    assert_int_equal(split.classes, 0);
    assert_null(split.labels);
    expect_text(&split, 0, "ACGTAC");
    expect_text(&split, 1, "NNNNAC");
    expect_text(&split, 2, "TTTTTT");
    assert_string_equal(names[0], "one");
    assert_string_equal(names[2], "three");
    for (int i = 0; i < 3; i++) free(names[i]);
    free(names);
    xc_split_free(&split);
    MUST(xc_fasta_read(fixture_path("a.fa"), 6, &split, NULL, error));
    xc_split_free(&split);
}

static void reads_compressed_fasta(void **state) {
    (void)state;
    static const char *const modes[] = {"w", "wg", "wu"}; /* bgzip, gzip, plain */
    for (int i = 0; i < 3; i++) {
        xc_split split;
        BGZF *file = bgzf_open(fixture_path("a.fa.gz"), modes[i]);
        assert_int_equal(bgzf_write(file, fasta, sizeof fasta - 1), sizeof fasta - 1);
        assert_int_equal(bgzf_close(file), 0);
        MUST(xc_fasta_read(fixture_path("a.fa.gz"), 0, &split, NULL, error));
        assert_int_equal(split.dna.sequences, 3);
        expect_text(&split, 1, "NNNNAC");
        xc_split_free(&split);
    }
}

/* More records than the first capacity, with the first N after it has grown. */
static void reads_many_records(void **state) {
    (void)state;
    enum { RECORDS = 5000 };
    xc_split split;
    char **names, expected[16];
    FILE *stream = fopen(fixture_path("many.fa"), "w");
    for (int i = 0; i < RECORDS; i++)
        fprintf(stream, ">r%d\n%c%cGT\n", i, i == 3000 ? 'N' : "ACGT"[i % 4], i == 50 || i == 4999 ? 'N' : 'A');
    fclose(stream);
    MUST(xc_fasta_read(fixture_path("many.fa"), 4, &split, &names, error));
    assert_int_equal(split.dna.sequences, RECORDS);
    expect_text(&split, 3000, "NAGT");
    expect_text(&split, 50, "GNGT");
    expect_text(&split, 4999, "TNGT");
    expect_text(&split, 4998, "GAGT");
    for (int i = 0; i < RECORDS; i++) {
        snprintf(expected, sizeof expected, "r%d", i);
        assert_string_equal(names[i], expected);
        free(names[i]);
    }
    free(names);
    xc_split_free(&split);
}

static void refuses_bad_fasta(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t length;
        const char *part;
    } cases[] = {
        {"", 0, "holds no sequence"},
        {"ACGT\n", 0, "holds no sequence"},
        {">a\nACGT\n>b\nACG\n", 0, "sequence \"b\" has 3 bases, but 4 are needed, as many as the first has"},
        {">a\nACGT\n", 5, "sequence \"a\" has 4 bases, but 5 are needed"},
        {">a\nACGT\n>b\n>c\nACGT\n", 0, "sequence \"b\" is empty"},
        {">a\nACGT\n>b\nAC*T\n", 0, "sequence \"b\" has '*' at base 3"},
        {">\nACGT\n", 0, "sequence 1, counted from 1, has no name"},
        {">a\nACGT\n> b\nACGT\n", 0, "sequence 2, counted from 1, has no name"},
        {">a\nACGU\n", 0, "sequence \"a\" has 'U' at base 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xc_split split;
        char **names;
        const char *path = fixture_text("bad.fa", cases[i].text);
        MUST_FAIL(xc_fasta_read(path, cases[i].length, &split, &names, error), XC_INPUT, cases[i].part);
        assert_null(split.dna.bases);
        assert_null(names);
    }
    xc_split split;
    MUST_FAIL(xc_fasta_read(fixture_path("absent.fa"), 0, &split, NULL, error), XC_IO, "No such file");
}

/* Cut anywhere, a compressed file is refused, and read to no endless end. Records lie across several blocks. */
static void refuses_cut_fasta(void **state) {
    (void)state;
    enum { RECORDS = 6000, BASES = 40 };
    static const char *const modes[] = {"w", "wg"}; /* bgzip, gzip */
    xc_random_sequence draw = {.seed = 3, .stream = XC_STREAM_SIMULATE, .substream = 77};
    for (int mode = 0; mode < 2; mode++) {
        BGZF *file = bgzf_open(fixture_path("whole.fa.gz"), modes[mode]);
        for (int i = 0; i < RECORDS; i++) {
            char text[BASES + 32];
            int used = snprintf(text, sizeof text, ">r%d\n", i);
            for (int l = 0; l < BASES; l++) text[used++] = "ACGT"[xc_random_below(&draw, 4)];
            text[used++] = '\n';
            assert_int_equal(bgzf_write(file, text, (size_t)used), used);
        }
        assert_int_equal(bgzf_close(file), 0);
        xc_split split;
        char *bytes;
        size_t size;
        MUST(xc_fasta_read(fixture_path("whole.fa.gz"), 0, &split, NULL, error));
        assert_int_equal(split.dna.sequences, RECORDS);
        xc_split_free(&split);
        MUST(xc_file_read(fixture_path("whole.fa.gz"), (size_t)64 << 20, &bytes, &size, error));
        const size_t eof_block = 28;
        const size_t cuts[] = {20, 1000, size / 3, size / 2, size - 1000, size - eof_block, size - 9, size - 1};
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
            alarm(20);
            MUST_FAIL(xc_fasta_read(fixture_write("cut.fa.gz", bytes, cuts[i]), 0, &split, NULL, error), XC_INPUT,
                      "cut.fa.gz: damaged or cut short");
            alarm(0);
            assert_null(split.dna.bases);
        }
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_every_length),  cmocka_unit_test(layout_is_the_contract),
        cmocka_unit_test(long_runs_are_split), cmocka_unit_test(builder_refuses),
        cmocka_unit_test(items_of_a_split),    cmocka_unit_test(binary_labels),
        cmocka_unit_test(reads_fasta),         cmocka_unit_test(reads_compressed_fasta),
        cmocka_unit_test(reads_many_records),  cmocka_unit_test(refuses_bad_fasta),
        cmocka_unit_test(refuses_cut_fasta),
    };
    return cmocka_run_group_tests_name("data", tests, fixture_open, fixture_close);
}
