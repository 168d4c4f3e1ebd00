/* h5_image.h: small HDF5 files built in memory and read from disk, for weights and checkpoints. Internal to host/model.
 *
 * An image is built with HDF5's core driver and written by us, so that a full disk is an ordinary failed write and
 * never leaves HDF5 holding a file that it cannot close. HDF5 is not thread safe: every call of this room runs between
 * xc_image_begin and xc_image_end, which also silence its error stack.
 */
#ifndef EXPCONV_H5_IMAGE_H
#define EXPCONV_H5_IMAGE_H

#include <hdf5.h>

#include "expconv/base.h"

/* One file open at a time in each thread; `path` is for messages and must outlive it. */
typedef struct xc_image {
    hid_t file;
    const char *path;
} xc_image;

/* Takes the process-wide lock and puts HDF5's messages away; end undoes both. Do not nest. */
void xc_image_begin(void);
void xc_image_end(void);

/* Writes an image, whole or not at all. Outside of begin and end, so that no other thread waits for the disk. */
xc_status xc_image_store(const char *path, const void *image, size_t size, xc_error *error);

/* Everything below: between begin and end. */

/* An empty image, and its bytes when it is complete (to be freed). `path` is where they will go. */
xc_status xc_image_create(xc_image *h5, const char *path, xc_error *error);
xc_status xc_image_take(xc_image *h5, void **image, size_t *size, xc_error *error);
/* Opens the file at `path`; refuses one that is missing, not HDF5, or truncated. */
xc_status xc_image_open(xc_image *h5, const char *path, xc_error *error);
/* Closes either; safe when nothing is open. */
void xc_image_close(xc_image *h5);

/* A group of the root; absolute or relative names with '/' then reach into it. */
xc_status xc_image_put_group(xc_image *h5, const char *name, xc_error *error);
/* A contiguous dataset of the memory type `type`, stored little-endian. */
xc_status xc_image_put(xc_image *h5, const char *name, hid_t type, int rank, const hsize_t *shape, const void *values,
                       xc_error *error);
xc_status xc_image_put_text(xc_image *h5, const char *attribute, const char *text, xc_error *error);
xc_status xc_image_put_number(xc_image *h5, const char *attribute, uint64_t number, xc_error *error);

/* Reads a dataset of exactly this shape; otherwise fails with its name, its shape and the shape that is wanted. */
xc_status xc_image_get(const xc_image *h5, const char *name, hid_t type, int rank, const hsize_t *shape, void *values,
                       xc_error *error);
/* Attributes of the root; a text longer than `size` is cut. */
xc_status xc_image_get_text(const xc_image *h5, const char *attribute, char *text, size_t size, xc_error *error);
xc_status xc_image_get_number(const xc_image *h5, const char *attribute, uint64_t *number, xc_error *error);

#endif
