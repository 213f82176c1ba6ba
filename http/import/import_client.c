/*
 * Why HTTP/1.1 on Debian 12: libcurl 7.88 switches a connection that it reuses with prior knowledge to HTTP/2
 * a second time, so that all but its first request fail (curl's issue 10634, mended in 8.0). HTTP/2 by ALPN
 * over TLS begins well and then loses connections: of 5,009 orders to a server on Node's http2, 27 were sent
 * again with 64 in flight and 55 with 256, up to 12 of them arrived with a body cut short, and other runs had
 * none. It is two or three times as fast there as HTTP/1.1 (1.5 to 2.2 s against 5), but an importer must not
 * send half an order: below 8.0 it uses as many HTTP/1.1 connections as it may have orders in flight,
 * from 8.0 on HTTP/2.
 */
#include "http/import/import_client.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"

#define REQUEST_TIMEOUT_S_MAX 60
#define RETRY_S_DEFAULT       60
#define BACKOFF_MS            50
#define BACKOFF_MS_MAX        5000
#define RETRY_AFTER_S_MAX     60 /* a longer Retry-After is asked again by then */
#define ANSWER_BYTES_MAX      (4u << 20)
#define BATCH_BYTES_MAX       (OMS_BODY_BYTES_MAX / 2) /* a larger order goes alone */

enum slot_state { SLOT_FREE, SLOT_OPEN, SLOT_SENT, SLOT_WAITING }; /* open: takes more orders */

/* An order without an answer. */
struct entry {
    void *job;
    struct oms_str input; /* the job's */
    bool own_key;         /* the key is ours and not the input's */
    char key[56];
};

struct slot {
    enum slot_state state;
    CURL *easy;
    struct curl_slist *headers; /* the client's and the request's own */
    char trouble[CURL_ERROR_SIZE];
    struct entry *entries; /* the client's batch of them */
    unsigned count;
    unsigned sent; /* of them, in the request; the others come after it */
    size_t bytes;  /* of their inputs */
    struct oms_buf request, response;
    unsigned attempts;
    int64_t first_ms; /* of the first attempt */
    int64_t due_ms;   /* of the next one, when waiting */
};

struct import_client {
    struct import_client_sink sink;
    CURLM *multi;
    struct curl_slist *headers;
    char *url, *ca_file, *tenant;
    bool tls, loopback;
    uint64_t run;       /* names this run in its idempotency keys */
    uint64_t submitted; /* and each order of it */
    bool answered;      /* an order got its answer: token and tenant are accepted */
    bool multiplexed;   /* HTTP/2: one connection carries many */
    unsigned slot_count, batch;
    unsigned orders;   /* without an answer */
    struct slot *open; /* NULL: none */
    unsigned retry_s;
    uint64_t retries;
    struct slot *slots;
    struct oms_arena arena;
    struct oms_prng prng;
    char last_trouble[256];
};

static const char batch_query[] =
    "mutation Import($orders: [CreateOrderInput!]!) { createOrders(input: { orders: $orders }) { userErrors "
    "{ code "
    "field message } results { created replayed order { orderId } userErrors { code field message } } } }";
static const char query[] =
    "mutation Import($input: CreateOrderInput!) { createOrder(input: $input) { created replayed order { "
    "orderId } userErrors { code field message } } }";

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- making ---- */

static enum oms_status read_url(struct import_client *client, const char *text, struct oms_error *error)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *path = NULL, *whole = NULL;
    enum oms_status status = OMS_OK;

    OMS_ASSERT(url);
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        status = oms_error_set(error, OMS_INVALID, "\"%s\" is no URL such as http://127.0.0.1:8080", text);
        goto out;
    }
    if (strcmp(path, "/") == 0 || *path == '\0')
        OMS_ASSERT(curl_url_set(url, CURLUPART_PATH, "/graphql", 0) == CURLUE_OK);
    OMS_ASSERT(curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK);
    client->url = oms_strdup(whole);
    client->tls = strcmp(scheme, "https") == 0;
    client->loopback =
        strcmp(host, "127.0.0.1") == 0 || strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
out:
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    curl_free(whole);
    curl_url_cleanup(url);
    return status;
}

