/* data.h: from files to packed DNA. Reads the HDF5 layouts of the field, checks every column, packs to 2 bits a base
 * in chunk order, and simulates the paper's synthetic tasks. HDF5 and htslib are seen in this room alone (and HDF5 in
 * the checkpoint).
 */
#ifndef EXPCONV_DATA_H
#define EXPCONV_DATA_H

#include "expconv/backend.h"
#include "expconv/motif.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a split: packed sequences with labels ---------------------------------------------------------------------- */

/* Sequences of one length with their labels, in host memory. Owns everything its pointers reach; xc_split_free. 0.25
 * bytes a base; in a split with an N, 4 bytes more for every sequence and for every run of N. A split with
 * reverse_complement stands for twice its sequences: item i < sequences is sequence i, item sequences + i its reverse
 * complement, as the paper appends them. */
typedef struct xc_split {
    xc_dna_view dna;
    const float *labels; /* (sequences, classes); NULL when the file has none */
    int32_t classes;
    bool reverse_complement;
} xc_split;

void xc_split_free(xc_split *split);

/* How many items an epoch has: sequences, or twice as many. */
size_t xc_split_items(const xc_split *split);

/* The index word (backend.h) of item i. */
uint32_t xc_split_index(const xc_split *split, size_t item);

/* A builder for packed DNA: append sequences as codes (0..3, XC_BASE_N), then finish. Used by readers and simulators.
 */
typedef struct xc_dna_builder {
    uint8_t *bases;
    uint32_t *run_start, *runs;
    size_t run_capacity, run_count;
    uint32_t sequences, capacity, length, row_bytes;
} xc_dna_builder;

/* `capacity` sequences of `length` bases (1 .. 1,048,575). */
xc_status xc_dna_builder_open(xc_dna_builder *builder, uint32_t capacity, uint32_t length, xc_error *error);
xc_status xc_dna_builder_append(xc_dna_builder *builder, const uint8_t *codes, xc_error *error);
/* Moves the packed sequences into `dna` (run_start stays NULL when no N was seen) and empties the builder. */
void xc_dna_builder_finish(xc_dna_builder *builder, xc_dna_view *dna);
void xc_dna_builder_free(xc_dna_builder *builder);

/* Unpacks the sequence of an index word (reverse complement included) to codes (length). */
void xc_dna_unpack(const xc_dna_view *dna, uint32_t index, uint8_t *codes);

/* ---- HDF5 ------------------------------------------------------------------------------------------------------- */

typedef enum xc_split_name { XC_TRAIN, XC_VALID, XC_TEST, XC_SPLIT_COUNT } xc_split_name;

/* "train", "valid", "test". */
const char *xc_split_word(xc_split_name split);

/* Names that override the search; NULL members are searched. An empty y: the labels are left unread. */
typedef struct xc_data_names {
    const char *x[XC_SPLIT_COUNT];
    const char *y[XC_SPLIT_COUNT];
} xc_data_names;

/* What a file holds, as far as its header tells. */
typedef enum xc_layout {
    XC_LAYOUT_N4L,  /* (n,4,L), the paper's */
    XC_LAYOUT_N4L1, /* (n,4,L,1) */
    XC_LAYOUT_N41L, /* (n,4,1,L), Basset's */
    XC_LAYOUT_NL4,  /* (n,L,4) */
} xc_layout;

/* The shape as users know it: "(n,4,L)". */
const char *xc_layout_word(xc_layout layout);

typedef struct xc_split_header {
    bool present;
    char x_name[64], y_name[64], type[32], storage[96]; /* type "float32", storage "chunks (215,1,50), deflate 4" */
    xc_layout layout;
    uint64_t sequences, length;
    int32_t classes; /* 0: no labels */
} xc_split_header;

typedef struct xc_dataset {
    char path[1024];
    xc_split_header header[XC_SPLIT_COUNT];
    xc_split split[XC_SPLIT_COUNT]; /* filled for those that were asked for */
    bool has_model; /* model_train / model_valid / model_test, the probabilities sequences were drawn from */
} xc_dataset;

/* Reads the headers and sequences of the splits in `wanted` (bit 1 << XC_TRAIN and so on), each checked column by
 * column: one-hot or all zero; the other splits are not looked at. With wanted == 0: the headers of all splits.
 * Refuses: not HDF5; a dataset missing, of wrong rank, empty, of unequal counts; splits that differ in length or
 * classes; a column that is not one-hot (named: dataset, sequence, position); NaN labels. Chunks are read once, in
 * order, by `threads` threads (0: all cores): the same bytes and the same error for any number. Memory beside the
 * packed result is bounded by one row of chunks for each thread. When xc_interrupted() ends with XC_INTERRUPTED.
 * `names` may be NULL. Thread safe. Free with xc_dataset_free, also on failure. */
xc_status xc_dataset_read(const char *path, const xc_data_names *names, unsigned wanted, bool reverse_complement,
                          int threads, xc_dataset *dataset, xc_error *error);
void xc_dataset_free(xc_dataset *dataset);

/* Labels all 0 or 1? Otherwise names the first that is not. For binary losses. */
xc_status xc_split_check_binary(const xc_split *split, const char *where, xc_error *error);

/* `expconv inspect`: prints layout, counts, length, base composition, class balance, and the first fault of each split
 * to `stream`. A fault is an error after everything that can be read was printed. `threads` as above. */
