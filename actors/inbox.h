/*
 * A tenant's inbox: the memory of deliveries from outside that no order keeps.
 *
 * A delivery that an order accepts is remembered by that order, with its idempotency key, in the one record
 * that is the commit. What is left is here: deliveries that were refused (their first answer, so that a
 * repeat gets the same and changes nothing), and updates that came before what they speak of, which wait
 * until they apply or expire. An inbox is OMS_INBOX_LANES actors, so that no tenant has one bottleneck; a
 * delivery's key picks its lane, which also lets only one of equal deliveries run at a time. Every change of
 * a lane is one unit of the log; its state is the fold of them.
 *
 * Tenant 0 stands for the operator: for updates whose tenant is not known yet.
 */
#ifndef INBOX_H
#define INBOX_H

#include "actors/held.h"
#include "runtime/base/buf.h"
#include "runtime/base/hash.h"

/* Numbers are stored: append only. */
enum inbox_phase {
    INBOX_NOTHING = 0,
    INBOX_REFUSED = 1, /* answered for good */
    INBOX_WAITING = 2, /* ahead of what it speaks of */
    INBOX_APPLIED = 3, /* waited, then done */
    INBOX_EXPIRED = 4, /* waited in vain */
    INBOX_FAILED = 5,  /* waited, then was refused: `reason` */
};

/* One remembered delivery. Text is the lane's. */
struct inbox_entry {
    uint32_t number; /* in its lane, from 1 */
    enum inbox_phase phase;
    struct oms_hash128 key, content; /* which delivery, and what it said */
    int64_t at, settled_at, expires_at;
    unsigned status;       /* of the first answer, an HTTP status */
    struct oms_str answer; /* its body */
    struct oms_str provider, topic;
    struct oms_str update; /* what waits: the layer above's own bytes; absent once it was applied */
    struct oms_str reason; /* FAILED: why */
    /* not stored */
    void *block;
    bool trying;
    unsigned tries;
    int64_t try_at;
};

/* ---- calls, on a shard's thread ---- */

enum inbox_op {
    INBOX_BEGIN, /* is this delivery new? Then it is the caller's until its INBOX_END */
    INBOX_END, /* what became of it: `phase` NOTHING (an order remembers it, or nobody may), REFUSED, WAITING
                */
    INBOX_SETTLE, /* what became of the waiting entry `number`: APPLIED, FAILED, EXPIRED, WAITING, NOTHING */
    INBOX_REPLAY, /* entry `number`, expired or failed, waits again */
    INBOX_LIST,   /* what waits, expired or failed, as JSON objects apart by commas */
};

enum inbox_result {
    INBOX_DONE,    /* also BEGIN: it is new */
    INBOX_KNOWN,   /* BEGIN: `status` and `answer` are the first answer */
    INBOX_OTHER,   /* BEGIN: the key is of a delivery that said something else */
    INBOX_MISSING, /* REPLAY: no such entry */
    INBOX_BUSY,    /* nothing happened: too much in flight, or no room in the lane */
    INBOX_NO_SPACE,
    INBOX_STOPPING,
    INBOX_UNKNOWN, /* the write failed */
    INBOX_FAULT,   /* the stored lane cannot be read */
};

struct inbox_call {
    struct rt_message message; /* on_return is the caller's */
    enum inbox_op op;
    uint32_t tenant;
    unsigned lane; /* SETTLE, REPLAY, LIST; the others by their key */
    struct oms_hash128 key, content;
    enum inbox_phase phase;
    uint32_t number;
    unsigned status;
    struct oms_buf answer;          /* in and out; initialised by the caller */
    struct oms_str provider, topic; /* borrowed until home, like what follows */
    struct oms_str update, reason;
    int64_t expires_at;
    enum inbox_result result;
    struct held_item held; /* the actor layer's own, like what follows */
    struct inbox_call *next;
};

/* Moves the call to its lane. It comes home when what it says is durable. */
void inbox_call_send(struct rt_shard *shard, struct inbox_call *call);
unsigned inbox_lane_of(struct oms_hash128 key);

/*
 * Called for a waiting entry whose time to try has come, on its lane's shard: the layer above tries it and
 * tells the lane by INBOX_SETTLE. Borrowed for the call.
 */
typedef void inbox_try(void *context, struct rt_shard *shard, uint32_t tenant, unsigned lane,
                       const struct inbox_entry *entry);

#endif
