/*
 * Why HTTP/1.1 on Debian 12: libcurl 7.88 switches a connection that it reuses with prior knowledge to HTTP/2
 * a second time, so that all but its first request fail (curl's issue 10634, mended in 8.0), and with TLS it
 * was seen to cut bodies of streams that share a connection. An importer must not lose bytes: below 8.0 it
 * uses as many HTTP/1.1 connections as it may have orders in flight, from 8.0 on HTTP/2.
 */
#include "http/import/import_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"

#define REQUEST_TIMEOUT_S 60
#define RETRY_S_DEFAULT   60
#define BACKOFF_MS        50
#define BACKOFF_MS_MAX    5000

enum slot_state { SLOT_FREE, SLOT_SENT, SLOT_WAITING };

struct slot {
    enum slot_state state;
    CURL *easy;
    void *job;
    struct oms_buf request, response;
    unsigned attempts;
    int64_t first_ms; /* of the first attempt */
    int64_t due_ms;   /* of the next one, when waiting */
};

struct import_client {
    struct import_client_sink sink;
    CURLM *multi;
    struct curl_slist *headers;
    char *url, *ca_file;
    bool tls, loopback;
    bool multiplexed; /* HTTP/2: one connection carries many */
    unsigned slot_count, busy;
    unsigned retry_s;
    uint64_t retries;
    struct slot *slots;
    struct oms_arena arena;
    struct oms_prng prng;
    char last_trouble[256];
};

static const char query[] =
    "mutation Import($input: CreateOrderInput!) { createOrder(input: $input) { created order { "
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

static void add_header(struct import_client *client, const char *head, const char *value)
{
    struct oms_buf line;

    oms_buf_init(&line, OMS_TOKEN_BYTES_MAX + 1024);
    oms_buf_appendf(&line, "%s%s", head, value);
    oms_buf_append_char(&line, '\0');
    OMS_ASSERT(!line.overflow);
    client->headers = curl_slist_append(client->headers, line.data);
    OMS_ASSERT(client->headers);
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
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, client->headers);
    long version = !client->multiplexed ? (long)CURL_HTTP_VERSION_1_1
                   : client->tls        ? (long)CURL_HTTP_VERSION_2TLS
                                        : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, client->multiplexed ? 1L : 0L);
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT, (long)REQUEST_TIMEOUT_S);
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
    oms_buf_init(&slot->response, 4u << 20);
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
    client->retry_s = config->retry_s ? config->retry_s : RETRY_S_DEFAULT;
    client->ca_file = config->ca_file ? oms_strdup(config->ca_file) : NULL;
    oms_arena_init(&client->arena, 16384, 64u << 20);
    oms_prng_seed(&client->prng, (uint64_t)now_ms());
    status = read_url(client, config->url, error);
    if (status != OMS_OK) {
        import_client_destroy(client);
        return status;
    }
    add_header(client, "Content-Type: ", "application/json");
    add_header(client, "Expect:", ""); /* HTTP/1.1: do not ask before sending a large body */
    if (config->token)
        add_header(client, "Authorization: Bearer ", config->token);
    if (config->tenant)
        add_header(client, "X-Tenant-Id: ", config->tenant);
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
        if (slot->state != SLOT_FREE)
            client->sink.abandoned(client->sink.context, slot->job);
        curl_easy_cleanup(slot->easy);
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
    oms_free(client);
    curl_global_cleanup();
}

unsigned import_client_room(const struct import_client *client)
{
    return client->slot_count - client->busy;
}

unsigned import_client_in_flight(const struct import_client *client)
{
    return client->busy;
}

uint64_t import_client_retries(const struct import_client *client)
{
    return client->retries;
}

/* ---- sending ---- */

static void send_slot(struct import_client *client, struct slot *slot)
{
    slot->state = SLOT_SENT;
    slot->attempts++;
    oms_buf_reset(&slot->response);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->request.len);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->request.data);
    OMS_ASSERT(curl_multi_add_handle(client->multi, slot->easy) == CURLM_OK);
}

void import_client_submit(struct import_client *client, struct oms_str input, void *job)
{
    struct slot *slot = client->slots;

    OMS_ASSERT(client->busy < client->slot_count);
    while (slot->state != SLOT_FREE)
        slot++;
    client->busy++;
    slot->job = job;
    slot->attempts = 0;
    slot->first_ms = now_ms();
    oms_buf_reset(&slot->request);
    oms_buf_append_lit(&slot->request, "{\"query\":");
    oms_json_write_string(&slot->request, oms_str_of(query));
    oms_buf_append_lit(&slot->request, ",\"variables\":{\"input\":");
    oms_buf_append_str(&slot->request, input);
    oms_buf_append_lit(&slot->request, "}}");
    OMS_ASSERT(!slot->request.overflow);
    send_slot(client, slot);
}

/* ---- answers ---- */

