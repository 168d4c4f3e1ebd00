/* graph.c: CUDA graphs, captured from streams: kernels, calls, copies and fills, each after those that its stream and
 * the events that this stream waited for had before. A launch is one piece of work of a stream; within it nodes come in
 * any legal order (EMU_SHUFFLED). See stream.h.
 */
#include <stdlib.h>

#include "stream.h"

typedef struct node {
    emu_work work;
    emu_before before;
    bool done; /* in the launch that runs */
} node;

struct CUgraph_st {
    int users; /* the graph itself, what was made of it, and launches that wait */
    int count, room;
    node *nodes;
};

/* What cudaGraphInstantiate makes of it is the same thing, with one user more. */
static struct CUgraph_st *graph_of(cudaGraphExec_t made) { return (struct CUgraph_st *)made; }

void emu_drop_graph(struct CUgraph_st *graph) {
    if (--graph->users > 0) return;
    for (int i = 0; i < graph->count; i++) emu_drop_work(&graph->nodes[i].work);
    free(graph->nodes);
    free(graph);
}

/* ---- capture ----------------------------------------------------------------------------------------------------- */

static void add_before(emu_before *to, const emu_before *from) {
    for (int i = 0; i < from->count; i++) {
        bool there = false;
        for (int j = 0; j < to->count; j++) there |= to->node[j] == from->node[i];
        if (there) continue;
        if (to->count == EMU_MOST_BEFORE) emu_stop(NULL, 0, "a graph's node comes after more than %d", EMU_MOST_BEFORE);
        to->node[to->count++] = from->node[i];
    }
}

static cudaError_t add_node(struct CUstream_st *stream, const emu_work *what) {
    struct CUgraph_st *graph = stream->captured;
    if (graph->count == graph->room) {
        const int room = 2 * graph->room + 16;
        node *nodes = realloc(graph->nodes, (size_t)room * sizeof *nodes);
        if (nodes == NULL) return cudaErrorMemoryAllocation;
        graph->nodes = nodes;
        graph->room = room;
    }
    graph->nodes[graph->count] = (node){.work = *what, .before = stream->before};
    stream->before = (emu_before){1, {graph->count++}};
    return cudaSuccess;
}

cudaError_t emu_capture(struct CUstream_st *stream, const emu_work *what) {
    switch (what->kind) {
        case EMU_RECORD:
            what->event->captured = stream->captured;
            what->event->before = stream->before;
            return cudaSuccess;
        case EMU_WAIT:
            if (what->event->captured != stream->captured) return cudaErrorStreamCaptureIsolation;
            add_before(&stream->before, &what->event->before);
            return cudaSuccess;
        case EMU_GRAPH:
            return cudaErrorStreamCaptureUnsupported;
        default:
            return add_node(stream, what);
    }
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    (void)mode;
    if (stream == NULL) return cudaErrorStreamCaptureUnsupported;
    struct CUgraph_st *graph = calloc(1, sizeof *graph);
    if (graph == NULL) return cudaErrorMemoryAllocation;
    graph->users = 1;
    emu_lock();
    stream->captured = graph;
    stream->before.count = 0;
    emu_unlock();
    return cudaSuccess;
}

/* Streams that were drawn in by an event must have come back: the last node of each is before something. */
static bool all_joined(const struct CUgraph_st *graph, const struct CUstream_st *origin) {
    for (const struct CUstream_st *s = emu_first_stream(); s != NULL; s = s->next) {
        if (s == origin || s->captured != graph) continue;
        for (int i = 0; i < s->before.count; i++) {
            bool joined = false;
            for (int j = 0; j < origin->before.count; j++) joined |= origin->before.node[j] == s->before.node[i];
            for (int n = 0; n < graph->count; n++)
                for (int j = 0; j < graph->nodes[n].before.count; j++)
                    joined |= graph->nodes[n].before.node[j] == s->before.node[i];
            if (!joined) return false;
        }
    }
    return true;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
    emu_lock();
    struct CUgraph_st *captured = stream->captured;
    cudaError_t status = captured == NULL ? cudaErrorIllegalState : cudaSuccess;
    if (captured != NULL && !all_joined(captured, stream)) status = cudaErrorStreamCaptureUnjoined;
    for (struct CUstream_st *s = emu_first_stream(); s != NULL && captured != NULL; s = s->next)
        if (s->captured == captured) s->captured = NULL;
    if (status != cudaSuccess && captured != NULL) emu_drop_graph(captured);
    *graph = status == cudaSuccess ? captured : NULL;
    emu_unlock();
    return status;
}

/* ---- use --------------------------------------------------------------------------------------------------------- */

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long flags) {
    (void)flags;
    emu_lock();
    graph->users++;
    *made = (cudaGraphExec_t)graph;
    emu_unlock();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    emu_lock();
    emu_drop_graph(graph);
    emu_unlock();
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t made) { return cudaGraphDestroy(graph_of(made)); }

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    if (nodes != NULL) return cudaErrorNotSupported;
    *count = (size_t)graph->count;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t made, cudaStream_t stream) {
    emu_lock();
    struct CUgraph_st *graph = graph_of(made);
    const emu_work launch = {.kind = EMU_GRAPH, .graph = graph};
    const cudaError_t status = emu_queue(emu_stream_of(stream), &launch);
    graph->users += status == cudaSuccess;
    emu_unlock();
    return status;
}

int emu_graph_count(const struct CUgraph_st *graph) { return graph->count; }

static bool is_ready(const struct CUgraph_st *graph, const node *n) {
    if (n->done) return false;
    for (int i = 0; i < n->before.count; i++)
        if (!graph->nodes[n->before.node[i]].done) return false;
    return true;
}

void emu_run_graph(struct CUgraph_st *graph) {
    const emu_order order = emu_get_order();
    for (int i = 0; i < graph->count; i++) graph->nodes[i].done = false;
    for (int left = graph->count; left > 0; left--) {
        int ready = 0, chosen = -1;
        for (int i = 0; i < graph->count; i++) {
            if (!is_ready(graph, &graph->nodes[i])) continue;
            ready++;
            /* Each of those that are ready with the same chance. */
            if (chosen < 0 || order == EMU_REVERSE || (order == EMU_SHUFFLED && emu_random((uint32_t)ready) == 0))
                chosen = i;
        }
        emu_run_work(&graph->nodes[chosen].work);
        graph->nodes[chosen].done = true;
    }
}
