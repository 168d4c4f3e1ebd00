/* h5.h: what this room's files share about HDF5: an open input file with HDF5's own error printing silenced, one-line
 * reasons, and words for types and storage. HDF5's errors go to the xc_error and nowhere else.
 */
#ifndef EXPCONV_HOST_DATA_H5_H
#define EXPCONV_HOST_DATA_H5_H

#include <hdf5.h>

#include "expconv/data.h"

/* A file open for reading. While it is open, HDF5 prints no error stack on this thread. */
typedef struct xc_h5 {
    hid_t file;
    const char *path; /* for error lines; not owned */
    H5E_auto2_t printer;
    void *printer_data;
} xc_h5;

/* Opens `path`; says whether it is missing, not HDF5, or damaged. xc_h5_close is safe after failure. */
xc_status xc_h5_open(xc_h5 *h5, const char *path, xc_error *error);
void xc_h5_close(xc_h5 *h5);

/* Keeps HDF5 from printing on a thread other than that which opened the file, until that thread ends. */
void xc_h5_silence(void);

/* The innermost message of HDF5's error stack, as it is right after a failed call. Returns `text`. */
const char *xc_h5_reason(char *text, size_t size);

/* Whether the file has something of this name, readable or not; names may have slashes. */
bool xc_h5_has(const xc_h5 *h5, const char *name);

/* Opens a dataset and gets its shape (at most `longest` axes, else *rank says how many there are). The data set is
 * opened with the access properties `access` (H5P_DEFAULT). Close with H5Dclose. */
xc_status xc_h5_dataset_open(const xc_h5 *h5, const char *name, hid_t access, hid_t *dataset, int *rank, hsize_t *shape,
                             int longest, xc_error *error);

/* "(100,4,200)" into text; returns it. */
const char *xc_h5_shape_word(int rank, const hsize_t *shape, char *text, size_t size);

/* What the root group holds, "X_train (100,4,200), Y_train (100,12)", cut with "..." where it does not fit. */
void xc_h5_contents(const xc_h5 *h5, char *text, size_t size);

/* "float32", "int8", "bool", "float64 big-endian"; returns whether it holds numbers. */
bool xc_h5_type_word(hid_t type, char *text, size_t size);

/* "contiguous", "compact" or "chunks (215,1,50), shuffle, deflate 4". */
void xc_h5_storage_word(hid_t dataset, char *text, size_t size);

/* Refuses a dataset that is compressed with a filter that is not here, and names it. */
xc_status xc_h5_check_filters(const xc_h5 *h5, hid_t dataset, const char *name, xc_error *error);

#endif
