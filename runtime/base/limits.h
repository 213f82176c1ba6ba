/*
 * Every maximum of the server in one place: queues, arenas, batches, caches, depths, counts and times. Over a
 * limit the caller gets a clear error (BUSY with a retry hint, LIMIT_EXCEEDED, 413, 431 …), never a crash or an
 * unbounded wait. A number that an operator may change is only a default here; the configuration overrides it.
 *
 * What follows from a format (the width of a key, the digits of a number) and the size of a scratch buffer stand
 * where they are used: nobody can meet them as a limit.
 */
#ifndef OMS_BASE_LIMITS_H
#define OMS_BASE_LIMITS_H

/* ---- topology ---- */
#define OMS_SHARDS_MAX     64
#define OMS_PARTITIONS     256 /* of tenants; fixed for the life of a store */
#define OMS_TENANTS_MAX    65536
#define OMS_STOP_MS_MAX    10000 /* of a shard's orderly end; then its loop is abandoned */
#define OMS_STOP_HOOKS_MAX 8     /* of a shard: who closes handles at its end */

/* ---- messages ---- */
#define OMS_SHARD_IN_FLIGHT_MAX    65536 /* units of work of one shard between decide and fsync */
#define OMS_SHARD_IN_FLIGHT_BYTES  (64u << 20)
#define OMS_TENANT_IN_FLIGHT_MAX   49152 /* of them, of one tenant */
#define OMS_ACTOR_MAILBOX_MAX      16384
#define OMS_SHARD_TURN_MESSAGES    512 /* processed before the loop polls its sockets again */
#define OMS_ACTOR_TURN_MESSAGES    64  /* of one actor before the next actor's turn */
#define OMS_TENANT_QUANTUM         128 /* messages of one tenant's turn in the deficit round robin */

/* ---- pools: reads, loads, slow I/O ---- */
#define OMS_POOL_THREADS_MAX 64
#define OMS_POOL_QUEUE_MAX   32768
#define OMS_POOL_TENANT_MAX  (OMS_POOL_QUEUE_MAX / 8) /* of them, of one tenant */

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

/* ---- backend sync ---- */
#define OMS_BATCH_ORDERS_MAX           200 /* of one createOrders */
#define OMS_EXPORTS_MAX                64  /* that run at a time; each holds a snapshot of the store */
#define OMS_EXPORTS_TENANT_MAX         4   /* of them, of one tenant */
#define OMS_EXPORT_MS_MAX              (3600 * 1000) /* as long as one may hold its snapshot; it can be gone on with */
#define OMS_EXPORT_PAGE_ORDERS         100 /* read at once, */
#define OMS_EXPORT_PAGE_BYTES          (256u << 10) /* or fewer, when they are large */

/* ---- keys that issuers publish (JWKS) ---- */
#define OMS_JWKS_KEYS_MAX          32           /* of one document */
#define OMS_JWKS_BYTES_MAX         (256u << 10) /* of one document */
#define OMS_JWKS_HEAD_BYTES_MAX    (64u << 10)  /* of an answer's headers */
#define OMS_JWKS_KID_BYTES_MAX     256          /* of a key's name, published or in a token */
#define OMS_JWKS_CONNECT_MS        3000
#define OMS_JWKS_FETCH_MS          5000         /* everything of one fetch, discovery included */
#define OMS_JWKS_FETCHES_MAX       4            /* at once; each holds a thread of the slow pool */
#define OMS_JWKS_START_MS          3000         /* the start waits so long for the first fetches */
#define OMS_JWKS_TTL_MS            (10ll * 60 * 1000) /* of a document that says nothing about it */
#define OMS_JWKS_TTL_MIN_MS        (60ll * 1000)
#define OMS_JWKS_TTL_MAX_MS        (24ll * 3600 * 1000)
#define OMS_JWKS_RETRY_MAX_MS      60000        /* between fetches that fail; they begin with refetch_interval_s */
#define OMS_JWKS_WAIT_MS           8000         /* of a request whose token's key is looked for */
#define OMS_JWKS_WAITING_MAX       256          /* of them, per issuer and shard */
#define OMS_JWKS_UNKNOWN_MS        30000        /* a kid that was not found is not looked for again so long */
#define OMS_JWKS_UNKNOWN_MAX       1024         /* of them, per shard */

