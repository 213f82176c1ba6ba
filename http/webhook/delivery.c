/*
 * One delivery: the story from its request to its answer. See receiver.h.
 *
 *   verify → map → INBOX_BEGIN ─ new ──▶ run ─▶ applied: answer, INBOX_END (the order remembers it)
 *                     │                     ├──▶ refused or ahead: INBOX_END records it, then answer
 *                     └ known: first answer └──▶ unavailable: INBOX_END (nothing), answer 503
 */
#include <stdio.h>

#include "http/digest.h"
#include "http/webhook/receiver_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define KEY_BYTES_MAX 100

struct delivery {
    struct webhook_live live;
    struct webhook_receiver *receiver;
    struct webhook_shard *shard;
    struct http_exchange *exchange; /* NULL once it is answered */
    const struct webhook_provider *provider;
    const struct webhook_topic *topic;
    uint32_t tenant;            /* 0: the operator's account */
    struct oms_str tenant_name; /* of the path; absent for the operator's */
    struct webhook_update update;
    struct inbox_call begin;
    struct webhook_sending end;
    struct webhook_run run;
    bool ran;
    unsigned status; /* of the answer that END records */
    enum webhook_result result;
    struct oms_hash128 key, content;
    char key_text[KEY_BYTES_MAX + 1];
    struct oms_buf answer, stored; /* the latter: the update that waits */
};

/* ---- answering ---- */

static void log_refusal(const struct delivery *delivery, struct http_exchange *exchange, unsigned status,
                        const char *code)
{
    const char *label = delivery->provider ? webhook_provider_label_header(delivery->provider) : NULL;

    OMS_LOG(
        OMS_LOG_WARN, "webhook.refused",
        OMS_LOG_TEXT("provider", delivery->provider ? webhook_provider_name(delivery->provider) : "none"),
        OMS_LOG_TEXT("topic", delivery->topic ? delivery->topic->name : "none"),
        OMS_LOG_STR("tenant", oms_str_present(delivery->tenant_name) ? delivery->tenant_name : OMS_STR("")),
        OMS_LOG_U64("status", status), OMS_LOG_TEXT("code", code),
        OMS_LOG_STR("delivery", label ? http_exchange_header(exchange, label) : OMS_STR("")),
        OMS_LOG_STR("peer", exchange->peer));
}

static void count(const struct delivery *delivery, struct http_exchange *exchange, enum webhook_result result)
{
    webhook_count(webhook_shard_of(delivery->receiver, exchange->shard), delivery->provider, delivery->topic,
                  result);
}

/* Before anything was begun. */
static void refuse(const struct delivery *delivery, struct http_exchange *exchange,
                   enum webhook_result result, unsigned status, const char *code, const char *message)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("30")};

    log_refusal(delivery, exchange, status, code);
    count(delivery, exchange, result);
    http_respond_error_with(exchange, status, &retry, status == 503, code, "%s", message);
}

static void write_field(struct oms_buf *out, struct oms_str field)
{
    oms_buf_append_lit(out, ",\"field\":[");
    while (field.len) {
        const char *dot = memchr(field.data, '.', field.len);
        size_t len = dot ? (size_t)(dot - field.data) : field.len;

        oms_json_write_string(out, oms_str_make(field.data, len));
        field = dot ? oms_str_make(dot + 1, field.len - len - 1) : OMS_STR_NONE;
        if (field.len)
            oms_buf_append_char(out, ',');
    }
    oms_buf_append_char(out, ']');
}

static void write_refusals(const struct refusal_list *refusals, struct oms_buf *out)
{
    oms_buf_append_lit(out, "{\"status\":\"refused\",\"userErrors\":[");
    for (size_t i = 0; i < refusals->count && out->len < OMS_INBOX_ANSWER_BYTES_MAX / 2; i++) {
        oms_buf_appendf(out, "%s{\"code\":\"%s\"", i ? "," : "", refusal_code_name(refusals->items[i].code));
        if (oms_str_present(refusals->items[i].field))
            write_field(out, refusals->items[i].field);
        oms_buf_append_lit(out, ",\"message\":");
        struct oms_str message = refusals->items[i].message;
        oms_json_write_string(out, message.len > 512 ? OMS_STR("too long to be told") : message);
        oms_buf_append_char(out, '}');
    }
    oms_buf_append_lit(out, "]}");
}