static void add_header(struct curl_slist **headers, const char *head, const char *value)
{
    struct oms_buf line;

    oms_buf_init(&line, OMS_TOKEN_BYTES_MAX + 1024);
    oms_buf_appendf(&line, "%s%s", head, value);
    oms_buf_append_char(&line, '\0');
    OMS_ASSERT(!line.overflow);
    *headers = curl_slist_append(*headers, line.data);
    OMS_ASSERT(*headers);
    oms_buf_fini(&line);
}

/* A line's end in a header would be another header. */
static bool header_safe(const char *text, size_t max)
{
    return !text || (strlen(text) <= max && strpbrk(text, "\r\n") == NULL);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct slot *slot = context;
    oms_buf_append(&slot->response, data, size * count);
    return slot->response.overflow ? 0 : size * count;
}

static void make_easy(struct import_client *client, struct slot *slot)
{
    slot->easy = curl_easy_init();
    OMS_ASSERT(slot->easy);
    curl_easy_setopt(slot->easy, CURLOPT_URL, client->url);
    curl_easy_setopt(slot->easy, CURLOPT_ERRORBUFFER, slot->trouble);
    long version = !client->multiplexed ? (long)CURL_HTTP_VERSION_1_1
                   : client->tls        ? (long)CURL_HTTP_VERSION_2TLS
                                        : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, client->multiplexed ? 1L : 0L);
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
    /* Half of the patience, so that one request that hangs leaves time for another. */
    long timeout_s =
        client->retry_s / 2 < REQUEST_TIMEOUT_S_MAX ? (long)client->retry_s / 2 : REQUEST_TIMEOUT_S_MAX;
    curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT, timeout_s > 0 ? timeout_s : 1L);
    curl_easy_setopt(slot->easy, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(slot->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(slot->easy, CURLOPT_USERAGENT, "liteoms-import/" LITEOMS_VERSION);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    if (client->ca_file)
        curl_easy_setopt(slot->easy, CURLOPT_CAINFO, client->ca_file);
    if (client->loopback)
        curl_easy_setopt(slot->easy, CURLOPT_NOPROXY, "*");
    oms_buf_init(&slot->request, OMS_BODY_BYTES_MAX + 4096);
    oms_buf_init(&slot->response, ANSWER_BYTES_MAX);
    slot->entries = oms_calloc(client->batch, sizeof(slot->entries[0]));
}

enum oms_status import_client_create(const struct import_client_config *config,
                                     const struct import_client_sink *sink, struct import_client **out,
                                     struct oms_error *error)
{
    struct import_client *client;
    enum oms_status status;

    if (!header_safe(config->token, OMS_TOKEN_BYTES_MAX) || !header_safe(config->tenant, 256))
        return oms_error_set(error, OMS_INVALID,
                             "the token or the tenant cannot be sent: too long, or a line's end");
    OMS_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    client = oms_calloc(1, sizeof(*client));
    client->sink = *sink;
    client->slot_count = config->in_flight ? config->in_flight : IMPORT_IN_FLIGHT_DEFAULT;
    if (client->slot_count > IMPORT_IN_FLIGHT_MAX)
        client->slot_count = IMPORT_IN_FLIGHT_MAX;
    client->batch = config->batch ? config->batch : IMPORT_BATCH_DEFAULT;
    if (client->batch > IMPORT_BATCH_MAX)
        client->batch = IMPORT_BATCH_MAX;
    client->retry_s = config->retry_s ? config->retry_s : RETRY_S_DEFAULT;
    client->ca_file = config->ca_file ? oms_strdup(config->ca_file) : NULL;
    client->tenant = config->tenant ? oms_strdup(config->tenant) : NULL;
    OMS_ASSERT(getrandom(&client->run, sizeof(client->run), 0) == (ssize_t)sizeof(client->run));
    oms_arena_init(&client->arena, 16384, 64u << 20);
    oms_prng_seed(&client->prng, client->run);
    status = read_url(client, config->url, error);
    if (status != OMS_OK) {
        import_client_destroy(client);
        return status;
    }
    add_header(&client->headers, "Content-Type: ", "application/json");
    add_header(&client->headers, "Expect:", ""); /* HTTP/1.1: do not ask before sending a large body */
    if (config->token)
        add_header(&client->headers, "Authorization: Bearer ", config->token);
    if (config->tenant)
        add_header(&client->headers, "X-Tenant-Id: ", config->tenant);
    client->multi = curl_multi_init();
    OMS_ASSERT(client->multi);
    client->multiplexed = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000;
    curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      client->multiplexed ? 4L : (long)client->slot_count);
    client->slots = oms_calloc(client->slot_count, sizeof(*client->slots));
    for (unsigned i = 0; i < client->slot_count; i++)
        make_easy(client, &client->slots[i]);
    *out = client;
    return OMS_OK;
}

