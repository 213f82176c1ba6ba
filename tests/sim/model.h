/*
 * The naive model: what every order must be, told a second time and as plainly as possible.
 *
 * An order is a list of accepted entries and the fold of them, with fixed arrays and no sharing with the
 * domain's sources. The moment of truth of a command is its render, on the order's shard: there the model
 * says what must come out (accepted, refused with which code, replayed, the order that exists), and then
 * compares what the actor shows with its own fold. A reply that went home makes everything that it showed
 * `acked`: no crash may take it away. After a crash the log must hold a prefix of the entries that reaches at
 * least there, and the model goes on from exactly that prefix.
 *
 * The only things that happen without a call are the expiry of a hold and the deadline of a step. The model learns
 * of them when a reply shows a later version than it knows, and demands that each was due.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "actors/order.h"
#include "actors/order_call.h"
#include "storage/unit.h"
#include "tests/sim/workload.h"

/* In-flight commands and expiries may come past the limit. */
#define MODEL_PARTS_MAX (SIM_VERSIONS_MAX + 200)

/* The same for lines. */
#define MODEL_LINES_MAX 40

struct model_line {
    uint32_t id;
    unsigned vendor;
    int64_t quantity, price, cancelled;
    int64_t allocated, shipped, delivered;
    int64_t return_open, returned;
};

struct model_shipment {
    enum order_shipment_status status;
    int32_t units[MODEL_LINES_MAX]; /* by place: lines come and go only before there are shipments */
    int64_t status_at, dispatched_at;
    uint64_t tracking; /* its mark */
};

struct model_return {
    enum order_return_status status;
    int32_t units[MODEL_LINES_MAX];
    int64_t value, refunded;
};

struct model_hold {
    uint32_t id;
    int64_t expires_at;
    uint64_t blocks;
    uint64_t mark;
};

struct model_payment {
    uint64_t payment_id;
    uint64_t status;
    int64_t amount;
};

struct model_refund {
    uint64_t status;
    int64_t amount;
    uint64_t of; /* the return; 0: none */
};

/* A key that an accepted command used. */
struct model_key {
    unsigned person, key;
    enum order_command_type type;
    struct oms_hash128 fingerprint;
};

struct model_state {
    uint64_t version;
    int64_t created_at, modified_at;
    enum order_stage stage;
    unsigned customer; /* person + 1; 0: none */
    struct oms_hash128 content;
    unsigned line_count;
    uint32_t line_next;
    struct model_line lines[MODEL_LINES_MAX];
    enum order_outcome outcomes[SIM_STEPS_MAX];
    bool started[SIM_STEPS_MAX];
    int64_t due_at[SIM_STEPS_MAX], due_left[SIM_STEPS_MAX]; /* 0: no deadline; left: a hold stops the clock */
    unsigned reviewer;    /* person + 1; 0: none */
    uint64_t destination; /* its mark; 0: as created, or erased */
    uint64_t erased;      /* the version that erased the customer; 0: none */
    unsigned tenant;
    int64_t final, paid, refunded, reserved;
    uint32_t hold_next;
    size_t hold_count, shipment_count, return_count, payment_count, refund_count, note_count, key_count;
    size_t notes_erased;
    struct model_hold holds[MODEL_PARTS_MAX];
    struct model_shipment shipments[MODEL_PARTS_MAX];
    struct model_return returns[MODEL_PARTS_MAX];
    struct model_payment payments[MODEL_PARTS_MAX];
    struct model_refund refunds[MODEL_PARTS_MAX];
    uint64_t notes[MODEL_PARTS_MAX]; /* their marks */
    struct model_key keys[MODEL_PARTS_MAX];
};

/* What made one version. */
struct model_entry {
    struct sim_op op; /* not for an expiry */
    uint32_t expired; /* the hold; 0: a command, or a deadline */
    uint32_t due;     /* the step's place + 1 */
    int64_t time;
};

struct model_order {
    struct model_state tip;
    struct model_entry entries[MODEL_PARTS_MAX]; /* of version i + 1 */
    uint64_t acked;                              /* versions that a reply has shown */
    uint64_t logged;                             /* versions whose record was appended with success */
    uint64_t readable, unreadable; /* recovery: sealed records since the last erasure, with and without key */
};

enum model_tenant { MODEL_TENANT_ACTIVE, MODEL_TENANT_SUSPENDED, MODEL_TENANT_CHANGING };

struct model_counts {
    uint64_t accepted, replayed, exists, expired, reads, hidden, due, recovered_pending, lost_pending;
    uint64_t refused[REFUSAL_CODE_COUNT];
    uint64_t accepted_of[ORDER_COMMAND_COUNT];
};

struct model {
    struct model_order orders[SIM_TENANTS][SIM_SLOTS];
    struct model_counts counts;
    char failure[512]; /* the first thing that was wrong; empty: none */
};

struct model *model_create(void);
void model_destroy(struct model *model);
bool model_failed(const struct model *model);
/* Notes the first failure; later ones are consequences. */
void model_fail(struct model *model, const char *format, ...) OMS_PRINTF(2, 3);

/* ---- at the actor's boundary ---- */

/* In a render: checks the reply and takes an accepted command up. Returns the version that the reply shows.
 */
uint64_t model_render(struct model *model, const struct sim_op *op, enum model_tenant tenant,
                      const struct order_reply *reply);
/*
 * A copy of an order that came home (NULL: none was shown): it must be the fold at its version, which is not
 * below `at_least`, and the person must be one who sees it.
 */
void model_check_copy(struct model *model, unsigned tenant, unsigned slot, unsigned person,
                      const struct order *order, uint64_t at_least);
/* An order that is shown may be ahead by what timers did since the last reply: takes that up. */
void model_meet(struct model *model, unsigned tenant, unsigned slot, const struct order *order);
/* A reply that showed `version` reached its caller. */
void model_acknowledge(struct model *model, const struct sim_op *op, uint64_t version);

/* ---- at the log's boundary ---- */

/* A record was appended: the next version of its order, with the command that the model knows for it. */
void model_logged(struct model *model, unsigned tenant, unsigned slot, const struct store_record *record);
/*
 * After a crash: the log's records of this order, in order (`index` from 0). begin, each, end: the order is
 * then what the log says, and all of it counts as acknowledged.
 */
void model_recover_begin(struct model *model, unsigned tenant, unsigned slot);
void model_recover_record(struct model *model, unsigned tenant, unsigned slot,
                          const struct store_record *record);
void model_recover_end(struct model *model, unsigned tenant, unsigned slot);

/* Compares an order with the model's; a difference is a failure. `where` is for the message. */
void model_compare(struct model *model, unsigned tenant, unsigned slot, const struct order *order,
                   const char *where);

#endif
