/* test_team.c: a team runs its work once on every thread, whether it spins, sleeps or begins at once; a barrier holds
 * all of them; what was written before is seen after. The counters are plain variables on purpose: a thread sanitizer
 * would find what is not ordered.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "expconv/base.h"

#define MOST 5

static xc_team *team_of(int threads) {
    xc_team *team = NULL;
    xc_error error = {0};
    assert_int_equal(xc_team_create(threads, &team, &error), XC_OK);
    assert_int_equal(xc_team_threads(team), threads < 1 ? 1 : threads);
    return team;
}

/* What threads leave for each other. */
typedef struct board {
    xc_team *team;
    int threads; /* expected */
    unsigned runs[MOST];
    unsigned value;          /* the caller's, read by all */
    unsigned seen[MOST];     /* of value */
    unsigned faults[MOST];   /* what a thread found that should not be */
    unsigned rounds;         /* of a run with barriers */
    unsigned stage[2][MOST]; /* written before a barrier, read by all after it */
    unsigned long sum[MOST];
    useconds_t nap;
} board;

static void note(void *context, int thread, int threads) {
    board *b = context;
    if (threads != b->threads || thread < 0 || thread >= threads) b->faults[0]++;
    b->runs[thread]++;
    b->seen[thread] = b->value;
}

static void every_thread_works_once_a_run(void **state) {
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) {
        board b = {.team = team_of(threads), .threads = threads};
        for (unsigned run = 1; run <= 300; run++) {
            b.value = 7 * run;
            xc_team_run(b.team, note, &b);
            for (int i = 0; i < threads; i++) {
                assert_int_equal(b.runs[i], run);
                assert_int_equal(b.seen[i], 7 * run);
            }
        }
        assert_int_equal(b.faults[0], 0);
        xc_team_free(b.team);
    }
}

/* After a pause the others are asleep. */
static void a_sleeping_team_wakes(void **state) {
    (void)state;
    board b = {.team = team_of(3), .threads = 3};
    for (unsigned run = 1; run <= 20; run++) {
        usleep(3000);
        b.value = run;
        xc_team_run(b.team, note, &b);
        for (int i = 0; i < 3; i++) assert_int_equal(b.seen[i], run);
    }
    usleep(3000);
    xc_team_free(b.team);
}

/* Each thread writes its number of the round, meets the others, and must find theirs; the two stages alternate, so one
 * barrier a round is enough. */
static void meet(void *context, int thread, int threads) {
    board *b = context;
    for (unsigned round = 1; round <= b->rounds; round++) {
        unsigned *stage = b->stage[round % 2];
        stage[thread] = round + (unsigned)thread;
        if (b->nap && (int)(round % (unsigned)threads) == thread) usleep(b->nap); /* the others fall asleep */
        xc_team_barrier(b->team);
        for (int i = 0; i < threads; i++) {
            if (stage[i] != round + (unsigned)i) b->faults[thread]++;
            b->sum[thread] += stage[i];
        }
    }
}

static void check_barriers(int threads, unsigned rounds, useconds_t nap) {
    board b = {.team = team_of(threads), .threads = threads, .rounds = rounds, .nap = nap};
    for (int run = 0; run < 3; run++) xc_team_run(b.team, meet, &b);
    for (int i = 0; i < threads; i++) {
        assert_int_equal(b.faults[i], 0);
        assert_int_equal(b.sum[i], b.sum[0]);
    }
    xc_team_free(b.team);
}

static void a_barrier_holds_all(void **state) {
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) check_barriers(threads, 200, 0);
}

static void a_barrier_wakes_those_that_sleep(void **state) {
    (void)state;
    check_barriers(2, 20, 2000);
    check_barriers(4, 20, 2000);
}

static void a_team_of_one_is_the_caller(void **state) {
    (void)state;
    board b = {.threads = 1, .rounds = 3, .value = 5};
    assert_int_equal(xc_team_threads(NULL), 1);
    xc_team_run(NULL, note, &b);
    xc_team_run(NULL, meet, &b);
    xc_team_barrier(NULL);
    assert_int_equal(b.seen[0], 5);
    assert_int_equal(b.faults[0], 0);
    for (int threads = -1; threads <= 1; threads++) assert_null(team_of(threads));
    xc_team_free(NULL);
}

/* Teams do not know of each other: two callers, each with its own. */
static void *call(void *argument) {
    for (int run = 0; run < 100; run++) xc_team_run(((board *)argument)->team, note, argument);
    return NULL;
}

static void two_teams_run_side_by_side(void **state) {
    (void)state;
    board b[2] = {{.team = team_of(2), .threads = 2}, {.team = team_of(3), .threads = 3}};
    pthread_t caller;
    assert_int_equal(pthread_create(&caller, NULL, call, &b[0]), 0);
    call(&b[1]);
    assert_int_equal(pthread_join(caller, NULL), 0);
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < b[t].threads; i++) assert_int_equal(b[t].runs[i], 100);
        assert_int_equal(b[t].faults[0], 0);
        xc_team_free(b[t].team);
    }
}

/* A team that was never used, and one that is freed at once after its last run. */
static void teams_come_and_go(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        board b = {.team = team_of(3), .threads = 3};
        if (i % 2) xc_team_run(b.team, note, &b);
        xc_team_free(b.team);
        for (int t = 0; t < 3; t++) assert_int_equal(b.runs[t], i % 2);
    }
}

static void shares_are_all_of_it(void **state) {
    (void)state;
    for (size_t total = 0; total < 40; total++)
        for (int threads = 1; threads <= 7; threads++) {
            size_t at = 0, least = total, most = 0;
            for (int i = 0; i < threads; i++) {
                const xc_range part = xc_share(total, i, threads);
                assert_int_equal(part.begin, at);
                assert_true(part.end >= part.begin);
                at = part.end;
                if (part.end - part.begin < least) least = part.end - part.begin;
                if (part.end - part.begin > most) most = part.end - part.begin;
            }
            assert_int_equal(at, total);
            assert_true(most - least <= 1);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_works_once_a_run),
        cmocka_unit_test(a_sleeping_team_wakes),
        cmocka_unit_test(a_barrier_holds_all),
        cmocka_unit_test(a_barrier_wakes_those_that_sleep),
        cmocka_unit_test(a_team_of_one_is_the_caller),
        cmocka_unit_test(two_teams_run_side_by_side),
        cmocka_unit_test(teams_come_and_go),
        cmocka_unit_test(shares_are_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
