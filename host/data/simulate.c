/* simulate.c: which motifs a synthetic task implants, how many and where, and how bases are drawn from the resulting
 * probabilities. The background is uniform. Writing the file is in simulate_file.c.
 *
 * Source: Koo & Ploenzke 2021, methods (tasks 1 and 3) and the published notebooks' laws.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "simulate.h"

/* Substreams of XC_STREAM_SIMULATE. Part of the reproducibility contract: never renumber, only append. Those of a
 * sequence begin at word number << 32. */
enum {
    SUBSTREAM_ORDER = 0,  /* the order of the sequences before the split */
    SUBSTREAM_OTHERS = 1, /* which other motifs task grammar's negatives draw from */
    SUBSTREAM_PLAN = 2,   /* implants and gaps of a sequence */
    SUBSTREAM_BASES = 3,  /* bases of a sequence */
};

enum { MOST_IMPLANTS = 7, OTHERS = 50, REDRAWS = 10000 };

static const char *const motif_names[] = {"Arid3a", "CEBPB", "FOSL1", "Gabpa", "MAFK",  "MAX",
                                          "MEF2A",  "NFYB",  "SP1",   "SRF",   "STAT1", "YY1"};
static const char *const core_names[] = {"SP1", "Gabpa", "CEBPB", "MAX", "YY1"};
static const char *const grammar_classes[] = {"grammar"};
enum { MOTIF_NAMES = sizeof motif_names / sizeof *motif_names, CORE_NAMES = sizeof core_names / sizeof *core_names };

/* ---- choosing motifs -------------------------------------------------------------------------------------------- */

static void add_strands(xc_simulator *s, const xc_motif *motif, int32_t class) {
    s->implant[s->implants++] = (xc_implant){motif, false, class};
    s->implant[s->implants++] = (xc_implant){motif, true, class};
}

static xc_status add_named(xc_simulator *s, const xc_motif_list *motifs, const char *const *names, int count,
                           xc_error *error) {
    for (int class = 0; class < count; class ++) {
        const xc_motif *motif = xc_motif_find(motifs, names[class]);
        if (!motif)
            return xc_fail(
                error, XC_INPUT,
                "none of the %zu motifs given is named %s, which this task implants; give a motif file that has it "
                "(for task motifs configs/motifs/task1.meme)",
                motifs->count, names[class]);
        add_strands(s, motif, class);
    }
    return XC_OK;
}

/* Whether a motif's name is a core motif's, or has it as part of a dimer or variant: "MAX::MYC", "MAX(var.2)". */
static bool is_core(const char *name) {
    while (*name) {
        const size_t length = strcspn(name, ":(");
        for (int i = 0; i < CORE_NAMES; i++)
            if (strlen(core_names[i]) == length && strncasecmp(name, core_names[i], length) == 0) return true;
        name += length;
        name += strspn(name, ":(");
    }
    return false;
}

/* Fifty other motifs of the file, drawn without replacement. */
static xc_status add_others(xc_simulator *s, const xc_motif_list *motifs, xc_error *error) {
    xc_status status;
    const xc_motif **others;
    uint32_t count = 0;
    XC_TRY(xc_allocate(&others, motifs->count, sizeof *others, "motifs", error));
    for (size_t i = 0; i < motifs->count; i++)
        if (!is_core(*motifs->motif[i].name ? motifs->motif[i].name : motifs->motif[i].id))
            others[count++] = &motifs->motif[i];
    if (count < OTHERS)
        status = xc_fail(
            error, XC_INPUT,
            "task grammar needs %d motifs besides its own five, but %u were given; give a file of many, such as "
            "JASPAR's vertebrate motifs",
            OTHERS, count);
    xc_random_sequence random = {
        .seed = s->simulation->seed, .stream = XC_STREAM_SIMULATE, .substream = SUBSTREAM_OTHERS};
    for (uint32_t i = 0; i < OTHERS && status == XC_OK; i++) {
        const uint32_t j = i + xc_random_below(&random, count - i);
        const xc_motif *taken = others[j];
        others[j] = others[i];
        add_strands(s, taken, 0);
    }
    free(others);
fail:
    return status;
}

static void shuffle_order(xc_simulator *s) {
    xc_random_sequence random = {
        .seed = s->simulation->seed, .stream = XC_STREAM_SIMULATE, .substream = SUBSTREAM_ORDER};
    const uint32_t count = s->simulation->sequences;
    for (uint32_t i = 0; i < count; i++) s->order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        const uint32_t j = xc_random_below(&random, i), other = s->order[j];
        s->order[j] = s->order[i - 1];
        s->order[i - 1] = other;
    }
}

xc_status xc_simulator_open(xc_simulator *s, const xc_simulation *simulation, const xc_motif_list *motifs,
                            xc_error *error) {
    xc_status status;
    *s = (xc_simulator){.simulation = simulation};
    XC_TRY(xc_allocate(&s->implant, 2 * (MOTIF_NAMES + OTHERS), sizeof *s->implant, "motifs", error));
    XC_TRY(xc_allocate(&s->order, simulation->sequences, sizeof *s->order, "the order of sequences", error));
    if (simulation->task == XC_TASK_MOTIFS) {
        XC_TRY(add_named(s, motifs, motif_names, MOTIF_NAMES, error));
        s->fewest = 1;
        s->classes = MOTIF_NAMES;
        s->class_names = motif_names;
    } else {
        XC_TRY(add_named(s, motifs, core_names, CORE_NAMES, error));
        s->core_implants = s->implants;
        XC_TRY(add_others(s, motifs, error));
        s->fewest = 3;
        s->classes = 1;
        s->class_names = grammar_classes;
    }
    shuffle_order(s);
fail:
    return status;
}

