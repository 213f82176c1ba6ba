/*
 * What the benchmark asks of the server: generators of requests that are each valid when they are sent, with
 * the check of their answers. A workload is used by one load_run at a time.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include "bench/load/load.h"

struct workload;

struct workload_config {
    uint64_t seed;      /* of the choice of orders */
    const char *run_id; /* part of every reference, so that a second run makes new orders */
    char **order_ids;   /* orders to read or move; borrowed */
    size_t order_count;
    uint64_t first;        /* create: number of the first order */
    const char *stages[4]; /* page: the stages to filter by, in turn; NULL ends the list */
};

/* (floors) A POST of a constant body whose answer is 200 with `length` bytes. */
struct workload *workload_constant(size_t length);
/* (c) getOrder with 15 fields of a random one of the orders; the answer must show its id. */
struct workload *workload_get(const struct workload_config *config);
/* (d) createOrder of 2 lines with a reference of its own; created must be true. */
struct workload *workload_create(const struct workload_config *config);
/*
 * (e), (f) placeHold and releaseHold in turn on a random one of the orders (with one order: from all streams
 * at once). Every order's holds must be none at the start; the workload remembers across runs what it has
 * placed.
 */
struct workload *workload_hold(const struct workload_config *config);
/* (g) A page of 20 orders of a stage; every second request goes on behind the last page's end. */
struct workload *workload_page(const struct workload_config *config);
void workload_destroy(struct workload *workload);

/* For load_run. */
const struct load_workload *workload_load(const struct workload *workload);
/* create: moves the ids of the orders made so far (malloc'ed strings, up to `max`) into `ids`; returns how
 * many. */
size_t workload_take_ids(struct workload *workload, char **ids, size_t max);
/* page: pages answered with fewer than 20 orders although more follow. */
uint64_t workload_short_pages(const struct workload *workload);

#endif
