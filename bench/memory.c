/* memory.c: how much memory does training need beyond the packed data? Makes a file of 200,000 × 1000 one-hot int8
 * sequences with 12 classes (gzip; kept in build/bench), trains cnn-50-1000 on it for one epoch in a child process, and
 * prints the child's peak resident memory beside the size of the packed data, as one JSON line.
 */
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expconv/base.h"
#include "expconv/philox.h"

enum { LENGTH = 1000, CLASSES = 12, TRAIN = 200000, OTHER = 1000, ROWS = 200 };

static const char file_name[] = "build/bench/onehot_200000x1000.h5";

static void fill_rows(int8_t *x, int8_t *y, uint32_t split, uint32_t first) {
    memset(x, 0, (size_t)ROWS * 4 * LENGTH);
    for (uint32_t row = 0; row < ROWS; row++) {
        xc_random_sequence random = {.seed = split, .stream = XC_STREAM_SIMULATE, .substream = first + row};
        for (int l = 0; l < LENGTH; l++) x[((size_t)row * 4 + (xc_random_next(&random) >> 30)) * LENGTH + l] = 1;
        for (int c = 0; c < CLASSES; c++) y[row * CLASSES + c] = (int8_t)(xc_random_next(&random) >> 31);
    }
}

static hid_t create_dataset(hid_t file, const char *name, int rank, const hsize_t *shape, const hsize_t *chunk) {
    const hid_t space = H5Screate_simple(rank, shape, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, rank, chunk);
    H5Pset_deflate(properties, 1);
    const hid_t dataset = H5Dcreate2(file, name, H5T_STD_I8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Pclose(properties);
    H5Sclose(space);
    return dataset;
}

static herr_t write_rows(hid_t dataset, int rank, const hsize_t *start, const hsize_t *count, const int8_t *values) {
    const hid_t space = H5Dget_space(dataset), memory = H5Screate_simple(rank, count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    const herr_t result = H5Dwrite(dataset, H5T_NATIVE_INT8, memory, space, H5P_DEFAULT, values);
    H5Sclose(memory);
    H5Sclose(space);
    return result;
}

static herr_t write_split(hid_t file, const char *name, uint32_t split, uint32_t sequences) {
    char x_name[32], y_name[32];
    snprintf(x_name, sizeof x_name, "X_%s", name);
    snprintf(y_name, sizeof y_name, "Y_%s", name);
    const hsize_t x_shape[] = {sequences, 4, LENGTH}, x_chunk[] = {ROWS, 4, LENGTH};
    const hsize_t y_shape[] = {sequences, CLASSES}, y_chunk[] = {ROWS, CLASSES};
    const hid_t x_set = create_dataset(file, x_name, 3, x_shape, x_chunk);
    const hid_t y_set = create_dataset(file, y_name, 2, y_shape, y_chunk);
    int8_t *x = malloc((size_t)ROWS * 4 * LENGTH), *y = malloc(ROWS * CLASSES);
    herr_t result = x && y ? 0 : -1;
    for (uint32_t first = 0; result >= 0 && first < sequences; first += ROWS) {
        fill_rows(x, y, split, first);
        const hsize_t x_start[] = {first, 0, 0}, y_start[] = {first, 0};
        result = write_rows(x_set, 3, x_start, x_chunk, x) < 0 ? -1 : write_rows(y_set, 2, y_start, y_chunk, y);
    }
    free(x);
    free(y);
    H5Dclose(x_set);
    H5Dclose(y_set);
    return result;
}

static xc_status make_file(xc_error *error) {
    if (xc_path_exists(file_name)) return XC_OK;
    xc_status status = XC_OK;
    xc_file file = {0};
    fprintf(stderr, "making %s (a minute)\n", file_name);
    XC_TRY(xc_make_folder("build/bench", error));
    XC_TRY(xc_file_create(&file, file_name, false, error));
    const hid_t out = H5Fcreate(file.temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const bool good = out >= 0 && write_split(out, "train", 1, TRAIN) >= 0 &&
                      write_split(out, "valid", 2, OTHER) >= 0 && write_split(out, "test", 3, OTHER) >= 0;
    if ((out >= 0 && H5Fclose(out) < 0) || !good) {
        status = xc_fail(error, XC_IO, "%s: cannot write", file_name);
        goto fail;
    }
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    return status;
}

/* Peak resident memory in MB of one training, or NAN. */
static double train_and_measure(double *seconds) {
    static const char command[] =
        "rm -rf build/bench/memory.trial && printf 'model: {zoo: cnn-50-1000}\\ndata: {file: "
        "build/bench/onehot_200000x1000.h5}\\n'"
        " > build/bench/memory.yaml && exec ./expconv train build/bench/memory.yaml --set train.epochs=1"
        " --out build/bench/memory.trial >build/bench/memory.log 2>&1";
    const double start = xc_seconds();
    const int result = system(command);
    *seconds = xc_seconds() - start;
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return result == 0 ? (double)usage.ru_maxrss / 1024 : NAN;
}

int main(void) {
    xc_error error = {0};
    if (make_file(&error) != XC_OK) {
        fprintf(stderr, "memory: %s\n", error.text);
        return 1;
    }
    double seconds;
    const double peak = train_and_measure(&seconds);
    if (isnan(peak)) {
        fprintf(stderr, "memory: the training failed; see build/bench/memory.log\n");
        return 1;
    }
    const double packed = (double)(TRAIN + 2 * OTHER) * LENGTH / 4 / (1 << 20);
    printf(
        "{\"bench\":\"memory\",\"model\":\"cnn-50-1000\",\"sequences\":%d,\"length\":%d,\"packed_mb\":%.1f,"
        "\"peak_mb\":%.1f,\"above_packed_mb\":%.1f,\"limit_mb\":400,\"seconds\":%.0f}\n",
        TRAIN, LENGTH, packed, peak, peak - packed, seconds);
    return peak - packed <= 400 ? 0 : 1;
}
