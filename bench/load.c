/* load.c: how long does reading a file take, beside h5py? Reads each file in fresh processes on one core, ours and h5py
 * in turn, and prints one JSON line a file: medians and spread in seconds, their ratio (h5py / ours), and the floor:
 * the time to copy the decompressed bytes once. Ours gives packed sequences, checked column by column; h5py the arrays
 * as stored.
 *
 *     load [FILE ...]
 *
 * Without files: one of 100,000 x 200 one-hot float32 with gzip, which is the table's row, and the real ones of the
 * test data; `--large` instead of a file is one of 200,000 x 1000 int8. h5py makes those two; without it only our own
 * times of what is there are printed.
 */
#include <sched.h>

#include "expconv/data.h"
#include "floors.h"
#include "peer.h"

enum { ROUNDS = 7 };

static double copy_rate; /* bytes copied a second */

static const char float_file[] = "build/bench/h5py_float_100000x200.h5";
static const char large_file[] = "build/bench/h5py_200000x1000.h5";

/* Seconds that a command prints as its first word, NAN when it fails. */
static double run_peer(const char *arguments) {
    char command[2048];
    double seconds = NAN;
    if (!peer_python("h5py")) return NAN;
    snprintf(command, sizeof command, "%s bench/peers/h5py_read.py %s 2>/dev/null", peer_python("h5py"), arguments);
    FILE *output = popen(command, "r");
    if (!output) return NAN;
    if (fscanf(output, "%lf", &seconds) != 1) seconds = NAN;
    return pclose(output) == 0 ? seconds : NAN;
}

/* One reading in a child, so that each begins with fresh memory, as the peer's do. NAN when it fails. `decompressed`
 * gets the bytes of the one-hot values. */
static double run_ours(const char *path, double *decompressed) {
    double result[2] = {NAN, 0};
    int ends[2];
    if (pipe(ends) != 0) return NAN;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        xc_dataset dataset;
        xc_error error = {0};
        const double start = xc_seconds();
        /* Every split that is there: absent ones are found by a first look that reads nothing. */
        unsigned wanted = 0;
        if (xc_dataset_read(path, NULL, 0, false, 1, &dataset, &error) == XC_OK)
            for (int split = 0; split < XC_SPLIT_COUNT; split++)
                wanted |= (unsigned)dataset.header[split].present << split;
        if (wanted && xc_dataset_read(path, NULL, wanted, false, 1, &dataset, &error) == XC_OK)
            result[0] = xc_seconds() - start;
        else
            fprintf(stderr, "load: %s\n", error.text);
        for (int split = 0; split < XC_SPLIT_COUNT; split++) {
            const xc_split_header *header = &dataset.header[split];
            const char *digits = header->type + strcspn(header->type, "0123456789");
            result[1] += (double)header->sequences * 4 * (double)header->length * (*digits ? atof(digits) / 8 : 1);
        }
        _exit(write(ends[1], result, sizeof result) != sizeof result);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], result, sizeof result) != sizeof result) result[0] = NAN;
    close(ends[0]);
    waitpid(child, NULL, 0);
    *decompressed = result[1];
    return result[0];
}

/* Returns whether we were not slower. */
static bool compare(const char *path, bool in_table) {
    double ours[ROUNDS], theirs[ROUNDS], decompressed = 0;
    char quoted[1100];
    snprintf(quoted, sizeof quoted, "'%s'", path);
    for (int round = 0; round < ROUNDS; round++) {
        ours[round] = run_ours(path, &decompressed);
        theirs[round] = round && isnan(theirs[0]) ? NAN : run_peer(quoted);
    }
    const double our_median = measure_median(ours, ROUNDS), peer_median = measure_median(theirs, ROUNDS);
    const char *name = strrchr(path, '/');
    const double floor = decompressed / copy_rate; /* of memory read: half of what a copy moves */
    printf("{\"bench\":\"load\",\"file\":\"%s\",\"median\":%.4f,\"least\":%.4f,\"most\":%.4f,\"floor\":%.4f",
           name ? name + 1 : path, our_median, ours[0], ours[ROUNDS - 1], floor);
    if (!isnan(theirs[0]))
        printf(",\"h5py_median\":%.4f,\"h5py_least\":%.4f,\"h5py_most\":%.4f,\"ratio\":%.2f", peer_median, theirs[0],
               theirs[ROUNDS - 1], peer_median / our_median);
    printf(",\"decompressed_mb\":%.1f,\"copy_gb_s\":%.1f,%s}\n", 1e-6 * decompressed, 1e-9 * copy_rate,
           measure_where());
    fflush(stdout);
    if (in_table) {
        const bool has_peer = !isnan(theirs[0]);
        measure_row row = {.what = "reading gzip one-hot float32, 100,000 x 200, 1 core",
                           .unit = "s",
                           .ours = our_median,
                           .theirs = has_peer ? peer_median : 0,
                           .ratio = has_peer ? peer_median / our_median : 0,
                           .at_least = 3,
                           .reached = floor / our_median};
        snprintf(row.peer, sizeof row.peer, "h5py");
        measure_print_row("load", &row);
    }
    return !isnan(ours[0]) && !(peer_median < our_median);
}

static bool have_file(const char *path, const char *how) {
    char arguments[256];
    xc_error error = {0};
    if (xc_path_exists(path)) return true;
    if (xc_make_folder("build/bench", &error) != XC_OK || !peer_python("h5py")) return false;
    fprintf(stderr, "making %s (a minute or two)\n", path);
    snprintf(arguments, sizeof arguments, "%s build/bench/h5py.part", how);
    run_peer(arguments);
    return rename("build/bench/h5py.part", path) == 0;
}

int main(int count, char **arguments) {
    bool good = true;
    cpu_set_t one;
    measure_where(); /* the machine as it is before this */
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one); /* children inherit it */
    copy_rate = floors_copy() / 2;
    for (int i = 1; i < count; i++) {
        const bool large = strcmp(arguments[i], "--large") == 0;
        if (!large || have_file(large_file, "--make")) good &= compare(large ? large_file : arguments[i], false);
    }
    if (count > 1) return !good;
    if (have_file(float_file, "--make-float")) good &= compare(float_file, true);
    const char *folder = getenv("EXPCONV_TEST_DATA");
    static const char *const names[] = {"IRF1_400_h3k27ac.h5", "ZBED2_400_h3k27ac.h5"};
    for (int i = 0; i < 2; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder ? folder : "../shared/data", names[i]);
        if (xc_path_exists(path)) good &= compare(path, false);
    }
    return !good;
}
