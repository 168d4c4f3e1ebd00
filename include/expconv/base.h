/* base.h: the ground every room stands on: errors, logging, whole files, threads, interruption.
 *
 * Errors are values. A function that can fail returns an xc_status and, when it is not XC_OK, has written one line for
 * the user into the caller's xc_error: what went wrong, where (file, dataset, line or key), and what to do about it.
 * The random function, which kernels share, is in philox.h.
 */
#ifndef EXPCONV_BASE_H
#define EXPCONV_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XC_VERSION "0.1.0"

/* ---- errors ---------------------------------------------------------------------------------------------------- */

/* Every kind of failure, once: X(name, word). The word is what a log shows. */
#define XC_STATUSES(X)                                                                     \
    X(XC_OK, "ok")                                                                         \
    X(XC_USAGE, "usage")             /* the command line cannot be meant; exit status 2 */ \
    X(XC_INPUT, "input")             /* a file's content is not what it must be */         \
    X(XC_IO, "io")                   /* the system refused to read or write */             \
    X(XC_MEMORY, "memory")           /* an allocation failed */                            \
    X(XC_DEVICE, "device")           /* a backend is missing or failed */                  \
    X(XC_INTERRUPTED, "interrupted") /* Ctrl-C or SIGTERM; state is saved; exit status 130 */

#define XC_STATUS_ENUM(name, word) name,
typedef enum xc_status { XC_STATUSES(XC_STATUS_ENUM) } xc_status;
#undef XC_STATUS_ENUM

#define XC_ERROR_LENGTH 1024

/* What went wrong, as one line without a newline. Owned by the caller; needs no cleaning up. Initialise with {0}. */
typedef struct xc_error {
    xc_status status;
    char text[XC_ERROR_LENGTH];
} xc_error;