void import_client_destroy(struct import_client *client)
{
    if (!client)
        return;
    for (unsigned i = 0; client->slots && i < client->slot_count; i++) {
        struct slot *slot = &client->slots[i];
        if (slot->state == SLOT_SENT)
            curl_multi_remove_handle(client->multi, slot->easy);
        for (unsigned k = 0; k < slot->count; k++)
            client->sink.abandoned(client->sink.context, slot->entries[k].job);
        oms_free(slot->entries);
        curl_easy_cleanup(slot->easy);
        curl_slist_free_all(slot->headers);
        oms_buf_fini(&slot->request);
        oms_buf_fini(&slot->response);
    }
    if (client->multi)
        curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->headers);
    oms_arena_fini(&client->arena);
    oms_free(client->slots);
    oms_free(client->url);
    oms_free(client->ca_file);
    oms_free(client->tenant);
    oms_free(client);
    curl_global_cleanup();
}

unsigned import_client_room(const struct import_client *client)
{
    unsigned room = client->open ? client->batch - client->open->count : 0;
    for (unsigned i = 0; i < client->slot_count; i++)
        room += client->slots[i].state == SLOT_FREE ? client->batch : 0;
    return room;
}

unsigned import_client_in_flight(const struct import_client *client)
{
    return client->orders;
}

uint64_t import_client_retries(const struct import_client *client)
{
    return client->retries;
}

const char *import_client_trouble(const struct import_client *client)
{
    for (unsigned i = 0; i < client->slot_count; i++)
        if (client->slots[i].state == SLOT_WAITING)
            return client->last_trouble;
    return "";
}

/* ---- sending ---- */

static void send_slot(struct import_client *client, struct slot *slot)
{
    slot->state = SLOT_SENT;
    slot->attempts++;
    oms_buf_reset(&slot->response);
    slot->trouble[0] = '\0';
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->request.len);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->request.data);
    OMS_ASSERT(curl_multi_add_handle(client->multi, slot->easy) == CURLM_OK);
}

static bool contains(struct oms_str text, const char *what)
{
    return text.len > 0 && memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static void put_query(struct slot *slot, const char *text)
{
    oms_buf_reset(&slot->request);
    oms_buf_append_lit(&slot->request, "{\"query\":");
    oms_json_write_string(&slot->request, oms_str_of(text));
}

/* createOrder: the key is a header, so that the input goes as it is. */
static void make_single(struct import_client *client, struct slot *slot)
{
    const struct entry *entry = &slot->entries[0];

    curl_slist_free_all(slot->headers);
    slot->headers = NULL;
    for (const struct curl_slist *header = client->headers; header; header = header->next)
        add_header(&slot->headers, header->data, "");
    if (entry->own_key)
        add_header(&slot->headers, "Idempotency-Key: ", entry->key);
    put_query(slot, query);
    oms_buf_append_lit(&slot->request, ",\"variables\":{\"input\":");
    oms_buf_append_str(&slot->request, entry->input);
    oms_buf_append_lit(&slot->request, "}}");
}

/* The key is the input's first member. */
static void put_input(struct slot *slot, const struct entry *entry)
{
    struct oms_str input = entry->input;

    if (entry->own_key && input.len > 2 && input.data[0] == '{') {
        oms_buf_appendf(&slot->request, "{\"idempotencyKey\":\"%s\",", entry->key);
        input = oms_str_make(input.data + 1, input.len - 1);
    }
    oms_buf_append_str(&slot->request, input);
}

static void make_batch(struct slot *slot)
{
    put_query(slot, batch_query);
    oms_buf_append_lit(&slot->request, ",\"variables\":{\"orders\":[");
    for (unsigned i = 0; i < slot->sent; i++) {
        if (i)
            oms_buf_append_char(&slot->request, ',');
        put_input(slot, &slot->entries[i]);
    }
    oms_buf_append_lit(&slot->request, "]}}");
}

/* Sends the first `sent` of its orders. */
static void send_first(struct import_client *client, struct slot *slot, unsigned sent)
{
    slot->sent = sent;
    slot->attempts = 0;
    slot->first_ms = now_ms();
    if (client->batch == 1)
        make_single(client, slot);
    else
        make_batch(slot);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, client->batch == 1 ? slot->headers : client->headers);
    OMS_ASSERT(!slot->request.overflow);
    send_slot(client, slot);
}

