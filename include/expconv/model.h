/* model.h: from a config to a network in a backend's memory: the config, the model as blocks, the pack of trials that
 * trains in lockstep, and the weights file.
 */
#ifndef EXPCONV_MODEL_H
#define EXPCONV_MODEL_H

#include "expconv/backend.h"
#include "expconv/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- config ----------------------------------------------------------------------------------------------------- */

/* X(ENUM, "name in configs"): initial weights of the first convolution; Keras' definitions (normal is truncated at two
 * deviations, with Keras' correction), except XC_INIT_NORMAL, a plain normal with the given standard deviation. */
#define XC_INITS(X)                             \
    X(XC_INIT_GLOROT_UNIFORM, "glorot_uniform") \
    X(XC_INIT_GLOROT_NORMAL, "glorot_normal")   \
    X(XC_INIT_HE_UNIFORM, "he_uniform")         \
    X(XC_INIT_HE_NORMAL, "he_normal")           \
    X(XC_INIT_LECUN_UNIFORM, "lecun_uniform")   \
    X(XC_INIT_LECUN_NORMAL, "lecun_normal")     \
    X(XC_INIT_NORMAL, "normal")

#define XC_INIT_ENUM(name, word) name,
typedef enum xc_init { XC_INITS(XC_INIT_ENUM) XC_INIT_COUNT } xc_init;
#undef XC_INIT_ENUM

typedef enum xc_padding { XC_PADDING_SAME, XC_PADDING_VALID } xc_padding;

/* One entry of `blocks`. Exactly one of conv, residual, dense is set. All defaults are those of the paper. */
typedef struct xc_block_config {
    uint32_t conv;     /* filters */
    uint32_t residual; /* kernel width of a residual unit, which keeps the number of channels */
    uint32_t dense;    /* units */
    uint32_t width;    /* of conv */
    xc_padding padding;
    uint32_t pool; /* 1: none */
    xc_padding pool_padding;
    xc_activation_kind *activation; /* NULL: the config's for the first block, relu for the others */
    double dropout;
    bool norm; /* default true */
    double l2; /* default 1e-6 */
} xc_block_config;

typedef struct xc_data_config {
    char *file;
    bool reverse_complement;
    char *train_x, *train_y, *valid_x, *valid_y, *test_x, *test_y; /* NULL: searched */
} xc_data_config;

typedef struct xc_model_config {
    char *zoo;               /* name of a model of configs/zoo; or the name given to `blocks` */
    uint32_t length;         /* of the input the model is meant for; 0: any. Filled from the zoo */
    xc_block_config *blocks; /* filled from the zoo when not written out */
    uint32_t blocks_count;
    xc_activation_kind activation; /* of the first block */
    xc_init init;                  /* of the first convolution */
    double stddev;                 /* of init normal */
    xc_precision precision;        /* of every block, in training and whenever the network is used */
} xc_model_config;

/* X(ENUM, "name"): what can be monitored, and the columns of history and metrics. True: larger is better. */
#define XC_METRICS(X)                                                                \
    X(XC_METRIC_LOSS, "loss", false)                                                 \
    X(XC_METRIC_AUROC, "auroc", true)                                                \
    X(XC_METRIC_AUPR, "aupr", true) /* trapezoids over the precision-recall curve */ \
    X(XC_METRIC_AVERAGE_PRECISION, "average_precision", true)                        \
    X(XC_METRIC_ACCURACY, "accuracy", true)                                          \
    X(XC_METRIC_PEARSON, "pearson", true)

#define XC_METRIC_ENUM(name, word, larger) name,
typedef enum xc_metric { XC_METRICS(XC_METRIC_ENUM) XC_METRIC_COUNT } xc_metric;
#undef XC_METRIC_ENUM

typedef struct xc_early_stop_config {
    uint32_t patience; /* epochs without a new best; 0: never stop early */
    double min_delta;
} xc_early_stop_config;

typedef struct xc_reduce_lr_config {
    uint32_t patience; /* 0: never reduce */
    double factor, min, min_delta;
    uint32_t cooldown;
} xc_reduce_lr_config;

