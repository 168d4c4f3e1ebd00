/* stream.c: streams and events. What is asked of a stream waits in its queue until somebody waits for it; then streams
 * take turns, an operation each: in their order, or (EMU_SHUFFLED) in any that is legal. So a result that is read
 * without waiting for it is not there yet, and one that only mostly comes first is sometimes late.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

static struct CUstream_st default_stream = {.last = &default_stream.first};
static struct CUstream_st *streams = &default_stream;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void read_environment(void) {
    static const char *const names[] = {"forward", "reverse", "shuffled"};
    const char *order = getenv("EMU_ORDER"), *seed = getenv("EMU_SEED");
    for (int i = 0; order && i < 3; i++)
        if (strcmp(order, names[i]) == 0) emu_set_order((emu_order)i, seed ? strtoull(seed, NULL, 10) : 1);
}

void emu_lock(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_environment);
    pthread_mutex_lock(&lock);
}
void emu_unlock(void) { pthread_mutex_unlock(&lock); }

/* ---- queues ------------------------------------------------------------------------------------------------------ */

struct CUstream_st *emu_first_stream(void) {
    return streams;
}

struct CUstream_st *emu_stream_of(cudaStream_t stream) {
    return stream == NULL || stream == cudaStreamLegacy || stream == cudaStreamPerThread ? &default_stream : stream;
}

/* Whether a graph is being captured still. */
static bool is_captured(const struct CUgraph_st *graph) {
    for (const struct CUstream_st *s = streams; s != NULL && graph != NULL; s = s->next)
        if (s->captured == graph) return true;
    return false;
}

static cudaError_t tell(const emu_work *w);

cudaError_t emu_queue(struct CUstream_st *stream, const emu_work *what) {
    if (emu_is_dry()) return tell(what);
    if (what->kind == EMU_WAIT && stream->captured == NULL && is_captured(what->event->captured)) {
        stream->captured = what->event->captured; /* the wait draws it into the capture */
        stream->before.count = 0;
    }
    if (stream->captured != NULL) return emu_capture(stream, what);
    if (what->kind == EMU_RECORD) what->event->captured = NULL;
    emu_work *w = malloc(sizeof *w);
    if (w == NULL) return cudaErrorMemoryAllocation;
    *w = *what;
    w->next = NULL;
    *stream->last = w;
    stream->last = &w->next;
    return cudaSuccess;
}

static bool can_go(const struct CUstream_st *s) {
    return s->first != NULL && (s->first->kind != EMU_WAIT || s->first->event->done >= s->first->number);
}

/* ---- looking without doing --------------------------------------------------------------------------------------- */

static emu_on_launch *told;
static void *told_context;

void emu_set_dry(emu_on_launch *on_launch, void *context) {
    told = on_launch;
    told_context = context;
}

bool emu_is_dry(void) { return told != NULL; }

/* What is asked for is told; only what comes back to the host is written. */
static cudaError_t tell(const emu_work *w) {
    const bool launch = w->kind == EMU_KERNEL || w->kind == EMU_CALL;
    if (launch) told(&w->kernel, told_context);
    if (w->kind == EMU_RECORD) w->event->done = w->number;
    if (w->kind == EMU_COPY && !emu_is_device(w->to, w->bytes)) memset(w->to, 0, w->bytes);
    if (launch) emu_drop_work(w);
    return cudaSuccess;
}

/* ---- doing ------------------------------------------------------------------------------------------------------- */

static emu_tally tally;

emu_tally emu_get_tally(void) { return tally; }

static void count_copy(const emu_work *w) {
    if (!emu_is_device(w->from, w->bytes))
        tally.copies_in++;
    else if (!emu_is_device(w->to, w->bytes))
        tally.copies_out++;
    else
        tally.copies_within++;
}

