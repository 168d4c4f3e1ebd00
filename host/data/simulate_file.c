/* simulate_file.c: writes a simulated task as the paper's HDF5 layout: X_* int8 (n,4,L), Y_* int8 (n,classes), model_*
 * float32 (n,4,L), and the classes' names as target_labels. No times are stored: the same seed gives the same bytes.
 */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "h5.h"
#include "simulate.h"

enum { CHUNK_ROWS = 256, DEFLATE_LEVEL = 2 };

typedef struct writer {
    hid_t file;
    const xc_simulator *simulator;
    int8_t *x;    /* (CHUNK_ROWS,4,length) */
    float *model; /* (CHUNK_ROWS,4,length) */
    int8_t *y;    /* (CHUNK_ROWS,classes) */
} writer;

/* One dataset that is written in slabs of CHUNK_ROWS. */
static xc_status create_dataset(const writer *w, const char *name, hid_t type, int rank, const hsize_t *shape,
                                hid_t *dataset, xc_error *error) {
    char reason[256];
    hsize_t chunk[3];
    memcpy(chunk, shape, (size_t)rank * sizeof *chunk);
    if (chunk[0] > CHUNK_ROWS) chunk[0] = CHUNK_ROWS;
    const hid_t space = H5Screate_simple(rank, shape, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, false);
    H5Pset_chunk(properties, rank, chunk);
    if (H5Tget_size(type) > 1) H5Pset_shuffle(properties);
    H5Pset_deflate(properties, DEFLATE_LEVEL);
    *dataset = H5Dcreate2(w->file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    const bool good = *dataset >= 0;
    if (!good)
        xc_fail(error, XC_IO, "%s: cannot be created: HDF5 says \"%s\"", name, xc_h5_reason(reason, sizeof reason));
    H5Pclose(properties);
    H5Sclose(space);
    return good ? XC_OK : XC_IO;
}

/* Rows first .. first + rows of a dataset of shape. */
static xc_status write_rows(hid_t dataset, hid_t type, int rank, const hsize_t *shape, hsize_t first, hsize_t rows,
                            const void *values, xc_error *error) {
    char reason[256];
    const hsize_t start[3] = {first, 0, 0}, count[3] = {rows, shape[1], rank == 3 ? shape[2] : 1};
    const hid_t memory_space = H5Screate_simple(rank, count, NULL), file_space = H5Screate_simple(rank, shape, NULL);
    H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
    const bool good = H5Dwrite(dataset, type, memory_space, file_space, H5P_DEFAULT, values) >= 0;
    if (!good) xc_fail(error, XC_IO, "cannot write: HDF5 says \"%s\"", xc_h5_reason(reason, sizeof reason));
    H5Sclose(file_space);
    H5Sclose(memory_space);
    return good ? XC_OK : XC_IO;
}

/* Sequences order[begin .. end) as one split. */
static xc_status write_split(const writer *w, xc_split_name split, uint32_t begin, uint32_t end, xc_error *error) {
    const xc_simulator *s = w->simulator;
    const size_t length = s->simulation->length, classes = (size_t)s->classes;
    const hsize_t x_shape[3] = {end - begin, 4, length}, y_shape[2] = {end - begin, classes};
    hid_t x = H5I_INVALID_HID, y = H5I_INVALID_HID, model = H5I_INVALID_HID;
    char name[32];
    xc_status status;
    snprintf(name, sizeof name, "X_%s", xc_split_word(split));
    XC_TRY(create_dataset(w, name, H5T_STD_I8LE, 3, x_shape, &x, error));
    snprintf(name, sizeof name, "Y_%s", xc_split_word(split));
    XC_TRY(create_dataset(w, name, H5T_STD_I8LE, 2, y_shape, &y, error));
    snprintf(name, sizeof name, "model_%s", xc_split_word(split));
    XC_TRY(create_dataset(w, name, H5T_IEEE_F32LE, 3, x_shape, &model, error));
    for (uint32_t first = begin; first < end; first += CHUNK_ROWS) {
        const uint32_t rows = end - first < CHUNK_ROWS ? end - first : CHUNK_ROWS;
        for (uint32_t row = 0; row < rows; row++)
            XC_TRY(xc_simulator_draw(s, s->order[first + row], w->model + 4 * length * row, w->x + 4 * length * row,
                                     w->y + classes * row, error));
        XC_TRY(write_rows(x, H5T_NATIVE_INT8, 3, x_shape, first - begin, rows, w->x, error));
        XC_TRY(write_rows(y, H5T_NATIVE_INT8, 2, y_shape, first - begin, rows, w->y, error));
        XC_TRY(write_rows(model, H5T_NATIVE_FLOAT, 3, x_shape, first - begin, rows, w->model, error));
    }
fail:
    if (x >= 0) H5Dclose(x);
    if (y >= 0) H5Dclose(y);
    if (model >= 0) H5Dclose(model);
    return status;
}

/* The classes' names under Basset's name for them. */
static xc_status write_class_names(const writer *w, xc_error *error) {
    enum { LONGEST = 16 };
    char names[16][LONGEST] = {{0}};
    hid_t dataset = H5I_INVALID_HID;
    const hsize_t count = (hsize_t)w->simulator->classes;
    for (hsize_t i = 0; i < count; i++) snprintf(names[i], LONGEST, "%s", w->simulator->class_names[i]);
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, NULL);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Tset_size(type, LONGEST);
    H5Pset_obj_track_times(properties, false);
    dataset = H5Dcreate2(w->file, "target_labels", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    const bool good = dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, names) >= 0;
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(properties);
    H5Sclose(space);
    H5Tclose(type);
    return good ? XC_OK : xc_fail(error, XC_IO, "target_labels: cannot be written");
}