/* ---- live streams ---- */
#define OMS_STREAMS_MAX            65536 /* readers of live streams per shard */
#define OMS_STREAMS_SUBJECT_MAX    100   /* of them, of one person who reads some orders only */
#define OMS_STREAM_VARIABLES_BYTES_MAX (32u << 10) /* of one subscription; every shard keeps them parsed */
#define OMS_STREAM_HELD_BYTES_MAX  (64u << 20) /* rendered on a shard for units that are not durable yet */
#define OMS_STREAM_RING_PAYLOADS_MAX 4096 /* the latest of one topic: who falls behind them is cut off; a power of two */
#define OMS_STREAM_RING_BYTES_MAX  (4u << 20)
#define OMS_STREAM_RINGS_BYTES_MAX (256u << 20) /* of all topics of a shard; over it each keeps little */
#define OMS_STREAM_LATE_UNITS_MAX  (1u << 20) /* of a partition, that wait for a shard which lags */
#define OMS_STREAM_PAGE_EVENTS     256 /* read from the log at once for one reader */
#define OMS_STREAM_READS_TENANT_MAX 2 /* of them under way for one tenant on one shard; the others wait */
#define OMS_STREAM_HEARTBEAT_MS     15000 /* of silence; also between a WebSocket's pings */
#define OMS_STREAM_SEND_BYTES_MAX   (256u << 10) /* handed to a connection at a time */
#define OMS_WEBSOCKET_INIT_MS       10000 /* until connection_init */
#define OMS_WEBSOCKET_OPERATIONS_MAX 100  /* of one connection */
#define OMS_WEBSOCKET_MESSAGE_MAX   (1u << 20) /* from a client */
#define OMS_WEBSOCKET_CROWDED     (1u << 20) /* unsent: its streams then wait until all of it is written */
#define OMS_WEBSOCKET_UNSENT_MAX    (8u << 20) /* written for a client that does not read */
#define OMS_WEBSOCKET_SILENT_PINGS  2 /* in a row */
#define OMS_TICKETS_MAX             4096 /* per shard, out at a time */
#define OMS_TICKETS_SUBJECT_MAX     256 /* of them, of one person */
#define OMS_TICKET_MS               60000

/* ---- GraphQL ---- */
#define OMS_GQL_DOCUMENT_BYTES_MAX (128u << 10)
#define OMS_GQL_TOKENS_MAX         10000
#define OMS_GQL_DEPTH_MAX          32
#define OMS_GQL_ALIASES_MAX        200
#define OMS_GQL_ROOT_FIELDS_MAX    50
#define OMS_GQL_ERRORS_MAX         50
#define OMS_GQL_NESTING_MAX        (2 * OMS_GQL_DEPTH_MAX) /* of selection sets, values and types in the source */
#define OMS_GQL_VALUE_DEPTH_MAX    (OMS_JSON_DEPTH_MAX + OMS_GQL_DEPTH_MAX)
#define OMS_GQL_LIST_DEPTH_MAX     7      /* lists within lists of one field's type */
#define OMS_GQL_STACK_MAX          128    /* frames of execution: levels plus lists */
#define OMS_GQL_PLAN_STEPS_MAX     20000  /* fields once fragments are expanded */
#define OMS_GQL_PLAN_VISITS_MAX    200000 /* selections looked at while planning */
#define OMS_GQL_MERGE_VISITS_MAX   200000 /* the same while fields that share a key are compared */
#define OMS_GQL_INTROSPECTION_LISTS_MAX 2 /* lists of the schema within one another */
#define OMS_GQL_PREPARED_BYTES_MAX (32u << 20) /* of one document with its plans */
#define OMS_GQL_VARIANTS_MAX       4    /* plans of one operation, by what @skip and @include leave */
#define OMS_GQL_COST_LIST          3    /* items that the cost of a document assumes of a list within an order */
#define OMS_GQL_COST_MAX           10000000 /* of one request */
#define OMS_GQL_PERSISTED_MAX      1000 /* documents that clients registered by their hash, per shard */
#define OMS_GQL_PERSISTED_BYTES    (16u << 20)
#define OMS_GQL_PERSISTED_NEWS_MAX 64   /* of one shard, on their way to the others */
#define OMS_GQL_PLAN_CACHE_MAX     1024 /* per shard */
#define OMS_GQL_PLAN_CACHE_BYTES   (64u << 20)
#define OMS_PAGE_SIZE_DEFAULT      20
#define OMS_PAGE_SIZE_MAX          200
#define OMS_LIST_EXAMINED_MAX      20000 /* rows looked at for one page */
#define OMS_FILTER_VALUES_MAX      50    /* of one list of a filter */
#define OMS_FEED_FOLDS_MAX         64    /* orders that one page of the tenant's events folds along */
#define OMS_COUNT_MAX              10000
#define OMS_REQUEST_ROWS_MAX       200000 /* stored orders and units that the reads of one request look at */

