/*
 * One GraphQL request on its way: its plan, its roots and their results. Internal to http/api.
 *
 * A request lives in its exchange's arena and belongs to the exchange's shard. Its roots are tasks: queries
 * run all at once, mutations one after the other. A task may be with an order's shard or in the read pool; it
 * always comes home, and the last one answers the exchange. Everything that a travelling task points to stays
 * untouched until then.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "actors/order_call.h"
#include "actors/order_list.h"
#include "http/api/admit.h"
#include "http/api/api.h"
#include "http/api/documents.h"
#include "http/api/negotiate.h"
#include "http/api/pages.h"
#include "http/api/resolve.h"
#include "storage/store.h"

struct api_fan;
struct api_fan_part;
struct api_task;
struct api_traffic;
struct stream_hub;
struct stream_shard;

struct api {
    struct api_config config;
    struct gql_schema *schema;
    struct allow_list *allow_list; /* NULL: every document may run */
    struct persisted **persisted;  /* of each shard */
    uint64_t cost_max;             /* of one request; 0: any */
    struct api_shard **shards;
    unsigned shard_count;
    _Atomic uint32_t *tenant_streams; /* open now, by tenant number; the hub's; NULL: there are none */
    void (*outhook_call)(void *context, struct rt_shard *shard, struct outhook_call *call); /* NULL: none */
    void *outhook_context;
    struct stream_hub *streams; /* live streams (http/stream); NULL: there are none */
};

struct api_shard {
    struct api *api;
    struct rt_shard *shard;
    struct plan_cache plans;
    struct api_documents documents;
    struct api_task *free_tasks;
    size_t free_count;
    struct api_gate gate;
    struct api_traffic *traffic;  /* by tenant number (traffic.h) */
    struct stream_shard *streams; /* the shard's part of them */
    struct api_stats stats;
};

/* What a request asks of the server, and what is left of the budget that it comes out of. */
struct api_cost {
    uint64_t requested;
    const struct http_budget *budget; /* the scarcest one; NULL: there is none */
    uint64_t available;               /* in it, when the cost had been taken */
    bool wanted;                      /* the answer tells the client (extensions.cost) */
};

struct api_batch;

struct api_request {
    struct api_shard *as;
    struct http_exchange *exchange;
    const struct http_claims *claims; /* held */
    struct gql_prepared *prepared;    /* held; NULL while there is none */
    struct gql_request *gql;
    struct gql_errors errors;
    struct api_problem problem; /* why it cannot run; its errors are those above */
    struct api_cost cost;
    struct api_batch *batch;         /* that it belongs to, or NULL */
    struct gql_root_result *results; /* one per root */
    struct api_task **tasks;         /* one per root; NULL when it needed none */
    size_t root_count;
    size_t pending;                           /* tasks under way, and 1 while they are being started */
    size_t next_root;                         /* mutations: the next one to start */
    _Atomic uint64_t rows;                    /* looked at by its reads so far; they run side by side */
    struct oms_str tenant_header, key_header; /* the latter of mutations */
    enum api_media media;                     /* that it is answered in: one of the two JSON types */
};

/* How a root field is run; the `host` of its binding. */
struct api_root_op {
    /* Starts the task: finishes it at once by api_task_finish, or sends it away. */
    void (*start)(struct api_task *task);
    enum order_command_type command; /* mutations */
};

/* One root field's work. Recycled by its shard, with its buffers. */
struct api_task {
    struct api_task *next; /* free list */
    struct order_call call;
    struct store_read read;
    struct api_request *request;
    size_t root;
    const struct gql_root *field;
    const struct tenant_version *tenant; /* held; NULL until it is known */
    struct principal principal;
    struct api_scene scene;
    struct gql_errors errors; /* in call.arena */
    enum gql_outcome outcome;
    /* mutations */
    bool is_mutation;
    struct refusal_list refusals;
    struct oms_str client_mutation_id;
    struct api_fan *fan;     /* many items that it leads, see fan.h; else NULL */
    struct api_fan *part_of; /* it is one of them; else NULL */
    struct api_fan_part *parts;
    size_t item; /* its number */
    bool was_refused;
    /* reads in the pool: makes the root's value, executes it into call.out and sets outcome */
    void (*run)(struct api_task *task);
    unsigned char id[16];
    unsigned read_repeats; /* because the tenant had changed meanwhile */
    uint32_t at_version;
    int64_t at_ms;
    struct order_list_query list;
    const struct order_event_filter *events;
    struct ids_cursor_place {
        uint64_t commit;
        unsigned ordinal;
    } after;
    bool at_beginning;
    unsigned first;
    /* The last member: only its type is cleared when the task is recycled, its parser clears the rest. */
    struct order_command command;
};

/* ---- endpoint.c ---- */
/* A request of the exchange, which takes over the hold on claims; NULL when the exchange's arena is
 * exhausted. */
struct api_request *api_request_create(struct api_shard *as, struct http_exchange *exchange,
                                       const struct http_claims *claims, enum api_media media);
/* Finds the document and binds it: false with a problem when it cannot run. */
bool api_request_ready(struct api_request *request, struct api_params *params);
/* Answers with the request's problem, and drops it. */
void api_request_refuse(struct api_request *request);
/* Gives back what it holds. */
void api_request_drop(struct api_request *request);

/* ---- request.c ---- */
/* Runs a request that is ready; answers the exchange, or writes its part of a batch, now or later. */
void api_request_start(struct api_request *request);
/* Appends the answer of a request that has run to exchange->out, and drops the request. */
void api_request_write(struct api_request *request);

/* ---- task.c ---- */
struct api_task *api_task_take(struct api_request *request, size_t root);
void api_task_recycle(struct api_task *task);
/* The task's result is there (outcome, call.out, errors): counts it in. On the home shard. */
void api_task_finish(struct api_task *task);
/* Sets the root's result to an error and null (or to no data at all). On whatever thread the task is. */
void api_task_fault(struct api_task *task, const char *code, const char *message);
/* The same on the home shard, and ends the task. */
void api_task_fail(struct api_task *task, const char *code, const char *format, ...) OMS_PRINTF(3, 4);
/* Executes the root on a value with the task's scene, into call.out. On whatever thread the task is. */
void api_task_execute(struct api_task *task, const void *value);
/* Sets task->principal for the tenant. */
bool api_task_tenant(struct api_task *task, struct oms_str requested);
/* Puts the task under this version of a tenant, with its caller as known now; holds both. */
void api_task_under(struct api_task *task, const struct tenant_version *tenant);
/* Sends the call to the order with task->id. */
void api_task_call(struct api_task *task, enum order_call_kind kind);
/* Runs task->run in the read pool. */
void api_task_read(struct api_task *task);

/* At the end of the shard: frees the recycled tasks. */
void api_tasks_fini(struct api_shard *as);

/* ---- roots_query.c, roots_mutation.c, roots_batch.c ---- */
void api_bind_queries(struct api_bindings *bindings);
void api_bind_mutations(struct api_bindings *bindings);
void api_bind_batches(struct api_bindings *bindings);
/* Sends the command that the input makes to its order; the task's tenant is known. `header_key` stands for a
 * key that the input lacks; absent: none. */
void api_mutation_run(struct api_task *task, enum order_command_type type, const struct oms_value *input,
                      struct oms_str header_key);
/* Answers the task's refusals without asking an order. */
void api_mutation_refuse(struct api_task *task);

#endif
