/* test_cli_report.c: the page of a sweep as a reader gets it: complete, the same bytes twice, honest about what is
 * missing, and, where there is a Chromium, shown in it: no complaint on the console, no request, every picture drawn,
 * nothing wider than a phone.
 */
#include "e2e/sweep.h"

static const char filters_section[] =
    "filters:\n"
    "  motifs: configs/motifs/task1.meme\n"
    "  evalue: 12\n" /* of twelve motifs: everything is a match, so that there is something to see */
    "  ground_truth:\n"
    "    - {name: MAX, motifs: [MA0058.3]}\n"
    "    - {name: YY1, motifs: [MA0095.2]}\n";

/* A sweep of two activations and three seeds, on a file whose name would be markup. */
static const char *make_measured_sweep(const char *name, const char *more) {
    char text[1024];
    snprintf(text, sizeof text,
             "train: {epochs: 3, batch: 30, learning_rate: 0.02}\n"
             "sweep: {activation: [relu, exponential], seeds: 3}\n%s",
             more);
    sweep_into(make_config("sweep.yaml", make_data("<b>&'.h5"), text), name, "");
    return in_folder("%s", name);
}

static size_t count_parts(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) count++;
    return count;
}

static void assert_absent(const char *text, const char *part) {
    if (strstr(text, part)) fail_msg("\"%s\" is in the page", part);
}

static char *make_page(const char *sweep) {
    outcome result = run("report %s --quiet", sweep);
    assert_done(&result);
    assert_string_equal(result.out, "");
    assert_string_equal(result.err, "");
    end(&result);
    assert_no_leftovers();
    char path[512];
    snprintf(path, sizeof path, "%s/report.html", sweep);
    return read_text(path);
}

/* ---- what is in it ------------------------------------------------------------------------------------------------
 */

static void test_page_is_complete(void **state) {
    (void)state;
    static const char *const figures[] = {"match_ground_truth",
                                          "match_any",
                                          "coverage",
                                          "test_auroc",
                                          "test_aupr",
                                          "activations",
                                          "training.tiny.relu.glorot_uniform",
                                          "training.tiny.exponential.glorot_uniform"};
    static const char *const endings[] = {"svg", "pdf", "png"};
    const char *sweep = make_measured_sweep("out", filters_section);
    char *page = make_page(sweep);
    assert_int_equal(strncmp(page, "<!doctype html>\n<html lang=\"en\">", 31), 0);
    assert_contains(page, "<h1>out</h1>");
    assert_contains(page, "6 networks: 1&nbsp;model × 2&nbsp;activations × 1&nbsp;initialisation × 3&nbsp;seeds");
    assert_contains(page, "6&nbsp;done");
    assert_contains(page, "&lt;b&gt;&amp;&#39;.h5");
    assert_absent(page, "<b>&'.h5");
    assert_contains(page, "the median fraction of filters that match a planted motif is");
    assert_contains(page, "Two-sided Welch t-tests");
    assert_absent(page, "Not finished");
    assert_absent(page, "were not measured");
    assert_int_equal(count_parts(page, "<details class=\"trial\">"), TRIALS);
    assert_int_equal(count_parts(page, "<ol class=\"sheet\">"), TRIALS);
    assert_int_equal(count_parts(page, "role=\"img\""), TRIALS * 8); /* a logo a filter */
    assert_int_equal(count_parts(page, "<img "), 8);
    assert_int_equal(count_parts(page, " alt=\"\""), 0);
    for (int t = 0; t < TRIALS; t++) assert_contains(page, trial_names[t]);
    for (size_t e = 0; e < 3; e++) {
        for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
            assert_true(exists(in_folder("out/figures/%s.%s", figures[i], endings[e])));
        for (int t = 0; t < TRIALS; t++)
            assert_true(exists(in_folder("out/figures/filters.%s.%s", trial_names[t], endings[e])));
    }
    free(page);
}

