/* gpu_model.c: what is a training step to a GPU? For each model of the zoo and number of trials in a pack: launches,
 * bytes moved and operations, counted from the launches that the CUDA backend makes (gpu_traffic.h), and the least time
 * that they take by the data sheets of three GPUs: the sum over launches of the longest of bytes by bandwidth, products
 * by the precision's peak, and additions by half of float32's. Nothing is measured here, and no GPU is wanted.
 *
 *     gpu_model [MODEL ...]
 *
 * Prints a JSON line per model, pack and GPU, and tables on stderr. A launch that waits for nothing costs some 2 us
 * besides; the floor of one trial is therefore out of reach, that of a pack that fills the GPU is not.
 */
#include "gpu_traffic.h"
#include "measure.h"

enum { BATCH = 100, CLASSES = 12 };
static const int PACKS[] = {1, 8, 32, 128};
#define PACK_COUNT ((int)(sizeof PACKS / sizeof PACKS[0]))

/* NVIDIA's data sheets: A100 80 GB SXM, H100 SXM, HGX B200 (of one GPU); tensor cores without sparsity. */
static const struct {
    const char *name;
    double bandwidth;      /* bytes a second */
    double peaks[3], fp32; /* operations a second: float32, TF32, bfloat16 */
} GPUS[] = {{"A100", 2.039e12, {19.5e12, 156e12, 312e12}, 19.5e12},
            {"H100", 3.35e12, {67e12, 494e12, 989e12}, 67e12},
            {"B200", 7.7e12, {75e12, 1125e12, 2250e12}, 75e12}};
#define GPU_COUNT ((int)(sizeof GPUS / sizeof GPUS[0]))

/* Microseconds of the step on a GPU, and the part of them in which memory is what is waited for. */
static double floor_of(const gpu_step *step, int device, int precision, double *by_memory) {
    double sum = 0, memory = 0;
    for (int i = 0; i < step->count; i++) {
        const gpu_launch *l = &step->launch[i];
        const double bytes = (l->activations + l->parameters) / GPUS[device].bandwidth;
        const double products = l->products / GPUS[device].peaks[precision];
        const double additions = l->additions / (GPUS[device].fp32 / 2);
        const double compute = products > additions ? products : additions;
        sum += bytes > compute ? bytes : compute;
        if (bytes > compute) memory += bytes;
    }
    *by_memory = memory / sum;
    return 1e6 * sum;
}

static void print_step(const char *name, int trials, const gpu_step *step, gpu_ratio first) {
    double activations = 0, parameters = 0, products = 0, additions = 0, part;
    for (int i = 0; i < step->count; i++) {
        activations += step->launch[i].activations, parameters += step->launch[i].parameters;
        products += step->launch[i].products, additions += step->launch[i].additions;
    }
    fprintf(stderr, "%-16s %4d %8d %9.1f %9.1f %9.2f %7.2f %7.2f  ", name, trials, step->count,
            1e-6 * activations / trials, 1e-6 * parameters / trials, 1e-9 * products / trials, first.activations,
            first.all);
    for (int g = 0; g < GPU_COUNT; g++) {
        double times[3];
        for (int p = 2; p >= 0; p--) times[p] = floor_of(step, g, p, &part);
        fprintf(stderr, "%9.1f %4.0f%%%8.1f%8.1f", times[0] / trials, 100 * part, times[1] / trials, times[2] / trials);
        printf(
            "{\"bench\":\"gpu_model\",\"model\":\"%s\",\"trials\":%d,\"batch\":%d,\"gpu\":\"%s\",\"launches\":%d,"
            "\"activation_mb\":%.2f,\"parameter_mb\":%.2f,\"gflop\":%.3f,\"gadd\":%.3f,\"floor_us\":%.2f,"
            "\"floor_tf32_us\":%.2f,\"floor_bf16_us\":%.2f,\"by_memory\":%.2f,\"first_block\":%.3f,"
            "\"first_block_all\":%.3f,\"counted\":\"from launches and data sheets; not measured\",%s}\n",
            name, trials, BATCH, GPUS[g].name, step->count, 1e-6 * activations, 1e-6 * parameters, 1e-9 * products,
            1e-9 * additions, times[0], times[1], times[2], part, first.activations, first.all, measure_where());
    }
    fprintf(stderr, "\n");
}

static xc_status measure_model(const char *name, xc_error *error) {
    static xc_model model;
    static gpu_step step;
    static uint8_t bases[65536];
    static float labels[CLASSES];
    char zoo[80];
    const char *overrides[] = {zoo};
    xc_config *config = NULL;
    xc_status status;
    snprintf(zoo, sizeof zoo, "model.zoo=%s", name);
    XC_TRY(xc_config_read("configs/demo.yaml", overrides, 1, &config, error));
    XC_TRY(xc_model_build(&config->model, (int32_t)config->model.length, CLASSES, &model, error));
    const xc_split split = {
        .dna = {.bases = bases,
                .sequences = 1,
                .length = (uint32_t)model.length,
                .row_bytes = (uint32_t)(model.length + 3) / 4},
        .labels = labels,
        .classes = CLASSES,
    };
    for (int i = 0; i < PACK_COUNT; i++) {
        XC_TRY(gpu_count_step(&model, &split, PACKS[i], BATCH, &step, error));
        print_step(name, PACKS[i], &step, gpu_first_block(&step, &model, PACKS[i], BATCH));
    }
fail:
    xc_config_free(config);
    return status;
}

int main(int argument_count, char **arguments) {
    xc_error error = {0};
    if (gpu_open(&error) != XC_OK) return fprintf(stderr, "gpu_model: %s\n", error.text), 1;
    fprintf(stderr, "floors by data sheets, nothing measured; of a trial and step, at batch %d\n", BATCH);
    fprintf(stderr, "%-16s %4s %8s %9s %9s %9s %7s %7s  ", "model", "pack", "launches", "MB", "MB of", "GFLOP", "first",
            "with");
    for (int g = 0; g < GPU_COUNT; g++) fprintf(stderr, "%5s: us  mem.    TF32    BF16", GPUS[g].name);
    fprintf(stderr, "\n%36s %19s %17s\n", "", "parameters", "block param.");
    for (const char *const *name = xc_zoo_names(); *name; name++) {
        bool wanted = argument_count == 1;
        for (int i = 1; i < argument_count; i++) wanted |= strcmp(arguments[i], *name) == 0;
        if (wanted && measure_model(*name, &error) != XC_OK) return fprintf(stderr, "gpu_model: %s\n", error.text), 1;
    }
    return 0;
}
