/*
 * Who may have how much: what is refused as a whole before any root of a request starts. Pages of other
 * origins, requests per second of a tenant, and what a request costs: at most so much, out of a budget of its
 * tenant and one of its subject.
 */
#ifndef API_ADMIT_H
#define API_ADMIT_H

#include "http/throttle.h"
#include "runtime/base/buf.h"
#include "runtime/base/hash.h"

struct api_request;
struct http_graphql_settings;

/* Of one shard. */
struct api_gate {
    struct http_throttle requests; /* the tenants' requests per second */
    struct http_throttle tenants;  /* their budgets */
    struct http_budget_table *subjects;
    struct oms_hash_key key; /* of subjects */
};

void api_gate_init(struct api_gate *gate, unsigned shards);
void api_gate_fini(struct api_gate *gate);

/*
 * Whether the requests of one exchange (one, or those of a batch that can run) may start; together they cost
 * `cost`. Answers 403 or 429 when not, and then nothing was taken from any budget. The first request must be
 * one that can run.
 */
bool api_admit(struct api_request *const *requests, size_t count, uint64_t cost);
/* The most that a request may cost: what is configured, and what fits into the budgets; 0: any. */
uint64_t api_cost_max(const struct http_graphql_settings *settings);
/* "cost":{"requested":…,"throttle":{"max":…,"available":…,"restoreRate":…}}: throttle is null without
 * budgets. */
void api_cost_write(const struct api_request *request, struct oms_buf *out);

#endif
