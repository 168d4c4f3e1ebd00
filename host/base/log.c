/* log.c: messages and the progress line on stderr, and the same messages as JSON lines in a file. Nothing here writes
 * to stdout, which belongs to results.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "expconv/base.h"

enum { LINE_LENGTH = 2048, PLAIN_PROGRESS_SECONDS = 10 };

static struct {
    pthread_mutex_t lock;
    bool quiet;
    bool progress_shown; /* the cursor stands behind a progress line */
    double progress_time;
    FILE *json;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const level_words[] = {"info", "notice", "warning", "error"};

static void clear_progress(void) {
    if (state.progress_shown) fputs("\r\033[K", stderr);
    state.progress_shown = false;
}

static void write_json_text(FILE *stream, const char *text) {
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(stream, "\\%c", c);
        else if (c < 0x20)
            fprintf(stream, "\\u%04x", c);
        else
            fputc(c, stream);
    }
}

static void write_json(xc_log_level level, const char *text) {
    struct timespec now;
    struct tm utc;
    char when[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(state.json, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"text\":\"", when, now.tv_nsec / 1000000,
            level_words[level]);
    write_json_text(state.json, text);
    fputs("\"}\n", state.json);
    fflush(state.json);
}

void xc_log(xc_log_level level, const char *format, ...) {
    char line[LINE_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&state.lock);
    if (!state.quiet || level >= XC_LOG_WARNING) {
        clear_progress();
        fprintf(stderr, "expconv: %s%s%s\n", level == XC_LOG_INFO ? "" : level_words[level],
                level == XC_LOG_INFO ? "" : ": ", line);
    }
    if (state.json) write_json(level, line);
    pthread_mutex_unlock(&state.lock);
}

void xc_log_set_quiet(bool quiet) { state.quiet = quiet; }

/* Whether a file has content that no log begins with. */
static bool holds_else(const char *path) {
    FILE *stream = fopen(path, "r");
    const int first = stream ? fgetc(stream) : EOF;
    if (stream) fclose(stream);
    return first != EOF && first != '{';
}

xc_status xc_log_open_json(const char *path, xc_error *error) {
    struct stat about;
    xc_log_close();
    if (lstat(path, &about) == 0 && S_ISREG(about.st_mode) && holds_else(path))
        return xc_fail(error, XC_USAGE, "%s: is not a log of JSON lines; name another", path);
    state.json = fopen(path, "a");
    if (!state.json) return xc_fail(error, XC_IO, "%s: cannot write the log: %s", path, strerror(errno));
    return XC_OK;
}

void xc_log_close(void) {
    pthread_mutex_lock(&state.lock);
    clear_progress();
    if (state.json) fclose(state.json);
    state.json = NULL;
    pthread_mutex_unlock(&state.lock);
}

void xc_log_progress(bool final, const char *format, ...) {
    char line[LINE_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&state.lock);
    if (!state.quiet) {
        const double now = xc_seconds();
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\r\033[K%s%s", line, final ? "\n" : "");
            fflush(stderr);
            state.progress_shown = !final;
        } else if (final || now - state.progress_time >= PLAIN_PROGRESS_SECONDS) {
            fprintf(stderr, "%s\n", line);
            state.progress_time = now;
        }
    }
    pthread_mutex_unlock(&state.lock);
}
