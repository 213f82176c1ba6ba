/*
 * The workload of the simulator: seeded commands and reads over a few tenants, orders and people.
 *
 * An operation is plain data without a pointer, so that the model can keep it, a repeat can copy it, and the
 * production command is built from it only when it is sent. An order has a place (tenant, slot) before it
 * exists: its id derives from the slot's reference, or from a person and a key, or belongs to nobody at all
 * (the last slot of a tenant, where nothing is ever made). Everything is drawn from one generator: one seed,
 * one workload.
 */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "actors/ids.h"
#include "actors/order_command.h"
#include "actors/principal.h"
#include "runtime/base/prng.h"

struct model;

#define SIM_TENANTS         2
#define SIM_SLOTS           8
#define SIM_SLOTS_BY_KEY    2 /* the slots before the last that have no reference */
#define SIM_SLOT_UNKNOWN    (SIM_SLOTS - 1)
#define SIM_PEOPLE          6
#define SIM_CARRIER         6u  /* a webhook: scans parcels, and nothing else */
#define SIM_LINES_MAX       3   /* of a creation */
#define SIM_LINES_GROWN     6   /* no more are added then, but for what is in flight */
#define SIM_VARIANTS        6   /* contents that a creation can have */
#define SIM_VERSIONS_MAX    200 /* of one order; then it is only read */
#define SIM_REPEATS_KEPT    48
#define SIM_CURRENCY_DIGITS 100 /* USD */

enum sim_role { SIM_STAFF, SIM_CUSTOMER, SIM_VENDOR };

struct sim_person {
    const char *subject;
    const char *role_name;
    enum sim_role role;
};
/* The same people in every tenant, and the carrier; a vendor's id is the subject. */
extern const struct sim_person sim_people[SIM_PEOPLE + 1];
#define SIM_CLERK    0u /* of the staff, and the only one who may erase a customer */
#define SIM_VENDOR_A 4u
#define SIM_VENDOR_B 5u

/* Where an order lives, whether it exists or not. */
struct sim_place {
    uint32_t tenant_number;
    unsigned char id[IDS_ORDER_SIZE];
    char id_text[IDS_ORDER_TEXT + 1];
    char reference[24];    /* empty: by key, or unknown */
    unsigned owner;        /* by key: the only person who can make it */
    unsigned creation_key; /* by key: its number */
};

/* What a command says; unused members are zero, so that equal contents are equal bytes. */
struct sim_content {
    uint64_t mark;     /* tells this content from all others; 0 in creations, whose contents repeat */
    uint64_t variant;  /* createOrder */
    uint64_t customer; /* createOrder: 0 none named, else person + 1 */
    uint64_t part;     /* number of the hold, shipment, line, return, refund, step or reviewer */
    uint64_t of;       /* processRefund: the return; receiveReturn: the line of which `quantity` came */
    int64_t quantity;
    int64_t amount;      /* minor units */
    int64_t at;          /* instant */
    uint64_t blocks;     /* a hold's commands */
    uint64_t status;     /* of a payment, refund or shipment; 1: approved */
    uint64_t payment_id; /* recordPayment: names its transaction */
};

struct sim_op {
    uint64_t serial; /* of this sending */
    unsigned tenant, slot, person;
    bool is_read;
    bool is_frozen; /* a read that takes a copy of the order home */
    bool has_key;
    bool has_expected;
    enum order_command_type type;
    unsigned key;
    uint64_t expected;
    struct sim_content content;
};

/* The lines of a creation's variant. */
struct sim_line {
    unsigned vendor; /* person */
    int64_t quantity;
    int64_t price; /* minor units */
};
unsigned sim_variant_lines(uint64_t variant, struct sim_line lines[SIM_LINES_MAX]);
enum order_stage sim_variant_stage(uint64_t variant);

/* The steps of a tenant's orders, in order. The second tenant has a workflow of its own, with required ones.
 */
#define SIM_STEPS_MAX 6
struct sim_step {
    const char *name; /* NULL: no more */
    enum order_stage stage;
    bool optional;
    enum order_command_type command; /* NONE: the tenant's own */
    unsigned lines_at_least;         /* `when`: only for orders with so many lines */
    int64_t due_in_ms;               /* skipped after it; 0: no deadline */
};
const struct sim_step *sim_steps(unsigned tenant, unsigned *count);
/* The workflow as JSON; NULL: the built-in one. */
const char *sim_workflow_json(unsigned tenant);

struct sim_workload {
    struct oms_prng prng;
    uint64_t next_serial;
    struct sim_op kept[SIM_REPEATS_KEPT]; /* keyed ones, for repeats */
    unsigned kept_count;
};

void sim_workload_init(struct sim_workload *workload, uint64_t seed);
/* The place of a slot; `number` is the tenant's. */
void sim_place_init(struct sim_place *place, const struct oms_hash_key *id_key, uint32_t number,
                    unsigned tenant, unsigned slot);
/* The next operation; the model is only looked at for numbers that make sense (versions, parts). */
void sim_workload_next(struct sim_workload *workload, const struct model *model, int64_t now_ms,
                       struct sim_op *out);

/* What idempotency compares: a hash of everything but key, expected version and sender. */
struct oms_hash128 sim_op_fingerprint(const struct sim_op *op);

/* A command in memory of its own (the arena), and its principal. The place must outlive it. */
struct sim_command {
    struct principal principal;
    struct oms_str role;
    struct order_command command;
};
void sim_command_build(const struct sim_op *op, const struct sim_place *place,
                       const struct oms_hash_key *id_key, struct oms_arena *arena, struct sim_command *out);

#endif
