/*
 * What waits, for people: GET /webhook/waiting lists a tenant's updates that wait, expired or failed, POST
 * /webhook/waiting/{id}/replay lets one of the latter wait again. Both need the permission manage_webhooks.
 * The operator's own inbox is at /webhook/waiting/operator.
 *
 * The lanes of the inbox are asked one after the other, so that a long list holds one lane's part at a time.
 */
#include "http/auth/claims.h"
#include "http/webhook/receiver_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define PATH          "/webhook/waiting"
#define LIST_PART_MAX (2u << 20)

struct asking {
    struct webhook_live live;
    struct webhook_shard *shard;
    struct http_exchange *exchange;
    struct inbox_call call;
    bool any;
};

static void destroy_live(struct webhook_live *live)
{
    struct asking *asking = OMS_CONTAINER_OF(live, struct asking, live);

    oms_buf_fini(&asking->call.answer);
    oms_free(asking);
}

static void destroy(struct asking *asking)
{
    webhook_live_remove(asking->shard, &asking->live);
    destroy_live(&asking->live);
}

/* Whether the lane did what was asked; else the exchange is answered and the asking gone. */
static bool answered(struct asking *asking, const struct rt_message *message)
{
    const struct http_header retry = {OMS_STR("retry-after"), OMS_STR("1")};
    struct http_exchange *exchange = asking->exchange;
    bool delivered = message->status == OMS_OK, missing = delivered && asking->call.result == INBOX_MISSING;

    if (delivered && asking->call.result == INBOX_DONE)
        return true;
    destroy(asking); /* and the message with it */
    if (missing)
        http_respond_error(exchange, 404, "NOT_FOUND", "Nothing of this id has expired or failed");
    else
        http_respond_error_with(exchange, 503, &retry, 1, "BUSY", "The inbox cannot be asked now: try again");
    return false;
}

/* ---- the list ---- */

static void listed(struct rt_shard *shard, struct rt_message *message)
{
    struct inbox_call *call = OMS_CONTAINER_OF(message, struct inbox_call, message);
    struct asking *asking = OMS_CONTAINER_OF(call, struct asking, call);

    if (!answered(asking, message))
        return;
    struct http_exchange *exchange = asking->exchange;
    struct oms_buf *out = &exchange->out;
    bool fits = out->len + call->answer.len + 64 < OMS_RESPONSE_BYTES_MAX;
    if (fits && call->answer.len) {
        if (asking->any)
            oms_buf_append_char(out, ',');
        oms_buf_append_str(out, oms_buf_str(&call->answer));
        asking->any = true;
    }
    if (fits && ++call->lane < OMS_INBOX_LANES) {
        oms_buf_reset(&call->answer);
        inbox_call_send(shard, call);
        return;
    }
    oms_buf_appendf(out, "],\"complete\":%s}", fits ? "true" : "false");
    destroy(asking);
    http_respond(exchange, 200, "application/json; charset=utf-8", NULL, 0);
}

static void replayed(struct rt_shard *shard, struct rt_message *message)
{
    struct inbox_call *call = OMS_CONTAINER_OF(message, struct inbox_call, message);
    struct asking *asking = OMS_CONTAINER_OF(call, struct asking, call);

    (void)shard;
    if (!answered(asking, message))
        return;
    struct http_exchange *exchange = asking->exchange;
    destroy(asking);
    oms_buf_reset(&exchange->out);
    oms_buf_append_lit(&exchange->out, "{\"status\":\"waiting\"}");
    http_respond(exchange, 200, "application/json; charset=utf-8", NULL, 0);
}

static void ask(struct webhook_receiver *receiver, struct http_exchange *exchange, uint32_t tenant,
                bool lists, unsigned lane, uint32_t number)
{
    struct asking *asking = oms_calloc(1, sizeof(*asking));
    struct rt_host *host = rt_shard_host(exchange->shard);

    asking->exchange = exchange;
    asking->shard = webhook_shard_of(receiver, exchange->shard);
    asking->live.destroy = destroy_live;
    webhook_live_add(asking->shard, &asking->live);
    oms_buf_init(&asking->call.answer, LIST_PART_MAX);
    asking->call.op = lists ? INBOX_LIST : INBOX_REPLAY;
    asking->call.tenant = tenant;
    asking->call.lane = lane;
    asking->call.number = number;
    asking->call.expires_at = rt_now_ms(host) + OMS_INBOX_WAIT_MS;
    asking->call.message.on_return = lists ? listed : replayed;
    if (lists) {
        oms_buf_reset(&exchange->out);
        oms_buf_append_lit(&exchange->out, "{\"waiting\":[");
    }
    inbox_call_send(exchange->shard, &asking->call);
}

