/* motif_linear.cu: the first layer from packed DNA to z, for the blocks that cannot be done in one pass. z[l,f] = sum_k
 * W[k, base(l + k - pad_left), f]: each tap adds the row of the kernel that its base names, read from shared memory;
 * nothing is multiplied and nothing is one-hot. The kernel's gradient is the mirror: dz is added to the row that was
 * read. A block unpacks the bases that it reads, once.
 */
#include "bases.cuh"

#define FILTERS 32
#define POSITIONS 64 /* of one sequence, of a block */
#define GROUPS 8
#define THREADS (FILTERS * GROUPS)
#define TAPS 32                   /* whose rows are in shared memory together */
#define OWN_TAPS 4                /* of a block of the gradient */
#define EACH (POSITIONS / GROUPS) /* positions of a thread */

/* Unpacks `count` bases from `first` on. */
DEVICE void load_bases(const cuda_call *c, uint32_t index, int first, int count, unsigned char *bases) {
    for (int i = (int)(threadIdx.y * FILTERS + threadIdx.x); i < count; i += THREADS)
        bases[i] = (unsigned char)base_at(&c->dna, index, first + i);
}

/* Strips of POSITIONS positions that a sequence has; a strip's number is n strips + strip. */
static __host__ __device__ inline int strip_count(const xc_block *block) {
    return (block->conv_length + POSITIONS - 1) / POSITIONS;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* Rows of the kernel of `taps` taps from `first` on, for this block's filters, to table (TAPS,5,FILTERS); N's is zeros.
 */
DEVICE void load_rows(const cuda_call *c, const float *kernel, int first, int taps, float (*table)[5][FILTERS]) {
    const int filters = c->block.filters, f = (int)(blockIdx.y * FILTERS + threadIdx.x);
    for (int row = (int)threadIdx.y; row < taps * 5; row += GROUPS) {
        const int tap = row / 5, base = row % 5;
        const bool exists = base < XC_BASE_N && f < filters;
        const size_t at = ((size_t)(first + tap) * 4 + (size_t)base) * (size_t)filters + (size_t)f;
        table[tap][base][threadIdx.x] = exists ? kernel[at] : 0;
    }
}

static __global__ void __launch_bounds__(THREADS, 3) k_motif_linear(cuda_call c) {
    XC_SHARED(float, table, [TAPS][5][FILTERS]);
    XC_SHARED(unsigned char, bases, [POSITIONS + TAPS]);
    const int t = (int)blockIdx.z, strips = strip_count(&c.block), n = (int)blockIdx.x / strips;
    const int strip = ((int)blockIdx.x - n * strips) * POSITIONS, filters = c.block.filters;
    const int f = (int)(blockIdx.y * FILTERS + threadIdx.x);
    const uint32_t index = c.index[(size_t)t * (size_t)c.batch + (size_t)n];
    const float *kernel = parameters_of(&c, t) + c.block.kernel; /* (K,4,F) */
    float sums[EACH] = {};
    for (int first = 0; first < c.block.width; first += TAPS) {
        const int taps = c.block.width - first < TAPS ? c.block.width - first : TAPS;
        load_rows(&c, kernel, first, taps, table);
        load_bases(&c, index, strip + first - c.block.pad_left, POSITIONS + taps - 1, bases);
        __syncthreads();
#pragma unroll 2
        for (int tap = 0; tap < taps; tap++)
#pragma unroll
            for (int i = 0; i < EACH; i++)
                sums[i] += table[tap][bases[(int)threadIdx.y + i * GROUPS + tap]][threadIdx.x];
        __syncthreads();
    }
    float *z = z_of(&c, t) + (size_t)n * (size_t)c.block.conv_length * (size_t)filters; /* (Lc,F) */
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const int l = strip + (int)threadIdx.y + i * GROUPS;
        if (l < c.block.conv_length && f < filters) z[(size_t)l * (size_t)filters + (size_t)f] = sums[i];
    }
}

