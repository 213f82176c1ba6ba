/*
 * Every maximum of the server in one place: queues, arenas, batches, caches, depths, counts and times. Over a
 * limit the caller gets a clear error (BUSY with a retry hint, LIMIT_EXCEEDED, 413, 431 …), never a crash or an
 * unbounded wait. A number that an operator may change is only a default here; the configuration overrides it.
 */
#ifndef OMS_BASE_LIMITS_H
#define OMS_BASE_LIMITS_H

/* ---- topology ---- */
#define OMS_SHARDS_MAX     64
#define OMS_PARTITIONS     256 /* of tenants; fixed for the life of a store */
#define OMS_TENANTS_MAX    65536

/* ---- messages ---- */
#define OMS_SHARD_IN_FLIGHT_MAX    65536 /* units of work of one shard between decide and fsync */
#define OMS_SHARD_IN_FLIGHT_BYTES  (64u << 20)
#define OMS_TENANT_IN_FLIGHT_MAX   49152 /* of them, of one tenant */
#define OMS_ACTOR_MAILBOX_MAX      16384
#define OMS_SHARD_TURN_MESSAGES    512 /* processed before the loop polls its sockets again */
#define OMS_ACTOR_TURN_MESSAGES    64  /* of one actor before the next actor's turn */
#define OMS_TENANT_QUANTUM         128 /* messages of one tenant's turn in the deficit round robin */

/* ---- the log ---- */
#define OMS_UNIT_BYTES_MAX         (4u << 20)
#define OMS_COMMIT_BATCH_UNITS_MAX 4096
#define OMS_COMMIT_BATCH_BYTES_MAX (8u << 20)
#define OMS_LAG_UNITS_MAX          150000 /* durable but not materialised: commits wait; replayed after a crash */
#define OMS_LAG_BYTES_MAX          (512u << 20)
#define OMS_MATERIALISE_WINDOW_UNITS 32768
#define OMS_DISK_RESERVE_BYTES     (512ull << 20) /* WAL + memtables + compaction + what is in flight */

/* ---- requests ---- */
#define OMS_BODY_BYTES_MAX             (1u << 20)
#define OMS_BODY_BYTES_PER_CONNECTION  (4u << 20)
#define OMS_BODY_BYTES_ALL             (256u << 20)
#define OMS_REQUESTS_IN_FLIGHT_MAX     32768 /* per shard */
#define OMS_CONNECTIONS_MAX            16384 /* per shard */
#define OMS_REQUEST_ARENA_BYTES_MAX    (16u << 20)
#define OMS_RESPONSE_BYTES_MAX         (32u << 20)
#define OMS_JSON_DEPTH_MAX             64
#define OMS_TOKEN_BYTES_MAX            16384
#define OMS_TOKEN_CACHE_MAX            16384 /* per shard */

/* ---- GraphQL ---- */
#define OMS_GQL_DOCUMENT_BYTES_MAX (128u << 10)
#define OMS_GQL_TOKENS_MAX         10000
#define OMS_GQL_DEPTH_MAX          32
#define OMS_GQL_ALIASES_MAX        200
#define OMS_GQL_ROOT_FIELDS_MAX    50
#define OMS_GQL_ERRORS_MAX         50
#define OMS_GQL_PLAN_CACHE_MAX     1024 /* per shard */
#define OMS_GQL_PLAN_CACHE_BYTES   (64u << 20)
#define OMS_PAGE_SIZE_DEFAULT      20
#define OMS_PAGE_SIZE_MAX          200
#define OMS_LIST_EXAMINED_MAX      20000 /* rows looked at for one page */
#define OMS_COUNT_MAX              10000
#define OMS_REQUEST_ROWS_MAX       200000 /* stored orders and units that the reads of one request look at */

/* ---- an order (domain) ---- */
#define OMS_ORDER_LINES_MAX         500
#define OMS_ORDER_SHIPMENTS_MAX     500
#define OMS_ORDER_RETURNS_MAX       1000
#define OMS_ORDER_REFUNDS_MAX       1000
#define OMS_ORDER_PAYMENTS_MAX      1000
#define OMS_ORDER_NOTES_MAX         10000
#define OMS_ORDER_HOLDS_ACTIVE_MAX  100
#define OMS_ORDER_HOLDS_RELEASED_KEPT 20 /* in the state; all of them are in the events */
#define OMS_ORDER_COUPONS_MAX       100
#define OMS_ORDER_TAX_LINES_MAX     100
#define OMS_ORDER_OPTIONS_BYTES_MAX 4096 /* a line's options, as JSON */
#define OMS_ORDER_KEYS_KEPT         64   /* idempotency keys of an order kept whatever their age */
#define OMS_ORDER_KEYS_MAX          4096 /* kept within their 24 hours */
#define OMS_IDEMPOTENCY_KEEP_MS     (24ll * 3600 * 1000)
#define OMS_PLACED_AHEAD_MAX_MS     (24ll * 3600 * 1000)
#define OMS_ID_BYTES_MAX            128  /* customerId, vendorId, sku, references, keys */
#define OMS_NAME_BYTES_MAX          256
#define OMS_TEXT_BYTES_MAX          4000 /* notes, reasons, comments */
#define OMS_URL_BYTES_MAX           2048
#define OMS_EMAIL_BYTES_MAX         254 /* RFC 5321 section 4.5.3.1 */

/* ---- actors in memory (defaults; per shard) ---- */
#define OMS_ORDERS_THAWED_MAX   16384
#define OMS_ORDERS_RESIDENT_MAX 2000000

#endif