/* ---- who asks, and what ---- */

static bool may_manage(struct http_exchange *exchange, const struct http_claims *claims,
                       const struct tenant_version *tenant)
{
    struct principal principal;
    struct access access;

    http_claims_principal(claims, tenant->number, &principal);
    actors_principal_own(exchange->shard, &principal);
    return permission_evaluate(&tenant->permissions, &principal, &exchange->arena, &access) &&
           access_unscoped(&access, PERMISSION_MANAGE_WEBHOOKS);
}

/* The inbox that the caller may look into; false after answering. */
static bool find_inbox(struct webhook_receiver *receiver, struct http_exchange *exchange,
                       const struct http_claims *claims, bool operators, uint32_t *out)
{
    struct oms_str name;

    if (operators) {
        *out = 0;
        if (claims->is_operator)
            return true;
        http_respond_error(exchange, 403, "FORBIDDEN", "This is the operator's");
        return false;
    }
    enum http_tenant_fault fault = http_claims_tenant(claims, http_exchange_header(exchange, "x-tenant-id"),
                                                      OMS_STR_NONE, receiver->config.single_tenant, &name);
    const struct tenant_version *tenant =
        fault == HTTP_TENANT_FINE ? actors_tenant_by_name(exchange->shard, name) : NULL;
    if (fault == HTTP_TENANT_FINE && (!tenant || tenant->status == TENANT_REMOVED))
        fault = HTTP_TENANT_FORBIDDEN;
    if (fault != HTTP_TENANT_FINE) {
        http_respond_error(exchange, fault == HTTP_TENANT_REQUIRED ? 400 : 403,
                           fault == HTTP_TENANT_REQUIRED ? "TENANT_REQUIRED" : "FORBIDDEN", "%s",
                           http_tenant_fault_message(fault));
        return false;
    }
    if (!may_manage(exchange, claims, tenant)) {
        http_respond_error(exchange, 403, "FORBIDDEN", "This needs the permission manage_webhooks");
        return false;
    }
    *out = tenant->number;
    return true;
}

/* "12-345" in front of "/replay"; false for anything else. */
static bool read_id(struct oms_str text, unsigned *lane, uint32_t *number)
{
    static const char tail[] = "/replay";
    const char *dash;
    int64_t first, second;

    if (text.len <= sizeof(tail) - 1 ||
        memcmp(text.data + text.len - (sizeof(tail) - 1), tail, sizeof(tail) - 1) != 0)
        return false;
    text.len -= sizeof(tail) - 1;
    dash = memchr(text.data, '-', text.len);
    if (!dash || oms_str_to_i64(oms_str_make(text.data, (size_t)(dash - text.data)), &first) != OMS_OK ||
        oms_str_to_i64(oms_str_make(dash + 1, text.len - (size_t)(dash - text.data) - 1), &second) !=
            OMS_OK ||
        first < 0 || first >= OMS_INBOX_LANES || second < 1 || second > UINT32_MAX)
        return false;
    *lane = (unsigned)first;
    *number = (uint32_t)second;
    return true;
}

void webhook_handle_waiting(struct http_exchange *exchange, void *context)
{
    struct webhook_receiver *receiver = context;
    const struct http_claims *claims = NULL;
    struct oms_str rest =
        oms_str_make(exchange->path.data + sizeof(PATH) - 1, exchange->path.len - (sizeof(PATH) - 1));
    const struct oms_str own = OMS_STR("/operator");
    bool operators = oms_str_starts(rest, own) && (rest.len == own.len || rest.data[own.len] == '/');
    bool lists = exchange->method == HTTP_GET || exchange->method == HTTP_HEAD;
    unsigned lane = 0;
    uint32_t number = 0, tenant;

    if (operators)
        rest = oms_str_make(rest.data + own.len, rest.len - own.len);
    if (lists ? rest.len != 0
              : rest.len < 1 || !read_id(oms_str_make(rest.data + 1, rest.len - 1), &lane, &number)) {
        http_respond_error(exchange, 404, "NOT_FOUND",
                           "There are GET " PATH " and POST " PATH "/{id}/replay, and both behind " PATH
                           "/operator");
        return;
    }
    if (!receiver->config.authenticate(exchange, receiver->config.authenticate_context, &claims))
        return;
    if (find_inbox(receiver, exchange, claims, operators, &tenant))
        ask(receiver, exchange, tenant, lists, lane, number);
    http_claims_release(claims);
}