void cuda_motif_linear(const cuda_call *call, cudaStream_t stream) {
    const dim3 block(FILTERS, GROUPS);
    const dim3 grid((unsigned)(call->batch * strip_count(&call->block)),
                    blocks_for((size_t)call->block.filters, FILTERS), (unsigned)call->trials);
    XC_LAUNCH(k_motif_linear, grid, block, 0, stream, *call);
}

/* ---- gradient of the kernel -------------------------------------------------------------------------------------- */

/* Adds one strip's dz to the rows that its taps read. */
DEVICE void add_strip(const float *dz, int filters, int count, const unsigned char *bases, float (&sums)[OWN_TAPS][4]) {
    float part[OWN_TAPS][4] = {};
    for (int l = (int)threadIdx.y; l < count; l += GROUPS) {
        const float value = dz[(size_t)l * (size_t)filters];
#pragma unroll
        for (int tap = 0; tap < OWN_TAPS; tap++) {
            const int base = bases[l + tap];
#pragma unroll
            for (int b = 0; b < 4; b++) part[tap][b] += base == b ? value : 0.0f;
        }
    }
#pragma unroll
    for (int tap = 0; tap < OWN_TAPS; tap++)
#pragma unroll
        for (int b = 0; b < 4; b++) sums[tap][b] += part[tap][b];
}

/* A block has four taps of 32 filters and walks over the whole batch; its groups of positions are added at the end. */
static __global__ void __launch_bounds__(THREADS) k_motif_bwd_kernel(cuda_call c) {
    XC_SHARED(float, groups, [GROUPS][OWN_TAPS * 4][FILTERS]);
    XC_SHARED(unsigned char, bases, [POSITIONS + OWN_TAPS]);
    const int t = (int)blockIdx.z, filters = c.block.filters, conv_length = c.block.conv_length;
    const int f = (int)(blockIdx.y * FILTERS + threadIdx.x), first = (int)blockIdx.x * OWN_TAPS;
    const uint32_t *index = c.index + (size_t)t * (size_t)c.batch; /* (N) */
    float sums[OWN_TAPS][4] = {};
    for (int n = 0; n < c.batch; n++)
        for (int strip = 0; strip < conv_length; strip += POSITIONS) {
            const int count = conv_length - strip < POSITIONS ? conv_length - strip : POSITIONS;
            const size_t row = (size_t)n * (size_t)conv_length + (size_t)strip;
            load_bases(&c, index[n], strip + first - c.block.pad_left, POSITIONS + OWN_TAPS - 1, bases);
            __syncthreads();
            if (f < filters) add_strip(z_of(&c, t) + row * (size_t)filters + (size_t)f, filters, count, bases, sums);
            __syncthreads();
        }
#pragma unroll
    for (int tap = 0; tap < OWN_TAPS; tap++)
#pragma unroll
        for (int b = 0; b < 4; b++) groups[threadIdx.y][tap * 4 + b][threadIdx.x] = sums[tap][b];
    __syncthreads();
    float *dkernel = gradients_of(&c, t) + c.block.kernel; /* (K,4,F) */
    for (int row = (int)threadIdx.y; row < OWN_TAPS * 4; row += GROUPS) {
        float sum = 0;
        for (int g = 0; g < GROUPS; g++) sum += groups[g][row][threadIdx.x];
        if (first + row / 4 < c.block.width && f < filters)
            dkernel[((size_t)first * 4 + (size_t)row) * (size_t)filters + (size_t)f] += sum;
    }
}

void cuda_motif_kernel_gradient(const cuda_call *call, cudaStream_t stream) {
    const dim3 block(FILTERS, GROUPS);
    const dim3 grid(blocks_for((size_t)call->block.width, OWN_TAPS), blocks_for((size_t)call->block.filters, FILTERS),
                    (unsigned)call->trials);
    XC_LAUNCH(k_motif_bwd_kernel, grid, block, 0, stream, *call);
}