static unsigned status_of(enum refusal_code code)
{
    switch (code) {
    case REFUSAL_INVALID:
    case REFUSAL_REQUIRED:
    case REFUSAL_AMBIGUOUS_LINE:
    case REFUSAL_CURRENCY_MISMATCH:
    case REFUSAL_TOTALS_MISMATCH:
        return 400;
    case REFUSAL_FORBIDDEN:
        return 403;
    default:
        return 409;
    }
}

/* The delivery's last use of its exchange. */
static void respond(struct delivery *delivery, unsigned status, struct oms_str body)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("2")};
    struct http_exchange *exchange = delivery->exchange;

    count(delivery, exchange, delivery->result);
    delivery->exchange = NULL;
    oms_buf_reset(&exchange->out);
    oms_buf_append_str(&exchange->out, body);
    http_respond(exchange, status, "application/json; charset=utf-8", &retry, status == 503);
}

static void respond_unavailable(struct delivery *delivery, const char *code, const char *message)
{
    delivery->result = WEBHOOK_RESULT_UNAVAILABLE;
    log_refusal(delivery, delivery->exchange, 503, code);
    oms_buf_reset(&delivery->answer);
    oms_buf_appendf(&delivery->answer, "{\"errors\":[{\"message\":\"%s\",\"extensions\":{\"code\":\"%s\"}}]}",
                    message, code);
    respond(delivery, 503, oms_buf_str(&delivery->answer));
}

/* ---- life ---- */

/* Also of one that the end of the process cuts off: its exchange is then the server's. */
static void destroy_live(struct webhook_live *live)
{
    struct delivery *delivery = OMS_CONTAINER_OF(live, struct delivery, live);

    if (delivery->ran)
        webhook_run_fini(&delivery->run);
    oms_buf_fini(&delivery->answer);
    oms_buf_fini(&delivery->stored);
    oms_buf_fini(&delivery->begin.answer);
    oms_free(delivery);
}

static struct delivery *create(struct webhook_receiver *receiver, struct http_exchange *exchange)
{
    struct delivery *delivery = oms_calloc(1, sizeof(*delivery));

    delivery->receiver = receiver;
    delivery->exchange = exchange;
    oms_buf_init(&delivery->answer, 64u << 10);
    oms_buf_init(&delivery->stored, OMS_INBOX_UPDATE_BYTES_MAX);
    oms_buf_init(&delivery->begin.answer, 64u << 10);
    delivery->shard = webhook_shard_of(receiver, exchange->shard);
    delivery->live.destroy = destroy_live;
    webhook_live_add(delivery->shard, &delivery->live);
    return delivery;
}

static void destroy(struct delivery *delivery)
{
    OMS_ASSERT(!delivery->exchange);
    webhook_live_remove(delivery->shard, &delivery->live);
    destroy_live(&delivery->live);
}

/* ---- the end ---- */

static void ended(struct webhook_sending *sending)
{
    struct delivery *delivery = OMS_CONTAINER_OF(sending, struct delivery, end);
    const struct inbox_call *call = &sending->call;

    if (delivery->exchange) { /* what was recorded is durable now */
        bool fine = call->message.status == OMS_OK && call->result == INBOX_DONE;

        if (fine)
            respond(delivery, delivery->status, oms_buf_str(&call->answer));
        else if (call->message.status == OMS_OK && call->result == INBOX_UNKNOWN)
            respond_unavailable(delivery, "OUTCOME_UNKNOWN",
                                "Whether this was recorded is not known: send it again");
        else
            respond_unavailable(delivery, "BUSY", "The answer cannot be recorded now: send it again later");
    }
    delivery->answer = sending->call.answer;
    destroy(delivery);
}

/* Tells the inbox what became of it; with a phase other than NOTHING the answer waits for that. */
static void end(struct delivery *delivery, enum inbox_phase phase)
{
    struct inbox_call *call = &delivery->end.call;
    struct rt_host *host = rt_shard_host(delivery->run.shard);

    *call = (struct inbox_call){
        .op = INBOX_END,
        .tenant = delivery->tenant,
        .key = delivery->key,
        .content = delivery->content,
        .phase = phase,
        .status = delivery->status,
        .answer = delivery->answer,
        .provider = oms_str_of(webhook_provider_name(delivery->provider)),
        .topic = oms_str_of(delivery->topic->name),
        .update = oms_buf_str(&delivery->stored),
        .expires_at = rt_now_ms(host) + OMS_INBOX_WAIT_MS,
    };
    webhook_send(delivery->run.shard, &delivery->end, ended);
}