/* The paper's split: 70, 10 and 20 percent. */
static xc_status write_file(const writer *w, xc_error *error) {
    const uint64_t sequences = w->simulator->simulation->sequences;
    const uint32_t train = (uint32_t)(sequences * 7 / 10), valid = train + (uint32_t)(sequences / 10);
    xc_status status;
    XC_TRY(write_split(w, XC_TRAIN, 0, train, error));
    XC_TRY(write_split(w, XC_VALID, train, valid, error));
    XC_TRY(write_split(w, XC_TEST, valid, (uint32_t)sequences, error));
    XC_TRY(write_class_names(w, error));
fail:
    return status;
}

/* The file is made in memory and written as bytes: HDF5 does not survive a disk that fills up under an open file. */
static xc_status create_file(writer *w, xc_error *error) {
    enum { INCREMENT = 1 << 22 };
    const hid_t properties = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_obj_track_times(properties, false);
    H5Pset_fapl_core(access, INCREMENT, false);
    w->file = H5Fcreate("simulation", H5F_ACC_TRUNC, properties, access);
    H5Pclose(access);
    H5Pclose(properties);
    return w->file >= 0 ? XC_OK : xc_fail(error, XC_IO, "HDF5 cannot make a file in memory");
}

/* The finished file's bytes to `stream`; a write that fails is found by xc_file_commit. */
static xc_status write_image(const writer *w, FILE *stream, xc_error *error) {
    void *image = NULL;
    xc_status status = XC_OK;
    const ssize_t size = H5Fflush(w->file, H5F_SCOPE_GLOBAL) >= 0 ? H5Fget_file_image(w->file, NULL, 0) : -1;
    if (size > 0) XC_TRY(xc_allocate(&image, (size_t)size, 1, "the file", error));
    if (size > 0 && H5Fget_file_image(w->file, image, (size_t)size) == size)
        fwrite(image, 1, (size_t)size, stream);
    else
        status = xc_fail(error, XC_MEMORY, "HDF5 cannot finish the file in memory");
fail:
    free(image);
    return status;
}

static xc_status fill_file(const xc_simulator *s, FILE *stream, xc_error *error) {
    const size_t cells = (size_t)CHUNK_ROWS * 4 * s->simulation->length;
    writer w = {.file = H5I_INVALID_HID, .simulator = s};
    xc_status status;
    XC_TRY(xc_allocate(&w.x, cells, sizeof *w.x, "sequences", error));
    XC_TRY(xc_allocate(&w.model, cells, sizeof *w.model, "probabilities", error));
    XC_TRY(xc_allocate(&w.y, CHUNK_ROWS * (size_t)s->classes, sizeof *w.y, "labels", error));
    XC_TRY(create_file(&w, error));
    XC_TRY(write_file(&w, error));
    XC_TRY(write_image(&w, stream, error));
fail:
    if (w.file >= 0) H5Fclose(w.file);
    free(w.x);
    free(w.model);
    free(w.y);
    return status;
}

xc_status xc_simulate(const xc_simulation *simulation, const xc_motif_list *motifs, const char *path, xc_error *error) {
    if (simulation->sequences < 10 || simulation->sequences >= XC_REVERSE_COMPLEMENT)
        return xc_fail(error, XC_USAGE, "%u sequences cannot be split in 70, 10 and 20 percent; give 10 or more",
                       simulation->sequences);
    if (simulation->length < 1 || simulation->length > 1048575)
        return xc_fail(error, XC_USAGE, "a length of %u bases; 1 to 1048575 can be simulated", simulation->length);
    xc_simulator simulator;
    xc_file file = {0};
    H5E_auto2_t printer;
    void *printer_data;
    H5Eget_auto2(H5E_DEFAULT, &printer, &printer_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    xc_status status;
    XC_TRY(xc_simulator_open(&simulator, simulation, motifs, error));
    XC_TRY(xc_file_create(&file, path, true, error));
    XC_TRY(fill_file(&simulator, file.stream, error));
    XC_TRY(xc_file_commit(&file, error));
fail:
    xc_file_discard(&file);
    xc_simulator_free(&simulator);
    H5Eset_auto2(H5E_DEFAULT, printer, printer_data);
    return status;
}