/* What is collected goes. */
static void send_open(struct import_client *client)
{
    struct slot *slot = client->open;

    if (!slot)
        return;
    client->open = NULL;
    send_first(client, slot, slot->count);
}

/*
 * A key of its own for each order of a run: when an answer was lost and the order is sent again, `replayed`
 * tells that this run made it, and not an earlier one. An input that brings a key keeps it.
 */
static void add_entry(struct import_client *client, struct slot *slot, struct oms_str input, void *job)
{
    struct entry *entry = &slot->entries[slot->count++];

    client->submitted++;
    client->orders++;
    slot->bytes += input.len;
    *entry = (struct entry){.job = job, .input = input, .own_key = !contains(input, "\"idempotencyKey\"")};
    snprintf(entry->key, sizeof(entry->key), "import-%016" PRIx64 "-%" PRIu64, client->run,
             client->submitted);
}

void import_client_submit(struct import_client *client, struct oms_str input, void *job)
{
    if (client->open && client->open->bytes + input.len > BATCH_BYTES_MAX)
        send_open(client);
    struct slot *slot = client->open;
    if (!slot) {
        slot = client->slots;
        while (slot->state != SLOT_FREE) {
            slot++;
            OMS_ASSERT(slot < client->slots + client->slot_count);
        }
        slot->state = SLOT_OPEN;
        slot->count = 0;
        slot->bytes = 0;
        client->open = slot;
    }
    add_entry(client, slot, input, job);
    if (slot->count == client->batch)
        send_open(client);
}

/* ---- answers ---- */

/* split: something is wrong with one order of several. */
enum verdict { VERDICT_ANSWER, VERDICT_AGAIN, VERDICT_SPLIT, VERDICT_DENIED, VERDICT_BROKEN };

static bool retryable(struct oms_str code)
{
    static const char *const codes[] = {"BUSY",        "OUTCOME_UNKNOWN", "THROTTLED", "TOO_MANY_REQUESTS",
                                        "UNAVAILABLE", "TENANT_SUSPENDED"};

    for (unsigned i = 0; i < OMS_COUNT_OF(codes); i++)
        if (oms_str_eq_c(code, codes[i]))
            return true;
    return false;
}

static struct oms_str text_of(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = object ? oms_value_get_set(object, name) : NULL;
    return value && value->kind == OMS_VALUE_STRING ? value->text : OMS_STR_NONE;
}

static const struct oms_value *first_of(const struct oms_value *object, const char *name)
{
    const struct oms_value *list = object ? oms_value_get_set(object, name) : NULL;
    return list && list->kind == OMS_VALUE_LIST && list->list.count ? &list->list.items[0] : NULL;
}

/* ["input", "lineItems", "0", "orderQuantity"] → "input.lineItems.0.orderQuantity" */
static struct oms_str join_path(struct import_client *client, const struct oms_value *error)
{
    const struct oms_value *path = oms_value_get_set(error, "field");
    struct oms_buf joined;
    struct oms_str copy = OMS_STR_NONE;

    if (!path || path->kind != OMS_VALUE_LIST)
        return OMS_STR_NONE;
    oms_buf_init(&joined, 1024);
    size_t count = path->list.count; /* of a batch: ["input", "orders", "3", …] */
    bool batch = count > 2 && oms_str_eq_c(path->list.items[1].text, "orders");
    for (size_t i = 0; i < count; i++) {
        if (batch && (i == 1 || i == 2))
            continue;
        if (i)
            oms_buf_append_char(&joined, '.');
        if (path->list.items[i].kind == OMS_VALUE_STRING || path->list.items[i].kind == OMS_VALUE_NUMBER)
            oms_buf_append_str(&joined, path->list.items[i].text);
    }
    if (joined.len)
        copy = oms_str_copy(&client->arena, oms_buf_str(&joined));
    oms_buf_fini(&joined);
    return copy;
}

static void note_trouble(struct import_client *client, const char *what, struct oms_str detail)
{
    if (detail.len > 150)
        detail.len = 150;
    snprintf(client->last_trouble, sizeof(client->last_trouble), "%s%s%.*s", what, detail.len ? ": " : "",
             OMS_STR_ARG(detail));
}

