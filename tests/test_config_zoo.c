/* test_config_zoo.c: the zoo against the paper's table. */
#include "config_fixture.h"

/* ---- zoo -------------------------------------------------------------------------------------------------------- */

/* The table of the paper's methods: filters x width padding dropout, l2 when it is not 1e-6, pool when there is one. */
static const struct {
    const char *name;
    uint32_t length;
    const char *blocks;
} zoo[] = {
    {"basset", 600, "300x19 same .2 pool 3 valid; 200x11 valid .2 pool 4 valid; 200x7 valid .2 pool 4 valid; "
                    "dense 1000 .5; dense 1000 .5; "},
    {"cnn-2", 200, "32x19 same .1 pool 2 same; 124x5 same .1 pool 50 same; dense 512 .5; "},
    {"cnn-2-1000", 1000, "64x19 same .1 pool 2 same; 248x5 same .1 pool 50 same; dense 1024 .5; "},
    {"cnn-50", 200, "32x19 same .1 pool 50 same; 124x5 same .1 pool 2 same; dense 512 .5; "},
    {"cnn-50-1000", 1000, "64x19 same .1 pool 50 same; 248x5 same .1 pool 2 same; dense 1024 .5; "},
    {"cnn-deep", 200, "32x19 same .1; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                      "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-deep-1000", 1000, "64x19 same .1; 96x7 same .2 pool 4 valid; 192x7 valid .3 pool 4 valid; "
                            "256x3 valid .4 pool 3 valid; dense 1024 .5; "},
    {"cnn-deep-log", 200, "32x19 same .1 l2 0.1; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                          "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-deep-log-nol2", 200, "32x19 same .1 l2 0; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                               "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-deep-nobn", 200, "32x19 same .1 nobn; 48x7 same .2 pool 4 valid; 96x7 valid .3 pool 4 valid; "
                           "128x3 valid .4 pool 3 valid; dense 512 .5; "},
    {"cnn-dist", 200, "24x19 same .1; 32x7 same .2 pool 4 valid; 48x7 valid .3 pool 4 valid; "
                      "64x3 valid .4 pool 3 same; dense 96 .5; "},
    {"cnn-dist-log", 200, "24x19 same .1 l2 0.1; 32x7 same .2 pool 4 same; 48x7 valid .3 pool 4 same; "
                          "64x3 valid .4 pool 3 same; dense 96 .5; "},
    {"cnn-dist-log-nol2", 200, "24x19 same .1 l2 0; 32x7 same .2 pool 4 same; 48x7 valid .3 pool 4 same; "
                               "64x3 valid .4 pool 3 same; dense 96 .5; "},
    {"cnn-local", 200, "24x19 same .1 pool 50 valid; 48x3 same .2 pool 2 valid; dense 96 .5; "},
    {"residualbind", 400, "24x19 same .1; residual 5 pool 10 valid; 48x7 same .3 pool 5 valid; "
                          "64x3 valid .4 pool 4 valid; dense 96 .5; "},
};

static void describe(const xc_model_config *model, char text[512]) {
    static const char *const paddings[] = {"same", "valid"};
    int used = 0;
#define ADD(...) used += snprintf(text + used, (size_t)(512 - used), __VA_ARGS__)
    for (uint32_t i = 0; i < model->blocks_count; i++) {
        const xc_block_config *block = &model->blocks[i];
        if (block->conv) ADD("%ux%u %s .%.0f", block->conv, block->width, paddings[block->padding], block->dropout * 10);
        if (block->dense) ADD("dense %u .%.0f", block->dense, block->dropout * 10);
        if (block->residual) ADD("residual %u", block->residual);
        if (block->l2 != 1e-6) ADD(" l2 %g", block->l2);
        if (!block->norm) ADD(" nobn");
        if (block->pool != 1) ADD(" pool %u %s", block->pool, paddings[block->pool_padding]);
        assert_null(block->activation);
        ADD("; ");
    }
#undef ADD
}

static void the_zoo_is_the_papers(void **state) {
    (void)state;
    const char *const *names = xc_zoo_names();
    size_t count = 0;
    while (names[count]) count++;
    assert_int_equal(count, sizeof zoo / sizeof *zoo);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < count && strcmp(names[at], zoo[i].name) != 0) at++;
        assert_true(at < count);
        char override[64], blocks[512];
        snprintf(override, sizeof override, "model.zoo=%s", zoo[i].name);
        xc_config *config = good(DATA, override);
        describe(&config->model, blocks);
        assert_string_equal(config->model.zoo, zoo[i].name);
        assert_int_equal(config->model.length, zoo[i].length);
        assert_string_equal(blocks, zoo[i].blocks);
        assert_round_trip(config);
    }
}

static void set_zoo_keeps_the_rest(void **state) {
    (void)state;
    xc_config *config = good(DATA "model: {zoo: cnn-2, activation: tanh, init: he_normal, stddev: 2}\n", NULL);
    xc_error error = {0};
    assert_int_equal(xc_config_set_zoo(config, "residualbind", &error), XC_OK);
    assert_string_equal(config->model.zoo, "residualbind");
    assert_int_equal(config->model.length, 400);
    assert_int_equal(config->model.blocks_count, 5);
    assert_int_equal(config->model.activation, XC_TANH);
    assert_int_equal(config->model.init, XC_INIT_HE_NORMAL);
    assert_int_not_equal(xc_config_set_zoo(config, "residualbnd", &error), XC_OK);
    assert_string_equal(error.text, "unknown zoo model \"residualbnd\"; did you mean \"residualbind\"?");
    assert_string_equal(config->model.zoo, "residualbind");
    xc_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_zoo_is_the_papers),
        cmocka_unit_test(set_zoo_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, make_config_folder, NULL);
}
