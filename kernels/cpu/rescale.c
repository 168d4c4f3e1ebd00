/* rescale.c: DeepLIFT's rescale rule in the place of tail_backward.c: du of references, rows of a group of which the
 * first is the sequence's. With a pool, `route` is made to say which position each output is charged to, and
 * tail_rows.c goes on as with gradients. Source: see backend.h.
 */
#include "tail.h"

/* Rows of z before batch norm at the positions that are charged, and what stands beside them. */
typedef struct rescaled_rows {
    const float *v, *u;        /* (rows,Fs) of sequence and reference */
    const float *yv, *yu, *dy; /* (rows,F) */
    float *du;                 /* (rows,Fs) */
    const float *distance;     /* (rows or 1,Fs) see xc_rescale_near */
    size_t distance_stride;    /* 0: the same for all rows */
} rescaled_rows;

/* Lanes f .. of row i that are too near, of those that exist. */
INLINE vint is_near(const cpu_trial *b, const rescaled_rows *r, size_t i, size_t f, vfloat step) {
    return (v_abs(step) < v_load(r->distance + i * r->distance_stride + f)) & v_before(b->filters - f);
}

/* du = dy (yv - yu) / (v - u); whether v and u were too near somewhere. Half way between stands in `middle` (rows,Fs).
 */
static bool divide(const cpu_trial *b, const rescaled_rows *r, size_t rows, float *middle) {
    vint some = {0};
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        const size_t left = b->filters - f;
        for (size_t i = 0; i < rows; i++) {
            const size_t wide = i * b->columns + f, e = i * b->filters + f;
            const vfloat v = cpu_normalised(&by, v_load(r->v + wide)), u = cpu_normalised(&by, v_load(r->u + wide));
            const vfloat difference = v_load_part(r->yv + e, left) - v_load_part(r->yu + e, left);
            const vint near = is_near(b, r, i, f, v - u);
            some |= near;
            v_store(middle + wide, 0.5f * (v + u));
            v_store(r->du + wide, v_where(~near & v_before(left),
                                          v_load_part(r->dy + e, left) * difference / v_select(near, v_set(1), v - u)));
        }
    }
    return v_bits(some) != 0;
}

/* Where v and u are near: du = dy times the slope at `middle`. `slopes` (rows,Fs) is anybody's. */
static void take_slopes(const cpu_trial *b, const rescaled_rows *r, size_t rows, const float *middle, float *slopes) {
    for (size_t i = 0; i < rows; i++)
        for (size_t f = 0; f < b->columns; f += LANES)
            v_store(slopes + i * b->columns + f, v_load_part(r->dy + i * b->filters + f, b->filters - f));
    xc_cpu_multiply_slope(&b->activation, middle, slopes, rows * b->columns);
    for (size_t f = 0; f < b->columns; f += LANES) {
        const cpu_normaliser by = cpu_normaliser_of(b, f);
        for (size_t i = 0; i < rows; i++) {
            const size_t wide = i * b->columns + f;
            const vfloat v = cpu_normalised(&by, v_load(r->v + wide)), u = cpu_normalised(&by, v_load(r->u + wide));
            const vint near = is_near(b, r, i, f, v - u);
            v_store(r->du + wide, v_select(near, v_load(slopes + wide), v_load(r->du + wide)));
        }
    }
}

INLINE vint widened(const vshort_memory *route) { return __builtin_convertvector((vshort)*route, vint); }

/* z of both at the positions that outputs first .. first + rows - 1 of row `n` are charged to, to v and u (rows,Fs),
 * and which differences are too small there. Windows are walked through as they lie: their rows come from afar. */