enum verdict { VERDICT_ANSWER, VERDICT_AGAIN, VERDICT_DENIED, VERDICT_BROKEN };

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
    for (size_t i = 0; i < path->list.count; i++) {
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

/* Top-level errors: what the request as a whole met. */
static enum verdict judge_error(struct import_client *client, const struct oms_value *error, long http_status,
                                struct import_answer *answer)
{
    const struct oms_value *extensions = oms_value_get_set(error, "extensions");
    struct oms_str code = text_of(extensions, "code");

    note_trouble(client, "the server says", text_of(error, "message"));
    if (http_status == 401 || oms_str_eq_c(code, "UNAUTHENTICATED"))
        return VERDICT_DENIED;
    if (retryable(code) || http_status == 503 || http_status == 429 || http_status == 500)
        return VERDICT_AGAIN;
    if (http_status == 404 || http_status == 405)
        return VERDICT_BROKEN;
    *answer = (struct import_answer){IMPORT_REFUSED, OMS_STR_NONE, code.len ? code : OMS_STR("INVALID"),
                                     OMS_STR_NONE, text_of(error, "message")};
    return VERDICT_ANSWER;
}

static enum verdict judge_payload(struct import_client *client, const struct oms_value *payload,
                                  struct import_answer *answer)
{
    const struct oms_value *created = oms_value_get_set(payload, "created");
    const struct oms_value *error = first_of(payload, "userErrors");
    const struct oms_value *order = oms_value_get_set(payload, "order");

    *answer = (struct import_answer){.outcome = IMPORT_EXISTING, .order_id = text_of(order, "orderId")};
    if (created && created->kind == OMS_VALUE_BOOL && created->boolean)
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

static enum verdict judge(struct import_client *client, struct slot *slot, CURLcode result,
                          struct import_answer *answer)
{
    struct oms_value root;
    struct oms_json_error json_error;
    long http_status = 0;
    char what[64];

    if (result != CURLE_OK) {
        note_trouble(client, "cannot reach the server", oms_str_of(curl_easy_strerror(result)));
        bool trust = result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE;
        return trust || result == CURLE_WRITE_ERROR ? VERDICT_BROKEN : VERDICT_AGAIN;
    }
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &http_status);
    oms_arena_reset(&client->arena);
    if (oms_json_parse(oms_str_make(slot->response.data ? slot->response.data : "", slot->response.len),
                       OMS_JSON_DEPTH_MAX, &client->arena, &root, &json_error) != OMS_OK ||
        root.kind != OMS_VALUE_OBJECT) {
        snprintf(what, sizeof(what), "status %ld without a GraphQL answer", http_status);
        note_trouble(client, what, OMS_STR_NONE);
        if (http_status == 401 || http_status == 403)
            return VERDICT_DENIED;
        return http_status >= 500 || http_status == 429 || http_status == 408 ? VERDICT_AGAIN
                                                                              : VERDICT_BROKEN;
    }
    const struct oms_value *data = oms_value_get_set(&root, "data");
    const struct oms_value *payload = data ? oms_value_get_set(data, "createOrder") : NULL;
    const struct oms_value *error = first_of(&root, "errors");
    if (payload)
        return judge_payload(client, payload, answer);
    if (error)
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
    if (retry_after > 0 && retry_after < 60 && retry_after * 1000 > pause)
        pause = retry_after * 1000;
    slot->state = SLOT_WAITING;
    slot->due_ms = now_ms() + pause;
    client->retries++;
}

static enum oms_status finish(struct import_client *client, struct slot *slot, CURLcode result,
                              struct oms_error *error)
{
    struct import_answer answer;
    enum verdict verdict = judge(client, slot, result, &answer);

    curl_multi_remove_handle(client->multi, slot->easy);
    slot->state = SLOT_WAITING; /* not in the multi any more, whatever comes */
    slot->due_ms = INT64_MAX;
    switch (verdict) {
    case VERDICT_DENIED:
        return oms_error_set(error, OMS_DENIED, "the server does not accept the token (%s)",
                             client->last_trouble);
    case VERDICT_BROKEN:
        return oms_error_set(error, OMS_IO, "%s: %s", client->url, client->last_trouble);
    case VERDICT_AGAIN:
        if (now_ms() - slot->first_ms > (int64_t)client->retry_s * 1000)
            return oms_error_set(error, OMS_IO, "%s: given up after %u s: %s", client->url, client->retry_s,
                                 client->last_trouble);
        wait_for_retry(client, slot);
        return OMS_OK;
    case VERDICT_ANSWER:
        break;
    }
    slot->state = SLOT_FREE;
    client->busy--;
    client->sink.answered(client->sink.context, slot->job, &answer);
    return OMS_OK;
}

/* Sends what has waited long enough; returns how long the next one still waits, at most `wait_ms`. */
static int send_due(struct import_client *client, int wait_ms)
{
    int64_t now = now_ms();

    for (unsigned i = 0; i < client->slot_count && client->busy; i++) {
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
