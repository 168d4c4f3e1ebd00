/* spectral.h: convolution through the Fourier domain, for the widths and lengths where it needs fewer multiplications.
 *
 * A sequence is cut into tiles of `step` = N - K + 1 outputs, each of which reads N inputs. With A the analysis of
 * dft.h, S its transpose, and the product of complex numbers done by three real ones (Karatsuba), a tile's outputs are
 *
 *     z = S join(split_x(A x) . split_w(A w)),     3 N / 2 - 1 products a tile instead of K (N - K + 1)
 *
 * summed over channels between split and join: one small matrix product a point. This is linear in each argument, so
 * the gradients are its transposes, a tile of dz standing for z, and nothing is approximated but the rounding:
 *
 *     d  = join^T A dz
 *     dx = S split_x^T (d . split_w(A w)),     tiles overlap and are added
 *     dw = S split_w^T (split_x(A x) . d)
 *
 * Source: Cooley and Tukey 1965 (transform), Karatsuba 1962 (product), Winograd 1980 (transposition).
 */
#ifndef EXPCONV_CPU_SPECTRAL_H
#define EXPCONV_CPU_SPECTRAL_H

#include "expconv/base.h"
#include "vector.h"

typedef struct cpu_spectral {
    size_t size;     /* N; 0: the block is computed directly */
    size_t cost;     /* multiply-adds of a sequence, whichever way */
    size_t step;     /* outputs a tile */
    size_t tiles;    /* of a sequence */
    size_t points;   /* 3 N / 2 - 1 */
    size_t chunk;    /* sequences that are in the Fourier domain at a time */
    size_t channels; /* C, up to a multiple of LANES; written Cs in shapes */

    /* Distances between points in floats, and the points; rows are tiles, R = chunk * tiles. */
    size_t x_plane, z_plane, forward_plane, backward_plane, sum_plane;
    float *x;        /* (points, R, Cs) of x; products of the input gradient */
    float *z;        /* (points, R, Fs) products of forward; of dz */
    float *forward;  /* (points, packed (C,F)) kernels */
    float *backward; /* (points, packed (F,C)) */
    float *sum;      /* (points, C, Fs) products of the weight gradient */
    float *turned;   /* (K, F, Cs) the kernel, transposed */
} cpu_spectral;

struct cpu_trial;

/* spectral_plan.c: whether and how; depends on the block's shape alone. */
#define xc_cpu_spectral_plan XC_ISA_NAME(xc_cpu_spectral_plan)
void xc_cpu_spectral_plan(struct cpu_trial *b);

/* spectral.c: the linear part of a convolution, as xc_cpu_conv_forward and _backward. */
#define xc_cpu_spectral_forward XC_ISA_NAME(xc_cpu_spectral_forward)
#define xc_cpu_spectral_backward XC_ISA_NAME(xc_cpu_spectral_backward)
void xc_cpu_spectral_forward(struct cpu_trial *b);
void xc_cpu_spectral_backward(struct cpu_trial *b);

/* spectral_tiles.c: tiles of the chunk that begins at sequence `first` to points and back: x and dz in, z and dx out.
 * Tiles and sequences are counted within the chunk; tiles of dx overlap, so it takes whole sequences. */
#define xc_cpu_spectral_x_in XC_ISA_NAME(xc_cpu_spectral_x_in)
#define xc_cpu_spectral_z_out XC_ISA_NAME(xc_cpu_spectral_z_out)
#define xc_cpu_spectral_z_in XC_ISA_NAME(xc_cpu_spectral_z_in)
#define xc_cpu_spectral_x_out XC_ISA_NAME(xc_cpu_spectral_x_out)
void xc_cpu_spectral_x_in(struct cpu_trial *b, size_t first, xc_range tiles);
void xc_cpu_spectral_z_out(struct cpu_trial *b, size_t first, xc_range tiles);
void xc_cpu_spectral_z_in(struct cpu_trial *b, size_t first, xc_range tiles);
void xc_cpu_spectral_x_out(struct cpu_trial *b, size_t first, xc_range sequences);

/* spectral_kernel.c: the kernel to packed points; the kernel turned, then to packed points; sums of points to its
 * gradient. */
#define xc_cpu_spectral_kernel XC_ISA_NAME(xc_cpu_spectral_kernel)
#define xc_cpu_spectral_turn XC_ISA_NAME(xc_cpu_spectral_turn)
#define xc_cpu_spectral_turned XC_ISA_NAME(xc_cpu_spectral_turned)
#define xc_cpu_spectral_gradient XC_ISA_NAME(xc_cpu_spectral_gradient)
void xc_cpu_spectral_kernel(struct cpu_trial *b, xc_range channels);
void xc_cpu_spectral_turn(struct cpu_trial *b, xc_range taps);
void xc_cpu_spectral_turned(struct cpu_trial *b, xc_range filters);
void xc_cpu_spectral_gradient(struct cpu_trial *b, xc_range channels);

#endif