static void end_applied(struct delivery *delivery)
{
    const struct webhook_run *run = &delivery->run;

    delivery->result = run->replayed ? WEBHOOK_RESULT_REPLAYED : WEBHOOK_RESULT_ACCEPTED;
    oms_buf_reset(&delivery->answer);
    oms_buf_appendf(&delivery->answer, "{\"status\":\"applied\",\"orderId\":\"%s\"", run->order_id);
    if (run->version)
        oms_buf_appendf(&delivery->answer, ",\"version\":%llu", (unsigned long long)run->version);
    oms_buf_append_char(&delivery->answer, '}');
    respond(delivery, 200, oms_buf_str(&delivery->answer));
    end(delivery, INBOX_NOTHING);
}

static void end_refused(struct delivery *delivery, bool for_good)
{
    const struct refusal_list *refusals = &delivery->run.refusals;
    enum refusal_code code = refusals->count ? refusals->items[0].code : REFUSAL_CONFLICT;

    delivery->status = status_of(code);
    delivery->result = delivery->status == 400 ? WEBHOOK_RESULT_INVALID : WEBHOOK_RESULT_REFUSED;
    log_refusal(delivery, delivery->exchange, delivery->status, refusal_code_name(code));
    oms_buf_reset(&delivery->answer);
    write_refusals(refusals, &delivery->answer);
    if (!for_good)
        respond(delivery, delivery->status, oms_buf_str(&delivery->answer));
    end(delivery, for_good ? INBOX_REFUSED : INBOX_NOTHING);
}

static void end_waiting(struct delivery *delivery)
{
    delivery->status = 202;
    delivery->result = WEBHOOK_RESULT_WAITING;
    webhook_update_write(&delivery->update, &delivery->stored);
    if (delivery->stored.overflow) { /* too large to wait: the sender may try again */
        oms_buf_reset(&delivery->stored);
        end_refused(delivery, false);
        return;
    }
    oms_buf_reset(&delivery->answer);
    oms_buf_append_lit(&delivery->answer,
                       "{\"status\":\"waiting\",\"message\":"
                       "\"It came before what it speaks of, and is applied when that is there\"}");
    end(delivery, INBOX_WAITING);
}

static void ran(struct webhook_run *run)
{
    struct delivery *delivery = OMS_CONTAINER_OF(run, struct delivery, run);

    switch (run->outcome) {
    case WEBHOOK_APPLIED:
        end_applied(delivery);
        return;
    case WEBHOOK_REFUSED:
        end_refused(delivery,
                    !(run->refusals.count && run->refusals.items[0].code == REFUSAL_IDEMPOTENCY_MISMATCH));
        return;
    case WEBHOOK_MALFORMED:
        end_refused(delivery, false);
        return;
    case WEBHOOK_AHEAD:
        end_waiting(delivery);
        return;
    case WEBHOOK_UNAVAILABLE:
        if (run->call.result == ORDER_CALL_UNKNOWN)
            respond_unavailable(delivery, "OUTCOME_UNKNOWN",
                                "Whether this was done is not known: send it again");
        else
            respond_unavailable(delivery, "BUSY", "The server is busy: send it again");
        end(delivery, INBOX_NOTHING);
        return;
    case WEBHOOK_SUSPENDED:
        respond_unavailable(delivery, "TENANT_SUSPENDED", "The tenant is suspended");
        end(delivery, INBOX_NOTHING);
        return;
    }
    OMS_UNREACHABLE();
}

/* ---- the beginning ---- */