typedef struct xc_train_config {
    uint32_t epochs, batch;
    xc_optimizer_kind optimizer;
    double learning_rate, beta1, beta2, epsilon, momentum;
    xc_loss_kind loss;
    double *class_weights; /* NULL: all 1 */
    uint32_t class_weights_count;
    xc_metric monitor; /* on the validation split: val_auroc in the file is XC_METRIC_AUROC here */
    xc_early_stop_config early_stop;
    xc_reduce_lr_config reduce_lr;
    bool best_weights; /* weights: best | last */
    uint64_t seed;
} xc_train_config;

typedef struct xc_exponential_config {
    double clip;
    xc_beyond beyond;
    double scale;
} xc_exponential_config;

/* The lists whose product is the sweep; an empty list stands for the one value of the section it belongs to. */
typedef struct xc_sweep_config {
    char **zoo;
    uint32_t zoo_count;
    xc_activation_kind *activation;
    uint32_t activation_count;
    xc_init *init;
    uint32_t init_count;
    double *stddev, *scale, *clip, *learning_rate;
    uint32_t stddev_count, scale_count, clip_count, learning_rate_count;
    uint32_t seeds; /* train.seed, train.seed + 1, ...; default 1 */
} xc_sweep_config;

/* A motif that was planted in the data, or is known to be there, and the database's identifiers of it. */
typedef struct xc_ground_truth {
    char *name;    /* "MAX" */
    char **motifs; /* MA0058.1 MA0058.2 MA0058.3 */
    uint32_t motifs_count;
} xc_ground_truth;

/* How the filters of a trained network are made into motifs and scored: filters.h. */
typedef struct xc_filters_config {
    char *motifs;       /* database (MEME or JASPAR); NULL: filters are extracted, not compared */
    double threshold;   /* of a filter's largest activation */
    double *thresholds; /* others that are measured beside it: the paper's control; NULL: none */
    uint32_t thresholds_count;
    uint32_t window;               /* positions of a PPM before it is clipped; even */
    double evalue;                 /* a match has at most this E-value */
    xc_ground_truth *ground_truth; /* NULL: none */
    uint32_t ground_truth_count;
    char **ignore_alone; /* identifiers: a filter that matches nothing else counts as matching nothing */
    uint32_t ignore_alone_count;
} xc_filters_config;

/* X(ENUM, "name in configs and options"). */
#define XC_ATTRIBUTION_METHODS(X)                      \
    X(XC_SALIENCY, "saliency")                         \
    X(XC_INTEGRATED_GRADIENTS, "integrated_gradients") \
    X(XC_MUTAGENESIS, "mutagenesis")                   \
    X(XC_DEEPSHAP, "deepshap")

#define XC_METHOD_ENUM(name, word) name,
typedef enum xc_attribution_method { XC_ATTRIBUTION_METHODS(XC_METHOD_ENUM) XC_METHOD_COUNT } xc_attribution_method;
#undef XC_METHOD_ENUM

/* X(ENUM, "name"): what integrated gradients start from and deepshap compares with. */
#define XC_BACKGROUNDS(X)                                                                          \
    X(XC_BACKGROUND_SHUFFLE, "shuffle")           /* the sequence's own bases in another order */  \
    X(XC_BACKGROUND_DINUCLEOTIDE, "dinucleotide") /* the same with all pairs of neighbours kept */ \
    X(XC_BACKGROUND_ZERO, "zero")                 /* zeros in every channel */                     \
    X(XC_BACKGROUND_FILE, "file")                 /* sequences of a file, the same for all */

#define XC_BACKGROUND_ENUM(name, word) name,
typedef enum xc_background { XC_BACKGROUNDS(XC_BACKGROUND_ENUM) XC_BACKGROUND_COUNT } xc_background;
#undef XC_BACKGROUND_ENUM

/* X(ENUM, "name"): where on the way from background to sequence gradients are taken, with which weights. */
#define XC_QUADRATURES(X)                                                                               \
    X(XC_QUADRATURE_LEFT, "left")         /* 0, 1/steps, ...: the paper's, an error of order 1/steps */ \
    X(XC_QUADRATURE_MIDPOINT, "midpoint") /* 1/2 further each */                                        \
    X(XC_QUADRATURE_GAUSS, "gauss")       /* Gauss-Legendre */

#define XC_QUADRATURE_ENUM(name, word) name,
typedef enum xc_quadrature { XC_QUADRATURES(XC_QUADRATURE_ENUM) XC_QUADRATURE_COUNT } xc_quadrature;
#undef XC_QUADRATURE_ENUM