void emu_run_work(const emu_work *w) {
    tally.kernels += w->kind == EMU_KERNEL || w->kind == EMU_CALL;
    tally.fills += w->kind == EMU_FILL;
    if (w->kind == EMU_COPY) count_copy(w);
    if (w->kind == EMU_KERNEL) {
        emu_run_kernel(&w->kernel);
        return;
    }
    if (w->kind == EMU_CALL) {
        emu_open_memory();
        w->kernel.run(w->kernel.arguments);
        emu_close_memory();
        return;
    }
    emu_open_allocation(w->to);
    if (w->kind == EMU_COPY) {
        emu_open_allocation(w->from);
        memmove(w->to, w->from, w->bytes);
        emu_close_allocation(w->from);
    } else {
        memset(w->to, w->value, w->bytes);
    }
    emu_close_allocation(w->to);
}

void emu_drop_work(const emu_work *w) {
    if (w->kind == EMU_KERNEL || w->kind == EMU_CALL) w->kernel.release(w->kernel.arguments);
}

cudaError_t emu_queue_call(const char *name, void (*run)(const void *arguments), const void *arguments, size_t bytes,
                           struct CUstream_st *stream) {
    void *copy = malloc(bytes ? bytes : 1);
    if (copy == NULL) return cudaErrorMemoryAllocation;
    memcpy(copy, arguments, bytes);
    const emu_work call = {.kind = EMU_CALL, .kernel = {.name = name, .run = run, .release = free, .arguments = copy}};
    const cudaError_t status = emu_queue(stream, &call);
    if (status != cudaSuccess) emu_drop_work(&call);
    return status;
}

static void run_first(struct CUstream_st *s) {
    emu_work *w = s->first;
    s->first = w->next;
    if (s->first == NULL) s->last = &s->first;
    switch (w->kind) {
        case EMU_RECORD:
            if (w->event->done < w->number) w->event->done = w->number;
            break;
        case EMU_WAIT:
            break;
        case EMU_GRAPH:
            tally.graphs++;
            tally.graph_nodes += (uint64_t)emu_graph_count(w->graph);
            emu_run_graph(w->graph);
            emu_drop_graph(w->graph);
            break;
        default:
            emu_run_work(w);
            emu_drop_work(w);
    }
    free(w);
}

/* Lets one stream do one thing; false: nobody can. */
static bool go_on(void) {
    struct CUstream_st *ready[64];
    int count = 0;
    for (struct CUstream_st *s = streams; s != NULL && count < 64; s = s->next)
        if (can_go(s)) ready[count++] = s;
    if (count == 0) return false;
    const emu_order order = emu_get_order();
    run_first(ready[order == EMU_SHUFFLED ? (int)emu_random((uint32_t)count) : order == EMU_REVERSE ? count - 1 : 0]);
    return true;
}

/* Whether more waits than copies and fills. */
static bool has_kernels(void) {
    for (const struct CUstream_st *s = streams; s != NULL; s = s->next)
        for (const emu_work *w = s->first; w != NULL; w = w->next)
            if (w->kind == EMU_KERNEL || w->kind == EMU_CALL || w->kind == EMU_GRAPH) return true;
    return false;
}

static cudaError_t finish_stream(struct CUstream_st *s) {
    if (s->captured != NULL) return cudaErrorStreamCaptureUnsupported;
    if (s->first == NULL) return cudaSuccess;
    const bool all = has_kernels(); /* opened once for all of them: to close it costs a call of Linux an allocation */
    if (all) emu_open_memory();
    while (s->first != NULL)
        if (!go_on()) emu_stop(NULL, 0, "streams wait for events that nobody will record");
    if (all) emu_close_memory();
    return cudaSuccess;
}

static cudaError_t finish_all(void) {
    cudaError_t status = cudaSuccess;
    for (struct CUstream_st *s = streams; s != NULL && status == cudaSuccess; s = s->next) status = finish_stream(s);
    return status;
}

/* ---- kernels and copies ------------------------------------------------------------------------------------------ */

