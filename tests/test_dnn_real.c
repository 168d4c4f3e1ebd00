/* test_dnn_real.c: what can be tried of cuDNN itself without a GPU: it is found, descriptors of all shapes of the zoo
 * are accepted and give the output that the engine has, and a missing GPU is told in a line. With a GPU, algorithms are
 * chosen for the zoo as well. Skipped where libcudnn is not installed.
 */
#include "dnn_fixture.h"

static bool is_there(void) {
    xc_error error = {0};
    if (dnn_library_open(&error) == XC_OK) return true;
    print_message("no cuDNN on this machine: %s\n", error.text);
    return false;
}

static void describe_each_precision(const cuda_convolution *shape) {
    cuda_convolution is = *shape;
    assert_true(cuda_dnn_can(&is));
    assert_described(&is);
    is.precision = XC_TF32;
    assert_described(&is);
}

static void the_zoo_is_accepted(void **state) {
    (void)state;
    if (!is_there()) skip();
    assert_true(visit_zoo(describe_each_precision) > 30);
}

static void other_shapes_are_accepted(void **state) {
    (void)state;
    if (!is_there()) skip();
    static const int widths[] = {1, 3, 7, 11, 19}, counts[] = {1, 3, 4, 33};
    for (int w = 0; w < 5; w++)
        for (int c = 0; c < 4; c++)
            for (int f = 0; f < 4; f++)
                for (int same = 0; same < 2; same++) {
                    const cuda_convolution is = convolution_of(1 + w, 19, counts[c], widths[w], same, counts[f]);
                    describe_each_precision(&is);
                }
}

static void descriptors_are_refused(void **state) {
    (void)state;
    if (!is_there()) skip();
    assert_descriptors_refused();
}

static cudnnHandle_t handle;

static void choose_each_precision(const cuda_convolution *shape) {
    xc_error error = {0};
    for (xc_precision precision = XC_FP32; precision <= XC_TF32; precision++) {
        dnn_plan plan = {.shape = *shape};
        plan.shape.precision = precision;
        assert_int_equal(dnn_plan_describe(&plan, &error), XC_OK);
        if (dnn_plan_choose(&plan, handle, &error) != XC_OK)
            fail_msg("%dx%d, %d of width %d: %s", shape->length, shape->channels, shape->filters, shape->width,
                     error.text);
        dnn_plan_clear(&plan);
    }
}

static void a_gpu_is_missing_or_chooses(void **state) {
    (void)state;
    if (!is_there()) skip();
    xc_error e = {0}, *error = &e;
    if (DNN_CHECK(cudnnCreate, &handle) == XC_OK) {
        visit_zoo(choose_each_precision);
        dnn_calls.cudnnDestroy(handle);
        return;
    }
    assert_int_equal(e.status, XC_DEVICE);
    assert_string_equal(e.text,
                        "cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED (1001); look at what nvidia-smi says, or "
                        "use --device cpu");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_zoo_is_accepted),
        cmocka_unit_test(other_shapes_are_accepted),
        cmocka_unit_test(descriptors_are_refused),
        cmocka_unit_test(a_gpu_is_missing_or_chooses),
    };
    return cmocka_run_group_tests_name("dnn_real", tests, make_config_folder, NULL);
}