#define XC_MOST_STEPS 1000
#define XC_MOST_BACKGROUNDS 1000

/* Which attribution maps of a trained network are scored against the ground truth of simulated data: attribution.h. The
 * defaults are the paper's. */
typedef struct xc_attribution_config {
    xc_attribution_method *methods; /* each once */
    uint32_t methods_count;
    uint32_t sequences;   /* the first so many of the test split that are labelled with the class */
    uint32_t class_index; /* key "class", from 0 */
    bool probability;     /* key "of": probability | logit */
    xc_background background;
    uint32_t backgrounds, steps;
    xc_quadrature quadrature;
    uint64_t seed; /* of the shuffles */
} xc_attribution_config;

/* A threshold as tables and names of files show it; two that are written alike would have one file and one row between
 * them, and are the same. */
#define XC_THRESHOLD_FORMAT "%.9g"
bool xc_thresholds_same(double a, double b);

typedef struct xc_config {
    xc_data_config data;
    xc_model_config model;
    xc_train_config train;
    xc_exponential_config exponential;
    xc_sweep_config sweep;
    xc_filters_config *filters;         /* NULL: the config has no such section, and filters are left alone */
    xc_attribution_config *attribution; /* NULL: likewise */
} xc_config;

/* Reads a YAML config, applies "section.key=value" overrides in order, fills defaults (the paper's protocol), takes the
 * blocks from the zoo, and checks every value. Refuses, with file and line: unknown keys (naming the nearest), wrong
 * types, negative sizes, unknown activations (naming the nearest). A relative data.file is relative to the working
 * folder. The config owns its memory: xc_config_free, also on failure. */
xc_status xc_config_read(const char *path, const char *const *overrides, int override_count, xc_config **config,
                         xc_error *error);
void xc_config_free(xc_config *config);

/* A deep copy with every default written out and no sweep section; what a trial runs. */
xc_status xc_config_copy(const xc_config *config, xc_config **copy, xc_error *error);

/* Replaces the model by a zoo model (blocks, length, name), keeping activation and initialisation. */
xc_status xc_config_set_zoo(xc_config *config, const char *zoo, xc_error *error);

/* The complete config as YAML text, to be freed; reading it gives the same config, and the same config the same text.
 */
xc_status xc_config_write(const xc_config *config, char **text, xc_error *error);

/* Names of the zoo, NULL-terminated, static. */
const char *const *xc_zoo_names(void);

const char *xc_activation_word(xc_activation_kind kind);
const char *xc_init_word(xc_init init);
const char *xc_metric_word(xc_metric metric);
const char *xc_loss_word(xc_loss_kind loss);
const char *xc_precision_word(xc_precision precision);
const char *xc_method_word(xc_attribution_method method);
const char *xc_background_word(xc_background background);
const char *xc_quadrature_word(xc_quadrature quadrature);

/* ---- model ------------------------------------------------------------------------------------------------------ */

/* One parameter tensor of a trial. */
typedef struct xc_tensor {
    char name[32]; /* "block2.kernel"; blocks are counted as layers are, from 0 */
    int32_t rank;
    int32_t shape[3]; /* (K,C,F), (In,Out) or (F) */
    size_t offset;    /* floats within a trial's parameters */
    size_t count;
    xc_init init;   /* of kernels; stddev in the model */
    bool is_kernel; /* others: gamma 1, beta and bias 0 */
    float l2;
} xc_tensor;

/* One block in the order of execution. The last is the output layer, dense and linear: its y are the logits. */
typedef struct xc_layer {
    xc_block block;
    int32_t input; /* layer whose y is x; -1: the sequence (a motif block) */
    int32_t skip;  /* add blocks: layer whose y is x_skip; -1 otherwise */
    bool first;    /* its activation is the trial's own; otherwise the next member */
    xc_activation_kind activation;
} xc_layer;

#define XC_MAX_LAYERS 64
#define XC_MAX_TENSORS 256