static void begun(struct rt_shard *shard, struct rt_message *message)
{
    struct inbox_call *call = OMS_CONTAINER_OF(message, struct inbox_call, message);
    struct delivery *delivery = OMS_CONTAINER_OF(call, struct delivery, begin);

    (void)shard;
    if (message->status == OMS_OK && call->result == INBOX_DONE) {
        delivery->ran = true;
        webhook_run_start(&delivery->run);
        return;
    }
    if (message->status == OMS_OK && call->result == INBOX_KNOWN) {
        delivery->result = WEBHOOK_RESULT_REPLAYED;
        respond(delivery, call->status, oms_buf_str(&call->answer));
    } else if (message->status == OMS_OK && call->result == INBOX_OTHER) {
        delivery->result = WEBHOOK_RESULT_REFUSED;
        log_refusal(delivery, delivery->exchange, 409, "IDEMPOTENCY_MISMATCH");
        respond(
            delivery, 409,
            OMS_STR("{\"status\":\"refused\",\"userErrors\":[{\"code\":\"IDEMPOTENCY_MISMATCH\",\"message\":"
                    "\"A delivery of this id said something else\"}]}"));
    } else {
        respond_unavailable(delivery, "BUSY", "The server is busy: send it again");
    }
    destroy(delivery);
}

/* The key by which the delivery is known: its signed id, else a hash of what was signed. */
static void make_keys(struct delivery *delivery, struct oms_str id,
                      const unsigned char digest[WEBHOOK_DIGEST_SIZE])
{
    const struct oms_hash_key *secret = actors_id_key(delivery->receiver->system);
    struct oms_siphash hash;
    char hex[2 * WEBHOOK_DIGEST_SIZE];
    bool plain = id.len > 0 && id.len <= KEY_BYTES_MAX;

    for (size_t i = 0; plain && i < id.len; i++)
        plain = id.data[i] > ' ' && id.data[i] < 0x7f;
    if (plain) {
        snprintf(delivery->key_text, sizeof(delivery->key_text), "%.*s", OMS_STR_ARG(id));
    } else if (id.len) {
        struct oms_hash128 short_id = oms_siphash128(secret, id.data, id.len);
        snprintf(delivery->key_text, sizeof(delivery->key_text), "id:%016llx%016llx",
                 (unsigned long long)short_id.hi, (unsigned long long)short_id.lo);
    } else {
        oms_hex_encode(digest, WEBHOOK_DIGEST_SIZE, hex);
        snprintf(delivery->key_text, sizeof(delivery->key_text), "sha256:%.*s", (int)sizeof(hex), hex);
    }
    oms_siphash_init(&hash, secret);
    oms_siphash_update(&hash, webhook_provider_name(delivery->provider),
                       strlen(webhook_provider_name(delivery->provider)) + 1);
    oms_siphash_update(&hash, delivery->topic->name, strlen(delivery->topic->name) + 1);
    oms_siphash_update(&hash, delivery->key_text, strlen(delivery->key_text));
    delivery->key = oms_siphash_final(&hash);
}

/* What was said, the time of a signature aside: a sender signs anew when it sends again. */
static void hash_content(struct delivery *delivery, struct oms_str body)
{
    delivery->content = oms_siphash128(actors_id_key(delivery->receiver->system), body.data, body.len);
}

static void start(struct delivery *delivery)
{
    struct rt_shard *shard = delivery->exchange->shard;

    delivery->run = (struct webhook_run){
        .shard = shard,
        .system = delivery->receiver->system,
        .update = &delivery->update,
        .tenant = delivery->tenant,
        .provider = oms_str_of(webhook_provider_name(delivery->provider)),
        .key = oms_str_of(delivery->key_text),
        .arena = &delivery->exchange->arena,
        .done = ran,
    };
    delivery->begin.op = INBOX_BEGIN;
    delivery->begin.tenant = delivery->tenant;
    delivery->begin.key = delivery->key;
    delivery->begin.content = delivery->content;
    delivery->begin.message.on_return = begun;
    inbox_call_send(shard, &delivery->begin);
}

/* ---- what is asked ---- */

/* What the path says; the rest are found behind the signature. */
struct asked {
    const struct webhook_provider *provider;
    const struct webhook_topic *topic;
    struct oms_str tenant;
    bool is_operator;
};

static struct oms_str cut(struct oms_str *rest, char at)
{
    const char *end = memchr(rest->data, at, rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    struct oms_str part = oms_str_make(rest->data, len);

    *rest = end ? oms_str_make(end + 1, rest->len - len - 1) : oms_str_make(rest->data + len, 0);
    return part;
}

/* A storefront's topic may come with its '/' escaped. */
static struct oms_str unescape(struct oms_str text, char space[64])
{
    size_t len = 0;