void xc_simulator_free(xc_simulator *s) {
    free(s->implant);
    free(s->order);
    *s = (xc_simulator){0};
}

/* ---- one sequence ----------------------------------------------------------------------------------------------- */

/* What a sequence is made of: gap, implant, gap, ..., gap. */
typedef struct plan {
    uint32_t count, width; /* implants, and positions they take */
    xc_implant implant[MOST_IMPLANTS];
    uint32_t gap[MOST_IMPLANTS + 1];
} plan;

/* How many implants beyond the fewest: 0 to 4 with probability .50 .25 .17 .05 .03. */
static uint32_t draw_surplus(xc_random_sequence *random) {
    static const double cumulative[] = {0.50, 0.75, 0.92, 0.97};
    const double u = xc_uniform(xc_random_next(random));
    uint32_t surplus = 0;
    while (surplus < 4 && u >= cumulative[surplus]) surplus++;
    return surplus;
}

static void draw_implants(const xc_simulator *s, uint32_t pool, xc_random_sequence *random, plan *p) {
    p->count = s->fewest + draw_surplus(random);
    p->width = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        p->implant[i] = s->implant[xc_random_below(random, pool)];
        p->width += p->implant[i].motif->width;
    }
}

/* Gaps: uniforms normalised to what the implants leave, rounded, and redrawn until they sum to it. */
static bool draw_gaps(uint32_t rest, xc_random_sequence *random, plan *p) {
    for (int redraw = 0; redraw < REDRAWS; redraw++) {
        double u[MOST_IMPLANTS + 1], sum = 0;
        uint32_t total = 0;
        for (uint32_t i = 0; i <= p->count; i++) sum += u[i] = xc_uniform(xc_random_next(random));
        if (sum == 0) continue;
        for (uint32_t i = 0; i <= p->count; i++) total += p->gap[i] = (uint32_t)rint(u[i] / sum * rest);
        if (total == rest) return true;
    }
    return false;
}

static bool draw_plan(const xc_simulator *s, uint32_t number, plan *p) {
    const bool core = number < s->simulation->sequences / 2; /* the first half are task grammar's positives */
    const uint32_t pool = s->core_implants && core ? s->core_implants : s->implants, length = s->simulation->length;
    xc_random_sequence random = {.seed = s->simulation->seed,
                                 .stream = XC_STREAM_SIMULATE,
                                 .substream = SUBSTREAM_PLAN,
                                 .next = (uint64_t)number << 32};
    for (int redraw = 0; redraw < REDRAWS; redraw++) {
        draw_implants(s, pool, &random, p);
        if (p->width < length) return draw_gaps(length - p->width, &random, p);
    }
    return false;
}

/* Probability of `base` at `position` of an implant. */
static float implant_probability(const xc_implant *implant, uint32_t position, uint32_t base) {
    const xc_motif *motif = implant->motif;
    return implant->reverse ? motif->ppm[(size_t)4 * (motif->width - 1 - position) + 3 - base]
                            : motif->ppm[(size_t)4 * position + base];
}

static void write_model(const plan *p, uint32_t length, float *model) {
    for (size_t i = 0; i < (size_t)4 * length; i++) model[i] = 0.25f;
    uint32_t at = p->gap[0];
    for (uint32_t i = 0; i < p->count; i++) {
        const uint32_t width = p->implant[i].motif->width;
        for (uint32_t base = 0; base < 4; base++)
            for (uint32_t k = 0; k < width; k++)
                model[(size_t)base * length + at + k] = implant_probability(&p->implant[i], k, base);
        at += width + p->gap[i + 1];
    }
}

/* One base at each position; x is zero beforehand. Rounding may leave the sum under 1: the last possible base is taken
 * then, never an impossible one. */
static void draw_bases(const xc_simulator *s, uint32_t number, const float *model, int8_t *x) {
    const size_t length = s->simulation->length;
    xc_random_sequence random = {.seed = s->simulation->seed,
                                 .stream = XC_STREAM_SIMULATE,
                                 .substream = SUBSTREAM_BASES,
                                 .next = (uint64_t)number << 32};
    for (size_t l = 0; l < length; l++) {
        const double u = xc_uniform(xc_random_next(&random));
        double sum = 0;
        size_t drawn = 0;
        for (size_t base = 0; base < 4; base++) {
            if (model[base * length + l] <= 0) continue;
            drawn = base;
            sum += (double)model[base * length + l];
            if (u < sum) break;
        }
        x[drawn * length + l] = 1;
    }
}

xc_status xc_simulator_draw(const xc_simulator *s, uint32_t number, float *model, int8_t *x, int8_t *y,
                            xc_error *error) {
    const uint32_t length = s->simulation->length;
    plan p;
    if (!draw_plan(s, number, &p))
        return xc_fail(error, XC_USAGE,
                       "sequences of %u bases are too short for this task's motifs; give a larger length", length);
    memset(x, 0, (size_t)4 * length);
    memset(y, 0, (size_t)s->classes);
    write_model(&p, length, model);
    draw_bases(s, number, model, x);
    if (s->core_implants)
        y[0] = number < s->simulation->sequences / 2;
    else
        for (uint32_t i = 0; i < p.count; i++) y[p.implant[i].class] = 1;
    return XC_OK;
}
