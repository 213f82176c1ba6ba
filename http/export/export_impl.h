/* One export, as its sources see it. Internal to http/export. */
#ifndef HTTP_EXPORT_IMPL_H
#define HTTP_EXPORT_IMPL_H

#include "actors/order_list.h"
#include "http/api/request.h"
#include "http/export/export.h"
#include "http/payload.h"

enum export_format { EXPORT_JSONL, EXPORT_CSV, EXPORT_CUSTOMER };

#define EXPORT_CURSOR_MAX 256

/* Where an export goes on: behind an order of the list, among those made until `as_of_ms`. */
struct export_cursor {
    int64_t as_of_ms;
    size_t len; /* of the list's own cursor; 0: from the beginning */
    char text[EXPORT_CURSOR_MAX];
};
#define EXPORT_CURSOR_TEXT_MAX (EXPORT_CURSOR_MAX + 24)
/* Writes the text that clients see, and no NUL; returns its length. */
size_t export_cursor_write(const struct export_cursor *cursor, char out[EXPORT_CURSOR_TEXT_MAX]);
/* False when it is none of ours. */
bool export_cursor_parse(struct oms_str text, struct export_cursor *out);

struct export
{
    struct export *prev, *next; /* of its shard's */
    struct http_exports *exports;
    struct api_shard *as;
    struct http_exchange *exchange; /* NULL: its client is gone */
    struct oms_arena arena;         /* the filter and the bound request: until the export ends */
    const struct http_claims *claims;
    const struct tenant_version *tenant; /* held, as are the claims */
    struct principal principal;          /* borrows from the claims */
    struct gql_prepared *prepared;       /* held */
    struct gql_request *gql;
    enum export_format format;
    bool personal;                     /* the customers' personal fields are shown */
    struct oms_str customer_id, email; /* EXPORT_CUSTOMER: one of them */
    bool begun;                        /* the answer's head is out */
    bool counted;                      /* among the tenant's */
    const struct order_filter *filter;
    int64_t started_ms;
    /* ---- one page, which a read in the pool makes ---- */
    struct store_read read;
    bool in_flight;
    struct store_engine *engine;
    struct store_view *view;   /* opened by the first page; NULL before */
    unsigned limit;            /* orders of a page */
    struct export_cursor from; /* where it began */
    struct export_cursor to;   /* where it ended */
    struct http_payload *page; /* NULL: none is ready, or it is empty */
    bool ready, last;
    enum oms_status status;
    uint64_t orders, orders_before; /* written in all; and before the page */
    int64_t now_ms;
};

/* ---- export_page.c: in the pool ---- */
void export_page_run(struct store_read *read, struct store_engine *engine, struct store_view *view);

/* ---- export_customer.c ---- */
/* What stands before the first order, and behind the last. */
void export_customer_head(const struct export *export, struct oms_buf *out);
void export_customer_end(const struct export *export, struct oms_buf *out);
/*
 * The order's object, which ends in a brace, gets its events: the brace is taken back and written behind
 * them. Memory in `scratch`.
 */
OMS_MUST_USE enum oms_status export_customer_events(const struct export *export, const struct order *order,
                                                    struct oms_arena *scratch, struct oms_buf *out);

/* ---- export_csv.c ---- */
void export_csv_head(struct oms_buf *out);
/* The order's rows; the last one has the cursor. */
void export_csv_order(const struct order *order, bool personal, struct oms_str cursor, struct oms_buf *out);
/* A text as a cell: quoted where RFC 4180 wants it, and with an apostrophe in front where a spreadsheet would
 * take it for a formula, or the apostrophe for ours. */
void export_csv_text(struct oms_str text, struct oms_buf *out);

/* ---- export_fields.c ---- */
/* The document whose `nodes` are the lines of a JSONL export. */
struct oms_str export_document(bool personal);

#endif
