/* One slice of load on one server, with what the server used and how far its materialiser lagged meanwhile.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include "bench/load/load.h"
#include "bench/process.h"

struct measure_target {
    const struct process *process;
    const char *token; /* also for /metrics */
    const char *path;  /* NULL: /graphql */
    bool has_metrics;
};

struct measure_shape {
    unsigned connections, streams;
    double rate; /* requests a second; 0: closed loop */
    double warmup_s, duration_s;
    uint64_t requests_max; /* 0: by time */
};

/* What several slices add up to; zeroed before the first, lag_units_max set to -1. */
struct measure_total {
    struct load_result result;
    double cpu_s, wall_s;
    double lag_units_max; /* sampled; negative: unknown */
};

struct measure_total *measure_total_create(void);
/* Adds a slice to the total. */
OMS_MUST_USE enum oms_status measure_slice(const struct measure_target *target,
                                           const struct measure_shape *shape,
                                           const struct load_workload *workload, struct measure_total *total,
                                           struct oms_error *error);
/* Answers a second over all slices; 0 before the first. */
double measure_rate(const struct measure_total *total);
/* The value of the first metric whose name ends in `suffix`; negative when there is none. */
double measure_metric(const struct measure_target *target, const char *suffix);

#endif
