/* fuzz_motif.c: libFuzzer's target for the reader of motif files. Whatever the bytes are, the reader either fails with
 * one line, or gives motifs whose rows are probabilities, and the writer's text of them reads back the same.
 *
 * Run by `make fuzz`, with the address and undefined behaviour sanitizers.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../host/motif/parse.h"

#define CHECK(what)                                                                   \
    do {                                                                              \
        if (!(what)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* What the writer may be off: less than one unit of the sixth decimal, and the rounding of a float. */
#define WRITTEN 1.1e-6

static xc_status parse(const void *bytes, size_t size, xc_motif_list *motifs, xc_error *error) {
    char *text = malloc(size + 1); /* no byte more: the sanitizer sees what is read behind it */
    CHECK(text);
    if (size) memcpy(text, bytes, size);
    text[size] = 0;
    const xc_status status = xc_motif_parse("fuzz", text, size, motifs, error);
    free(text);
    return status;
}

static void check_line(xc_status status, const xc_error *error) {
    CHECK(error->status == status);
    CHECK(strncmp(error->text, "fuzz:", 5) == 0);
    for (const char *c = error->text; *c; c++) CHECK(!iscntrl((unsigned char)*c));
}

static void check_motif(const xc_motif *motif) {
    CHECK(*motif->id && motif->width >= 1 && motif->width <= XC_MOTIF_WIDEST);
    CHECK(isfinite(motif->sites) && motif->sites >= 0);
    for (size_t i = 0; i < motif->width; i++) {
        double sum = 0, written = 0;
        for (size_t base = 0; base < 4; base++) {
            CHECK(motif->ppm[4 * i + base] >= 0 && motif->ppm[4 * i + base] <= 1);
            CHECK(motif->written[4 * i + base] >= 0);
            sum += (double)motif->ppm[4 * i + base];
            written += motif->written[4 * i + base];
        }
        CHECK(fabs(sum - 1) <= 1e-5 && fabs(written - 1) <= 1.0000001e-5);
    }
}

static void check_background(const double background[4]) {
    const double sum = background[0] + background[1] + background[2] + background[3];
    if (sum == 0) return;
    CHECK(fabs(sum - 1) <= 1e-12);
    for (int base = 0; base < 4; base++) CHECK(background[base] > 0);
}

/* JASPAR headers may hold names that a MEME file cannot. */
static bool can_be_written(const xc_motif_list *motifs) {
    for (size_t i = 0; i < motifs->count; i++)
        if (strchr(motifs->motif[i].name, '=')) return false;
    return true;
}

static void check_equal(const xc_motif *a, const xc_motif *b) {
    CHECK(strcmp(a->id, b->id) == 0 && strcmp(a->name, b->name) == 0 && a->width == b->width);
    CHECK(fabs(a->sites - b->sites) <= 1e-14 * a->sites);
    for (size_t k = 0; k < (size_t)4 * a->width; k++) CHECK(fabs((double)a->ppm[k] - (double)b->ppm[k]) <= WRITTEN);
}

static void check_written(const xc_motif_list *motifs) {
    xc_motif_list back;
    xc_error error = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CHECK(stream);
    CHECK(xc_meme_write(stream, motifs, &error) == XC_OK);
    fclose(stream);
    CHECK(parse(text, size, &back, &error) == XC_OK);
    CHECK(back.count == motifs->count);
    for (size_t i = 0; i < back.count; i++) check_equal(&motifs->motif[i], &back.motif[i]);
    if (motifs->background[0] > 0)
        for (int base = 0; base < 4; base++)
            CHECK(fabs(motifs->background[base] - back.background[base]) <= 2 * WRITTEN);
    free(text);
    xc_motif_list_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    xc_motif_list motifs;
    xc_error error = {0};
    const xc_status status = parse(bytes, size, &motifs, &error);
    if (status == XC_OK) {
        CHECK(motifs.count > 0);
        for (size_t i = 0; i < motifs.count; i++) check_motif(&motifs.motif[i]);
        check_background(motifs.background);
        if (can_be_written(&motifs)) check_written(&motifs);
    } else {
        check_line(status, &error);
    }
    xc_motif_list_free(&motifs);
    return 0;
}
