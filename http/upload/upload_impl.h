/* What the sources of http/upload share. A session and its orders are touched by their shard's thread only,
 * but for a load, which is the pool's while it is there. */
#ifndef UPLOAD_IMPL_H
#define UPLOAD_IMPL_H

#include "actors/order_call.h"
#include "actors/system.h"
#include "http/api/request.h"
#include "http/import/import_orders.h"
#include "http/upload/page.h"
#include "http/upload/upload.h"

#define UPLOAD_PATH "/import"

struct upload_session;
struct upload_job;

/* ---- a request on its way to its upload's shard and back ---- */

enum upload_op { UPLOAD_OP_CREATE, UPLOAD_OP_WRITE, UPLOAD_OP_STATE, UPLOAD_OP_REMOVE, UPLOAD_OP_EXPIRE };

struct upload_ask {
    struct rt_message message;
    struct upload_ask *next;                  /* in its session's queue */
    struct upload_ask *live_prev, *live_next; /* of the shard that asks */
    struct http_uploads *uploads;
    struct rt_shard *shard;         /* that asks */
    struct http_exchange *exchange; /* that shard's; NULL: nobody's (EXPIRE) */
    enum upload_op op;
    struct rt_address address;
    struct oms_arena arena;     /* of everything below */
    struct principal principal; /* the caller; WRITE */
    struct oms_str tenant_name;
    struct upload_terms terms; /* CREATE */
    struct oms_str body;       /* WRITE: the chunk; the exchange's */
    uint64_t offset;
    bool has_length, ends;
    uint64_t length;
    struct store_read read; /* create.c, state.c: the tenant's uploads */
    size_t count;
    enum oms_status read_status;
    /* the answer */
    unsigned status;
    const char *code; /* of an error; NULL: `out` is the body */
    char message_text[320];
    unsigned retry_s; /* 0: none */
    bool known;       /* the upload's place is told: */
    bool complete;    /* it takes no more bytes */
    uint64_t offset_now, length_now;
    struct oms_buf out;
};

struct upload_ask *upload_ask_create(struct http_uploads *uploads, struct http_exchange *exchange,
                                     enum upload_op op);
void upload_ask_free(struct upload_ask *ask);
/* Sends it to the upload's shard; it comes back and is answered by what it says then. */
void upload_ask_send(struct upload_ask *ask);
/* On the upload's shard: done with. */
void upload_ask_return(struct upload_ask *ask);
/* Sets an error as the answer. */
void upload_ask_fail(struct upload_ask *ask, unsigned status, const char *code, const char *format, ...)
    OMS_PRINTF(4, 5);
/* On the asking shard: answers and frees it. */
void upload_ask_answer(struct upload_ask *ask);

/* ---- create.c, state.c: on the asking shard ---- */
void upload_create(struct upload_ask *ask);
void upload_list(struct upload_ask *ask);
void upload_write_state(const struct upload *upload, const struct rt_address *address, struct oms_buf *out);
/* Why the map cannot be used, in `error`; else the map of the terms. */
OMS_MUST_USE enum oms_status upload_map_make(const struct upload_terms *terms, struct import_map **out,
                                             struct oms_error *error);

/* ---- results.c ---- */
struct upload_results;
void upload_results_start(struct http_uploads *uploads, struct http_exchange *exchange,
                          const struct rt_address *address, bool as_jsonl, bool only_refused);
void upload_results_free(struct upload_results *results);

/* ---- one upload on its shard ---- */

/* A row's fate until the next page is made; texts lie in the session's `texts`. */
struct upload_pending {
    enum upload_entry_result result; /* 0: its order is on its way */
    size_t rows_at, row_count;
    size_t ref_at, ref_len; /* ref_len SIZE_MAX: none */
    bool has_id;
    unsigned char id[IDS_ORDER_SIZE];
    size_t code_at, code_len, field_at, field_len, message_at, message_len;
};

enum upload_trouble {
    UPLOAD_NO_TROUBLE,
    UPLOAD_TROUBLE_BUSY,
    UPLOAD_TROUBLE_NO_SPACE,
    UPLOAD_TROUBLE_STOPPING,
    UPLOAD_TROUBLE_UNKNOWN,
    UPLOAD_TROUBLE_FAULT,
    UPLOAD_TROUBLE_SUSPENDED,
};

struct upload_session {
    struct upload_session *prev, *next; /* of its shard, longest idle first */
    struct upload_shard *us;
    struct rt_address address;
    bool loaded;
    bool loading; /* by a read in the pool: */
    struct store_read read;
    enum oms_status read_status;
    int64_t used_ms;
    struct upload_ask *current; /* that is being worked on */
    struct upload_ask *first, *last;
    unsigned waiting;

    /* what is durable; text in `stored`, but for the tail */
    struct upload upload; /* version 0: there is none */
    struct oms_buf stored;
    struct oms_buf faults;
    /* the file's reader; NULL when nothing more is read */
    struct import_map *map;
    struct import_orders *orders;
    struct oms_buf tail; /* the bytes from `tail_offset` to where it has read */
    uint64_t tail_offset;
    bool replaying; /* the tail is read again: what it tells was told before */

    /* the chunk that is being worked on */
    size_t at;           /* read so far */
    uint64_t read_bytes; /* of the file that have been read */
    bool ended;          /* its last byte has been read, the last order closed */
    bool checkpointing, must_checkpoint;
    void (*checkpoint_done)(struct upload_session *session);
    bool stopping;
    bool failing;
    char failure[400];
    enum upload_trouble trouble;
    unsigned in_flight;
    struct upload_job *free_jobs, *busy_jobs; /* busy: to be sent again */
    int64_t busy_since;
    struct rt_timer timer;
    struct upload_pending *pending;
    size_t pending_count, pending_cap;
    struct import_row_place *rows;
    size_t row_count, row_cap;
    struct oms_buf texts;
    /* the unit on its way */
    struct upload_call call;
    struct upload_progress progress;
    struct oms_buf page, told;
    char key[16 + UPLOAD_ID_TEXT]; /* of idempotency, for all its orders */
};

struct upload_shard {
    struct http_uploads *uploads;
    struct rt_shard *shard;
    struct upload_session *first, *last;
    unsigned count;
    struct upload_ask *asks; /* begun here, not answered yet */
    struct upload_results *results;
    struct rt_timer sweep;
    bool sweeping;
};

struct http_uploads {
    struct http_uploads_config config;
    struct upload_shard *shards;
    unsigned shard_count;
};

struct upload_shard *upload_shard_of(struct http_uploads *uploads, struct rt_shard *shard);

/* session.c: on the upload's shard, for an ask that has arrived. */
void upload_session_take(struct upload_ask *ask);
/* The current ask is done with: it goes back, and the next one is worked on. */
void upload_session_done(struct upload_session *session);
/* The same, and what is in memory is forgotten: the durable state counts. */
void upload_session_drop(struct upload_session *session);
/* Tells the ask where the upload stands; with the whole state as the body when `whole`. */
void upload_session_tell(struct upload_session *session, bool whole);
void upload_session_free(struct upload_session *session);

/* feed.c */
/* Works on the current ask's chunk; ends with upload_session_done or _drop. */
void upload_feed(struct upload_session *session);
bool upload_on_order(void *context, const struct import_order *order);
bool upload_on_refused(void *context, const struct import_refusal *refusal);
/* Sends `told` as the next unit; `done` is called when it is durable, on trouble the session is dropped. */
void upload_checkpoint(struct upload_session *session, void (*done)(struct upload_session *session));
void upload_jobs_free(struct upload_session *session);

#endif
