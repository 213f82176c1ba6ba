/*
 * Signed webhooks for the benchmark: each makes an order of its own, or pays a cent of a given order, by a
 * body that is signed as provider `wss` does.
 */
#ifndef WEBHOOK_WORKLOAD_H
#define WEBHOOK_WORKLOAD_H

#include "bench/load/load.h"

struct webhook_workload {
    const char *secret, *run_id;
    uint64_t next;
    char **order_ids; /* to pay; NULL: orders are made */
    size_t order_count;
    char signature[65]; /* of the request that is being made; load_run copies it */
};

/* Fills both; texts are borrowed. */
void webhook_workload_init(struct webhook_workload *workload, const char *secret, const char *run_id,
                           struct load_workload *load);
/* From now on payments of these orders, in turn; NULL: orders again. Borrowed. */
void webhook_workload_pay(struct webhook_workload *workload, char **order_ids, size_t order_count);

#endif