/* ---- an order (domain) ---- */
#define OMS_ORDER_LINES_MAX         500
#define OMS_ORDER_QUANTITY_MAX      0x7fffffff /* of one line; what GraphQL's Int carries */
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

/* ---- a tenant ---- */
#define OMS_TENANT_NAME_BYTES_MAX  64
#define OMS_TENANT_ORIGINS_MAX     256
#define OMS_TENANT_WORKFLOWS_MAX   4096  /* versions kept: all that live orders may have pinned */
#define OMS_TENANT_GRANTS_MAX      256   /* scopes of one role, or of one user */
#define OMS_TENANT_ARENA_BYTES_MAX (64u << 20)
#define OMS_TENANT_STATE_BYTES_MAX (32u << 20)
#define OMS_PERMISSION_RULES_MAX   65536 /* of a tenant, rolemap and authorizations each */
#define OMS_PRINCIPAL_ROLES_MAX    32
#define OMS_WORKFLOW_STEPS_MAX     64
#define OMS_WORKFLOW_DUE_MAX_MS    (366ll * 24 * 3600 * 1000)
#define OMS_WORKFLOW_BYTES_MAX     (256u << 10) /* of one version, as JSON */
#define OMS_WORKFLOW_WHEN_MAX      16    /* conditions of one step */
#define OMS_WORKFLOW_VALUES_MAX    100   /* of one condition's list */
#define OMS_WORKFLOW_PATTERNS_MAX  32    /* of one list of SKU patterns */
#define OMS_PATTERN_BYTES_MAX      256
#define OMS_PATTERN_STEPS_MAX      10000 /* of one match */
#define OMS_PATTERN_HEAP_KIB       256   /* of one match */
#define OMS_TENANT_KEYS_KEPT       64    /* idempotency keys of a tenant's changes kept whatever their age */
#define OMS_TENANT_KEYS_MAX        1024  /* kept within their 24 hours */
#define OMS_TENANT_API_KEYS_MAX    256   /* of a tenant, live at once */
#define OMS_TENANT_API_KEYS_KEPT   256   /* revoked and expired ones that are still listed */
#define OMS_WAREHOUSES_MAX         1000
#define OMS_CARRIERS_MAX           200
#define OMS_CARRIER_LEVELS_MAX     50
#define OMS_USERS_MAX              1000000 /* with an authorization of their own, on the server */
#define OMS_USERS_TENANT_MAX       200000  /* of them, of one tenant */
#define OMS_USER_ROLES_MAX         32
#define OMS_USER_GRANTS_MAX        64    /* scopes of one user */
#define OMS_USER_BYTES_MAX         32768 /* of one user's stored form */
#define OMS_MIGRATE_PAGE_MAX       200   /* orders that one migrateOrders takes along */
#define OMS_MIGRATE_TOLD_MAX       100   /* stranded orders that one answer names */
#define OMS_ERASE_PAGE_MAX         200   /* orders that one eraseCustomer looks at */
#define OMS_ERASE_TOLD_MAX         200   /* orders left alone that one answer names */
#define OMS_REFUSALS_MAX           64    /* of one command; more are dropped, since the first ones say enough */