/* A network's shape: what the trials of a pack share. Plain data, copied by assignment. */
typedef struct xc_model {
    char name[64];
    xc_activation_kind activation; /* of the first block; the other trials of a pack may have another */
    int32_t length, classes;
    int32_t layer_count, tensor_count, l2_count;
    xc_layer layer[XC_MAX_LAYERS];
    xc_tensor tensor[XC_MAX_TENSORS];
    xc_l2 l2[XC_MAX_TENSORS];
    size_t parameter_count; /* floats of a trial, and the stride in a pack (a multiple of 16) */
    size_t running_count;   /* floats of a trial's running statistics, a multiple of 16 */
    double stddev;
} xc_model;

/* Lays out the model for sequences of `length` and `classes` outputs. Refuses what cannot be: a pool or a valid
 * convolution that leaves length 0 (naming the block), sequences shorter than the first kernel or than the valid layers
 * together need, a length other than the zoo model's. A receptive field that 'same' padding makes larger than the
 * sequence is allowed: that of cnn-50 is 268 at length 200. */
xc_status xc_model_build(const xc_model_config *config, int32_t length, int32_t classes, xc_model *model,
                         xc_error *error);

/* The first block of a model alone, up to its activation: without its pool, and in inference without its dropout. The
 * whole network's parameters and running statistics fit it. Its logits are the activations (conv_length, filters) of
 * model->layer[0].block: `classes` is their product. */
void xc_model_first_block(const xc_model *model, xc_model *first);

/* Cuts a model behind its first layer's linear part, for attribution: `first` is that part alone, whose logits (Lc,F)
 * are what `rest` reads (xc_pack_set_input), and the logits of `rest` are the model's, in inference. An activation
 * before a batch norm becomes a layer of its own. The whole network's parameters and running statistics fit both. Fails
 * where `rest` would have more than XC_MAX_LAYERS layers. */
xc_status xc_model_cut(const xc_model *model, xc_model *first, xc_model *rest, xc_error *error);

/* The same network in inference with each pool as a layer of its own, behind the activations that it takes the largest
 * of. The whole network's parameters and running statistics fit it. Fails as xc_model_cut. */
xc_status xc_model_part_pools(const xc_model *model, xc_model *parted, xc_error *error);

/* Layer i alone, as a model whose parameters and running statistics begin at *parameters and *running of the whole
 * model's. It reads what is set by xc_pack_set_input; a first layer DNA. */
void xc_model_layer(const xc_model *model, int32_t i, xc_model *layer, size_t *parameters, size_t *running);

/* Initial parameters (parameter_count) and running statistics (running_count) of the trial with this seed. */
void xc_model_initialise(const xc_model *model, uint64_t seed, float *parameters, float *running);

/* The activation of the first block as the kernels want it. */
xc_activation xc_config_activation(const xc_config *config);

/* ---- pack ------------------------------------------------------------------------------------------------------- */

/* T trials of one model in a backend's memory. One thread at a time. Slot t's parameters are at t * parameter_count. */
typedef struct xc_pack xc_pack;

/* What a pack can do: forward in inference; and steps; or backward in inference, to what the first layer reads. */
typedef enum xc_purpose { XC_FOR_INFERENCE, XC_FOR_TRAINING, XC_FOR_ATTRIBUTION } xc_purpose;

/* Memory for `trials` trials at `batch` sequences. One allocation for everything that a step touches, none later. */
xc_status xc_pack_create(const xc_backend *backend, const xc_model *model, int32_t trials, int32_t batch,
                         xc_purpose purpose, xc_pack **pack, xc_error *error);
void xc_pack_free(xc_pack *pack);

/* Lets the threads of a team share every op from now on (NULL: the caller's alone, as a new pack has it), with the same
 * results. The team stays the caller's and must outlive the pack or the next call. XC_MEMORY leaves things as they
 * were. Not to be called between a forward pass and its backward. */
xc_status xc_pack_set_team(xc_pack *pack, xc_team *team, xc_error *error);

/* Bytes of backend memory that one more trial would take; and of the pack as it is. */
size_t xc_pack_bytes(const xc_model *model, const xc_backend *backend, int32_t trials, int32_t batch,
                     xc_purpose purpose);

/* Everything of slot t that training changes, as the host sees it. Arrays belong to the caller: parameters and moments
 * (parameter_count), running (running_count). Moments may be NULL (not moved; set: zero). */
typedef struct xc_trial_state {
    float *parameters, *running, *first_moment, *second_moment;
    uint64_t step; /* training steps done */
} xc_trial_state;

