/*
 * One delivery: the story from what came to its answer, whatever brought it. See delivery.h.
 *
 *   map → INBOX_BEGIN ─ new ──▶ run ─▶ applied: answer, INBOX_END (the order remembers it)
 *                     │                     ├──▶ refused or ahead: INBOX_END records it, then answer
 *                     └ known: first answer └──▶ unavailable: INBOX_END (nothing), answer 503
 */
#include <stdio.h>

#include "http/webhook/delivery.h"
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
    struct webhook_incoming in; /* what it points to may be gone once it is answered */
    bool answered;
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

void webhook_log_refusal(const struct webhook_incoming *in, unsigned status, const char *code)
{
    OMS_LOG(OMS_LOG_WARN, "webhook.refused",
            OMS_LOG_TEXT("provider", in->provider ? webhook_provider_name(in->provider) : "none"),
            OMS_LOG_TEXT("topic", in->topic ? in->topic->name : "none"),
            OMS_LOG_STR("tenant", oms_str_present(in->tenant_name) ? in->tenant_name : OMS_STR("")),
            OMS_LOG_U64("status", status), OMS_LOG_TEXT("code", code),
            OMS_LOG_STR("delivery", oms_str_present(in->label) ? in->label : OMS_STR("")),
            OMS_LOG_STR("peer", oms_str_present(in->peer) ? in->peer : OMS_STR("")));
}

static void log_refusal(const struct delivery *delivery, unsigned status, const char *code)
{
    webhook_log_refusal(&delivery->in, status, code);
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

/* The delivery's last use of what it came with. */
static void respond(struct delivery *delivery, unsigned status, struct oms_str body,
                    enum webhook_result result)
{
    OMS_ASSERT(!delivery->answered);
    delivery->answered = true;
    delivery->in.answer(delivery->in.context, status, body, result);
}

static void respond_unavailable(struct delivery *delivery, const char *code, const char *message)
{
    log_refusal(delivery, 503, code);
    oms_buf_reset(&delivery->answer);
    oms_buf_appendf(&delivery->answer, "{\"errors\":[{\"message\":\"%s\",\"extensions\":{\"code\":\"%s\"}}]}",
                    message, code);
    respond(delivery, 503, oms_buf_str(&delivery->answer), WEBHOOK_RESULT_UNAVAILABLE);
}

/* ---- life ---- */

/* Also of one that the end of the process cuts off: it is then answered by nobody. */
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

static struct delivery *create(const struct webhook_incoming *in)
{
    struct delivery *delivery = oms_calloc(1, sizeof(*delivery));

    delivery->receiver = in->receiver;
    delivery->in = *in;
    oms_buf_init(&delivery->answer, 64u << 10);
    oms_buf_init(&delivery->stored, OMS_INBOX_UPDATE_BYTES_MAX);
    oms_buf_init(&delivery->begin.answer, 64u << 10);
    delivery->shard = webhook_shard_of(in->receiver, in->shard);
    delivery->live.destroy = destroy_live;
    webhook_live_add(delivery->shard, &delivery->live);
    return delivery;
}

static void destroy(struct delivery *delivery)
{
    OMS_ASSERT(delivery->answered);
    webhook_live_remove(delivery->shard, &delivery->live);
    destroy_live(&delivery->live);
}

/* ---- the end ---- */

static void ended(struct webhook_sending *sending)
{
    struct delivery *delivery = OMS_CONTAINER_OF(sending, struct delivery, end);
    const struct inbox_call *call = &sending->call;

    if (!delivery->answered) { /* what was recorded is durable now */
        bool fine = call->message.status == OMS_OK && call->result == INBOX_DONE;

        if (fine)
            respond(delivery, delivery->status, oms_buf_str(&call->answer), delivery->result);
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
        .tenant = delivery->in.tenant,
        .key = delivery->key,
        .content = delivery->content,
        .phase = phase,
        .status = delivery->status,
        .answer = delivery->answer,
        .provider = oms_str_of(webhook_provider_name(delivery->in.provider)),
        .topic = oms_str_of(delivery->in.topic->name),
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
    if (oms_str_present(run->answer)) { /* no order remembers it, so the inbox does, before it is answered */
        delivery->status = 200;
        oms_buf_append_str(&delivery->answer, run->answer);
        end(delivery, INBOX_REFUSED);
        return;
    }
    oms_buf_appendf(&delivery->answer, "{\"status\":\"applied\",\"orderId\":\"%s\"", run->order_id);
    if (run->version)
        oms_buf_appendf(&delivery->answer, ",\"version\":%llu", (unsigned long long)run->version);
    oms_buf_append_char(&delivery->answer, '}');
    respond(delivery, 200, oms_buf_str(&delivery->answer), delivery->result);
    end(delivery, INBOX_NOTHING);
}

static void end_refused(struct delivery *delivery, bool for_good)
{
    const struct refusal_list *refusals = &delivery->run.refusals;
    enum refusal_code code = refusals->count ? refusals->items[0].code : REFUSAL_CONFLICT;

    delivery->status = status_of(code);
    delivery->result = delivery->status == 400 ? WEBHOOK_RESULT_INVALID : WEBHOOK_RESULT_REFUSED;
    log_refusal(delivery, delivery->status, refusal_code_name(code));
    oms_buf_reset(&delivery->answer);
    write_refusals(refusals, &delivery->answer);
    if (!for_good)
        respond(delivery, delivery->status, oms_buf_str(&delivery->answer), delivery->result);
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
    case WEBHOOK_FULL:
        respond_unavailable(delivery, "LIMIT_EXCEEDED",
                            "The tenant has as many orders as it may: send it again later");
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
        respond(delivery, call->status, oms_buf_str(&call->answer), WEBHOOK_RESULT_REPLAYED);
    } else if (message->status == OMS_OK && call->result == INBOX_OTHER) {
        log_refusal(delivery, 409, "IDEMPOTENCY_MISMATCH");
        respond(
            delivery, 409,
            OMS_STR("{\"status\":\"refused\",\"userErrors\":[{\"code\":\"IDEMPOTENCY_MISMATCH\",\"message\":"
                    "\"A delivery of this id said something else\"}]}"),
            WEBHOOK_RESULT_REFUSED);
    } else {
        respond_unavailable(delivery, "BUSY", "The server is busy: send it again");
    }
    destroy(delivery);
}

/* The key by which the delivery is known: its id, else a hash of what was signed. */
static void make_keys(struct delivery *delivery, struct oms_str id)
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
        oms_hex_encode(delivery->in.digest, WEBHOOK_DIGEST_SIZE, hex);
        snprintf(delivery->key_text, sizeof(delivery->key_text), "sha256:%.*s", (int)sizeof(hex), hex);
    }
    oms_siphash_init(&hash, secret);
    oms_siphash_update(&hash, webhook_provider_name(delivery->in.provider),
                       strlen(webhook_provider_name(delivery->in.provider)) + 1);
    oms_siphash_update(&hash, delivery->in.topic->name, strlen(delivery->in.topic->name) + 1);
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
    struct rt_shard *shard = delivery->in.shard;

    delivery->run = (struct webhook_run){
        .shard = shard,
        .system = delivery->receiver->system,
        .update = &delivery->update,
        .tenant = delivery->in.tenant,
        .provider = oms_str_of(webhook_provider_name(delivery->in.provider)),
        .key = oms_str_of(delivery->key_text),
        .arena = delivery->in.arena,
        .origin = delivery->in.provider == webhook_provider_nats() ? WORKFLOW_EVENT_STREAM : WORKFLOW_WEBHOOK,
        .done = ran,
    };
    delivery->begin.op = INBOX_BEGIN;
    delivery->begin.tenant = delivery->in.tenant;
    delivery->begin.key = delivery->key;
    delivery->begin.content = delivery->content;
    delivery->begin.message.on_return = begun;
    inbox_call_send(shard, &delivery->begin);
}