/* What no repetition mends: who we are, or which tenant we name. */
static enum verdict judge_denied(struct import_client *client, bool is_token, struct oms_str message)
{
    if (is_token)
        note_trouble(client, "the server does not accept the token", message);
    else
        note_trouble(client, "the token does not open this tenant", message);
    return VERDICT_DENIED;
}

/* Top-level errors: what the request as a whole met. */
static enum verdict judge_error(struct import_client *client, const struct oms_value *error, long http_status,
                                struct import_answer *answer)
{
    const struct oms_value *extensions = oms_value_get_set(error, "extensions");
    struct oms_str code = text_of(extensions, "code"), message = text_of(error, "message");

    if (http_status == 401 || oms_str_eq_c(code, "UNAUTHENTICATED"))
        return judge_denied(client, true, message);
    /* Later on it speaks of one order: an input may name a tenant of its own. */
    if (!client->answered && (oms_str_eq_c(code, "FORBIDDEN") || oms_str_eq_c(code, "TENANT_REQUIRED")))
        return judge_denied(client, false, message);
    note_trouble(client, "the server says", message);
    if (retryable(code) || http_status == 429 || http_status >= 500)
        return VERDICT_AGAIN;
    if (http_status == 404 || http_status == 405)
        return VERDICT_BROKEN;
    *answer = (struct import_answer){IMPORT_REFUSED, OMS_STR_NONE, code.len ? code : OMS_STR("INVALID"),
                                     OMS_STR_NONE, message};
    return VERDICT_SPLIT;
}

static bool is_true(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = oms_value_get_set(object, name);
    return value && value->kind == OMS_VALUE_BOOL && value->boolean;
}

static enum verdict judge_payload(struct import_client *client, const struct entry *entry,
                                  const struct oms_value *payload, struct import_answer *answer)
{
    const struct oms_value *error = first_of(payload, "userErrors");
    const struct oms_value *order = oms_value_get_set(payload, "order");

    *answer = (struct import_answer){.outcome = IMPORT_EXISTING, .order_id = text_of(order, "orderId")};
    if (is_true(payload, "created") || (entry->own_key && is_true(payload, "replayed")))
        answer->outcome = IMPORT_CREATED;
    if (error) {
        answer->code = text_of(error, "code");
        answer->message = text_of(error, "message");
        answer->field = join_path(client, error);
        answer->outcome = oms_str_eq_c(answer->code, "CONFLICT") ? IMPORT_EXISTING_OTHER : IMPORT_REFUSED;
        if (retryable(answer->code)) {
            note_trouble(client, "the server says", answer->message);
            return VERDICT_AGAIN;
        }
    }
    return VERDICT_ANSWER;
}

/* No HTTP answer, or not the whole of it. */
static enum verdict judge_transfer(struct import_client *client, const struct slot *slot, CURLcode result)
{
    struct oms_str detail = oms_str_of(*slot->trouble ? slot->trouble : curl_easy_strerror(result));

    switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        note_trouble(client, "the server's certificate is not trusted (--ca FILE trusts others)", detail);
        return VERDICT_BROKEN;
    case CURLE_SSL_CACERT_BADFILE:
        note_trouble(client, "the trusted certificates cannot be read", detail);
        return VERDICT_BROKEN;
    case CURLE_WRITE_ERROR: /* on_body */
        note_trouble(client, "an answer of more than 4 MiB is no LiteOMS's", OMS_STR_NONE);
        return VERDICT_BROKEN;
    default:
        note_trouble(client, "cannot reach the server", detail);
        return VERDICT_AGAIN;
    }
}

/* An answer that is not JSON: of something between us and the server, or of another server. */
static enum verdict judge_foreign(struct import_client *client, const struct slot *slot, long http_status,
                                  struct import_answer *answer)
{
    char what[64];
    char *location = NULL;

    snprintf(what, sizeof(what), "status %ld without a GraphQL answer", http_status);
    note_trouble(client, what, OMS_STR_NONE);
    if (http_status == 401 || http_status == 403)
        return judge_denied(client, true, oms_str_of(what));
    if (http_status >= 500 || http_status == 429 || http_status == 408)
        return VERDICT_AGAIN;
    if (http_status == 413) { /* this order is too large for something on the way; others may not be */
        *answer = (struct import_answer){IMPORT_REFUSED, OMS_STR_NONE, OMS_STR("LIMIT_EXCEEDED"),
                                         OMS_STR_NONE, OMS_STR("status 413: the order is too large")};
        return VERDICT_SPLIT;
    }
    /* Not followed: the token is for the server that was named. */
    if (curl_easy_getinfo(slot->easy, CURLINFO_REDIRECT_URL, &location) == CURLE_OK && location)
        note_trouble(client, "it redirects; if that is the server, name it in --url", oms_str_of(location));
    return VERDICT_BROKEN;
}