void xc_pack_set(xc_pack *pack, int32_t slot, const xc_trial_state *state, const xc_activation *activation,
                 uint64_t seed);
void xc_pack_get(const xc_pack *pack, int32_t slot, xc_trial_state *state);

/* Takes slot t out: the last slot's trial moves into it and the pack has one trial less. Between steps: what the last
 * forward left is gone. */
void xc_pack_remove(xc_pack *pack, int32_t slot);
int32_t xc_pack_trials(const xc_pack *pack);

/* A split where the backend can read it: borrowed when host memory will do, otherwise a copy; or, where the backend has
 * no room for one, streamed: dna and labels are the host's, and packs bring them over batch by batch. The split must
 * outlive it. */
typedef struct xc_device_split {
    const xc_backend *backend;
    xc_dna_view dna;
    const float *labels; /* (sequences,classes) or NULL */
    int32_t classes;
    bool streamed;
    uint32_t most_runs; /* of N in any one sequence; of a streamed split */
    void *owned[4];
} xc_device_split;

/* A copy takes three quarters of the free memory at most, where the backend can do without; a line of the log says what
 * is streamed. XC_MEMORY where there is no room and the backend cannot stream. */
xc_status xc_device_split_open(const xc_backend *backend, const xc_split *split, xc_device_split *device,
                               xc_error *error);
void xc_device_split_close(xc_device_split *device);

/* Streamed where the backend can, whatever room it has; otherwise as above. For who reads a split once or twice. */
xc_status xc_device_split_stream(const xc_backend *backend, const xc_split *split, xc_device_split *device,
                                 xc_error *error);

/* Bytes of backend memory that a copy of the split takes there; 0 when it is borrowed. */
size_t xc_device_split_bytes(const xc_backend *backend, const xc_split *split);

/* Bytes of backend memory that a batch of a streamed split takes; 0 for others. A pack takes what its largest split
 * wants: for two batches when it trains, otherwise for one. */
size_t xc_device_split_batch_bytes(const xc_device_split *split, int32_t trials, int32_t batch);

/* Forward of `batch` sequences for every trial: index (T,batch) in host memory. In training mode batch norm uses the
 * batch and dropout acts. The logits stay in the pack. */
xc_status xc_pack_forward(xc_pack *pack, const xc_device_split *split, const uint32_t *index, int32_t batch,
                          bool training, xc_error *error);

/* The logits (T,batch,classes) of the last forward, into host memory. */
void xc_pack_logits(const xc_pack *pack, float *logits);

/* The same where they lie, good until the pack's next call; NULL when the backend's memory is not the host's. */
const float *xc_pack_lend_logits(const xc_pack *pack);

/* Mean loss of each trial (T) of the last forward, and its gradient at the logits kept for backward. */
xc_status xc_pack_loss(xc_pack *pack, xc_loss_kind kind, const double *class_weights, double *loss, xc_error *error);

/* Back through all blocks, adding to the gradients; then xc_pack_step applies them. */
xc_status xc_pack_backward(xc_pack *pack, xc_error *error);

/* ---- passes to the input, of packs for attribution; all arrays are in the backend's memory ---- */

/* Where a pack's first layer reads its input (T,N,L,C), NULL for the DNA of a split, and where its gradient goes
 * (T,N,L,C), of DNA at the one-hot input (T,N,L,4). The caller's, good until the next call of this. */
void xc_pack_set_input(xc_pack *pack, const float *input, float *gradient);

/* What an add block, a model's only layer, adds to it (T,N,L,C); NULL: nothing. As above. */
void xc_pack_set_skip(xc_pack *pack, const float *skip);

/* The output of layer i of the last forward (T,N,Lp,F), of a pack for attribution or of its last layer. */
const float *xc_pack_layer_output(const xc_pack *pack, int32_t i);

/* xc_pack_forward in inference of `batch` rows of that input. */
xc_status xc_pack_forward_input(xc_pack *pack, int32_t batch, xc_error *error);

/* The logits of the last forward (T,N,classes), and the gradient at them, which xc_pack_backward_input reads. */
float *xc_pack_output(const xc_pack *pack);
float *xc_pack_output_gradient(const xc_pack *pack);