/* Writes the line and returns `status`, so that a function can fail in one statement. `error` may be NULL. */
xc_status xc_fail(xc_error *error, xc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts "prefix: " before the line already in `error`; returns error->status. */
xc_status xc_fail_in(xc_error *error, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* The word for a status, for logs. */
const char *xc_status_word(xc_status status);

/* Runs a fallible call inside a function that has `xc_status status` and a label `fail:`. */
#define XC_TRY(call)                    \
    do {                                \
        status = (call);                \
        if (status != XC_OK) goto fail; \
    } while (0)

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* Zeroed memory for `count` objects of `size` bytes, 64-byte aligned; *out is NULL and the status XC_MEMORY when there
 * is none (`what` names it in the error line). A count of 0 gives a pointer that may be freed. Free with free(). */
xc_status xc_allocate(void *out, size_t count, size_t size, const char *what, xc_error *error);

/* ---- text ------------------------------------------------------------------------------------------------------ */

/* The member of `names` (NULL-terminated) with the smallest edit distance to `word`, for "did you mean"; never NULL
 * when the list has a member. */
const char *xc_nearest(const char *word, const char *const *names);

/* Cuts a line of a TSV file at its tabs, in place: its fields, at most `most`, and how many there are. What follows the
 * last of `most` is left out. */
int xc_cut_fields(char *line, char **field, int most);

/* ---- logging --------------------------------------------------------------------------------------------------- */

/* All messages go to stderr (results alone go to stdout), and as JSON lines to the file of xc_log_open_json.
 * Thread safe. The progress line is cleared before a message and drawn again by the next xc_log_progress. */
typedef enum xc_log_level { XC_LOG_INFO, XC_LOG_NOTICE, XC_LOG_WARNING, XC_LOG_ERROR } xc_log_level;

void xc_log(xc_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Quiet keeps warnings and errors only. */
void xc_log_set_quiet(bool quiet);

/* Appends every message to `path` as one JSON object a line: time, level, text. A file that begins otherwise is left
 * alone (XC_USAGE). Closed by xc_log_close. */
xc_status xc_log_open_json(const char *path, xc_error *error);
void xc_log_close(void);

/* One progress line: redrawn in place on a terminal; a plain line at most every 10 seconds elsewhere; nothing when
 * quiet. `final` ends the line. */
void xc_log_progress(bool final, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- files ----------------------------------------------------------------------------------------------------- */

/* A file written whole or not at all: content goes to a temporary name beside it, and xc_file_commit syncs and renames.
 * xc_file_discard (safe after a commit or a failed open) removes the temporary. Not thread safe per object. */
typedef struct xc_file {
    FILE *stream; /* write here; NULL when the content is written by another library to `temporary` */
    char *path;
    char *temporary;
} xc_file;

/* Opens `stream` on the temporary name. With stream == false only reserves the name, for HDF5. */
xc_status xc_file_create(xc_file *file, const char *path, bool stream, xc_error *error);
xc_status xc_file_commit(xc_file *file, xc_error *error);
void xc_file_discard(xc_file *file);

/* Removes from a folder the temporaries that processes which were killed have left of files whose name `ours` accepts;
 * `process` is who wrote it. A folder that cannot be read has none. */
void xc_remove_leftovers(const char *folder, bool (*ours)(const void *context, const char *name, long process),
                         const void *context);

/* The whole of a text file with a terminating 0, to be freed; `*size` (may be NULL) without the 0. Refuses a file
 * larger than `limit` bytes. */
xc_status xc_file_read(const char *path, size_t limit, char **text, size_t *size, xc_error *error);

/* mkdir -p. */
xc_status xc_make_folder(const char *path, xc_error *error);

bool xc_path_exists(const char *path);

/* Whether both name one plain file that is there, by whatever links and folders. */
bool xc_path_same_file(const char *path, const char *other);

/* "folder/name" in fresh memory to be freed; NULL when there is none. */
char *xc_path_join(const char *folder, const char *name);

/* ---- time, threads, interruption ------------------------------------------------------------------------------- */

/* Seconds on a clock that only goes forward. */
double xc_seconds(void);

/* Cores this process may use (affinity and cgroup quota respected), at least 1. */
int xc_core_count(void);

/* Runs work(context, i) for i = 0..threads-1 on as many threads, the caller's among them; returns when all have. */
void xc_parallel(int threads, void (*work)(void *context, int thread), void *context);

/* ---- a team: threads that stay, for work in parts of a millisecond ----------------------------------------------- */

/* A fixed set of threads that run one function together, again and again. Between runs and at barriers they spin for
 * some microseconds before they sleep; nothing is allocated or locked. One run at a time: a team belongs to one caller.
 * NULL is a team of one, the caller alone, everywhere below. */
typedef struct xc_team xc_team;
typedef void xc_team_work(void *context, int thread, int threads);

/* Starts threads - 1 threads (the caller is thread 0). Where some cannot be started the team is smaller, never wrong; a
 * team of one is NULL. Fails with XC_MEMORY alone. Free with xc_team_free, which waits for none but idle threads. */
xc_status xc_team_create(int threads, xc_team **team, xc_error *error);
void xc_team_free(xc_team *team);

int xc_team_threads(const xc_team *team);

/* Runs work(context, thread, threads) once on every thread of the team and returns when all have returned. What any
 * thread wrote before is visible to all within, and what they wrote is visible to the caller after. */
void xc_team_run(xc_team *team, xc_team_work *work, void *context);

/* Within a run: waits until every thread of the team is here. All or none must call it. */
void xc_team_barrier(xc_team *team);

/* The part of 0 .. total - 1 that is thread number `thread`'s: parts are contiguous, ascending and differ by 1 at most.
 */
typedef struct xc_range {
    size_t begin, end;
} xc_range;
static inline xc_range xc_share(size_t total, int thread, int threads) {
    const size_t i = (size_t)thread, n = (size_t)threads, each = total / n, more = total % n;
    const size_t begin = i * each + (i < more ? i : more);
    return (xc_range){begin, begin + each + (i < more)};
}

/* Makes SIGINT and SIGTERM set a flag that xc_interrupted reads; a second SIGINT ends the process at once. */
void xc_interrupt_install(void);
bool xc_interrupted(void);

/* XC_INTERRUPTED once the flag is set; XC_OK before. For work that must not go on. */
xc_status xc_go_on(xc_error *error);

#ifdef __cplusplus
}
#endif
#endif
