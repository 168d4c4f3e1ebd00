/* peer.h: other systems' programs that do what a bench does: started once, warm, then asked for a round by a line on
 * their stdin, to which they answer with a JSON line. bench/peers/ holds the programs (serve.py has the protocol).
 *
 * A system is used where some Python has its package: the one that $EXPCONV_PYTHON names (or several, with ':'
 * between), a virtual environment under /opt/peers, /opt/peers_tf or /opt/peers_jax, or python3.
 */
#ifndef EXPCONV_PEER_H
#define EXPCONV_PEER_H

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expconv/base.h"

#define PEER_LOG "build/bench/peer.log"
#define PEER_MOST 16 /* processes side by side */

/* The Python that has a package, or NULL, which a notice says once. */
static inline const char *peer_python(const char *package) {
    static struct { char package[32], python[256]; } known[8];
    int at = 0;
    while (at < 7 && known[at].package[0] && strcmp(known[at].package, package) != 0) at++;
    if (!known[at].package[0]) {
        char candidates[1024];
        const char *named = getenv("EXPCONV_PYTHON");
        snprintf(known[at].package, sizeof known[at].package, "%s", package);
        snprintf(candidates, sizeof candidates, "%s:%s", named ? named : "",
                 "/opt/peers/bin/python:/opt/peers_tf/bin/python:/opt/peers_jax/bin/python:python3");
        for (char *rest = NULL, *one = strtok_r(candidates, ":", &rest); one; one = strtok_r(NULL, ":", &rest)) {
            char command[512];
            snprintf(command, sizeof command,
                     "%s -c 'import importlib.util as u; raise SystemExit(u.find_spec(\"%s\") is None)' 2>/dev/null",
                     one, package);
            if (system(command) != 0) continue;
            snprintf(known[at].python, sizeof known[at].python, "%s", one);
            break;
        }
        if (!known[at].python[0]) fprintf(stderr, "  notice   no Python here has %s: left out\n", package);
    }
    return known[at].python[0] ? known[at].python : NULL;
}

typedef struct peer {
    pid_t process; /* 0: none */
    FILE *to, *from;
    char line[1024]; /* its last answer */
} peer;

/* Reads one JSON line, skipping others; false at the end of the stream. */
static inline bool peer_read(peer *p) {
    while (fgets(p->line, sizeof p->line, p->from)) {
        p->line[strcspn(p->line, "\n")] = 0;
        if (p->line[0] == '{') return true;
    }
    return false;
}

/* Waits for its end; its peak resident memory in bytes. */
static inline double peer_end(peer *p) {
    struct rusage usage = {0};
    if (p->process <= 0) return 0;
    if (p->to) fclose(p->to);
    if (p->from) fclose(p->from);
    wait4(p->process, NULL, 0, &usage);
    *p = (peer){0};
    return 1024.0 * (double)usage.ru_maxrss;
}

/* Starts a program (NULL-terminated arguments) whose complaints go to PEER_LOG. */
static inline bool peer_start(peer *p, const char *const *arguments) {
    int to[2], from[2];
    *p = (peer){0};
    /* Closed in every program started later: a peer ends when its stdin does, so no other may hold that open. */
    if (pipe2(to, O_CLOEXEC) != 0) return false;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]), close(to[1]);
        return false;
    }
    fflush(NULL);
    p->process = fork();
    if (p->process == 0) {
        dup2(to[0], STDIN_FILENO), dup2(from[1], STDOUT_FILENO);
        if (!freopen(PEER_LOG, "a", stderr)) _exit(126);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    close(to[0]), close(from[1]);
    p->to = fdopen(to[1], "w"), p->from = fdopen(from[0], "r");
    if (p->process < 0 || !p->to || !p->from) {
        peer_end(p);
        return false;
    }
    return true;
}

/* The number after "key": in the last answer, or NAN. */
static inline double peer_number(const peer *p, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(p->line, quoted);
    return at ? strtod(at + strlen(quoted), NULL) : NAN;
}

/* ---- arrangements ------------------------------------------------------------------------------------------------ */

/* One way of one system to use all cores: several processes of one thread, or one process of all threads, which may
 * train several trials at once. */
typedef struct peer_arrangement {
    const char *package, *script; /* "torch", its program */
    int processes, threads, trials;
    const char *extra[4]; /* further arguments of the program */
    char system[48], text[64];
    peer peers[PEER_MOST];
    double times[99]; /* of rounds; milliseconds a step, or what the bench asks for */
    int rounds;
} peer_arrangement;

