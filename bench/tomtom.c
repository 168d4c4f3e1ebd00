/* tomtom.c: how long does comparing a database with itself take, on one core and on two threads? Prints one JSON line:
 * the median and spread in seconds of 518 x 518 vertebrate motifs of JASPAR 2016 (from the test data, or the file named
 * as argument), the pairs a second, the floor (the arithmetic that cannot be avoided at the core's measured rate), and
 * how much faster two threads are where there are two cores.
 */
#include <sched.h>

#include "expconv/motif.h"
#include "measure.h"

enum { ROUNDS = 7 };

/* The distances of all pairs of columns, both strands: four differences, squares and sums, and a root. */
static double count_distances(const xc_motif_list *motifs) {
    double columns = 0;
    for (size_t i = 0; i < motifs->count; i++) columns += motifs->motif[i].width;
    return columns * 2 * columns * 12;
}

/* Multiply-adds of the distributions of all runs of columns, if a column's scores fill three quarters of its bins and
 * the upper half of a run's scores matters. */
static double count_multiply_adds(const xc_motif_list *motifs) {
    double operations = 0;
    for (size_t i = 0; i < motifs->count; i++)
        for (double length = 1, width = motifs->motif[i].width; length < width; length++)
            operations += (width - length) * 75 * 75 * length / 2;
    return operations;
}

/* Seconds of ROUNDS comparisons of a list with itself, sorted. */
static xc_status time_rounds(const xc_motif_list *motifs, int threads, double seconds[ROUNDS], xc_error *error) {
    const xc_tomtom_options options = {.threshold = 0.1, .threads = threads};
    for (int round = 0; round < ROUNDS; round++) {
        xc_tomtom_result result;
        const double start = xc_seconds();
        const xc_status status = xc_tomtom(motifs, motifs, &options, &result, error);
        seconds[round] = xc_seconds() - start;
        xc_tomtom_free(&result);
        if (status != XC_OK) return status;
    }
    measure_median(seconds, ROUNDS);
    return XC_OK;
}

int main(int count, char **arguments) {
    const char *folder = getenv("EXPCONV_TEST_DATA");
    char path[1024];
    xc_error error = {0};
    xc_motif_list motifs;
    double one[ROUNDS], two[ROUNDS];
    cpu_set_t first, all;
    snprintf(path, sizeof path, "%s/JASPAR_CORE_2016_vertebrates.meme", folder ? folder : "../shared/data");
    if (count > 1) snprintf(path, sizeof path, "%s", arguments[1]);
    if (count < 2 && !xc_path_exists(path)) return 0;
    if (xc_motif_read(path, &motifs, &error) != XC_OK) return fprintf(stderr, "tomtom: %s\n", error.text), 1;
    const bool several = xc_core_count() > 1;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
    if (time_rounds(&motifs, 1, one, &error) != XC_OK) return fprintf(stderr, "tomtom: %s\n", error.text), 1;
    const double peak = measure_peak();
    sched_setaffinity(0, sizeof all, &all);
    if (several && time_rounds(&motifs, 2, two, &error) != XC_OK) return fprintf(stderr, "tomtom: %s\n", error.text), 1;
    const double median = one[ROUNDS / 2], pairs = (double)motifs.count * (double)motifs.count;
    const char *name = strrchr(path, '/');
    printf(
        "{\"bench\":\"tomtom\",\"file\":\"%s\",\"motifs\":%zu,\"median\":%.4f,\"least\":%.4f,\"most\":%.4f,"
        "\"pairs_per_second\":%.0f,\"floor\":%.4f,",
        name ? name + 1 : path, motifs.count, median, one[0], one[ROUNDS - 1], pairs / median,
        count_distances(&motifs) / peak + /* doubles: half as many a vector */
            2 * count_multiply_adds(&motifs) / (peak / 2));
    if (several)
        printf("\"two_threads\":{\"median\":%.4f,\"least\":%.4f,\"most\":%.4f,\"times_faster\":%.2f},", two[ROUNDS / 2],
               two[0], two[ROUNDS - 1], median / two[ROUNDS / 2]);
    printf("%s}\n", measure_where());
    xc_motif_list_free(&motifs);
    return 0;
}