/* The numbers of the page are those of the tables. */
static void test_numbers_are_those_of_the_tables(void **state) {
    (void)state;
    const char *sweep = make_measured_sweep("out", filters_section);
    char *page = make_page(sweep), *summary = read_text(in_folder("out/summary.tsv")), text[160];
    static const char *const columns[] = {"test_auroc_median",         "test_aupr_median", "match_any_median",
                                          "match_ground_truth_median", "coverage_median",  "epochs_median"};
    for (int setting = 0; setting < 2; setting++)
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            snprintf(text, sizeof text, "<td data-value=\"%s\">", cell(summary, setting, columns[i]));
            assert_contains(page, text);
        }
    free(summary);
    free(page);
}

static void test_nothing_is_asked_of_anywhere(void **state) {
    (void)state;
    char *page = make_page(make_measured_sweep("out", filters_section));
    static const char *const links[] = {"src=\"http", "srcset=\"http",          "url(",
                                        "@import",    "<link rel=\"stylesheet", "<script src",
                                        "fetch(",     "XMLHttpRequest",         "src=\"//"};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) assert_absent(page, links[i]);
    assert_int_equal(count_parts(page, "href=\"http"), 1);
    assert_contains(page, "<a href=\"https://doi.org/");
    free(page);
}

static void test_same_sweep_same_bytes(void **state) {
    (void)state;
    const char *sweep = make_measured_sweep("out", filters_section);
    free(make_page(sweep));
    outcome result = run("report %s --quiet --out %s", sweep, in_folder("other.html"));
    assert_done(&result);
    assert_same_bytes(in_folder("out/report.html"), in_folder("other.html"));
    assert_same_bytes(in_folder("out/figures/test_auroc.pdf"), in_folder("figures/test_auroc.pdf"));
    end(&result);
}

/* A report that was killed leaves temporary files: the next removes its own, and no others. */
static void test_leftovers_are_removed(void **state) {
    (void)state;
    static const char *const kept[] = {"out/notes.tmp", "out/mine.html.99999999.tmp",
                                       "out/figures/mine.svg.99999999.tmp", "out/figures/test_auroc.txt.99999999.tmp",
                                       "out/figures/test_auroc.svg.tmp"};
    static const char *const removed[] = {"out/report.html.99999999.tmp", "out/figures/test_auroc.svg.99999999.tmp",
                                          "out/figures/filters.tiny.relu.s000.png.99999999.tmp",
                                          "out/figures/training.tiny.pdf.99999999.tmp",
                                          "out/figures/activations.svg.99999999.tmp"};
    enum { KEPT = sizeof kept / sizeof *kept, REMOVED = sizeof removed / sizeof *removed };
    const char *sweep = make_measured_sweep("out", "");
    char living[64];
    snprintf(living, sizeof living, "out/figures/test_auroc.png.%ld.tmp", (long)getpid()); /* is at work */
    assert_int_equal(mkdir(in_folder("out/figures"), 0777), 0);
    for (int i = 0; i < KEPT; i++) write_text(kept[i], "mine");
    for (int i = 0; i < REMOVED; i++) write_text(removed[i], "half");
    write_text(living, "half");
    outcome result = run("report %s --quiet", sweep);
    assert_done(&result);
    end(&result);
    for (int i = 0; i < KEPT; i++) assert_true(exists(in_folder("%s", kept[i])));
    for (int i = 0; i < REMOVED; i++) assert_false(exists(in_folder("%s", removed[i])));
    assert_true(exists(in_folder("%s", living)));
}

/* ---- what is missing ----------------------------------------------------------------------------------------------
 */

static void test_unfinished_and_unmeasured(void **state) {
    (void)state;
    char command[512];
    const char *sweep = make_measured_sweep("out", "");
    snprintf(command, sizeof command, "rm -rf '%s'", in_folder("out/trials/%s", trial_names[4]));
    assert_int_equal(system(command), 0);
    char *page = make_page(sweep);
    assert_contains(page, "<strong>Not finished.</strong> 5 of 6 networks have ended");
    assert_contains(page, "<strong>Filters were not measured.</strong>");
    assert_contains(page, "5&nbsp;done, 1&nbsp;waiting");
    assert_absent(page, "match a planted motif is");
    assert_absent(page, "class=\"sheet\"");
    free(page);
}

/* The page of a sweep by a config with these sections, without filters. */
static char *page_of_sweep(const char *sections) {
    outcome result = run("sweep %s --quiet --out %s", make_config("wild.yaml", make_data("data.h5"), sections),
                         in_folder("out"));
    assert_done(&result);
    end(&result);
    return make_page(in_folder("out"));
}