cudaError_t emu_launch(const emu_kernel *kernel, cudaStream_t stream) {
    const size_t threads = (size_t)kernel->block.x * kernel->block.y * kernel->block.z;
    const size_t blocks = (size_t)kernel->grid.x * kernel->grid.y * kernel->grid.z;
    const bool fits = threads > 0 && threads <= EMU_MOST_THREADS && kernel->block.z <= 64 && blocks > 0 &&
                      kernel->grid.y <= 65535 && kernel->grid.z <= 65535 &&
                      kernel->shared <= emu_shared_limit(kernel->function);
    const emu_work launch = {.kind = EMU_KERNEL, .kernel = *kernel};
    return fits ? emu_queue(emu_stream_of(stream), &launch) : cudaErrorInvalidConfiguration;
}

/* Which ends of a copy must be the device's. */
static cudaError_t check_copy(const void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (to_device != emu_is_device(to, bytes) || from_device != emu_is_device(from, bytes))
        return cudaErrorInvalidValue;
    return cudaSuccess;
}

/* To and from memory that is not pinned the device copies at once, in the order of the stream, and the host waits. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
    if (bytes == 0) return cudaSuccess;
    emu_lock();
    const emu_work copy = {.kind = EMU_COPY, .to = to, .from = from, .bytes = bytes};
    cudaError_t status = check_copy(to, from, bytes, kind);
    if (status == cudaSuccess) status = emu_queue(emu_stream_of(stream), &copy);
    if (status == cudaSuccess && (!emu_is_reachable(to, bytes) || !emu_is_reachable(from, bytes)))
        status = finish_stream(emu_stream_of(stream));
    emu_unlock();
    return status;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    const cudaError_t status = cudaMemcpyAsync(to, from, bytes, kind, NULL);
    return status == cudaSuccess ? cudaStreamSynchronize(NULL) : status;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    if (bytes == 0) return cudaSuccess;
    emu_lock();
    const emu_work fill = {.kind = EMU_FILL, .to = to, .value = value, .bytes = bytes};
    const cudaError_t status =
        emu_is_device(to, bytes) ? emu_queue(emu_stream_of(stream), &fill) : cudaErrorInvalidValue;
    emu_unlock();
    return status;
}

cudaError_t cudaMemset(void *to, int value, size_t bytes) { return cudaMemsetAsync(to, value, bytes, NULL); }

/* ---- streams and events ------------------------------------------------------------------------------------------ */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    (void)flags;
    struct CUstream_st *s = calloc(1, sizeof *s);
    *stream = s;
    if (s == NULL) return cudaErrorMemoryAllocation;
    emu_lock();
    s->last = &s->first;
    s->next = default_stream.next;
    default_stream.next = s;
    emu_unlock();
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    emu_lock();
    finish_stream(stream);
    for (struct CUstream_st *s = streams; s->next != NULL; s = s->next)
        if (s->next == stream) {
            s->next = stream->next;
            break;
        }
    free(stream);
    emu_unlock();
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    emu_lock();
    const cudaError_t status = finish_stream(emu_stream_of(stream));
    emu_unlock();
    return status;
}

cudaError_t cudaDeviceSynchronize(void) {
    emu_lock();
    const cudaError_t status = finish_all();
    emu_unlock();
    return status;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    (void)flags;
    *event = calloc(1, sizeof **event);
    return *event ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    emu_lock();
    finish_all(); /* nobody may still wait for it */
    free(event);
    emu_unlock();
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    emu_lock();
    const emu_work record = {.kind = EMU_RECORD, .event = event, .number = event->recorded + 1};
    const cudaError_t status = emu_queue(emu_stream_of(stream), &record);
    if (status == cudaSuccess && emu_stream_of(stream)->captured == NULL) event->recorded++;
    emu_unlock();
    return status;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    (void)flags;
    emu_lock();
    const emu_work wait = {.kind = EMU_WAIT, .event = event, .number = event->recorded};
    const cudaError_t status = emu_queue(emu_stream_of(stream), &wait);
    emu_unlock();
    return status;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    emu_lock();
    while (event->done < event->recorded)
        if (!go_on()) emu_stop(NULL, 0, "an event is waited for that nobody will record");
    emu_unlock();
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    emu_lock();
    const cudaError_t status = event->done < event->recorded ? cudaErrorNotReady : cudaSuccess;
    emu_unlock();
    return status;
}
