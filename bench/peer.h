/* peer.h: other systems' programs that time a training step: started once, warm, then asked for a round by a line on
 * their stdin, to which they answer with a JSON line that has "median_ms". bench/peers/ holds the programs.
 */
#ifndef EXPCONV_PEER_H
#define EXPCONV_PEER_H

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expconv/base.h"

typedef struct peer {
    pid_t process; /* 0: none */
    FILE *to, *from;
    char line[1024]; /* its last answer */
} peer;

/* $EXPCONV_PYTHON, or the peers' own Python where there is one. */
static inline const char *peer_python(void) {
    const char *named = getenv("EXPCONV_PYTHON");
    if (named && *named) return named;
    return xc_path_exists("/opt/peers/bin/python") ? "/opt/peers/bin/python" : "python3";
}

/* Reads one JSON line, skipping others; false at the end of the stream. */
static inline bool peer_read(peer *p) {
    while (fgets(p->line, sizeof p->line, p->from)) {
        p->line[strcspn(p->line, "\n")] = 0;
        if (p->line[0] == '{') return true;
    }
    return false;
}

static inline void peer_end(peer *p) {
    if (p->process <= 0) return;
    if (p->to) fclose(p->to);
    if (p->from) fclose(p->from);
    waitpid(p->process, NULL, 0);
    *p = (peer){0};
}

/* Starts a program (NULL-terminated arguments) whose complaints go to build/bench/peer.log. */
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
        if (!freopen("build/bench/peer.log", "a", stderr)) _exit(126);
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

/* Asks all of `peers` for a round at the same time; milliseconds a step of all together, or NAN. */
static inline double peer_round(peer *peers, int count) {
    double rate = 0;
    for (int i = 0; i < count; i++)
        if (fputs("round\n", peers[i].to) < 0 || fflush(peers[i].to) != 0) return NAN;
    for (int i = 0; i < count; i++) {
        if (!peer_read(&peers[i])) return NAN;
        rate += 1 / peer_number(&peers[i], "median_ms");
    }
    return 1 / rate;
}

#endif
