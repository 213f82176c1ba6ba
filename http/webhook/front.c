/*
 * The handler of POST /webhook/…: who sent it, whether that may, and the answer as HTTP says it. What is done
 * with a delivery is in delivery.c.
 */
#include "http/webhook/delivery.h"
#include "http/webhook/receiver_impl.h"
#include "runtime/base/limits.h"

/* ---- answering ---- */

/* Before anything was begun. */
static void refuse(const struct webhook_incoming *in, struct http_exchange *exchange,
                   enum webhook_result result, unsigned status, const char *code, const char *message)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("30")};

    webhook_log_refusal(in, status, code);
    webhook_count(webhook_shard_of(in->receiver, exchange->shard), in->provider, in->topic, result);
    http_respond_error_with(exchange, status, &retry, status == 503, code, "%s", message);
}

/* What the answer needs of a delivery; in the exchange's arena. */
struct answering {
    struct webhook_receiver *receiver;
    const struct webhook_provider *provider;
    const struct webhook_topic *topic;
    struct http_exchange *exchange;
};

static void answer(void *context, unsigned status, struct oms_str body, enum webhook_result result)
{
    const struct answering *answering = context;
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("2")};
    struct http_exchange *exchange = answering->exchange;

    webhook_count(webhook_shard_of(answering->receiver, exchange->shard), answering->provider,
                  answering->topic, result);
    oms_buf_reset(&exchange->out);
    oms_buf_append_str(&exchange->out, body);
    http_respond(exchange, status, "application/json; charset=utf-8", &retry, status == 503);
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

static void refuse_verdict(const struct webhook_incoming *in, struct http_exchange *exchange,
                           enum webhook_verdict verdict)
{
    if (verdict == WEBHOOK_STALE)
        refuse(in, exchange, WEBHOOK_RESULT_STALE, 401, "STALE",
               "The delivery was signed too long ago, or by a clock that is ahead");
    else if (verdict == WEBHOOK_UNTIMED)
        refuse(in, exchange, WEBHOOK_RESULT_UNAUTHORIZED, 401, "UNAUTHENTICATED",
               "A signature over a timestamp is asked for here");
    else
        refuse(in, exchange, WEBHOOK_RESULT_UNAUTHORIZED, 401, "UNAUTHENTICATED",
               verdict == WEBHOOK_UNSIGNED ? "The signature is missing or cannot be read"
                                           : "The signature does not fit");
}

/* Signed, enabled, and somebody's. */
static void take(struct webhook_incoming *in, struct http_exchange *exchange, const struct webhook_hook *hook,
                 const struct tenant_version *tenant, const struct webhook_verified *verified)
{
    struct answering *answering = OMS_ARENA_NEW(&exchange->arena, struct answering);

    if (!answering) {
        refuse(in, exchange, WEBHOOK_RESULT_UNAVAILABLE, 503, "BUSY", "The server is busy: send it again");
        return;
    }
    *answering = (struct answering){in->receiver, in->provider, in->topic, exchange};
    in->shard = exchange->shard;
    in->arena = &exchange->arena;
    in->map = hook->maps[webhook_topic_index(in->topic)];
    in->tenant = tenant ? tenant->number : 0;
    in->body = exchange->body;
    in->id = verified->id;
    memcpy(in->digest, verified->digest, sizeof(in->digest));
    in->answer = answer;
    in->context = answering;
    webhook_deliver(in);
}

void webhook_handle(struct http_exchange *exchange, void *context)
{
    struct webhook_receiver *receiver = context;
    struct asked asked;
    enum webhook_verdict verdict;
    struct webhook_verified verified;

    read_path(exchange->path, &asked);
    struct webhook_incoming in = {.receiver = receiver,
                                  .provider = asked.provider,
                                  .topic = asked.topic,
                                  .tenant_name = asked.tenant,
                                  .peer = exchange->peer};
    const char *label = asked.provider ? webhook_provider_label_header(asked.provider) : NULL;
    if (label)
        in.label = http_exchange_header(exchange, label);
    if (!asked.provider || !asked.topic) {
        refuse(&in, exchange, WEBHOOK_RESULT_UNKNOWN, 404, "NOT_FOUND",
               asked.provider ? "There is no such topic" : "There is no such provider");
        return;
    }
    if (!is_json(http_exchange_header(exchange, "content-type"))) {
        refuse(&in, exchange, WEBHOOK_RESULT_INVALID, 415, "UNSUPPORTED_MEDIA_TYPE",
               "A webhook brings application/json");
        return;
    }
    const struct tenant_version *tenant =
        asked.is_operator ? NULL : actors_tenant_by_name(exchange->shard, asked.tenant);
    const struct webhook_hook *hook = verify(receiver, exchange, &asked, tenant, &verdict, &verified);
    if (verdict != WEBHOOK_VALID)
        refuse_verdict(&in, exchange, verdict);
    else if (!(hook->topics & 1u << webhook_topic_index(asked.topic)))
        refuse(&in, exchange, WEBHOOK_RESULT_UNKNOWN, 404, "NOT_FOUND", "This topic is not switched on here");
    else if (tenant && tenant->status == TENANT_SUSPENDED)
        refuse(&in, exchange, WEBHOOK_RESULT_UNAVAILABLE, 503, "TENANT_SUSPENDED", "The tenant is suspended");
    else
        take(&in, exchange, hook, tenant, &verified);
}
