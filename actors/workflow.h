/*
 * A tenant's workflow: the steps that an order goes through beside its stages, as data.
 *
 * A version is immutable and numbered; an order pins the one it was created under. The builder takes a tree
 * of plain data (from JSON) and refuses, with the step and the fault, whatever could strand an order: unknown
 * words, steps out of the stages' order, a required step that no command can perform in its stage. `when` has
 * its place here and in the format, but is refused until it is evaluated (a condition that is silently
 * ignored is worse than none); the same goes for SKU patterns.
 */
#ifndef WORKFLOW_H
#define WORKFLOW_H

#include "actors/order_command.h"
#include "actors/order_view.h"

struct oms_value;
struct oms_buf;

#define WORKFLOW_PERCENT_UNIT 10000 /* restocking_fee_percent: 12.5 % is 125000; 100 % is 1000000 */

/* What bounds returns, refunds and completion. A step's own conditions are laid over the defaults field by
 * field. */
struct workflow_conditions {
    bool has_days_to_return; /* else a return is possible at any time */
    int32_t days_to_return;  /* whole days from a shipment's delivery, or its dispatch while undelivered; 0:
                                never */
    bool whole_returns_only; /* allow_partial_return: false */
    bool auto_approve;       /* a requested return is approved in the same commit */
    bool complete_requires_delivered; /* complete_requires: "delivered" */
    int32_t restocking_fee;           /* of goods' value, in WORKFLOW_PERCENT_UNIT-ths of a percent */
    struct oms_str max_refund_amount; /* per refund: a decimal in the order's currency; absent: no bound */
    /* Regular expressions of SKUs that never come back. Always empty for now. */
    const struct oms_str *non_returnable;
    size_t non_returnable_count;
};

enum workflow_on_due {
    WORKFLOW_DUE_NOTIFY = 0,
    WORKFLOW_DUE_ESCALATE,
    WORKFLOW_DUE_SKIP,
    WORKFLOW_DUE_CANCEL
};
enum workflow_on_reject { WORKFLOW_REJECT_HOLD = 0, WORKFLOW_REJECT_CANCEL, WORKFLOW_REJECT_RETRY };

/* One condition of `when`; the place for it. */
struct workflow_when {
    struct oms_str field;
    struct oms_str op;
    struct oms_str value; /* JSON text */
};

struct workflow_step {
    struct oms_str name;            /* stepName, unique in the workflow */
    struct oms_str activity_status; /* what the order shows while this step is the current one */
    enum order_stage stage;         /* DRAFT … COMPLETED */
    int32_t sequence;               /* ascending within a stage */
    bool optional;
    /* request_return, process_refund: conditions and role only; repeatable, never required, no activity. */
    bool conditions_only;
    enum order_command_type command;       /* the command that the name says; NONE: the tenant's own step */
    struct oms_str role;                   /* who may perform it; absent: whoever may run the command */
    struct workflow_conditions conditions; /* the defaults with the step's own laid over */
    const struct workflow_when *when;      /* all must hold; always empty for now */
    size_t when_count;
    int64_t due_in_ms; /* 0: no deadline */
    enum workflow_on_due on_due;
    enum workflow_on_reject on_reject;
    uint32_t retry_step; /* WORKFLOW_REJECT_RETRY: index of the step to go back to */
};

struct workflow {
    uint32_t version;                  /* from 1 in the tenant */
    const struct workflow_step *steps; /* by stage, then sequence */
    size_t step_count;
    struct workflow_conditions defaults;
    struct oms_str source; /* compact JSON of what it was built from */
};

/*
 * Builds from { "steps": [ … ], "defaults": { … } } or a bare list of steps. Keys in camelCase or snake_case.
 * Everything is copied into the arena. OMS_INVALID names the step and the fault; OMS_LIMIT: too many steps,
 * or no room.
 */
OMS_MUST_USE enum oms_status workflow_build(const struct oms_value *input, uint32_t version,
                                            struct oms_arena *arena, struct workflow *out,
                                            struct oms_error *error);
/* The same from JSON text, as tenants store it. */
OMS_MUST_USE enum oms_status workflow_build_json(struct oms_str json, uint32_t version,
                                                 struct oms_arena *arena, struct workflow *out,
                                                 struct oms_error *error);
/* The built-in workflow of a new tenant, as JSON; static storage. Nothing in it blocks shipping or
 * completion. */
struct oms_str workflow_default_json(void);

/* The conditions of a command: its step's, else the defaults; a NULL workflow has none. Never NULL. */
const struct workflow_conditions *workflow_conditions_of(const struct workflow *workflow,
                                                         enum order_command_type command);
/* The step of this name, or NULL; a NULL workflow has none. */
const struct workflow_step *workflow_find_step(const struct workflow *workflow, struct oms_str name);
/* The step that names this command, or NULL. */
const struct workflow_step *workflow_command_step(const struct workflow *workflow,
                                                  enum order_command_type command);

/* An ISO 8601 duration of weeks, or days and time ("P2W", "P1DT12H", "PT48H", "PT0.5S" is refused) →
 * milliseconds. */
OMS_MUST_USE enum oms_status workflow_duration_parse(struct oms_str text, int64_t *out_ms);

#endif