/* Starts its processes with the bench's own arguments (NULL-terminated, at most 16) and waits until all are warm. False
 * when the system is not here or a program of it fails, which the log explains. */
static inline bool peer_arrange(peer_arrangement *a, const char *const *own) {
    const char *python = peer_python(a->package);
    if (!python) return false;
    char threads[16], trials[16], core[16];
    const char *arguments[40] = {python,     a->script, "--serve", "--threads", threads,
                                 "--trials", trials,    "--core",  core};
    int count = 9;
    for (int i = 0; own[i]; i++) arguments[count++] = own[i];
    for (int i = 0; i < 4 && a->extra[i]; i++) arguments[count++] = a->extra[i];
    snprintf(threads, sizeof threads, "%d", a->threads);
    snprintf(trials, sizeof trials, "%d", a->trials);
    snprintf(a->text, sizeof a->text, "%d process%s x %d thread%s", a->processes, a->processes > 1 ? "es" : "",
             a->threads, a->threads > 1 ? "s" : "");
    if (a->trials > 1) snprintf(a->text + strlen(a->text), 24, ", vmap of %d", a->trials);
    bool good = true;
    for (int i = 0; i < a->processes && good; i++) {
        snprintf(core, sizeof core, "%d", i * a->threads);
        good = peer_start(&a->peers[i], arguments);
    }
    for (int i = 0; i < a->processes && good; i++) good = peer_read(&a->peers[i]);
    if (!good) {
        for (int i = 0; i < a->processes; i++) peer_end(&a->peers[i]);
        fprintf(stderr, "  notice   %s, %s: does not run here; see %s\n", a->package, a->text, PEER_LOG);
    }
    a->rounds = 0;
    return good;
}

static inline void peer_dismiss(peer_arrangement *a) {
    for (int i = 0; i < a->processes; i++) peer_end(&a->peers[i]);
}

/* Asks all its processes for a round at the same time; milliseconds a step of all together, or NAN. The system's name
 * and version are then known. */
static inline double peer_round(peer_arrangement *a) {
    double rate = 0;
    for (int i = 0; i < a->processes; i++)
        if (fputs("round\n", a->peers[i].to) < 0 || fflush(a->peers[i].to) != 0) return NAN;
    for (int i = 0; i < a->processes; i++) {
        if (!peer_read(&a->peers[i])) return NAN;
        rate += 1 / peer_number(&a->peers[i], "median_ms");
    }
    char name[24] = "", version[20] = "";
    const char *line = a->peers[0].line, *at = strstr(line, "\"peer\": \"");
    if (at) sscanf(at, "\"peer\": \"%23[^\"]", name);
    at = strstr(line, "\"version\": \"");
    if (at) sscanf(at, "\"version\": \"%19[^+\"]", version);
    snprintf(a->system, sizeof a->system, "%s %s", name, version);
    return 1 / rate;
}

/* One process with all the cores and one trial: what one trial alone is compared with. */
static inline bool peer_is_alone(const peer_arrangement *a) { return a->processes == 1 && a->trials == 1; }

/* Times the fastest: a peer beyond is left out after one round. Wide, as a round may be disturbed. */
#define PEER_NEAR 1.4

/* Of arrangements whose times[0] is their first round, or NAN where they do not run, keeps those near the fastest of
 * all, or with `alone` those near the fastest of the alone, at the front of the list; the others are told to `left_out`
 * and dismissed. Returns how many it kept. */
static inline int peer_keep_near(peer_arrangement *list, int count, bool alone,
                                 void (*left_out)(const void *context, const peer_arrangement *a),
                                 const void *context) {
    double best = INFINITY, best_alone = INFINITY;
    int kept = 0;
    for (int i = 0; i < count; i++) {
        if (isnan(list[i].times[0])) continue;
        best = fmin(best, list[i].times[0]);
        if (peer_is_alone(&list[i])) best_alone = fmin(best_alone, list[i].times[0]);
    }
    for (int i = 0; i < count; i++) {
        peer_arrangement *a = &list[i];
        if (isnan(a->times[0])) continue;
        const bool near_alone = alone && peer_is_alone(a) && a->times[0] <= PEER_NEAR * best_alone;
        if (a->times[0] <= PEER_NEAR * best || near_alone) {
            if (kept != i) list[kept] = *a;
            kept++;
            continue;
        }
        left_out(context, a);
        peer_dismiss(a);
    }
    return kept;
}

#endif