/* ---- what it says ---- */

/* Answers 400 with what is wrong with the payload. */
static void refuse_payload(struct delivery *delivery, const struct refusal_list *refusals)
{
    log_refusal(delivery, 400, refusal_code_name(refusals->items[0].code));
    write_refusals(refusals, &delivery->answer);
    respond(delivery, 400, oms_buf_str(&delivery->answer), WEBHOOK_RESULT_INVALID);
    destroy(delivery);
}

/* The tenant that the payload names must be the one it came for; on the operator's account it says whose the
 * parcel is. */
static bool check_tenant(struct delivery *delivery, const struct webhook_payload *payload,
                         struct refusal_list *refusals)
{
    if (!oms_str_present(payload->tenant))
        return true;
    if (delivery->in.tenant)
        return oms_str_eq(payload->tenant, delivery->in.tenant_name) ||
               refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenant_id"),
                           "tenant_id is not the tenant of the path");
    const struct tenant_version *tenant = actors_tenant_by_name(delivery->in.shard, payload->tenant);
    if (!tenant || tenant->status == TENANT_REMOVED)
        return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("tenant_id"), "There is no such tenant");
    delivery->in.tenant = tenant->number;
    return true;
}

void webhook_deliver(const struct webhook_incoming *in)
{
    struct delivery *delivery = create(in);
    struct webhook_payload payload;
    struct refusal_list refusals;

    refusal_list_init(&refusals, in->arena);
    if (!webhook_payload_read(in->provider, in->body, in->arena, &payload, &refusals) ||
        !check_tenant(delivery, &payload, &refusals) ||
        !webhook_payload_map(&payload, in->provider, in->topic, in->map, in->arena, &delivery->update,
                             &refusals)) {
        refuse_payload(delivery, &refusals);
        return;
    }
    make_keys(delivery, oms_str_present(payload.id) ? payload.id : in->id);
    hash_content(delivery, in->body);
    start(delivery);
}
