/* cudnn_fake.h: cuDNN's classic convolution calls on the emulated device, as their two parts see each other:
 * descriptors and queries (cudnn.c), convolutions (cudnn_run.c). Float32, NHWC, tensors of height 1, no stride or
 * dilation: all else is CUDNN_STATUS_NOT_SUPPORTED. What the real library refuses is refused with its status
 * (descriptors: as 9.19 does, compared by tests/test_dnn_real.c); what it would let pass and compute nonsense ends the
 * process.
 */
#ifndef EMU_CUDNN_FAKE_H
#define EMU_CUDNN_FAKE_H

#include <cudnn.h>
#include <stdbool.h>

struct cudnnContext {
    cudaStream_t stream;
};

struct cudnnTensorStruct {
    bool set;
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    int n, c, h, w;
};

struct cudnnFilterStruct {
    bool set;
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    int k, c, h, w;
};

struct cudnnConvolutionStruct {
    bool set;
    int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
    cudnnConvolutionMode_t mode;
    cudnnDataType_t type;
    cudnnMathType_t math;
};

typedef enum emu_dnn_way { EMU_DNN_FORWARD, EMU_DNN_DATA, EMU_DNN_FILTER } emu_dnn_way;

/* What is told of an algorithm by the queries. */
typedef struct emu_dnn_algorithm {
    int number;
    cudnnStatus_t status;
    cudnnDeterminism_t determinism;
    cudnnMathType_t math;
    size_t listed, workspace; /* bytes: in the list, and as asked for by the algorithm */
} emu_dnn_algorithm;

enum { EMU_DNN_ALGORITHMS = 6 };

/* Whether these four go together; x and z are the gradients' too. */
cudnnStatus_t emu_dnn_fit(const struct cudnnTensorStruct *x, const struct cudnnFilterStruct *filter,
                          const struct cudnnConvolutionStruct *convolution, const struct cudnnTensorStruct *z);

/* Algorithm i of the list, fastest first. The first ones are not to be taken: not deterministic, too much workspace,
 * half precision, not supported, tensor cores; the last is good in all that. Whether it computes in TF32 is the
 * descriptor's to say, not the list's. */
emu_dnn_algorithm emu_dnn_listed(emu_dnn_way way, int i, const struct cudnnTensorStruct *x,
                                 const struct cudnnFilterStruct *filter,
                                 const struct cudnnConvolutionStruct *convolution, const struct cudnnTensorStruct *z);

/* Finds an algorithm by its number; false where the list has none. */
bool emu_dnn_find(emu_dnn_way way, int number, const struct cudnnTensorStruct *x,
                  const struct cudnnFilterStruct *filter, const struct cudnnConvolutionStruct *convolution,
                  const struct cudnnTensorStruct *z, emu_dnn_algorithm *found);

#endif
