/*
 * The registry behind metrics.h: definitions in the order of registration, rows of slots, and the text
 * format.
 *
 * Definitions of one name are written together, because the format wants every sample of a name in one group;
 * the search for them is quadratic in the number of definitions, which is small and paid only by a scrape.
 */
#include "http/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"

#define DEFINITIONS_MAX 512
#define SOURCES_MAX     32

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM, KIND_SIZES };

struct definition {
    enum kind kind;
    unsigned id;
    const char *name;
    const char *help;
    char *labels;
};

struct source {
    void (*write)(void *context, struct oms_buf *out);
    void *context;
};

struct http_metrics {
    unsigned rows_count;
    unsigned slots_used;
    unsigned definition_count;
    unsigned source_count;
    struct http_metrics_row *rows;
    struct definition definitions[DEFINITIONS_MAX];
    struct source sources[SOURCES_MAX];
};

struct http_metrics *http_metrics_create(unsigned shards)
{
    struct http_metrics *metrics = oms_calloc(1, sizeof(*metrics));
    metrics->rows_count = shards + 1;
    size_t size = metrics->rows_count * sizeof(struct http_metrics_row);
    metrics->rows = aligned_alloc(_Alignof(struct http_metrics_row), size);
    OMS_ASSERT(metrics->rows);
    memset(metrics->rows, 0, size);
    return metrics;
}

void http_metrics_destroy(struct http_metrics *metrics)
{
    if (!metrics)
        return;
    for (unsigned i = 0; i < metrics->definition_count; i++)
        oms_free(metrics->definitions[i].labels);
    free(metrics->rows); /* from aligned_alloc */
    oms_free(metrics);
}

struct http_metrics_row *http_metrics_row(struct http_metrics *metrics, unsigned shard)
{
    OMS_ASSERT(shard < metrics->rows_count);
    return &metrics->rows[shard];
}

static unsigned define(struct http_metrics *metrics, enum kind kind, const char *name, const char *help,
                       const char *labels, unsigned slots)
{
    OMS_ASSERT(metrics->definition_count < DEFINITIONS_MAX);
    OMS_ASSERT(metrics->slots_used + slots <= HTTP_METRICS_SLOTS_MAX);
    unsigned id = metrics->slots_used;
    metrics->slots_used += slots;
    metrics->definitions[metrics->definition_count++] =
        (struct definition){kind, id, name, help, oms_strdup(labels ? labels : "")};
    return id;
}

unsigned http_metrics_counter(struct http_metrics *metrics, const char *name, const char *help,
                              const char *labels)
{
    return define(metrics, KIND_COUNTER, name, help, labels, 1);
}

unsigned http_metrics_gauge(struct http_metrics *metrics, const char *name, const char *help,
                            const char *labels)
{
    return define(metrics, KIND_GAUGE, name, help, labels, 1);
}

unsigned http_metrics_histogram(struct http_metrics *metrics, const char *name, const char *help,
                                const char *labels)
{
    return define(metrics, KIND_HISTOGRAM, name, help, labels, HTTP_METRICS_BUCKETS + 1);
}

unsigned http_metrics_sizes(struct http_metrics *metrics, const char *name, const char *help,
                            const char *labels)
{
    return define(metrics, KIND_SIZES, name, help, labels, HTTP_METRICS_BUCKETS + 1);
}

uint64_t http_metrics_value(struct http_metrics *metrics, unsigned id)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < metrics->rows_count; i++)
        sum += atomic_load_explicit(&metrics->rows[i].slots[id], memory_order_relaxed);
    return sum;
}

void http_metrics_source(struct http_metrics *metrics, void (*write)(void *context, struct oms_buf *out),
                         void *context)
{
    OMS_ASSERT(metrics->source_count < SOURCES_MAX);
    metrics->sources[metrics->source_count++] = (struct source){write, context};
}