xc_status xc_inspect(const char *path, const xc_data_names *names, int threads, FILE *stream, xc_error *error);

/* ---- ground truth, and attribution maps ------------------------------------------------------------------------- */

/* The dataset model_train, model_valid or model_test, open for reading. Not thread safe. */
typedef struct xc_truth xc_truth;

/* Refuses a file without it, and one that is not of as many sequences of the same length as `of`. */
xc_status xc_truth_open(const char *path, xc_split_name split, const xc_split *of, xc_truth **truth, xc_error *error);
void xc_truth_close(xc_truth *truth);

/* The probabilities (4,L) of one sequence, rows A C G T, by its index word. */
xc_status xc_truth_read(xc_truth *truth, uint32_t index, float *probabilities, xc_error *error);

/* What a file says about itself. */
typedef struct xc_file_attribute {
    const char *name, *text; /* text NULL: a number */
    double number;
} xc_file_attribute;

/* Attribution maps of `count` sequences of `length` bases for some classes, as HDF5, whole or not at all. Datasets:
 *   sequences (n,4,L) uint8, index (n) uint32, reverse_complement (n) uint8
 *   hypothetical (n,4,L), contributions (n,4,L), output (n), gap (n), all float32; where there are several classes in
 *   groups class0, class1, ...
 * with the attributes at the top. The disk's space is taken at the beginning. Memory does not grow with `count`. */
typedef struct xc_attribution_file xc_attribution_file;
xc_status xc_attribution_file_create(const char *path, size_t count, uint32_t length, const int32_t *classes,
                                     int32_t class_count, const xc_file_attribute *attributes, size_t attribute_count,
                                     xc_attribution_file **file, xc_error *error);

/* Rows first .. first + count - 1 of the class that is number `class_number` of those of the file. */
xc_status xc_attribution_file_write(xc_attribution_file *file, int32_t class_number, size_t first, size_t count,
                                    const float *hypothetical, const float *contributions, const float *output,
                                    const float *gap, xc_error *error);

/* One row's sequence, codes (length), and its index word. */
xc_status xc_attribution_file_write_sequence(xc_attribution_file *file, size_t row, uint32_t index,
                                             const uint8_t *codes, xc_error *error);

/* The file is there after commit; discard, always the last call, removes what was not committed. */
xc_status xc_attribution_file_commit(xc_attribution_file *file, xc_error *error);
void xc_attribution_file_discard(xc_attribution_file *file);

/* The maps of one class, read back. Not thread safe. */
typedef struct xc_maps xc_maps;
xc_status xc_maps_open(const char *path, xc_maps **maps, xc_error *error);
void xc_maps_close(xc_maps *maps);
size_t xc_maps_count(const xc_maps *maps);
uint32_t xc_maps_length(const xc_maps *maps);
uint32_t xc_maps_index(const xc_maps *maps, size_t row); /* an index word */

/* One row's sequence (length) and contributions (4,length). */
xc_status xc_maps_read(xc_maps *maps, size_t row, uint8_t *codes, float *contributions, xc_error *error);

/* The text of an attribute, cut to `size`; empty where there is none. */
void xc_maps_word(const xc_maps *maps, const char *attribute, char *word, size_t size);

/* One array (count,4,length) of float32 as NumPy's .npz, key arr_0, whole or not at all; rows come one after another,
 * no more than `count`, which commit demands. Memory does not grow with `count`; the disk holds the array twice until discard, which is always the last call. */
typedef struct xc_npz xc_npz;
xc_status xc_npz_create(const char *path, size_t count, uint32_t length, xc_npz **npz, xc_error *error);
xc_status xc_npz_write(xc_npz *npz, const float *values, size_t rows, xc_error *error);
xc_status xc_npz_commit(xc_npz *npz, xc_error *error);
void xc_npz_discard(xc_npz *npz);

/* ---- FASTA ------------------------------------------------------------------------------------------------------ */

/* All sequences of a FASTA file (plain, gzip or bgzip), which must be of one length (`length`, or 0 to take the
 * first's); IUPAC codes other than ACGT (either case) become N. `names` (may be NULL) gets their names, to be freed
 * each and whole. */
xc_status xc_fasta_read(const char *path, uint32_t length, xc_split *split, char ***names, xc_error *error);

/* ---- simulation ------------------------------------------------------------------------------------------------- */

typedef enum xc_task { XC_TASK_MOTIFS, XC_TASK_GRAMMAR } xc_task; /* the paper's tasks 1 and 3 */

typedef struct xc_simulation {
    xc_task task;
    uint32_t sequences; /* 30,000 and 20,000 in the paper */
    uint32_t length;    /* 200 */
    uint64_t seed;
} xc_simulation;

/* Simulates the task from `motifs` (names matched without case; every name the task needs must be there; the first of a
 * name is taken) and writes X_*, Y_* and model_* for train, valid, test (70/10/20) to `path`, whole or not at all. Task
 * motifs implants the paper's twelve. In task grammar positives draw from SP1, Gabpa, CEBPB, MAX and YY1, negatives
 * from those and 50 others of the file, each on both strands. The same seed gives the same bytes. Source: Koo &
 * Ploenzke 2021, methods. */
xc_status xc_simulate(const xc_simulation *simulation, const xc_motif_list *motifs, const char *path, xc_error *error);

#ifdef __cplusplus
}
#endif
#endif
