/*
 * A tenant's mark: how far its events have been given to a broker, durably.
 *
 * It is a memory of what was acknowledged outside, so it may be behind and never ahead of that. One actor per
 * tenant; each change is one unit that holds the whole mark, so its state is the last of them. Who moves it
 * knows it: it is read at the start, and then kept by its one mover.
 */
#ifndef MARK_H
#define MARK_H

#include "actors/held.h"
#include "runtime/base/buf.h"
#include "storage/store.h"

#define MARK_STREAM_BYTES_MAX 64

struct mark {
    uint32_t version;                       /* changes so far; 0: there is no mark */
    uint64_t commit;                        /* of the last event that is outside; 0: none is */
    uint32_t ordinal;                       /* of it in its commit */
    uint64_t sequence;                      /* that the outside gave it */
    char stream[MARK_STREAM_BYTES_MAX + 1]; /* what names the outside's memory: another one has nothing */
};

enum mark_result {
    MARK_DONE,
    MARK_BUSY,    /* nothing happened: too much in flight, no space, or the end is near */
    MARK_UNKNOWN, /* the write failed */
};

struct mark_call {
    struct rt_message message; /* on_return is the caller's */
    uint32_t tenant;
    struct mark mark;        /* the new one; its version is the one before, and raised when it is done */
    enum mark_result result; /* when message.status is OMS_OK */
    struct held_item held;   /* the actor layer's own */
};

/* Moves the call; it comes home when the mark is durable. */
void mark_call_send(struct rt_shard *shard, struct mark_call *call);

/* Before the host starts: what is stored; a version of 0 when there is none. OMS_CORRUPT, OMS_IO. */
OMS_MUST_USE enum oms_status mark_load(struct store *store, uint32_t tenant, struct mark *out);

/* ---- the stored form ---- */
void mark_encode(const struct mark *mark, struct oms_buf *out);
OMS_MUST_USE enum oms_status mark_decode(struct oms_str bytes, struct mark *out);

#endif
