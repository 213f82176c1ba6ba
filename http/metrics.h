/*
 * Numbers of the running server in Prometheus' text format (version 0.0.4).
 *
 * Every shard has a row of slots that only it writes, by a relaxed load and store, so that counting costs
 * what an increment costs; a scrape sums the rows. Latencies go to buckets of powers of two microseconds: one
 * count-leading- zeros, no search. What other layers count already is not counted twice: they register a
 * source that writes its numbers when somebody scrapes.
 *
 * Invariant: everything is registered before the shards run; afterwards the definitions are read-only.
 */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/base/buf.h"

#define HTTP_METRICS_SLOTS_MAX 2048
/* Bounds of 2^4 … 2^24 microseconds (16 µs to 16.8 s) and one bucket for what is slower. */
#define HTTP_METRICS_BUCKETS      22u
#define HTTP_METRICS_BUCKET_SHIFT 4u
#define HTTP_METRICS_NO_LABELS    ""

struct http_metrics;

/* A row of slots; one per shard, and one more (index = shards) that other threads share. */
struct http_metrics_row {
    _Alignas(64) _Atomic uint64_t slots[HTTP_METRICS_SLOTS_MAX];
};

struct http_metrics *http_metrics_create(unsigned shards);
void http_metrics_destroy(struct http_metrics *metrics);
struct http_metrics_row *http_metrics_row(struct http_metrics *metrics, unsigned shard);

/*
 * Registration: `name` and `help` are static text, `labels` is copied ("route=\"/graphql\",code=\"2xx\"",
 * without braces). The id is the slot to give to http_metrics_add. Several of one name differ in their
 * labels.
 */
unsigned http_metrics_counter(struct http_metrics *metrics, const char *name, const char *help,
                              const char *labels);
/* A number that goes up and down; the shards' values are summed. */
unsigned http_metrics_gauge(struct http_metrics *metrics, const char *name, const char *help,
                            const char *labels);
/* Durations; reported in seconds. */
unsigned http_metrics_histogram(struct http_metrics *metrics, const char *name, const char *help,
                                const char *labels);

/* Numbers without a unit, in buckets of 1, 2, 4 …, kept by somebody else: HTTP_METRICS_BUCKETS slots from the
 * id on for http_metrics_set, and one behind them for the sum. */
unsigned http_metrics_sizes(struct http_metrics *metrics, const char *name, const char *help,
                            const char *labels);

/* The row's own thread. */
static inline void http_metrics_add(struct http_metrics_row *row, unsigned id, uint64_t count)
{
    uint64_t value = atomic_load_explicit(&row->slots[id], memory_order_relaxed);
    atomic_store_explicit(&row->slots[id], value + count, memory_order_relaxed);
}

/* The row's own thread; gauges only. */
static inline void http_metrics_set(struct http_metrics_row *row, unsigned id, uint64_t value)
{
    atomic_store_explicit(&row->slots[id], value, memory_order_relaxed);
}

/* The bucket of a duration: the first whose bound is not below it. */
static inline unsigned http_metrics_bucket(uint64_t ns)
{
    uint64_t us = (ns + 999) / 1000;
    if (us <= UINT64_C(1) << HTTP_METRICS_BUCKET_SHIFT)
        return 0;
    unsigned bits = 64u - (unsigned)__builtin_clzll(us - 1); /* us <= 2^bits */
    unsigned bucket = bits - HTTP_METRICS_BUCKET_SHIFT;
    return bucket < HTTP_METRICS_BUCKETS ? bucket : HTTP_METRICS_BUCKETS - 1;
}

/* The row's own thread. */
static inline void http_metrics_observe(struct http_metrics_row *row, unsigned id, uint64_t ns)
{
    http_metrics_add(row, id + http_metrics_bucket(ns), 1);
    http_metrics_add(row, id + HTTP_METRICS_BUCKETS, ns);
}

/* Any thread: the sum over all rows. */
uint64_t http_metrics_value(struct http_metrics *metrics, unsigned id);

/*
 * A source appends whole metrics to `out` by the writers below. Called on the shard that answers the scrape;
 * it reads what it reports by atomics or by functions that any thread may call. Borrowed until destroy.
 */
void http_metrics_source(struct http_metrics *metrics, void (*write)(void *context, struct oms_buf *out),
                         void *context);

/* "# HELP" and "# TYPE"; type is "counter", "gauge" or "histogram". Once per name, before its values. */
void http_metrics_write_head(struct oms_buf *out, const char *name, const char *type, const char *help);
/* One sample; `labels` as in registration, may be "". */
void http_metrics_write_u64(struct oms_buf *out, const char *name, const char *labels, uint64_t value);
/* A sample in millionths: written as decimal seconds where the value is microseconds. */
void http_metrics_write_micro(struct oms_buf *out, const char *name, const char *labels, uint64_t value);
/*
 * The samples of a histogram whose `counts` (not cumulative) belong to bounds of 2^shift, 2^(shift+1) …
 * units, the last one to +Inf. `micro`: bounds and sum are microseconds and written as seconds.
 */
void http_metrics_write_histogram(struct oms_buf *out, const char *name, const char *labels,
                                  const uint64_t *counts, unsigned count, unsigned shift, uint64_t sum,
                                  bool micro);

/* Everything: registered metrics, then the sources. Any shard. */
void http_metrics_render(struct http_metrics *metrics, struct oms_buf *out);

#endif
