/* combine.c: from the multipliers of each reference to contributions and hypothetical contributions, the means over
 * references; and the gap to the difference of outputs. attribution.h says what these are.
 */
#include "room.h"

/* One reference's multipliers m (L,4), added to the sums (4,L). */
static void add_reference(const uint8_t *codes, const uint8_t *reference, const float *m, size_t length, float share,
                          float *hypothetical, float *contributions) {
    for (size_t l = 0; l < length; l++, m += 4) {
        const uint8_t x = codes[l], r = reference[l];
        const float at_reference = r < 4 ? m[r] : 0;
        for (size_t b = 0; b < 4; b++) hypothetical[b * length + l] += share * (m[b] - at_reference);
        if (x == r) continue;
        if (x < 4) contributions[x * length + l] += share * m[x];
        if (r < 4) contributions[r * length + l] -= share * m[r];
    }
}

void xc_combine_references(const xc_worker *worker, int32_t count, const xc_results *results) {
    const size_t length = worker->what->split->dna.length, group = (size_t)worker->what->references + 1;
    const float share = 1.0f / (float)worker->what->references;
    for (size_t i = 0; i < (size_t)count; i++) {
        const uint8_t *codes = worker->codes + i * group * length;
        const double *output = worker->output + i * group;
        float *hypothetical = results->hypothetical + i * 4 * length;
        float *contributions = results->contributions + i * 4 * length;
        double sum = 0, mean = 0;
        for (size_t e = 0; e < 4 * length; e++) hypothetical[e] = contributions[e] = 0;
        for (size_t r = 1; r < group; r++) {
            mean += output[r] / (double)worker->what->references;
            add_reference(codes, codes + r * length, worker->gradient + (i * group + r) * length * 4, length, share,
                          hypothetical, contributions);
        }
        for (size_t e = 0; e < 4 * length; e++) sum += (double)contributions[e];
        results->output[i] = (float)output[0];
        results->gap[i] = (float)(sum - (output[0] - mean));
    }
}
