/* stream.h: what stream.c and graph.c share: work that waits in a stream, or stands in a graph. */
#ifndef EMU_STREAM_H
#define EMU_STREAM_H

#include "emu.h"

typedef enum emu_work_kind {
    EMU_KERNEL,
    EMU_CALL, /* of a host function: what a library would do on the device */
    EMU_COPY,
    EMU_FILL,
    EMU_RECORD,
    EMU_WAIT,
    EMU_GRAPH
} emu_work_kind;

typedef struct emu_work {
    struct emu_work *next;
    emu_work_kind kind;
    emu_kernel kernel; /* of a call: its name, run, release and arguments */
    void *to;
    const void *from;
    size_t bytes;
    int value;
    struct CUevent_st *event;
    uint64_t number; /* of the event's recording */
    struct CUgraph_st *graph;
} emu_work;

/* Nodes of a graph that the next one comes after. */
enum { EMU_MOST_BEFORE = 16 };
typedef struct emu_before {
    int count, node[EMU_MOST_BEFORE];
} emu_before;

struct CUstream_st {
    struct CUstream_st *next;
    emu_work *first, **last;
    struct CUgraph_st *captured; /* what is asked of this stream goes to a graph, after these nodes of it; or NULL */
    emu_before before;
};

struct CUevent_st {
    uint64_t recorded, done;     /* recordings asked for, and done */
    struct CUgraph_st *captured; /* last recorded in a capture, after these nodes */
    emu_before before;
};

struct CUstream_st *emu_stream_of(cudaStream_t stream);
struct CUstream_st *emu_first_stream(void);
cudaError_t emu_queue(struct CUstream_st *stream, const emu_work *what);
/* Queues run(a copy of the arguments), once, with device memory open; captured, once in each launch of the graph. `run`
 * may keep nothing in the arguments. */
cudaError_t emu_queue_call(const char *name, void (*run)(const void *arguments), const void *arguments, size_t bytes,
                           struct CUstream_st *stream);
void emu_run_work(const emu_work *what);  /* a kernel, call, copy or fill; keeps its arguments */
void emu_drop_work(const emu_work *what); /* releases them */

/* Work for a stream that is captured. */
cudaError_t emu_capture(struct CUstream_st *stream, const emu_work *what);
void emu_run_graph(struct CUgraph_st *graph);
int emu_graph_count(const struct CUgraph_st *graph); /* of its nodes */
void emu_drop_graph(struct CUgraph_st *graph);

#endif
