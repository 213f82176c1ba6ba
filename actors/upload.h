/*
 * An upload: what an import by HTTP remembers between its requests, durably.
 *
 * One actor per upload (its id is the key). Whoever works on the upload is the layer above, on the actor's
 * shard: it takes the file's bytes, has the orders made, and then tells by one unit of work how far the file
 * has been dealt with. So an upload's state is never ahead of its orders, and may be behind them by what was
 * under way in a crash; that comes again and, since creating is idempotent, makes nothing twice.
 *
 * A unit tells: CREATED once (what was asked for), HEADER once (a CSV file's header row as it came), PROGRESS
 * (where the file stands), PAGE (the next page of the report, kept beside the state), REMOVED (forgets
 * everything). The state is the fold of them. Rows are personal, so all of it is sealed in the log, and
 * REMOVED destroys the upload's keys. A timer forgets an upload OMS_UPLOAD_KEEP_MS after its last unit.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include "actors/held.h"
#include "runtime/base/buf.h"

#define UPLOAD_ID_SIZE 16
#define UPLOAD_ID_TEXT 26 /* Crockford's base 32 */

/* Numbers are stored: append only. */
enum upload_phase {
    UPLOAD_OPEN = 0,     /* takes bytes */
    UPLOAD_COMPLETE = 1, /* the whole file has been dealt with */
    UPLOAD_STOPPED = 2,  /* onError "stop" met a refused row */
    UPLOAD_FAILED = 3,   /* nothing more can be made of the file: `failure` */
};

struct upload_counts {
    uint64_t rows;     /* rows that the report tells of */
    uint64_t orders;   /* created, existing, other, refused together; unreadable rows are none */
    uint64_t created;  /* in a dry run: would be */
    uint64_t existing; /* the same order was there */
    uint64_t other;    /* one with this reference and other content was there, and was left as it is */
    uint64_t refused;  /* orders, and rows that belong to none */
    uint64_t rows_refused;
    uint64_t skipped; /* orders that the map leaves out */
};

/* What was asked for; never changes. */
struct upload_terms {
    int64_t created_at;
    struct oms_str subject;  /* who began it */
    struct oms_str map;      /* its JSON, with the options filled in */
    struct oms_str map_name; /* as it was asked for */
    bool dry_run, stop_on_error, conflict_on_existing;
    uint64_t length; /* of the file; 0: not told */
};

/* Where a reader of the file can begin anew: at the first byte of what has not been dealt with. */
struct upload_place {
    uint64_t offset, line, row;
    uint64_t poison_line; /* of a row that could not be read, before; 0: none */
    bool after_cr;        /* the byte before was "\r" */
};

struct upload_progress {
    enum upload_phase phase;
    uint64_t offset; /* bytes taken */
    uint64_t length; /* told since; 0: not told */
    struct upload_place place;
    struct oms_str tail;    /* the bytes from place.offset to offset */
    struct oms_str faults;  /* the first refused entries, in the report's form */
    struct oms_str failure; /* FAILED: why */
    struct upload_counts counts;
    uint64_t report_bytes;
};

/* All text is borrowed from where it was decoded. */
struct upload {
    uint32_t version; /* units so far; 0: there is none */
    uint32_t pages;
    int64_t changed_at; /* time of the last unit */
    bool removed;
    struct upload_terms terms;
    struct oms_str header;
    struct upload_progress progress;
};

void upload_address(uint32_t tenant, const unsigned char id[UPLOAD_ID_SIZE], struct rt_address *out);
void upload_id_text(const unsigned char id[UPLOAD_ID_SIZE], char out[UPLOAD_ID_TEXT + 1]);
OMS_MUST_USE enum oms_status upload_id_parse(struct oms_str text, unsigned char out[UPLOAD_ID_SIZE]);
/* When it is forgotten. */
int64_t upload_expires_at(const struct upload *upload);

/* ---- what a unit tells: appended to a buffer one after the other ---- */
void upload_put_created(const struct upload_terms *terms, struct oms_buf *out);
void upload_put_header(struct oms_str header, struct oms_buf *out);
void upload_put_progress(const struct upload_progress *progress, struct oms_buf *out);
void upload_put_page(struct oms_str page, struct oms_buf *out);
/* A unit's one event that is not sealed: what folding needs when the keys are gone. */
void upload_put_plain(uint32_t pages, bool removed, struct oms_buf *out);
OMS_MUST_USE enum oms_status upload_take_plain(struct oms_str event, struct upload *upload);
/* Applies all of it; *page is set to a page's bytes, else absent. OMS_CORRUPT for other bytes. */
OMS_MUST_USE enum oms_status upload_apply(struct upload *upload, struct oms_str told, struct oms_str *page);

/* ---- the stored form ---- */
void upload_encode(const struct upload *upload, struct oms_buf *out);
OMS_MUST_USE enum oms_status upload_decode(struct oms_str bytes, struct upload *out);

/* ---- the actor ---- */

enum upload_result {
    UPLOAD_DONE,
    UPLOAD_BUSY, /* nothing happened: too much in flight */
    UPLOAD_NO_SPACE,
    UPLOAD_STOPPING,
    UPLOAD_UNKNOWN, /* the write failed */
};

struct upload_call {
    struct rt_message message; /* on_return is the caller's */
    struct rt_address address; /* of the upload */
    uint32_t version;          /* before; raised by one when it is done */
    struct oms_str told;       /* borrowed until home */
    uint32_t pages;            /* of the report, with the one that is told */
    bool removes;
    enum upload_result result; /* when message.status is OMS_OK */
    struct held_item held;     /* the actor layer's own */
};

/* Moves the call; it comes home when its unit is durable. Only one at a time for an upload. */
void upload_call_send(struct rt_shard *shard, struct upload_call *call);

/* Called for an upload whose time is over, on its shard. */
typedef void upload_due(void *context, struct rt_shard *shard, const struct rt_address *upload);

#endif
