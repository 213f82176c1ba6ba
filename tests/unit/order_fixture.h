/*
 * A bench for order tests: one order, a clock, callers, a workflow; commands in one line each.
 *
 * Every accepted command is applied through its encoded form, and the whole history is kept, so that a test
 * can fold it again and compare.
 */
#ifndef ORDER_FIXTURE_H
#define ORDER_FIXTURE_H

#include "actors/order.h"
#include "actors/workflow.h"
#include "runtime/base/buf.h"

#define ORDER_LAB_EVENTS_MAX 16384

struct order_lab {
    struct order *order;
    struct oms_arena arena;   /* of the last decision; reset before each */
    struct oms_arena forever; /* inputs, workflows, history */
    struct principal principal;
    struct access access;
    struct workflow workflow;
    struct order_context context;
    struct order_decision decision; /* the last one */
    /* history, encoded */
    struct {
        struct oms_str bytes;
        struct order_event_meta meta;
    } * events;
    size_t event_count;
};

void lab_init(struct order_lab *lab);
void lab_fini(struct order_lab *lab);
/* The caller from now on: staff with every permission on the tenant. */
void lab_as_staff(struct order_lab *lab, const char *subject);
/* … or a caller with one scope for these permissions. */
void lab_as_scoped(struct order_lab *lab, const char *subject, enum permission_scope_kind kind,
                   const char *id, uint64_t permissions);
/* JSON of steps and defaults; before the creation. */
void lab_workflow(struct order_lab *lab, const char *json);

/* Decides; applies when accepted. Returns REFUSAL_NONE or the first refusal's code. */
enum refusal_code lab_run(struct order_lab *lab, const struct order_command *command);
/* The first refusal's message and field of the last decision, NUL-terminated in the lab's arena. */
const char *lab_message(struct order_lab *lab);
const char *lab_field(struct order_lab *lab);
/* Whether the last decision has an event of this type. */
bool lab_has(const struct order_lab *lab, enum order_event_type type);

/* ---- inputs ---- */

struct order_amount lab_amount(struct order_lab *lab, const char *text); /* "12.50" in the order's currency */
struct order_line_input lab_line(const char *sku, const char *vendor, int64_t quantity, const char *price);
/* A creation of USD lines for customer "cust-1" in New York; sums not given. */
struct order_command lab_create(struct order_lab *lab, enum order_stage stage,
                                const struct order_line_input *lines, size_t count);
struct order_command lab_command(enum order_command_type type);
/* The everyday order: 3 × A at 10.00 of v1, 2 × B at 5.00 of v2; shipping 4.00. */
void lab_place(struct order_lab *lab, enum order_stage stage);
/* One-liners over lab_run. */
enum refusal_code lab_simple(struct order_lab *lab, enum order_command_type type);
enum refusal_code lab_pay(struct order_lab *lab, const char *amount, const char *transaction);
enum refusal_code lab_cancel(struct order_lab *lab);
enum refusal_code lab_cancel_lines(struct order_lab *lab, uint32_t line, int64_t quantity);
enum refusal_code lab_add_shipment(struct order_lab *lab, uint32_t line,
                                   int64_t quantity); /* line 0: the rest */
enum refusal_code lab_shipment(struct order_lab *lab, enum order_command_type type, uint32_t shipment);
enum refusal_code lab_scan(struct order_lab *lab, uint32_t shipment, enum order_shipment_status status,
                           int64_t at);
enum refusal_code lab_return(struct order_lab *lab, uint32_t line, int64_t quantity);
enum refusal_code lab_on_return(struct order_lab *lab, enum order_command_type type, uint32_t id);
enum refusal_code lab_refund_return(struct order_lab *lab, uint32_t id, enum order_refund_status status);
enum refusal_code lab_refund_amount(struct order_lab *lab, const char *amount,
                                    enum order_refund_status status);
enum refusal_code lab_hold(struct order_lab *lab, order_command_set blocks, int64_t expires_at);
enum refusal_code lab_release(struct order_lab *lab, uint32_t hold);
enum refusal_code lab_step(struct order_lab *lab, enum order_command_type type, const char *step);
/* Brings a fresh order to the stage by ordinary commands, paid where needed. */
void lab_bring_to(struct order_lab *lab, enum order_stage stage);

/* ---- checks ---- */

/* Folds the history again from its encoded events and compares frozen bytes and derived fields. */
void lab_check_refold(const struct order_lab *lab);
/* The invariants of order_view.h and the sums of order_totals.c. */
void lab_check_invariants(const struct order_lab *lab);
/* The end of a test: both checks when there is an order, then lab_fini. */
void lab_finish(struct order_lab *lab);

#endif
