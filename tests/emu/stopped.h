/* stopped.h: for tests of what ends the process: a fault is run in a child, which must be stopped and say why.
 */
#ifndef EMU_STOPPED_H
#define EMU_STOPPED_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "emu.h"

/* Does work(argument) in a child; fails unless the child is stopped and what it writes to stderr has `says` in it. */
static inline void assert_stopped(void (*work)(int), int argument, const char *says) {
    int ends[2];
    char text[4096];
    size_t length = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka's handlers would go on */
        emu_explain_faults();
        work(argument);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) length += (size_t)got;
    text[length] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) fail_msg("fault %d was let pass", argument);
    if (!strstr(text, says)) fail_msg("fault %d: \"%s\" instead of \"%s\"", argument, text, says);
}

#endif
