/*
 * A tenant's workflow: the steps that an order goes through beside its stages, as data.
 *
 * A version is immutable and numbered; an order pins the one it was created under. The builder takes a tree
 * of plain data (from JSON) and refuses, with the step, the fault and its path, whatever could strand an
 * order: unknown words, steps out of the stages' order, a required step that no command can perform in its
 * stage. A version that is stored was checked when it was new: rules that came later do not refuse it.
 */
#ifndef WORKFLOW_H
#define WORKFLOW_H

#include "actors/order_command.h"
#include "actors/order_view.h"
#include "actors/pattern.h"
#include "actors/refusal.h"

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
    /* Regular expressions of SKUs that never come back, and what they were written as. */
    const struct pattern *const *non_returnable;
    const struct oms_str *non_returnable_text;
    size_t non_returnable_count;
};

enum workflow_on_due {
    WORKFLOW_DUE_NOTIFY = 0,
    WORKFLOW_DUE_ESCALATE,
    WORKFLOW_DUE_SKIP,
    WORKFLOW_DUE_CANCEL
};
enum workflow_on_reject { WORKFLOW_REJECT_HOLD = 0, WORKFLOW_REJECT_CANCEL, WORKFLOW_REJECT_RETRY };

/* ---- when ---- */

/* What a condition can ask of an order. X(NAME, kind, "name", "other name") */
#define WORKFLOW_FACT_LIST(X)                                                                                \
    X(FINAL_AMOUNT, AMOUNT, "finalAmount", "final_amount")                                                   \
    X(TOTAL_AMOUNT, AMOUNT, "totalAmount", "total_amount")                                                   \
    X(DISCOUNTS, AMOUNT, "totalDiscountsFee", "total_discounts_fee")                                         \
    X(TAX_AMOUNT, AMOUNT, "taxAmount", "tax_amount")                                                         \
    X(SHIPPING_COST, AMOUNT, "shippingCost", "shipping_cost")                                                \
    X(PAID_AMOUNT, AMOUNT, "paidAmount", "paid_amount")                                                      \
    X(QUANTITY, NUMBER, "quantity", "order_quantity")                                                        \
    X(LINE_COUNT, NUMBER, "lineCount", "line_count")                                                         \
    X(VENDOR_COUNT, NUMBER, "vendorCount", "vendor_count")                                                   \
    X(CURRENCY, TEXT, "currency", NULL)                                                                      \
    X(SOURCE, TEXT, "source", NULL)                                                                          \
    X(EXTERNAL_REF, TEXT, "externalRef", "external_ref")                                                     \
    X(CUSTOMER_ID, TEXT, "customerId", "customer_id")                                                        \
    X(COUNTRY, COUNTRY, "destination.country", "country")                                                    \
    X(STATE, TEXT, "destination.state", "state")                                                             \
    X(CITY, TEXT, "destination.city", "city")                                                                \
    X(POSTAL, TEXT, "destination.postal", "postal")                                                          \
    X(BILLING_COUNTRY, COUNTRY, "billingAddress.country", "billing_country")                                 \
    X(SHIPPING_METHOD, TEXT, "shippingMethod", "shipping_method")                                            \
    X(PAYMENT_STATUS, PAYMENT, "paymentStatus", "payment_status")                                            \
    X(FULFILLMENT_STATUS, FULFILLMENT, "fulfillmentStatus", "fulfillment_status")                            \
    X(SKU, TEXTS, "productSku", "sku")                                                                       \
    X(CATEGORY, TEXTS, "productCategory", "category")                                                        \
    X(VENDOR_ID, TEXTS, "vendorId", "vendor_id")                                                             \
    X(COUPON, TEXTS, "couponCode", "coupon_code")                                                            \
    X(PAYMENT_METHOD, TEXTS, "paymentMethod", "payment_method")                                              \
    X(FREE_GIFT, FLAG, "hasFreeGift", "has_free_gift")                                                       \
    X(TAXES_INCLUDED, FLAG, "taxesIncluded", "taxes_included")                                               \
    X(ON_HOLD, FLAG, "onHold", "on_hold")

enum workflow_fact {
#define X(name, kind, text, other) WORKFLOW_FACT_##name,
    WORKFLOW_FACT_LIST(X)
#undef X
        WORKFLOW_FACT_COUNT
};

enum workflow_fact_kind {
    WORKFLOW_KIND_AMOUNT, /* of the order's currency */
    WORKFLOW_KIND_NUMBER,
    WORKFLOW_KIND_TEXT,
    WORKFLOW_KIND_TEXTS, /* of any line, coupon or payment */
    WORKFLOW_KIND_COUNTRY,
    WORKFLOW_KIND_PAYMENT,
    WORKFLOW_KIND_FULFILLMENT,
    WORKFLOW_KIND_FLAG,
};

enum workflow_op {
    WORKFLOW_OP_EQ,
    WORKFLOW_OP_NE,
    WORKFLOW_OP_GT,
    WORKFLOW_OP_GTE,
    WORKFLOW_OP_LT,
    WORKFLOW_OP_LTE,
    WORKFLOW_OP_IN,
    WORKFLOW_OP_NOT_IN,
    WORKFLOW_OP_MATCHES,
    WORKFLOW_OP_EXISTS,
    WORKFLOW_OP_COUNT
};

