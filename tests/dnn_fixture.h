/* dnn_fixture.h: what the tests of cuDNN share, of the library itself (test_dnn_real.c) and of what stands in for it
 * (test_dnn.c): the zoo's convolutions, and what descriptors accept and refuse, by the table of dnn_library.h. So the
 * one is known to do in this what the other does. Includes config_fixture.h, with cmocka.
 */
#ifndef EXPCONV_DNN_FIXTURE_H
#define EXPCONV_DNN_FIXTURE_H

#include "config_fixture.h"
#include "dnn_library.h"

/* (N,L,C) to (N,Lc,F): `same` keeps the length, else there is no padding. */
static inline cuda_convolution convolution_of(int batch, int length, int channels, int width, bool same, int filters) {
    return (cuda_convolution){.batch = batch,
                              .length = length,
                              .channels = channels,
                              .width = width,
                              .pad_left = same ? (width - 1) / 2 : 0,
                              .conv_length = same ? length : length - width + 1,
                              .filters = filters};
}

/* Every convolution of the zoo that reads another block's output, for a batch of 100; returns how many. */
static inline int visit_zoo(void (*visit)(const cuda_convolution *shape)) {
    int count = 0;
    for (const char *const *name = xc_zoo_names(); *name; name++) {
        char override[64];
        xc_model model;
        xc_error error = {0};
        snprintf(override, sizeof override, "model.zoo=%s", *name);
        xc_config *config = good(DATA, override);
        assert_int_equal(xc_model_build(&config->model, (int32_t)config->model.length, 1, &model, &error), XC_OK);
        xc_config_free(config);
        for (int32_t i = 0; i < model.layer_count; i++) {
            const xc_block *block = &model.layer[i].block;
            if (block->kind != XC_BLOCK_CONV) continue;
            const cuda_convolution shape = {.batch = 100,
                                            .length = block->length,
                                            .channels = block->channels,
                                            .width = block->width,
                                            .pad_left = block->pad_left,
                                            .conv_length = block->conv_length,
                                            .filters = block->filters};
            visit(&shape);
            count++;
        }
    }
    return count;
}

/* Descriptors of a shape are made, and cuDNN finds the same output. */
static inline void assert_described(const cuda_convolution *shape) {
    xc_error error = {0};
    dnn_plan plan = {.shape = *shape};
    int n, f, h, l;
    if (dnn_plan_describe(&plan, &error) != XC_OK) fail_msg("%s", error.text);
    for (dnn_way way = 0; way < DNN_WAYS; way++) {
        assert_int_equal(dnn_calls.cudnnGetConvolution2dForwardOutputDim(plan.way[way].convolution, plan.x, plan.kernel,
                                                                         &n, &f, &h, &l),
                         CUDNN_STATUS_SUCCESS);
        assert_int_equal(n, shape->batch);
        assert_int_equal(f, shape->filters);
        assert_int_equal(h, 1);
        assert_int_equal(l, shape->conv_length);
    }
    dnn_plan_clear(&plan);
    dnn_plan_clear(&plan); /* nothing is freed twice */
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

#define GIVES(status, name, ...) assert_int_equal(dnn_calls.name(__VA_ARGS__), CUDNN_STATUS_##status)

static inline void assert_descriptors_refused(void) {
    cudnnTensorDescriptor_t x;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t c;
    const cudnnTensorFormat_t nhwc = CUDNN_TENSOR_NHWC;
    const cudnnDataType_t real = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    int n, f, h, l;
    GIVES(SUCCESS, cudnnCreateTensorDescriptor, &x);
    GIVES(SUCCESS, cudnnCreateFilterDescriptor, &w);
    GIVES(SUCCESS, cudnnCreateConvolutionDescriptor, &c);
    GIVES(BAD_PARAM, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l); /* nothing is set */
    GIVES(BAD_PARAM, cudnnSetTensor4dDescriptor, x, nhwc, real, 0, 48, 1, 50);
    GIVES(BAD_PARAM, cudnnSetTensor4dDescriptor, x, nhwc, real, 1, 48, 1, -50);
    GIVES(BAD_PARAM, cudnnSetTensor4dDescriptor, NULL, nhwc, real, 1, 48, 1, 50);
    GIVES(BAD_PARAM, cudnnSetTensor4dDescriptor, x, (cudnnTensorFormat_t)7, real, 1, 48, 1, 50);
    GIVES(NOT_SUPPORTED, cudnnSetTensor4dDescriptor, x, nhwc, real, 1 << 20, 1 << 10, 1, 2);
    GIVES(SUCCESS, cudnnSetTensor4dDescriptor, x, nhwc, real, 1 << 20, (1 << 10) - 1, 1, 2);
    GIVES(SUCCESS, cudnnSetTensor4dDescriptor, x, nhwc, real, 100, 48, 1, 50);
    GIVES(BAD_PARAM, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l);
    GIVES(BAD_PARAM, cudnnSetFilter4dDescriptor, w, real, nhwc, 0, 48, 1, 7);
    GIVES(BAD_PARAM, cudnnSetFilter4dDescriptor, NULL, real, nhwc, 96, 48, 1, 7);
    GIVES(SUCCESS, cudnnSetFilter4dDescriptor, w, real, nhwc, 96, 48, 1, 7);
    GIVES(BAD_PARAM, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l);
    GIVES(BAD_PARAM, cudnnSetConvolution2dDescriptor, c, 0, -1, 1, 1, 1, 1, mode, real);
    GIVES(BAD_PARAM, cudnnSetConvolution2dDescriptor, c, 0, 0, 0, 1, 1, 1, mode, real);
    GIVES(SUCCESS, cudnnSetConvolution2dDescriptor, c, 0, 0, 1, 1, 1, 1, mode, real);
    GIVES(BAD_PARAM, cudnnSetConvolutionMathType, c, (cudnnMathType_t)9);
    GIVES(BAD_PARAM, cudnnSetConvolutionMathType, NULL, CUDNN_FMA_MATH);
    GIVES(SUCCESS, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l);
    assert_int_equal(l, 44);
    GIVES(SUCCESS, cudnnSetConvolution2dDescriptor, c, 0, 2, 1, 3, 1, 2, mode, real);
    GIVES(SUCCESS, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l);
    assert_int_equal(l, 14); /* (50 + 4 - 12 - 1) / 3 + 1 */
    GIVES(SUCCESS, cudnnSetConvolution2dDescriptor, c, 0, 0, 1, 1, 1, 1, mode, real);
    GIVES(SUCCESS, cudnnSetFilter4dDescriptor, w, real, nhwc, 96, 47, 1, 7); /* other channels than x */
    GIVES(BAD_PARAM, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l);
    GIVES(SUCCESS, cudnnSetFilter4dDescriptor, w, real, nhwc, 96, 48, 1, 51); /* wider than x */
    GIVES(BAD_PARAM, cudnnGetConvolution2dForwardOutputDim, c, x, w, &n, &f, &h, &l);
    GIVES(BAD_PARAM, cudnnSetStream, NULL, NULL);
    GIVES(SUCCESS, cudnnDestroyTensorDescriptor, x);
    GIVES(SUCCESS, cudnnDestroyFilterDescriptor, w);
    GIVES(SUCCESS, cudnnDestroyConvolutionDescriptor, c);
    GIVES(SUCCESS, cudnnDestroyTensorDescriptor, NULL);
    GIVES(SUCCESS, cudnnDestroyFilterDescriptor, NULL);
    GIVES(SUCCESS, cudnnDestroyConvolutionDescriptor, NULL);
}

#endif