    if (text.len >= 64)
        return text;
    for (size_t i = 0; i < text.len; i++) {
        bool slash = i + 2 < text.len && text.data[i] == '%' && text.data[i + 1] == '2' &&
                     (text.data[i + 2] == 'F' || text.data[i + 2] == 'f');
        space[len++] = slash ? '/' : text.data[i];
        i += slash ? 2 : 0;
    }
    return oms_str_make(space, len);
}

static void read_path(struct oms_str path, struct asked *out)
{
    struct oms_str rest =
        oms_str_make(path.data + sizeof("/webhook/") - 1, path.len - (sizeof("/webhook/") - 1));
    char space[64];

    *out = (struct asked){.provider = webhook_provider_find(cut(&rest, '/'))};
    if (oms_str_eq_c(rest, "shipment_tracker")) {
        out->is_operator = true;
        out->topic = webhook_topic_find(rest);
        return;
    }
    out->tenant = cut(&rest, '/');
    out->topic = webhook_topic_find(unescape(rest, space));
}

/* "application/json", or a type that ends in "+json"; parameters do not matter. */
static bool is_json(struct oms_str type)
{
    struct oms_str rest = type;

    if (!oms_str_present(type))
        return false;
    type = oms_str_trim(cut(&rest, ';'));
    return oms_str_eq_nocase(type, OMS_STR("application/json")) ||
           (type.len > 5 && oms_str_eq_nocase(oms_str_make(type.data + type.len - 5, 5), OMS_STR("+json")));
}

static struct oms_str header_of(const void *context, const char *name)
{
    return http_exchange_header(context, name);
}

/*
 * The entry that the delivery is for, and whether its signature is. A tenant that does not exist, or has no
 * such provider, is answered as a wrong signature is, after as much work.
 */
static const struct webhook_hook *verify(struct webhook_receiver *receiver, struct http_exchange *exchange,
                                         const struct asked *asked, const struct tenant_version *tenant,
                                         enum webhook_verdict *verdict, struct webhook_verified *verified)
{
    static const struct oms_str nobody = {"bm9ib2R5IGhhcyB0aGlz", 20}; /* a secret of each scheme's form */
    const struct webhook_shard *shard = webhook_shard_of(receiver, exchange->shard);
    const struct webhook_hook *hook = NULL;
    const struct webhook_delivery delivery = {.method = OMS_STR("POST"),
                                              .path = exchange->path,
                                              .body = oms_str_present(exchange->body) ? exchange->body
                                                                                      : OMS_STR(""),
                                              .header = header_of,
                                              .context = exchange};

    if (asked->is_operator)
        hook = webhook_hooks_find(shard->operators, asked->provider);
    else if (tenant && tenant->status != TENANT_REMOVED && tenant->number < shard->tenant_cap)
        hook = webhook_hooks_find(shard->tenants[tenant->number], asked->provider);
    *verdict = webhook_verify(asked->provider, &delivery, hook ? hook->secrets : &nobody,
                              hook ? hook->secret_count : 1, hook ? hook->max_age_s : 0,
                              rt_now_ms(rt_shard_host(exchange->shard)), verified);
    if (!hook && *verdict != WEBHOOK_UNSIGNED)
        *verdict = WEBHOOK_FORGED;
    return hook;
}

static void refuse_verdict(const struct delivery *delivery, struct http_exchange *exchange,
                           enum webhook_verdict verdict)
{
    if (verdict == WEBHOOK_STALE)
        refuse(delivery, exchange, WEBHOOK_RESULT_STALE, 401, "STALE",
               "The delivery was signed too long ago, or by a clock that is ahead");
    else if (verdict == WEBHOOK_UNTIMED)
        refuse(delivery, exchange, WEBHOOK_RESULT_UNAUTHORIZED, 401, "UNAUTHENTICATED",
               "A signature over a timestamp is asked for here");
    else
        refuse(delivery, exchange, WEBHOOK_RESULT_UNAUTHORIZED, 401, "UNAUTHENTICATED",
               verdict == WEBHOOK_UNSIGNED ? "The signature is missing or cannot be read"
                                           : "The signature does not fit");
}

/* Answers 400 with what is wrong with the payload. */
static void refuse_payload(struct delivery *delivery, const struct refusal_list *refusals)
{
    delivery->result = WEBHOOK_RESULT_INVALID;
    log_refusal(delivery, delivery->exchange, 400, refusal_code_name(refusals->items[0].code));
    write_refusals(refusals, &delivery->answer);
    respond(delivery, 400, oms_buf_str(&delivery->answer));
    destroy(delivery);
}

/* The tenant that the payload names must be the path's; on the operator's account it says whose the parcel
 * is. */
static bool check_tenant(struct delivery *delivery, const struct webhook_payload *payload, bool is_operator,
                         struct refusal_list *refusals)
{
    if (!oms_str_present(payload->tenant))
        return true;
    if (!is_operator)
        return oms_str_eq(payload->tenant, delivery->tenant_name) ||
               refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenant_id"),
                           "tenant_id is not the tenant of the path");
    const struct tenant_version *tenant = actors_tenant_by_name(delivery->exchange->shard, payload->tenant);
    if (!tenant || tenant->status == TENANT_REMOVED)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenant_id"), "There is no such tenant");
    delivery->tenant = tenant->number;
    return true;
}