/* ---- webhooks in ---- */
#define OMS_TENANT_WEBHOOKS_MAX    32
#define OMS_WEBHOOK_SECRETS_MAX    4     /* of one provider, live at once */
#define OMS_WEBHOOK_TOPICS_MAX     32
#define OMS_WEBHOOK_AGE_MAX_S      86400
#define OMS_WEBHOOK_MAP_BYTES_MAX  (64u << 10)
#define OMS_WEBHOOK_VALUES_MAX     50000 /* made by one map of one payload */
#define OMS_INBOX_LANES            64    /* of a tenant: each remembers deliveries that no order does */
#define OMS_INBOX_ENTRIES_MAX      1024  /* of a lane: refused, waiting and expired ones */
#define OMS_INBOX_WAITING_MAX      256   /* of them, updates ahead of their order */
#define OMS_INBOX_ANSWER_BYTES_MAX 8192
#define OMS_INBOX_UPDATE_BYTES_MAX (64u << 10) /* of an update that waits */
#define OMS_INBOX_WAIT_MS          (24ll * 3600 * 1000)
#define OMS_INBOX_EXPIRED_KEEP_MS  (7ll * 24 * 3600 * 1000)

/* ---- webhooks out ---- */
#define OMS_TENANT_ENDPOINTS_MAX   50    /* of a tenant */
#define OMS_ENDPOINT_SECRETS_MAX   2     /* live at once, while one is being replaced */
#define OMS_ENDPOINT_FILTER_BYTES_MAX (16u << 10)
#define OMS_ENDPOINT_OVERLAP_MAX_S (7 * 24 * 3600) /* of an old secret beside the new one */
#define OMS_OUTHOOK_TIMEOUT_MS     10000 /* of one delivery (default) */
#define OMS_OUTHOOK_CONNECT_MS     5000
#define OMS_OUTHOOK_ATTEMPTS       16    /* of one event before it becomes a dead letter (default): with */
#define OMS_OUTHOOK_RETRY_MS       5000  /* this before the second one at most, twice it before the third, … */
#define OMS_OUTHOOK_RETRY_MAX_MS   (12ll * 3600 * 1000) /* and this at most, they span about a day */
#define OMS_OUTHOOK_REST_MS        1000  /* an endpoint that fails as a whole rests so long at most; it doubles */
#define OMS_OUTHOOK_REST_MAX_MS    (5ll * 60 * 1000)
#define OMS_OUTHOOK_FAILURES       5     /* in a row, then it fails as a whole */
#define OMS_OUTHOOK_RETRY_AFTER_MAX_MS (6ll * 3600 * 1000) /* what a receiver may ask for */
#define OMS_OUTHOOK_PARALLEL_FIRST 4     /* deliveries at a time to an endpoint; they double while they succeed */
#define OMS_OUTHOOK_PARALLEL_MAX   32
#define OMS_OUTHOOK_TENANT_MAX     128   /* of all endpoints of a tenant, per shard */
#define OMS_OUTHOOK_SHARD_MAX      512   /* of all tenants, per shard; also connections that are kept */
#define OMS_OUTHOOK_PENDING_MAX    1024  /* events of an endpoint that are read and not delivered yet, */
#define OMS_OUTHOOK_PENDING_BYTES  (16u << 20) /* or fewer, when they are large */
#define OMS_OUTHOOK_ANSWER_BYTES_MAX (64u << 10) /* of an answer's body; more fails the delivery */
#define OMS_OUTHOOK_HEAD_BYTES_MAX (32u << 10)
#define OMS_OUTHOOK_MARK_MS        500   /* between two records of how far an endpoint is */
#define OMS_OUTHOOK_STOP_MS        3000  /* an orderly end waits so long for deliveries under way */
#define OMS_OUTHOOK_OPENS_PER_TICK 32    /* readers of the log that a shard begins at a time */
#define OMS_OUTLET_LETTERS_MAX     1000  /* dead letters of an endpoint; the oldest go first, */
#define OMS_OUTLET_LETTERS_KEEP_MS (7ll * 24 * 3600 * 1000) /* or after this */
#define OMS_OUTLET_TRIES_MAX       100   /* in an endpoint's log of deliveries */