static void charge(const cpu_trial *b, size_t sequence, size_t n, size_t first, size_t rows, float *v, float *u,
                   float *distance) {
    const int64_t pool = b->block->pool, length = (int64_t)b->conv_length;
    const vfloat alike = v_set(xc_rescale_near(b->activation.kind, true));
    const vfloat other = v_set(xc_rescale_near(b->activation.kind, false));
    for (size_t i = 0; i < rows; i++) {
        const size_t j = first + i, mine = n * b->out_length + j, its = sequence * b->out_length + j;
        const int64_t start = (int64_t)j * pool - b->block->pool_pad_left;
        const int64_t begin = start < 0 ? 0 : start, end = start + pool < length ? start + pool : length;
        const float *z_mine = cpu_z_row(b, n, (size_t)begin), *z_its = cpu_z_row(b, sequence, (size_t)begin);
        for (size_t f = 0; f < b->columns; f += LANES) {
            const size_t to = i * b->columns + f, left = b->filters - f;
            const vfloat its_y = v_load_part(b->y + its * b->filters + f, left);
            const vfloat my_y = v_load_part(b->y + mine * b->filters + f, left);
            vshort_memory *my_place = (vshort_memory *)(b->route + mine * b->columns + f);
            const vint its_route = widened((const vshort_memory *)(b->route + its * b->columns + f));
            const vint my_route = widened(my_place), route = v_select_int(its_y >= my_y, its_route, my_route);
            vint place = v_set_int((int32_t)(begin - start));
            vfloat found = v_set(0), its_found = v_set(0); /* they stay 0 in a window of nothing but minus infinity */
            for (size_t row = f; row < (size_t)(end - begin) * b->columns; row += b->columns, place += 1) {
                found = v_select(route == place, v_load(z_mine + row), found);
                its_found = v_select(route == place, v_load(z_its + row), its_found);
            }
            v_store(v + to, v_where(v_before(left), its_found));
            v_store(u + to, v_where(v_before(left), found));
            v_store(distance + to, v_where(v_before(left), v_select(its_route == my_route, alike, other)));
            *my_place = __builtin_convertvector(route, vshort);
        }
    }
}

static void rescale_rows(const cpu_trial *b, size_t sequence, size_t n, size_t first, size_t rows) {
    const size_t part = b->strip_rows * b->columns;
    float *middle = b->strip, *v = middle + part, *u = v + part, *slopes = u + part, *distance = slopes + part;
    const size_t mine = n * b->out_length + first, its = sequence * b->out_length + first;
    rescaled_rows r = {.yv = b->y + its * b->filters,
                       .yu = b->y + mine * b->filters,
                       .dy = b->dy + mine * b->filters,
                       .du = b->du + mine * b->columns,
                       .distance = distance,
                       .distance_stride = b->block->pool > 1 ? b->columns : 0};
    if (b->block->pool > 1)
        charge(b, sequence, n, first, rows, v, u, distance);
    else
        for (size_t f = 0; f < b->columns; f++) distance[f] = xc_rescale_near(b->activation.kind, true);
    r.v = b->block->pool > 1 ? v : cpu_z_row(b, sequence, first);
    r.u = b->block->pool > 1 ? u : cpu_z_row(b, n, first);
    if (divide(b, &r, rows, middle)) take_slopes(b, &r, rows, middle, slopes);
}

/* Without an activation and a pool multipliers are gradients. */
static void copy_gradient(const cpu_trial *b, size_t n) {
    for (size_t i = n * b->out_length; i < (n + 1) * b->out_length; i++)
        for (size_t f = 0; f < b->columns; f += LANES)
            v_store(b->du + i * b->columns + f, v_load_part(b->dy + i * b->filters + f, b->filters - f));
}

void xc_cpu_rescale_range(cpu_trial *b, size_t first, size_t sequences, double *partial_sums) {
    const size_t group = b->references + 1;
    const bool linear = b->activation.kind == XC_LINEAR && b->block->pool == 1;
    memset(partial_sums, 0, 2 * b->columns * sizeof(double));
    for (size_t n = first; n < first + sequences; n++) {
        if (n % group == 0)
            memset(b->du + n * b->out_length * b->columns, 0, b->out_length * b->columns * sizeof(float));
        else if (linear)
            copy_gradient(b, n);
        else
            for (size_t j = 0; j < b->out_length; j += b->strip_rows) {
                const size_t left = b->out_length - j;
                rescale_rows(b, n - n % group, n, j, left < b->strip_rows ? left : b->strip_rows);
            }
    }
}
