/*
 * What the API asks of an endpoint's deliveries: how they stand, and what to do. A call travels to the shard
 * that has the endpoint and comes home, like a message.
 */
#ifndef OUTHOOK_CALL_H
#define OUTHOOK_CALL_H

#include "actors/outlet.h"
#include "runtime/message.h"

enum outhook_op {
    OUTHOOK_LOOK,      /* fills `view` */
    OUTHOOK_TEST,      /* sends a sample now; `attempt` says how it went */
    OUTHOOK_REDELIVER, /* the dead letter at `at`, or all of them when it is 0, 0; `count`: so many */
    OUTHOOK_REPLAY,    /* everything behind `at` again; answered when that is durable */
};

enum outhook_result {
    OUTHOOK_DONE,
    OUTHOOK_MISSING, /* no such endpoint, or no such dead letter */
    OUTHOOK_BEYOND,  /* the cursor lies behind the end of the log */
    OUTHOOK_BUSY,
    OUTHOOK_UNKNOWN, /* the write failed */
};

enum outhook_state { OUTHOOK_ACTIVE, OUTHOOK_BACKING_OFF, OUTHOOK_DISABLED };

struct outhook_view {
    enum outhook_state state;
    bool gone;                  /* disabled, since it said 410 Gone */
    struct ids_cursor position; /* everything up to it is settled */
    size_t pending;             /* events that are read and not settled */
    int64_t rests_until;        /* BACKING_OFF: no delivery before */
    uint64_t delivered;
    int64_t success_at, error_at;
    char error[OUTLET_REASON_MAX + 1];
    struct outlet_letter *letters; /* newest first; copies */
    size_t letter_count;
    struct outlet_try *tries; /* newest first; copies */
    size_t try_count;
};

struct outhook_call {
    struct rt_message message; /* the callee's */
    void (*done)(struct rt_shard *home, struct outhook_call *call);
    enum outhook_op op;
    uint32_t tenant;
    unsigned char key[TENANT_ENDPOINT_KEY_BYTES];
    struct ids_cursor at;
    /* out */
    enum outhook_result result;
    struct outhook_view view;
    struct outlet_try attempt;
    size_t count;
    /* the callee's own */
    struct outhooks *hub;
    struct outhook_call *next;
    unsigned home;
};

/* Gives back what the answer holds. */
void outhook_call_fini(struct outhook_call *call);

#endif
