/* tomtom.c: how long does comparing a database with itself take on one core? Prints one JSON line: the median and
 * spread in seconds of 518 x 518 vertebrate motifs of JASPAR 2016 (from the test data, or the file named as argument),
 * the pairs a second, and the floor: the multiply-adds of the exact distributions at the core's measured rate.
 */
#include <sched.h>

#include "expconv/motif.h"
#include "measure.h"

enum { ROUNDS = 7 };

/* Multiply-adds of the distributions of all runs of columns, if a column's scores fill three quarters of its bins. */
static double count_operations(const xc_motif_list *motifs) {
    double operations = 0;
    for (size_t i = 0; i < motifs->count; i++)
        for (double length = 1, width = motifs->motif[i].width; length < width; length++)
            operations += (width - length) * 75 * 75 * length;
    return operations;
}

int main(int count, char **arguments) {
    const char *folder = getenv("EXPCONV_TEST_DATA");
    char path[1024];
    xc_error error = {0};
    xc_motif_list motifs;
    double seconds[ROUNDS];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    snprintf(path, sizeof path, "%s/JASPAR_CORE_2016_vertebrates.meme", folder ? folder : "../shared/data");
    if (count > 1) snprintf(path, sizeof path, "%s", arguments[1]);
    if (count < 2 && !xc_path_exists(path)) return 0;
    if (xc_motif_read(path, &motifs, &error) != XC_OK) return fprintf(stderr, "tomtom: %s\n", error.text), 1;
    const xc_tomtom_options options = {.threshold = 0.1, .threads = 1};
    for (int round = 0; round < ROUNDS; round++) {
        xc_tomtom_result result;
        const double start = xc_seconds();
        if (xc_tomtom(&motifs, &motifs, &options, &result, &error) != XC_OK)
            return fprintf(stderr, "tomtom: %s\n", error.text), 1;
        seconds[round] = xc_seconds() - start;
        xc_tomtom_free(&result);
    }
    const double median = measure_median(seconds, ROUNDS);
    const char *name = strrchr(path, '/');
    printf(
        "{\"bench\":\"tomtom\",\"file\":\"%s\",\"motifs\":%zu,\"median\":%.4f,\"least\":%.4f,\"most\":%.4f,"
        "\"pairs_per_second\":%.0f,\"floor\":%.4f,%s}\n",
        name ? name + 1 : path, motifs.count, median, seconds[0], seconds[ROUNDS - 1],
        (double)motifs.count * (double)motifs.count / median,
        2 * count_operations(&motifs) / (measure_peak() / 2) /* doubles: half as many a vector */, measure_where());
    xc_motif_list_free(&motifs);
    return 0;
}