#define WORKFLOW_AMOUNT_DIGITS 4 /* numbers of conditions are kept with so many decimals */

/* One condition; which of the values counts follows from the fact's kind and the operator. */
struct workflow_when {
    enum workflow_fact fact;
    enum workflow_op op;
    const struct oms_str *texts; /* EQ, NE: one; IN, NOT_IN: all of them */
    const int64_t *numbers;      /* the same for amounts and numbers; statuses: their enum */
    size_t value_count;
    struct oms_str given; /* the value as JSON; absent: none */
    bool flag;            /* flags, and EXISTS */
    const struct pattern *pattern;
};

/* "finalAmount"; static storage. */
const char *workflow_fact_name(enum workflow_fact fact);
enum workflow_fact_kind workflow_fact_kind(enum workflow_fact fact);
/* "gte"; static storage. */
const char *workflow_op_name(enum workflow_op op);
/*
 * Reads one condition from its object. A refusal's path begins with `path` ("steps.0.when.1"), its message
 * with `who` ("step 1 'pack': ").
 */
bool workflow_when_parse(const struct oms_value *value, struct oms_str path, struct oms_str who,
                         struct oms_arena *arena, struct refusal_list *refusals, struct workflow_when *out);
struct workflow_step;
/*
 * Whether all conditions of the step hold for the order as it is. A pattern that reaches its limit holds: a
 * check that cannot be decided is rather made than left out.
 */
bool workflow_when_holds(const struct workflow_step *step, const struct order *order,
                         struct oms_arena *scratch);

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
    const struct workflow_when *when;      /* all must hold, else the step is NOT_APPLICABLE */
    size_t when_count;
    int64_t due_in_ms; /* 0: no deadline */
    enum workflow_on_due on_due;
    struct oms_str escalate_to; /* WORKFLOW_DUE_ESCALATE: who becomes the reviewer; absent: nobody is named */
    enum workflow_on_reject on_reject;
    uint32_t retry_step; /* WORKFLOW_REJECT_RETRY: index of the step to go back to */
};

/* Who brought a version; numbers are stored. */
enum workflow_origin {
    WORKFLOW_BUILT_IN = 0,
    WORKFLOW_CONFIGURATION,
    WORKFLOW_API,
    WORKFLOW_WEBHOOK,
    WORKFLOW_EVENT_STREAM,
    WORKFLOW_IMPORT,
    WORKFLOW_ORIGIN_COUNT
};

struct workflow {
    uint32_t version; /* from 1 in the tenant */
    enum workflow_origin origin;
    int64_t origin_version;            /* in the system that it comes from; 0: not told */
    int64_t updated_at;                /* 0: not known */
    const struct workflow_step *steps; /* by stage, then sequence */
    size_t step_count;
    struct workflow_conditions defaults;
    struct oms_str source; /* compact JSON of what it was built from */
};

/*
 * Builds from { "steps": [ … ], "defaults": { … } } or a bare list of steps. Keys in camelCase or snake_case.
 * Everything is copied into the arena. Checked as a new version: all faults become refusals whose fields
 * begin with `prefix` ("workflow."): "workflow.steps.2.dueIn". False when there is one.
 */
bool workflow_build_new(const struct oms_value *input, uint32_t version, const char *prefix,
                        struct oms_arena *arena, struct workflow *out, struct refusal_list *refusals);
/* The same with the first fault as an error: OMS_INVALID names the step and the fault. */
OMS_MUST_USE enum oms_status workflow_build(const struct oms_value *input, uint32_t version,
                                            struct oms_arena *arena, struct workflow *out,
                                            struct oms_error *error);
OMS_MUST_USE enum oms_status workflow_build_json(struct oms_str json, uint32_t version,
                                                 struct oms_arena *arena, struct workflow *out,
                                                 struct oms_error *error);
/* From JSON text as tenants store it: what was once accepted. */
OMS_MUST_USE enum oms_status workflow_build_stored(struct oms_str json, uint32_t version,
                                                   struct oms_arena *arena, struct workflow *out);
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

/* In which stages a step of this command can be performed, as bits 1 << enum order_stage; 0: it cannot be a
 * step. */
unsigned workflow_command_stages(enum order_command_type command);
/* The command by which an order leaves this stage forwards, NONE for the last ones. */
enum order_command_type workflow_leaving_command(enum order_stage stage);

/* ---- to look at (workflow_draw.c) ---- */

enum workflow_drawing { WORKFLOW_MERMAID, WORKFLOW_DOT };
/* Appends a flowchart in Mermaid's language, or Graphviz's: stages as groups, steps in their order. */
void workflow_draw(const struct workflow *workflow, enum workflow_drawing language, struct oms_buf *out);

/* ---- between the sources of workflows ---- */

/* Rules about the workflow as a whole: what would strand orders. `path` is the prefix of a step's path. */
void workflow_check(const struct workflow *workflow, const char *prefix, bool bare,
                    struct refusal_list *refusals);
/* "PT48H" of milliseconds, as short as it can be written; a NUL. */
void workflow_duration_text(int64_t ms, char out[32]);

/* An ISO 8601 duration of weeks, or days and time ("P2W", "P1DT12H", "PT48H", "PT0.5S" is refused) →
 * milliseconds. */
OMS_MUST_USE enum oms_status workflow_duration_parse(struct oms_str text, int64_t *out_ms);

#endif