/* Signed, enabled, and somebody's: reads the payload and begins. */
static void take(struct webhook_receiver *receiver, struct http_exchange *exchange, const struct asked *asked,
                 const struct webhook_hook *hook, const struct tenant_version *tenant,
                 const struct webhook_verified *verified)
{
    struct delivery *delivery = create(receiver, exchange);
    struct webhook_payload payload;
    struct refusal_list refusals;

    delivery->provider = asked->provider;
    delivery->topic = asked->topic;
    delivery->tenant = tenant ? tenant->number : 0;
    delivery->tenant_name = asked->tenant;
    refusal_list_init(&refusals, &exchange->arena);
    if (!webhook_payload_read(asked->provider, exchange->body, &exchange->arena, &payload, &refusals) ||
        !check_tenant(delivery, &payload, asked->is_operator, &refusals) ||
        !webhook_payload_map(&payload, asked->provider, asked->topic,
                             hook->maps[webhook_topic_index(asked->topic)], &exchange->arena,
                             &delivery->update, &refusals)) {
        refuse_payload(delivery, &refusals);
        return;
    }
    make_keys(delivery, oms_str_present(payload.id) ? payload.id : verified->id, verified->digest);
    hash_content(delivery, exchange->body);
    start(delivery);
}

void webhook_handle(struct http_exchange *exchange, void *context)
{
    struct webhook_receiver *receiver = context;
    struct asked asked;
    enum webhook_verdict verdict;
    struct webhook_verified verified;

    read_path(exchange->path, &asked);
    const struct delivery known = {
        .receiver = receiver, .provider = asked.provider, .topic = asked.topic, .tenant_name = asked.tenant};
    if (!asked.provider || !asked.topic) {
        refuse(&known, exchange, WEBHOOK_RESULT_UNKNOWN, 404, "NOT_FOUND",
               asked.provider ? "There is no such topic" : "There is no such provider");
        return;
    }
    if (!is_json(http_exchange_header(exchange, "content-type"))) {
        refuse(&known, exchange, WEBHOOK_RESULT_INVALID, 415, "UNSUPPORTED_MEDIA_TYPE",
               "A webhook brings application/json");
        return;
    }
    const struct tenant_version *tenant =
        asked.is_operator ? NULL : actors_tenant_by_name(exchange->shard, asked.tenant);
    const struct webhook_hook *hook = verify(receiver, exchange, &asked, tenant, &verdict, &verified);
    if (verdict != WEBHOOK_VALID)
        refuse_verdict(&known, exchange, verdict);
    else if (!(hook->topics & 1u << webhook_topic_index(asked.topic)))
        refuse(&known, exchange, WEBHOOK_RESULT_UNKNOWN, 404, "NOT_FOUND",
               "This topic is not switched on here");
    else if (tenant && tenant->status == TENANT_SUSPENDED)
        refuse(&known, exchange, WEBHOOK_RESULT_UNAVAILABLE, 503, "TENANT_SUSPENDED",
               "The tenant is suspended");
    else if (asked.topic->action == WEBHOOK_LATER)
        refuse(&known, exchange, WEBHOOK_RESULT_UNAVAILABLE, 501, "NOT_IMPLEMENTED",
               "This topic is known but not taken by webhook yet: use the GraphQL API");
    else
        take(receiver, exchange, &asked, hook, tenant, &verified);
}