/*
 * Reads the answer. On VERDICT_ANSWER *results has an object per order, or is the only order's; on
 * VERDICT_SPLIT *answer is what an order would be told that had come alone.
 */
static enum verdict judge(struct import_client *client, struct slot *slot, CURLcode result,
                          const struct oms_value **results, struct import_answer *answer)
{
    struct oms_json_error json_error;
    long http_status = 0;
    struct oms_value *root;

    if (result != CURLE_OK)
        return judge_transfer(client, slot, result);
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &http_status);
    oms_arena_reset(&client->arena);
    root = OMS_ARENA_NEW(&client->arena, struct oms_value);
    OMS_ASSERT(root);
    if (oms_json_parse(oms_str_make(slot->response.data ? slot->response.data : "", slot->response.len),
                       OMS_JSON_DEPTH_MAX, &client->arena, root, &json_error) != OMS_OK ||
        root->kind != OMS_VALUE_OBJECT)
        return judge_foreign(client, slot, http_status, answer);
    const struct oms_value *data = oms_value_get_set(root, "data");
    const struct oms_value *error = first_of(root, "errors");
    const struct oms_value *payload =
        data && data->kind == OMS_VALUE_OBJECT
            ? oms_value_get_set(data, client->batch == 1 ? "createOrder" : "createOrders")
            : NULL;
    if (payload && payload->kind == OMS_VALUE_OBJECT) {
        *results = client->batch == 1 ? payload : oms_value_get_set(payload, "results");
        if (client->batch == 1 ||
            (*results && (*results)->kind == OMS_VALUE_LIST && (*results)->list.count == slot->sent))
            return VERDICT_ANSWER;
        note_trouble(client, "an answer that has not one result for each order", OMS_STR_NONE);
        return VERDICT_BROKEN;
    }
    if (error && error->kind == OMS_VALUE_OBJECT)
        return judge_error(client, error, http_status, answer);
    note_trouble(client, "an answer that is no GraphQL's", OMS_STR_NONE);
    return VERDICT_BROKEN;
}

static void wait_for_retry(struct import_client *client, struct slot *slot)
{
    unsigned doublings = slot->attempts < 8 ? slot->attempts - 1 : 7;
    int64_t pause = BACKOFF_MS << doublings;
    curl_off_t retry_after = 0;

    if (pause > BACKOFF_MS_MAX)
        pause = BACKOFF_MS_MAX;
    pause = pause / 2 + (int64_t)oms_prng_below(&client->prng, (uint64_t)pause);
    curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > RETRY_AFTER_S_MAX)
        retry_after = RETRY_AFTER_S_MAX;
    if (retry_after * 1000 > pause)
        pause = retry_after * 1000;
    slot->state = SLOT_WAITING;
    slot->due_ms = now_ms() + pause;
    client->retries++;
}

static void deliver(struct import_client *client, struct slot *slot, unsigned index,
                    const struct import_answer *answer)
{
    client->orders--;
    client->answered = true;
    slot->bytes -= slot->entries[index].input.len;
    client->sink.answered(client->sink.context, slot->entries[index].job, answer);
}

/* Delivers what was answered; the orders that must be sent again stay, and those behind them. Whether some of
 * what was sent stays. */
static bool deliver_results(struct import_client *client, struct slot *slot, const struct oms_value *results)
{
    struct import_answer answer;
    unsigned kept = 0, again;

    for (unsigned i = 0; i < slot->sent; i++) {
        const struct oms_value *result = client->batch == 1 ? results : &results->list.items[i];
        if (judge_payload(client, &slot->entries[i], result, &answer) == VERDICT_ANSWER)
            deliver(client, slot, i, &answer);
        else
            slot->entries[kept++] = slot->entries[i];
    }
    again = kept;
    for (unsigned i = slot->sent; i < slot->count; i++)
        slot->entries[kept++] = slot->entries[i];
    slot->count = kept;
    return again != 0;
}

