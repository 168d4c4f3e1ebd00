/* device.h: what a .cu file sees when it is compiled for the CPU, in place of the compiler's own: the words of CUDA C,
 * the place of the running thread, barriers, warp operations, atomics. Included by kernels/cuda/kernel.h where
 * XC_EMULATED is defined. C++17.
 */
#ifndef EMU_DEVICE_H
#define EMU_DEVICE_H

#include <cuda_runtime_api.h>
#undef __global__
#undef __device__
#undef __shared__
#define __global__
#define __device__
#define __shared__ emulated_code_declares_shared_memory_by_XC_SHARED

#include <math.h>
#include <string.h>

#include <tuple>
#include <type_traits>
#include <vector_functions.h>

#include "emu.h"

#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __noinline__
#define __noinline__ __attribute__((noinline))

#define threadIdx (emu_here.thread)
#define blockIdx (emu_here.block)
#define blockDim (emu_here.threads)
#define gridDim (emu_here.blocks)
static const int warpSize = EMU_WARP;

/* ---- launches and shared memory ---------------------------------------------------------------------------------- */

extern "C" void emu_fail(cudaError_t error);

/* A pointer that a kernel is given must be to memory that it can reach. */
template <typename T>
void emu_check_argument(const char *kernel, const T &value) {
    if constexpr (std::is_pointer_v<T>)
        if (value != nullptr && !emu_is_reachable((const void *)value, 1))
            emu_stop(kernel, 0, "an argument of the launch points to host memory");
}

template <typename... P, typename... A>
void emu_launch_call(const char *name, void (*function)(P...), dim3 grid, dim3 block, size_t shared,
                     cudaStream_t stream, A... argument) {
    typedef std::tuple<void (*)(P...), std::decay_t<P>...> call;
    emu_lock();
    (emu_check_argument<std::decay_t<P>>(name, argument), ...);
    emu_kernel kernel = {};
    kernel.name = name;
    kernel.function = (const void *)function;
    kernel.arguments = new call(function, std::decay_t<P>(argument)...);
    kernel.run = [](const void *given) {
        std::apply([](void (*f)(P...), const auto &...each) { f(each...); }, *(const call *)given);
    };
    kernel.release = [](void *given) { delete (call *)given; };
    kernel.grid = grid;
    kernel.block = block;
    kernel.shared = shared;
    const cudaError_t status = emu_launch(&kernel, stream);
    emu_unlock();
    if (status == cudaSuccess) return;
    kernel.release(kernel.arguments);
    emu_fail(status);
}