static void test_what_diverged_and_why(void **state) {
    (void)state;
    char *page = page_of_sweep("train: {epochs: 2, batch: 30, optimizer: sgd}\n"
                               "sweep: {learning_rate: [0.01, 1.0e+30]}\n");
    char *manifest = read_text(in_folder("out/manifest.tsv"));
    assert_contains(page, "What diverged, and why");
    assert_contains(page, cell(manifest, 1, "reason"));
    assert_contains(page, "1&nbsp;done, 1&nbsp;diverged");
    free(manifest);
    free(page);
}

static void test_everything_diverged(void **state) {
    (void)state;
    char *page = page_of_sweep("train: {epochs: 2, batch: 30, optimizer: sgd, learning_rate: 1.0e+30}\n"
                               "sweep: {seeds: 2}\n");
    assert_contains(page, "<strong>Every network diverged.</strong>");
    assert_absent(page, "were not measured"); /* there is nothing to measure */
    assert_absent(page, "Median over");
    free(page);
}

/* Nothing is said of matches where none were looked for, nor of planted motifs where none are named. */
static void test_compared_with_nothing_or_without_ground_truth(void **state) {
    (void)state;
    char *page = make_page(make_measured_sweep("alone", "filters: {threshold: 0.5}\n"));
    static const char *const words[] = {"planted", "no match", "best match", "Match any", "database"};
    assert_contains(page, "<strong>Filters were compared with nothing.</strong>");
    assert_int_equal(count_parts(page, "<ol class=\"sheet\">"), TRIALS);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) assert_absent(page, words[i]);
    free(page);
    page = make_page(make_measured_sweep("plain", "filters: {motifs: configs/motifs/task1.meme, evalue: 12}\n"));
    assert_contains(page, "the median fraction of filters that match any motif of the database is");
    assert_contains(page, "<em>Match any</em>");
    assert_absent(page, "planted");
    free(page);
}

/* Some networks' filters are not there: their number is said, and what there is is shown. */
static void test_some_filters_are_not_measured(void **state) {
    (void)state;
    const char *sweep = make_measured_sweep("out", filters_section);
    static const char *const files[] = {"filters.tsv", "filters.meme", "tomtom.tsv"};
    for (int i = 0; i < 3; i++) assert_int_equal(unlink(in_folder("out/trials/%s/%s", trial_names[5], files[i])), 0);
    char *page = make_page(sweep);
    assert_contains(page, "Of the 6 networks that are done, 5 had their filters measured");
    assert_int_equal(count_parts(page, "<ol class=\"sheet\">"), TRIALS - 1);
    free(page);
}

static void test_wrong_use(void **state) {
    (void)state;
    outcome result = run("report %s", folder);
    assert_refused(&result, 1, folder, "sweep", NULL);
    end(&result);
    result = run("report");
    assert_refused(&result, 2, "SWEEP_DIR", NULL);
    end(&result);
    sweep_into(make_sweep(1, 0), "out", "");
    result = run("report %s --out %s", in_folder("out"), in_folder("data.h5/page.html"));
    assert_refused(&result, 1, "data.h5", NULL);
    end(&result);
}

/* ---- in a browser -------------------------------------------------------------------------------------------------
 */

static const char *find_chromium(void) {
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    char command[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", names[i]);
        if (system(command) == 0) return names[i];
    }
    return NULL;
}