static void drop_first(struct slot *slot)
{
    slot->count--;
    memmove(slot->entries, slot->entries + 1, slot->count * sizeof(slot->entries[0]));
}

/* Something is wrong with one of them: half of them, and so on down to the one. */
static void split(struct import_client *client, struct slot *slot, const struct import_answer *answer)
{
    if (slot->sent > 1) {
        send_first(client, slot, slot->sent / 2);
        return;
    }
    deliver(client, slot, 0, answer);
    drop_first(slot);
    if (slot->count)
        send_first(client, slot, slot->count);
    else
        slot->state = SLOT_FREE;
}

static enum oms_status try_again(struct import_client *client, struct slot *slot, struct oms_error *error)
{
    if (now_ms() - slot->first_ms > (int64_t)client->retry_s * 1000)
        return oms_error_set(error, OMS_IO, "%s: given up after %u s: %s", client->url, client->retry_s,
                             client->last_trouble);
    wait_for_retry(client, slot);
    return OMS_OK;
}

/* The request was answered: what needs another try waits, the rest of a split batch goes on. */
static enum oms_status go_on(struct import_client *client, struct slot *slot, const struct oms_value *results,
                             struct oms_error *error)
{
    unsigned sent = slot->sent, before = slot->count;
    bool again = deliver_results(client, slot, results);

    if (again) {
        slot->sent = sent - (before - slot->count); /* those that stay */
        if (slot->sent < sent && client->batch > 1)
            make_batch(slot);
        return try_again(client, slot, error);
    }
    if (slot->count)
        send_first(client, slot, slot->count);
    else
        slot->state = SLOT_FREE;
    return OMS_OK;
}

static enum oms_status finish(struct import_client *client, struct slot *slot, CURLcode result,
                              struct oms_error *error)
{
    struct import_answer answer;
    const struct oms_value *results = NULL;
    enum verdict verdict = judge(client, slot, result, &results, &answer);

    curl_multi_remove_handle(client->multi, slot->easy);
    slot->state = SLOT_WAITING; /* not in the multi any more, whatever comes */
    slot->due_ms = INT64_MAX;
    switch (verdict) {
    case VERDICT_DENIED:
        return oms_error_set(error, OMS_DENIED, "%s%s%s: %s", client->url, client->tenant ? ", tenant " : "",
                             client->tenant ? client->tenant : "", client->last_trouble);
    case VERDICT_BROKEN:
        return oms_error_set(error, OMS_IO, "%s: %s", client->url, client->last_trouble);
    case VERDICT_AGAIN:
        return try_again(client, slot, error);
    case VERDICT_SPLIT:
        split(client, slot, &answer);
        return OMS_OK;
    case VERDICT_ANSWER:
        break;
    }
    return go_on(client, slot, results, error);
}

/* Sends what has waited long enough; returns how long the next one still waits, at most `wait_ms`. */
static int send_due(struct import_client *client, int wait_ms)
{
    int64_t now = now_ms();

    for (unsigned i = 0; i < client->slot_count && client->orders; i++) {
        struct slot *slot = &client->slots[i];
        if (slot->state != SLOT_WAITING)
            continue;
        if (slot->due_ms <= now)
            send_slot(client, slot);
        else if (slot->due_ms - now < wait_ms)
            wait_ms = (int)(slot->due_ms - now);
    }
    return wait_ms;
}

enum oms_status import_client_step(struct import_client *client, int wait_ms, struct oms_error *error)
{
    CURLMsg *message;
    int running, left;

    if (wait_ms > 0 || client->orders == (client->open ? client->open->count : 0))
        send_open(client); /* nothing more comes soon, or nothing else is on its way */
    wait_ms = send_due(client, wait_ms);
    OMS_ASSERT(curl_multi_perform(client->multi, &running) == CURLM_OK);
    message = curl_multi_info_read(client->multi, &left);
    if (!message && wait_ms > 0) {
        (void)curl_multi_poll(client->multi, NULL, 0, wait_ms, NULL);
        OMS_ASSERT(curl_multi_perform(client->multi, &running) == CURLM_OK);
        message = curl_multi_info_read(client->multi, &left);
    }
    for (; message; message = curl_multi_info_read(client->multi, &left)) {
        struct slot *slot;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        enum oms_status status = finish(client, slot, result, error);
        if (status != OMS_OK)
            return status;
    }
    return OMS_OK;
}