void http_metrics_write_head(struct oms_buf *out, const char *name, const char *type, const char *help)
{
    oms_buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_name(struct oms_buf *out, const char *name, const char *suffix, const char *labels,
                       const char *more)
{
    bool braces = labels[0] || more[0];
    oms_buf_appendf(out, "%s%s%s%s%s%s%s ", name, suffix, braces ? "{" : "", labels,
                    labels[0] && more[0] ? "," : "", more, braces ? "}" : "");
}

static void write_micro_value(struct oms_buf *out, uint64_t value)
{
    oms_buf_appendf(out, "%llu.%06llu\n", (unsigned long long)(value / 1000000),
                    (unsigned long long)(value % 1000000));
}

void http_metrics_write_u64(struct oms_buf *out, const char *name, const char *labels, uint64_t value)
{
    write_name(out, name, "", labels, "");
    oms_buf_appendf(out, "%llu\n", (unsigned long long)value);
}

void http_metrics_write_micro(struct oms_buf *out, const char *name, const char *labels, uint64_t value)
{
    write_name(out, name, "", labels, "");
    write_micro_value(out, value);
}

void http_metrics_write_histogram(struct oms_buf *out, const char *name, const char *labels,
                                  const uint64_t *counts, unsigned count, unsigned shift, uint64_t sum,
                                  bool micro)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        char bound[64];
        unsigned long long edge = 1ull << (shift + i);
        total += counts[i];
        if (i + 1 == count)
            snprintf(bound, sizeof(bound), "le=\"+Inf\"");
        else if (micro)
            snprintf(bound, sizeof(bound), "le=\"%llu.%06llu\"", edge / 1000000, edge % 1000000);
        else
            snprintf(bound, sizeof(bound), "le=\"%llu\"", edge);
        write_name(out, name, "_bucket", labels, bound);
        oms_buf_appendf(out, "%llu\n", (unsigned long long)total);
    }
    write_name(out, name, "_sum", labels, "");
    if (micro)
        write_micro_value(out, sum);
    else
        oms_buf_appendf(out, "%llu\n", (unsigned long long)sum);
    write_name(out, name, "_count", labels, "");
    oms_buf_appendf(out, "%llu\n", (unsigned long long)total);
}

static void write_definition(struct http_metrics *metrics, const struct definition *definition,
                             struct oms_buf *out)
{
    if (definition->kind == KIND_COUNTER || definition->kind == KIND_GAUGE) {
        http_metrics_write_u64(out, definition->name, definition->labels,
                               http_metrics_value(metrics, definition->id));
        return;
    }
    uint64_t counts[HTTP_METRICS_BUCKETS];
    for (unsigned i = 0; i < HTTP_METRICS_BUCKETS; i++)
        counts[i] = http_metrics_value(metrics, definition->id + i);
    uint64_t sum = http_metrics_value(metrics, definition->id + HTTP_METRICS_BUCKETS);
    bool times = definition->kind == KIND_HISTOGRAM; /* in nanoseconds */
    http_metrics_write_histogram(out, definition->name, definition->labels, counts, HTTP_METRICS_BUCKETS,
                                 times ? HTTP_METRICS_BUCKET_SHIFT : 0, times ? sum / 1000 : sum, times);
}

static bool named_before(const struct http_metrics *metrics, unsigned index)
{
    for (unsigned i = 0; i < index; i++)
        if (strcmp(metrics->definitions[i].name, metrics->definitions[index].name) == 0)
            return true;
    return false;
}

void http_metrics_render(struct http_metrics *metrics, struct oms_buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};
    for (unsigned i = 0; i < metrics->definition_count; i++) {
        const struct definition *first = &metrics->definitions[i];
        if (named_before(metrics, i))
            continue;
        http_metrics_write_head(out, first->name, types[first->kind], first->help);
        for (unsigned j = i; j < metrics->definition_count; j++)
            if (strcmp(metrics->definitions[j].name, first->name) == 0)
                write_definition(metrics, &metrics->definitions[j], out);
    }
    for (unsigned i = 0; i < metrics->source_count; i++)
        metrics->sources[i].write(metrics->sources[i].context, out);
}
