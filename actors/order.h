/*
 * The order as pure functions: decide(order, command) → events or refusals, apply(order, event), and what a
 * caller may do now. No I/O, no clock, no randomness: the context carries time, workflow and access.
 *
 * Precedence of refusals, the first kind that is found decides and all of that kind are listed:
 *   1 no such order, or not for this caller: NOT_FOUND; permission or scope: FORBIDDEN
 *   2 idempotency: a repeat is answered as recorded; another content: IDEMPOTENCY_MISMATCH
 *   3 expectedVersion: CONFLICT, naming the current version
 *   4 stage: WRONG_STAGE   5 holds: ON_HOLD   6 steps: UNEXPECTED_STEP, STEP_PENDING, FORBIDDEN (role),
 * reviewer 7 whether the command has anything to act on: INVALID, PAYMENT_OUTSTANDING, NOT_RETURNABLE, … 8
 * the input's fields, then what they mean together Kinds 1 and 4 to 7 are the same functions behind
 * availableActions: there is one copy of each rule.
 *
 * Threads: the order's shard (or any one thread that owns the order).
 */
#ifndef ORDER_H
#define ORDER_H

#include "actors/order_command.h"
#include "actors/order_event.h"
#include "actors/order_view.h"
#include "actors/permission.h"
#include "actors/principal.h"
#include "actors/refusal.h"

struct workflow;    /* workflow.h */
struct fulfillment; /* fulfillment.h */

/* What a decision may know besides the order. All borrowed for the call; text in events may point into it. */
struct order_context {
    int64_t now_ms;
    const struct principal *principal; /* the caller */
    const struct access *access;       /* the caller's grants; not read for internal principals */
    /* The version that the order has pinned; for createOrder the tenant's current one. NULL: no steps,
     * defaults. */
    const struct workflow *workflow;
    const struct fulfillment *fulfillment; /* what the tenant ships with; NULL: not told */
    const struct workflow
        *target; /* migrateWorkflow: the version to go to; NULL: there is none of its number */
};

/* ---- life ---- */

#define ORDER_ARENA_CHUNK 2048u
#define ORDER_ARENA_MAX   (256u << 20) /* above any state that the limits allow; beyond it is a bug */

/* An empty order: version 0, stage NONE. */
void order_init(struct order *order);
void order_fini(struct order *order);
/* The same on the heap; NULL is allowed for destroy. */
struct order *order_create(void);
void order_destroy(struct order *order);
/* Whether freeze + thaw would win back enough memory to be worth it. */
bool order_wants_compaction(const struct order *order);

/* ---- decide ---- */

enum order_decision_kind {
    ORDER_DECISION_REFUSED,  /* refusals say why */
    ORDER_DECISION_EVENTS,   /* 1 … n events, one unit of work */
    ORDER_DECISION_REPLAYED, /* the key's recorded outcome: success at `version` */
    ORDER_DECISION_EXISTS,   /* createOrder: the reference has this order, same content: created = false */
    ORDER_DECISION_NOTHING,  /* a timer or scan that has become pointless: nothing to record, no failure */
};

struct order_decision {
    enum order_decision_kind kind;
    struct order_event *events; /* in the arena */
    size_t event_count;
    size_t event_cap;
    uint64_t version;             /* EVENTS: of the order after them; else the recorded or current one */
    bool created;                 /* createOrder that makes the order now */
    struct refusal_list refusals; /* do not copy the decision: the list may point into it */
};

/*
 * Decides one command on an order (version 0 for one that does not exist). Changes nothing; fills `out`,
 * whose memory is the arena's and the command's; an exhausted arena refuses with LIMIT_EXCEEDED. out->kind
 * EVENTS: apply them in order, each with order_decision_meta.
 */
void order_decide(const struct order *order, const struct order_command *command,
                  const struct order_context *context, struct oms_arena *arena, struct order_decision *out);
/* The record of event `index` of the decision; `order` as it was decided on (call before the first apply). */
void order_decision_meta(const struct order *order, const struct order_command *command,
                         const struct order_context *context, size_t index, struct order_event_meta *out);

/* ---- apply ---- */

/*
 * Changes the order by one event; text is copied into the order's arena. The event comes from a decision on
 * this order or from its log: anything else is a bug (assertion). meta's versions never go back.
 */
void order_apply(struct order *order, const struct order_event *event, const struct order_event_meta *meta);
/* For thaw: derives what is not frozen (statuses, current step, refund_due). order_apply does it by itself.
 */
void order_derive(struct order *order);

/* ---- what may be done now ---- */

struct order_action {
    enum order_command_type command;
    bool allowed;
    struct refusal_list reasons; /* empty when allowed */
};

/*
 * Fills actions[] for every command of the API but createOrder, in the order of their numbers; text in the
 * arena. Commands that the caller has no permission for are listed with FORBIDDEN. Returns how many.
 */
#define ORDER_ACTIONS_MAX (ORDER_COMMAND_LAST_PUBLIC - 1)
size_t order_available_actions(const struct order *order, const struct order_context *context,
                               struct oms_arena *arena, struct order_action actions[ORDER_ACTIONS_MAX]);

/* How the caller stands to this order under a permission; false: out of reach. Internal principals: full. */
bool order_access(const struct order *order, const struct order_context *context, enum permission permission,
                  struct access_order *out);

/* ---- idempotency ---- */

/* The remembered command of this key, or NULL. */
const struct order_key *order_find_key(const struct order *order, struct oms_hash128 key);

/* ---- timers: the order's next deadline, for the durable timer of its unit ---- */

struct order_timer {
    int64_t at;                      /* 0: none */
    enum order_command_type command; /* EXPIRE_HOLD or STEP_DUE */
    uint32_t part;                   /* the hold's number, or the activity's index + 1 */
};

/* The earliest deadline of a live order. Fire it by that command (input hold.hold or step.activity). */
struct order_timer order_timer_next(const struct order *order);

/* ---- money of units (order_totals.c) ---- */

/* Net value with tax of `quantity` units of the line after the first `from` priced ones. Exact over all
 * units. */
int64_t order_line_share(const struct order *order, const struct order_line *line, int64_t from,
                         int64_t quantity);

#endif
