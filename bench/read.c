/* read.c: is reading a file never slower than h5py reads it? Reads each file in fresh processes on one core, ours and
 * h5py in turn, and prints one JSON line a file: medians and spread in seconds, their ratio (h5py / ours), and the
 * floor: the time to copy the decompressed bytes once. Files: the arguments, or the real ones of the test data and a
 * large one that h5py makes. $EXPCONV_PYTHON names the Python that has h5py; without h5py only our own times are
 * printed.
 */
#include <sched.h>

#include "expconv/data.h"
#include "measure.h"
#include "peer.h"

enum { ROUNDS = 7 };

static const char large_file[] = "build/bench/h5py_200000x1000.h5";

/* Seconds that a command prints as its first word, NAN when it fails. */
static double run_peer(const char *arguments) {
    char command[2048];
    double seconds = NAN;
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
            fprintf(stderr, "read: %s\n", error.text);
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

/* Seconds to copy `bytes` in pieces that fit no cache. */
static double copy_floor(double bytes) {
    const size_t piece = (size_t)128 << 20;
    char *from = malloc(piece), *to = malloc(piece);
    double best = INFINITY;
    for (int round = 0; from && to && round < 4; round++) {
        memset(from, round, piece);
        const double start = xc_seconds();
        memcpy(to, from, piece);
        const double seconds = xc_seconds() - start;
        if (seconds < best && to[piece / 2] == round) best = seconds;
    }
    free(from);
    free(to);
    return best * bytes / (double)piece;
}

/* Returns whether we were not slower. */
static bool compare(const char *path) {
    double ours[ROUNDS], theirs[ROUNDS], decompressed = 0;
    char quoted[1100];
    snprintf(quoted, sizeof quoted, "'%s'", path);
    for (int round = 0; round < ROUNDS; round++) {
        ours[round] = run_ours(path, &decompressed);
        theirs[round] = round && isnan(theirs[0]) ? NAN : run_peer(quoted);
    }
    const double our_median = measure_median(ours, ROUNDS), peer_median = measure_median(theirs, ROUNDS);
    const char *name = strrchr(path, '/');
    printf("{\"bench\":\"read\",\"file\":\"%s\",\"median\":%.4f,\"least\":%.4f,\"most\":%.4f,\"floor\":%.4f",
           name ? name + 1 : path, our_median, ours[0], ours[ROUNDS - 1], copy_floor(decompressed));
    if (!isnan(theirs[0]))
        printf(",\"h5py_median\":%.4f,\"h5py_least\":%.4f,\"h5py_most\":%.4f,\"ratio\":%.2f", peer_median, theirs[0],
               theirs[ROUNDS - 1], peer_median / our_median);
    printf(",%s}\n", measure_where());
    fflush(stdout);
    return !isnan(ours[0]) && !(peer_median < our_median);
}

static bool have_large_file(void) {
    xc_error error = {0};
    if (xc_path_exists(large_file)) return true;
    if (xc_make_folder("build/bench", &error) != XC_OK) return false;
    fprintf(stderr, "making %s (a minute or two)\n", large_file);
    run_peer("--make build/bench/h5py.part");
    return rename("build/bench/h5py.part", large_file) == 0;
}

int main(int count, char **arguments) {
    bool good = true;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one); /* children inherit it */
    for (int i = 1; i < count; i++) good &= compare(arguments[i]);
    if (count > 1) return !good;
    const char *folder = getenv("EXPCONV_TEST_DATA");
    static const char *const names[] = {"IRF1_400_h3k27ac.h5", "ZBED2_400_h3k27ac.h5"};
    for (int i = 0; i < 2; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder ? folder : "../shared/data", names[i]);
        if (xc_path_exists(path)) good &= compare(path);
    }
    if (have_large_file()) good &= compare(large_file);
    return !good;
}
