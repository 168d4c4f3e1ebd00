/* dnn_library.h: cuDNN as dnn.c and dnn_plan.c use it: its calls, behind a table that is filled at run time, and a
 * plan, which is all that cuDNN wants to know of a convolution. For dnn*.c and their tests; all else includes dnn.h.
 */
#ifndef EXPCONV_CUDA_DNN_LIBRARY_H
#define EXPCONV_CUDA_DNN_LIBRARY_H

#include <cudnn.h>

#include "dnn.h"

#define DNN_LIBRARY_CALLS(X)                          \
    X(cudnnCreate)                                    \
    X(cudnnDestroy)                                   \
    X(cudnnSetStream)                                 \
    X(cudnnGetErrorString)                            \
    X(cudnnCreateTensorDescriptor)                    \
    X(cudnnSetTensor4dDescriptor)                     \
    X(cudnnDestroyTensorDescriptor)                   \
    X(cudnnCreateFilterDescriptor)                    \
    X(cudnnSetFilter4dDescriptor)                     \
    X(cudnnDestroyFilterDescriptor)                   \
    X(cudnnCreateConvolutionDescriptor)               \
    X(cudnnSetConvolution2dDescriptor)                \
    X(cudnnSetConvolutionMathType)                    \
    X(cudnnDestroyConvolutionDescriptor)              \
    X(cudnnGetConvolution2dForwardOutputDim)          \
    X(cudnnGetConvolutionForwardAlgorithm_v7)         \
    X(cudnnGetConvolutionBackwardDataAlgorithm_v7)    \
    X(cudnnGetConvolutionBackwardFilterAlgorithm_v7)  \
    X(cudnnGetConvolutionForwardWorkspaceSize)        \
    X(cudnnGetConvolutionBackwardDataWorkspaceSize)   \
    X(cudnnGetConvolutionBackwardFilterWorkspaceSize) \
    X(cudnnConvolutionForward)                        \
    X(cudnnConvolutionBackwardData)                   \
    X(cudnnConvolutionBackwardFilter)

#define DNN_LIBRARY_MEMBER(name) __typeof__(name) *name;
typedef struct dnn_library {
    DNN_LIBRARY_CALLS(DNN_LIBRARY_MEMBER)
} dnn_library;

/* The table is not filled before dnn_library_open has returned XC_OK. Thread safe. */
extern dnn_library dnn_calls;
xc_status dnn_library_open(xc_error *error);

/* XC_OK, or a line with the call, cuDNN's name and number for the status, and what to do: XC_MEMORY for an allocation
 * that failed, XC_DEVICE else. Thread safe. */
xc_status dnn_check(cudnnStatus_t code, const char *call, xc_error *error);
#define DNN_CHECK(name, ...) dnn_check(dnn_calls.name(__VA_ARGS__), #name, error)

/* ---- plans ------------------------------------------------------------------------------------------------------- */

typedef enum dnn_way { DNN_FORWARD, DNN_INPUT_GRADIENT, DNN_KERNEL_GRADIENT, DNN_WAYS } dnn_way;

enum { DNN_MOST_WORKSPACE = 256 << 20 }; /* bytes for an algorithm: beyond, what it gains in speed costs trials */

typedef struct dnn_plan {
    struct dnn_plan *next;
    cuda_convolution shape;
    cudnnTensorDescriptor_t x, z;
    cudnnFilterDescriptor_t kernel;
    struct {
        cudnnConvolutionDescriptor_t convolution; /* each its own: the math type is set for the algorithm */
        int algorithm;
        size_t workspace; /* bytes */
    } way[DNN_WAYS];
} dnn_plan;

/* Fills in the descriptors of plan->shape, for which no handle and no GPU is wanted, and looks whether cuDNN finds the
 * same output. What was made is freed with dnn_plan_clear, on failure too. */
xc_status dnn_plan_describe(dnn_plan *plan, xc_error *error);
/* Chooses an algorithm for each way. */
xc_status dnn_plan_choose(dnn_plan *plan, cudnnHandle_t handle, xc_error *error);
void dnn_plan_clear(dnn_plan *plan);

#endif