/* Runs in the page when it is loaded and tells the page around it what it found: each problem a word. */
static const char check[] =
    "<script>addEventListener('load', async () => {\n"
    "  const wrong = [], root = document.documentElement;\n"
    "  for (const fold of document.querySelectorAll('details')) fold.open = true;\n"
    "  await Promise.all([...document.images].map((image) => image.decode().catch(() => wrong.push('undecoded'))));\n"
    "  for (const image of document.images)\n"
    "    if (!image.complete || image.naturalWidth === 0 || image.getBoundingClientRect().width < 50)\n"
    "      wrong.push('image');\n"
    "  if (root.clientWidth > 360) wrong.push('wide-frame');\n"
    "  if (root.scrollWidth > root.clientWidth) wrong.push('overflow-' + root.scrollWidth);\n"
    "  if (performance.getEntriesByType('resource').some((entry) => !entry.name.startsWith('data:')))\n"
    "    wrong.push('request');\n"
    "  for (const letter of document.querySelectorAll('.sheet use'))\n"
    "    if (!(letter.getBoundingClientRect().height > 0)) wrong.push('letter');\n"
    "  const heads = [...document.querySelectorAll('#settings th')];\n"
    "  const epochs = heads.findIndex((head) => head.textContent === 'Activation');\n"
    "  heads[epochs].querySelector('button').click();\n"
    "  if (heads[epochs].getAttribute('aria-sort') !== 'ascending') wrong.push('aria-sort');\n"
    "  if (!document.querySelector('#settings tbody tr').textContent.includes('exponential')) wrong.push('order');\n"
    "  console.info('the console is heard');\n"
    "  parent.postMessage('images ' + document.images.length + ' wrong:' + wrong.join(' ') + '.', '*');\n"
    "});</script></body>";

/* The page with the check in it, inside a frame as wide as a phone: no window of Chromium is that narrow. */
static const char *make_checked_page(const char *page) {
    char *end_of_page = strstr(page, "</body>");
    assert_non_null(end_of_page);
    const size_t size = strlen(page) + sizeof check + 16;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%.*s%s</html>\n", (int)(end_of_page - page), page, check);
    write_text("checked.html", text);
    free(text);
    return write_text("phone.html",
                      "<!doctype html><title>waiting</title><script>\n"
                      "addEventListener('message', (event) => document.title = event.data);\n"
                      "</script><iframe src=\"checked.html\" style=\"width:360px;height:800px;border:0\"></iframe>\n");
}

/* A request that the browser makes for itself goes to its maker; the page has no such address. */
static void assert_no_requests(const char *log) {
    static const char key[] = "\"url\":\"http";
    for (const char *at = log; (at = strstr(at, key)); at += sizeof key) {
        const char *host = strstr(at, "://") + 3;
        const size_t length = strcspn(host, "/:?\"");
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)length, host);
        if (!strstr(name, "google") && !strstr(name, "gvt1.com")) fail_msg("a request to %s", name);
    }
}

static void test_in_chromium(void **state) {
    (void)state;
    const char *chromium = find_chromium();
    if (!chromium) {
        print_message("skipped: no chromium; apt-get install chromium\n");
        skip();
    }
    char *page = make_page(make_measured_sweep("out", filters_section)), command[2048];
    snprintf(command, sizeof command,
             "timeout 60 %s --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
             "--disable-component-update --user-data-dir='%s' --enable-logging=stderr --v=0 --log-net-log='%s' "
             "--virtual-time-budget=10000 --dump-dom 'file://%s' >'%s' 2>'%s'",
             chromium, in_folder("profile"), in_folder("net.json"), make_checked_page(page), in_folder("dom"),
             in_folder("log"));
    assert_int_equal(system(command), 0);
    char *dom = read_text(in_folder("dom")), *log = read_text(in_folder("log")),
         *net = read_text(in_folder("net.json"));
    const char *title = strstr(dom, "<title>");
    assert_non_null(title);
    if (strncmp(title, "<title>images 8 wrong:.</title>", 31) != 0) fail_msg("the page in Chromium: %.200s", title);
    /* What the check says is heard, and nothing else. */
    if (count_parts(log, "CONSOLE") != 1 || !strstr(log, "the console is heard")) fail_msg("on the console: %s", log);
    assert_no_requests(net);
    free(net);
    free(log);
    free(dom);
    free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_page_is_complete),
        IN_FOLDER(test_numbers_are_those_of_the_tables),
        IN_FOLDER(test_nothing_is_asked_of_anywhere),
        IN_FOLDER(test_same_sweep_same_bytes),
        IN_FOLDER(test_leftovers_are_removed),
        IN_FOLDER(test_unfinished_and_unmeasured),
        IN_FOLDER(test_what_diverged_and_why),
        IN_FOLDER(test_everything_diverged),
        IN_FOLDER(test_compared_with_nothing_or_without_ground_truth),
        IN_FOLDER(test_some_filters_are_not_measured),
        IN_FOLDER(test_wrong_use),
        IN_FOLDER(test_in_chromium),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