/* Back from the gradient at the logits to the input's, once after each forward; with references > 0 multipliers by the
 * rescale rule (backend.h), of a pack that reads no DNA. */
xc_status xc_pack_backward_input(xc_pack *pack, int32_t references, xc_error *error);

typedef struct xc_optimizer {
    xc_optimizer_kind kind;
    float beta1, beta2, epsilon, momentum;
} xc_optimizer;
/* learning_rate (T). Counts the step of each trial. */
xc_status xc_pack_step(xc_pack *pack, const xc_optimizer *optimizer, const float *learning_rate, xc_error *error);

/* The order in which slot t goes through its items from now on: indices into a split, from the first. Copied to the
 * backend; of a streamed split read where it is, so that it stays until the slot's next order or trial. All slots have
 * the same number of items, and set theirs before the next xc_pack_train_forward. */
xc_status xc_pack_set_order(xc_pack *pack, int32_t slot, const uint32_t *order, size_t items, xc_error *error);

/* Takes the memory for orders of so many items of the split that is trained on. Before the first xc_pack_set_order when
 * the split is streamed; of others that call takes it otherwise. */
xc_status xc_pack_reserve_order(xc_pack *pack, const xc_device_split *split, size_t items, xc_error *error);

/* Takes the memory for batches of a streamed split, which its first batch takes otherwise; none for others. */
xc_status xc_pack_reserve_split(xc_pack *pack, const xc_device_split *split, xc_error *error);

/* The next `batch` items of every trial's order: forward in training mode, and the mean loss of each trial (T). Then
 * xc_pack_train_backward, back through all blocks and one optimizer step. Both are the calls above, but nothing goes to
 * the backend besides what changed since the last step, and where it can record ops they are asked for only once. */
xc_status xc_pack_train_forward(xc_pack *pack, const xc_device_split *split, int32_t batch, xc_loss_kind kind,
                                const double *class_weights, double *loss, xc_error *error);
xc_status xc_pack_train_backward(xc_pack *pack, const xc_optimizer *optimizer, const float *learning_rate,
                                 xc_error *error);

/* Gradients of slot t (parameter_count), for tests and for the search of a non-finite value. */
void xc_pack_gradients(const xc_pack *pack, int32_t slot, float *gradients);

/* Activations that met the clip in slot t since the last call, and how many there were; resets both. */
void xc_pack_clipped(xc_pack *pack, int32_t slot, uint64_t *clipped, uint64_t *total);

/* Writes into `where` which tensor of slot t first holds a non-finite value, in the order of execution:
 * "block1.kernel", "block1 output", ...; "loss" when all are finite. Of a pack for training, between xc_pack_loss and
 * xc_pack_backward: afterwards the outputs are gone, and only the parameters are looked at. */
void xc_pack_find_nonfinite(const xc_pack *pack, int32_t slot, char *where, size_t size);

/* ---- weights file ----------------------------------------------------------------------------------------------- */

/* weights.h5: one dataset a parameter tensor by its name, "running/blockN.mean" and ".variance", and attributes that
 * name format, model, activation, length, classes. Two files of the same trial have the same bytes. Whole or not at
 * all. */
xc_status xc_weights_write(const char *path, const xc_model *model, const xc_trial_state *state, xc_error *error);

/* Refuses a file that is not of this model, naming what differs: the length, the model's name or its activation, or
 * the first tensor. Fills parameters and running. */
xc_status xc_weights_read(const char *path, const xc_model *model, xc_trial_state *state, xc_error *error);

/* Length and classes of the model that the file is of: what xc_model_build wants beside the config. */
xc_status xc_weights_shape(const char *path, int32_t *length, int32_t *classes, xc_error *error);

/* The checkpoint of an epoch: everything of xc_trial_state (moments included) plus `extra` bytes of the training room.
 * Reading gives the extra bytes in fresh memory, to be freed; *extra_size is the size that is wanted (another is
 * refused), or 0 for any, and then becomes the size found. */
xc_status xc_checkpoint_write(const char *path, const xc_model *model, const xc_trial_state *state, const void *extra,
                              size_t extra_size, xc_error *error);
xc_status xc_checkpoint_read(const char *path, const xc_model *model, xc_trial_state *state, void **extra,
                             size_t *extra_size, xc_error *error);

#ifdef __cplusplus
}
#endif
#endif