#define XC_LAUNCH(kernel, grid, block, shared, stream, ...) \
    emu_launch_call(#kernel, kernel, grid, block, shared, stream, __VA_ARGS__)
/* XC_SHARED(float, tile, [16][17]); */
#define XC_SHARED(type, name, dimensions) \
    typedef type name##_type dimensions;  \
    name##_type &name = *(name##_type *)emu_shared(sizeof(name##_type), __FILE__, __LINE__)
#define XC_SHARED_ALIGNED(type, name, dimensions) XC_SHARED(type, name, dimensions)
#define XC_DYNAMIC_SHARED(type, name) type *const name = (type *)emu_dynamic_shared()

/* ---- barriers and warps ------------------------------------------------------------------------------------------ */

#define __syncthreads() emu_barrier(__FILE__, __LINE__)
#define __syncthreads_count(value) emu_barrier_sum((value) != 0, __FILE__, __LINE__)
#define __syncthreads_or(value) (emu_barrier_sum((value) != 0, __FILE__, __LINE__) != 0)

template <typename T>
T emu_warp_value(emu_warp_op op, uint32_t mask, T value, int lane, int width, const char *file, int line) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "lanes exchange 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emu_warp(op, mask, bits, lane, width, file, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What the caller leaves out. */
static inline int emu_width(int width = EMU_WARP) { return width; }
#define EMU_EXCHANGE(op, mask, value, lane, ...) \
    emu_warp_value(op, mask, value, (int)(lane), emu_width(__VA_ARGS__), __FILE__, __LINE__)
#define __shfl_sync(mask, value, lane, ...) EMU_EXCHANGE(EMU_SHUFFLE, mask, value, lane, __VA_ARGS__)
#define __shfl_up_sync(mask, value, lanes, ...) EMU_EXCHANGE(EMU_UP, mask, value, lanes, __VA_ARGS__)
#define __shfl_down_sync(mask, value, lanes, ...) EMU_EXCHANGE(EMU_DOWN, mask, value, lanes, __VA_ARGS__)
#define __shfl_xor_sync(mask, value, lanes, ...) EMU_EXCHANGE(EMU_XOR, mask, value, lanes, __VA_ARGS__)

#define EMU_OF_MASK(op, mask, value) ((uint32_t)emu_warp(op, mask, (uint32_t)(value), 0, EMU_WARP, __FILE__, __LINE__))
#define EMU_ALL_LANES 0xffffffffu
static inline uint32_t emu_mask(uint32_t mask = EMU_ALL_LANES) { return mask; }
#define __syncwarp(...) ((void)emu_warp(EMU_SYNC, emu_mask(__VA_ARGS__), 0, 0, EMU_WARP, __FILE__, __LINE__))
#define __ballot_sync(mask, value) EMU_OF_MASK(EMU_BALLOT, mask, (value) != 0)
#define __any_sync(mask, value) (EMU_OF_MASK(EMU_BALLOT, mask, (value) != 0) != 0)
#define __all_sync(mask, value) (EMU_OF_MASK(EMU_BALLOT, mask, (value) == 0) == 0)
#define __reduce_add_sync(mask, value) EMU_OF_MASK(EMU_ADD, mask, value)
#define __reduce_min_sync(mask, value) EMU_OF_MASK(EMU_MIN, mask, value)
#define __reduce_max_sync(mask, value) EMU_OF_MASK(EMU_MAX, mask, value)

/* ---- arithmetic and atomics -------------------------------------------------------------------------------------- */

static inline int __popc(unsigned value) { return __builtin_popcount(value); }
static inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }
static inline int __ffs(int value) { return __builtin_ffs(value); }
static inline int __clz(int value) { return value ? __builtin_clz((unsigned)value) : 32; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline float __uint_as_float(unsigned bits) {
    float value;
    return memcpy(&value, &bits, 4), value;
}
static inline unsigned __float_as_uint(float value) {
    unsigned bits;
    return memcpy(&bits, &value, 4), bits;
}
static inline float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }
static inline int __float_as_int(float value) { return (int)__float_as_uint(value); }
static inline float rsqrtf(float value) { return 1 / sqrtf(value); }
template <typename T>
static inline T __ldg(const T *at) {
    return *at;
}
template <typename T>
static inline T __ldcg(const T *at) {
    return *at;
}
#define __threadfence() emu_fence()

/* One thread runs at a time: what is here is the arithmetic. The builtins are for ThreadSanitizer, which sees an access
 * that is atomic; what it orders is in race.c. */
#define EMU_INLINE static inline __attribute__((always_inline))
template <typename T, typename F>
EMU_INLINE T emu_atomic(T *at, F change) {
    T before;
    emu_begin_atomic(at);
    __atomic_load(at, &before, __ATOMIC_RELAXED);
    T after = change(before);
    __atomic_store(at, &after, __ATOMIC_RELAXED);
    emu_end_atomic(at);
    return before;
}
template <typename T>
EMU_INLINE T atomicAdd(T *at, std::common_type_t<T> value) {
    return emu_atomic(at, [=](T before) { return (T)(before + value); });
}
template <typename T>
EMU_INLINE T atomicMax(T *at, std::common_type_t<T> value) {
    return emu_atomic(at, [=](T before) { return value > before ? value : before; });
}
template <typename T>
EMU_INLINE T atomicMin(T *at, std::common_type_t<T> value) {
    return emu_atomic(at, [=](T before) { return value < before ? value : before; });
}
template <typename T>
EMU_INLINE T atomicExch(T *at, std::common_type_t<T> value) {
    return emu_atomic(at, [=](T) { return value; });
}
template <typename T>
EMU_INLINE T atomicCAS(T *at, std::common_type_t<T> expected, std::common_type_t<T> value) {
    return emu_atomic(at, [=](T before) { return before == expected ? value : before; });
}
/* Counts up to `most`, then from 0 again. */
EMU_INLINE unsigned atomicInc(unsigned *at, unsigned most) {
    return emu_atomic(at, [=](unsigned before) { return before >= most ? 0 : before + 1; });
}

#endif