/* ---- the broker (NATS) ---- */
#define OMS_NATS_URLS_MAX          16
#define OMS_NATS_NAME_BYTES_MAX    128   /* of a stream, a consumer */
#define OMS_NATS_SUBJECT_BYTES_MAX 512
#define OMS_NATS_PAYLOAD_BYTES_MAX (64u << 20) /* of a message that is read; the broker has its own maximum */
#define OMS_NATS_IN_FLIGHT         64    /* of one consumer: messages worked on at a time (default) */
#define OMS_NATS_IN_FLIGHT_MAX     1024
#define OMS_NATS_ACK_WAIT_MS       30000 /* of a consumer: the broker sends again what is not answered */
#define OMS_NATS_PULL_BYTES_MAX    (16u << 20) /* of the messages of one pull */
#define OMS_NATS_WINDOW_EVENTS     1024  /* published and not acknowledged yet, */
#define OMS_NATS_WINDOW_BYTES      (16u << 20) /* or fewer, when they are large */
#define OMS_NATS_CONNECT_MS        3000
#define OMS_NATS_RETRY_MIN_MS      250   /* between tries to connect; they double */
#define OMS_NATS_RETRY_MAX_MS      10000
#define OMS_NATS_ANSWER_MS         10000 /* the broker's time to answer before everything is begun anew */
#define OMS_NATS_STOP_MS           5000  /* an orderly end waits so long for what was published */
#define OMS_NATS_MARK_MS           1000  /* between two records of how far a tenant's events are published */
/* ---- uploads: imports by HTTP ---- */
#define OMS_UPLOADS_TENANT_MAX     16    /* that have not been removed or forgotten */
#define OMS_UPLOADS_SHARD_MAX      256   /* in memory: over it the longest idle one is read again when it goes on */
#define OMS_UPLOAD_IDLE_MS         60000 /* and one that nobody asks for so long */
#define OMS_UPLOAD_KEEP_MS         (24ll * 3600 * 1000) /* after its last unit it is forgotten */
#define OMS_UPLOAD_BYTES_MAX       (4ull << 30) /* of one file */
#define OMS_UPLOAD_ORDERS_MAX      2000000 /* of one file: each is remembered by 16 to 43 bytes while it runs */
#define OMS_UPLOAD_REPORT_BYTES_MAX (512ull << 20) /* of one upload */
#define OMS_UPLOAD_HEADER_BYTES_MAX (64u << 10) /* of a CSV file's header row */
#define OMS_UPLOAD_MAP_BYTES_MAX   (64u << 10)
#define OMS_UPLOAD_TAIL_BYTES_MAX  (2u << 20) /* of the rows of one order, as they stand in the file */
#define OMS_UPLOAD_PIECE_BYTES     (16u << 10) /* read in one go */
#define OMS_UPLOAD_IN_FLIGHT       512   /* orders of one upload on their way; then reading pauses */
#define OMS_UPLOAD_PAGE_BYTES      (256u << 10) /* of the report: then the upload's progress is recorded */
#define OMS_UPLOAD_FAULTS_SHOWN    20    /* refused entries that its state shows */
#define OMS_UPLOAD_WAITING_MAX     16    /* requests that wait for the one that works on their upload */
#define OMS_UPLOAD_RETRY_MS        10000 /* a busy store is tried again so long, then the request is answered BUSY */

/* ---- actors in memory (defaults; per shard) ---- */
#define OMS_ORDERS_THAWED_MAX   16384
#define OMS_ORDERS_RESIDENT_MAX 2000000

#endif
