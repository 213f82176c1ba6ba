/* The inside of the model, shared by the sources model*.c only. */
#ifndef SIM_MODEL_IMPL_H
#define SIM_MODEL_IMPL_H

#include "tests/sim/model.h"

/* ---- model_rules.c: what must come out ---- */

/* What a command must meet: one of these, or a refusal_code. */
enum model_verdict { MODEL_ACCEPTED = -1, MODEL_REPLAYED = -2, MODEL_EXISTS = -3, MODEL_NOTHING = -4 };
int model_verdict(const struct model_state *s, const struct sim_op *op, bool by_reference, int64_t now);
/* Whether this person knows of the order at all. */
bool model_reaches(const struct model_state *s, unsigned person);
/* Whether a vendor may touch it; everybody else always. */
bool model_line_mine(const struct model_state *s, unsigned person, unsigned line);
bool model_shipment_mine(const struct model_state *s, unsigned person, const struct model_shipment *shipment);
/* Where the line of this number stands; line_count: there is none. */
unsigned model_line_place(const struct model_state *s, uint64_t id);
/* Units that are neither cancelled nor in a shipment. */
static inline int64_t model_line_left(const struct model_line *line)
{
    return line->quantity - line->cancelled - line->allocated;
}
/* Goods of the shipment are in returns: it cannot fail any more. */
bool model_in_return(const struct model_state *s, const struct model_shipment *shipment);
/* Whether a carrier's word moves the shipment; else it is only recorded. */
bool model_scan_moves(const struct model_state *s, const struct model_shipment *shipment,
                      enum order_shipment_status to, int64_t at);
/* Units in no shipment, within the person's reach. */
int64_t model_unallocated(const struct model_state *s, unsigned person);
/* Whether an active hold blocks the command. */
bool model_held(const struct model_state *s, enum order_command_type type, int64_t now);
/* The payment of this transaction, or NULL; 0 is cash. */
const struct model_payment *model_transaction(const struct model_state *s, uint64_t payment_id);

/* ---- model_steps.c: the tenant's steps ---- */

/* Whether the order's required steps let it leave the stage. */
bool model_gate_open(const struct model_state *s);
/* Before any command's own rules; MODEL_ACCEPTED when no step is in the way. */
int model_step_gate(const struct model_state *s, enum order_command_type type);
/* Escalations, reviews, the tenant's own steps. */
int model_step_verdict(const struct model_state *s, const struct sim_op *op);
/* True when it ends in a hold (a rejection). */
bool model_step_apply(struct model_state *s, const struct sim_op *op);
void model_steps_create(struct model_state *s);
/* After each entry: `holds` there were before it. Deadlines pause and go on, and what is next begins. */
void model_steps_settle(struct model_state *s, size_t holds, int64_t time);
/* Moves the order to the stage, and settles the steps of the one that it leaves. */
void model_set_stage(struct model_state *s, enum order_stage to);

/* ---- model_returns.c ---- */

int64_t model_returnable(const struct model_line *line);
int model_return_verdict(const struct model_state *s, const struct sim_op *op);
int model_refund_verdict(const struct model_state *s, const struct sim_op *op);
void model_return_apply(struct model_state *s, const struct sim_op *op);
void model_refund_apply(struct model_state *s, const struct sim_op *op);
int64_t model_refund_due(const struct model_state *s);

/* ---- model_fold.c: what it does ---- */

/* Appends the entry, which was accepted, and applies it to the tip. */
void model_add_entry(struct model_order *order, const struct model_entry *entry);
/* The order as it was at a version; `out` may be the tip. */
void model_fold(const struct model_order *order, uint64_t version, struct model_state *out);

/* ---- model_compare.c ---- */

enum order_payment_status model_payment_status(const struct model_state *s);
void model_compare_state(struct model *model, unsigned tenant, unsigned slot, const struct model_state *s,
                         const struct order *order, const char *where);

#endif
