/* Endpoints of webhooks, their dead letters and deliveries. No secret is among what they show. */
#include "http/api/resolve_endpoint.h"

#include "http/api/pages.h"
#include "http/api/resolve.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"

static bool write_state(struct oms_buf *out, enum outhook_state state)
{
    static const char *const names[] = {
        [OUTHOOK_ACTIVE] = "ACTIVE", [OUTHOOK_BACKING_OFF] = "BACKING_OFF", [OUTHOOK_DISABLED] = "DISABLED"};
    return api_write_name(out, names[state]);
}

static bool write_place(struct oms_buf *out, struct ids_cursor at)
{
    if (at.commit)
        return api_write_cursor(out, at.commit, at.ordinal);
    oms_buf_append_lit(out, "\"0\"");
    return true;
}

static int64_t old_until(const struct gql_exec *x, const struct tenant_endpoint *endpoint)
{
    int64_t until = endpoint->secret_count > 1 ? endpoint->secrets[1].until : 0;
    return until > api_scene_of(x)->now_ms ? until : 0;
}

static bool write_error(struct oms_buf *out, const char *text)
{
    return api_write_text(out, text[0] ? oms_str_of(text) : OMS_STR_NONE);
}

/* ---- lists ---- */

/* How many the field asks for, up to a page; 0 after gql_fail. */
static size_t page_size(struct gql_exec *x)
{
    struct oms_str message;
    size_t first = api_page_size(gql_arg(x, "first"), &message);
    if (!first)
        gql_fail(x, "BAD_USER_INPUT", "%.*s", OMS_STR_ARG(message));
    return first;
}

static const void *letter_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return (const struct outlet_letter *)context + index;
}

/* Newest first; "after" names the last one of the page before. */
static bool list_letters(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct outhook_view *view = &((const struct api_endpoint *)parent)->look.view;
    const struct oms_value *after = gql_arg(x, "after");
    size_t first = page_size(x), begin = 0;
    struct ids_cursor at;
    if (!first)
        return false;
    if (after && after->kind == OMS_VALUE_STRING) {
        if (ids_cursor_parse(after->text, &at) != OMS_OK) {
            gql_fail(x, "BAD_USER_INPUT", "\"after\" is not a cursor of this server");
            return false;
        }
        while (begin < view->letter_count &&
               (view->letters[begin].at.commit != at.commit || view->letters[begin].at.ordinal != at.ordinal))
            begin++;
        begin += begin < view->letter_count;
    }
    size_t left = view->letter_count - begin;
    *out = (struct gql_list){left < first ? left : first, letter_at, view->letters + begin};
    return true;
}

static const void *try_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return (const struct outlet_try *)context + index;
}

static bool list_tries(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct outhook_view *view = &((const struct api_endpoint *)parent)->look.view;
    size_t first = page_size(x);
    *out = (struct gql_list){view->try_count < first ? view->try_count : first, try_at, view->tries};
    return first > 0;
}

/* ---- fields ---- */

API_LEAF_FN(endpoint_id, struct api_endpoint, api_write_text(out, p->endpoint->id))
API_LEAF_FN(endpoint_url, struct api_endpoint, api_write_text(out, p->endpoint->url))
API_LEAF_FN(endpoint_description, struct api_endpoint, api_write_text(out, p->endpoint->description))
API_LEAF_FN(endpoint_filter, struct api_endpoint, api_write_raw(out, p->endpoint->filter))
API_LEAF_FN(endpoint_enabled, struct api_endpoint, api_write_bool(out, !p->endpoint->disabled))
API_LEAF_FN(endpoint_state, struct api_endpoint, write_state(out, p->look.view.state))
API_LEAF_FN(endpoint_gone, struct api_endpoint, api_write_bool(out, p->look.view.gone))
API_LEAF_FN(endpoint_created, struct api_endpoint, api_write_instant(out, p->endpoint->created_at))
API_LEAF_FN(endpoint_updated, struct api_endpoint, api_write_instant(out, p->endpoint->updated_at))
API_LEAF_FN(endpoint_old_secret, struct api_endpoint, api_write_instant(out, old_until(x, p->endpoint)))
API_LEAF_FN(endpoint_position, struct api_endpoint, write_place(out, p->look.view.position))
API_LEAF_FN(endpoint_pending, struct api_endpoint, api_write_int(out, (int64_t)p->look.view.pending))
API_LEAF_FN(endpoint_rests, struct api_endpoint, api_write_instant(out, p->look.view.rests_until))
API_LEAF_FN(endpoint_delivered, struct api_endpoint, api_write_int(out, (int64_t)p->look.view.delivered))
API_LEAF_FN(endpoint_success, struct api_endpoint, api_write_instant(out, p->look.view.success_at))
API_LEAF_FN(endpoint_error_at, struct api_endpoint, api_write_instant(out, p->look.view.error_at))
API_LEAF_FN(endpoint_error, struct api_endpoint, write_error(out, p->look.view.error))
API_LEAF_FN(endpoint_letters, struct api_endpoint, api_write_int(out, (int64_t)p->look.view.letter_count))
API_LEAF_FN(letter_cursor, struct outlet_letter, write_place(out, p->at))
API_LEAF_FN(letter_order, struct outlet_letter, api_write_text(out, oms_str_of(p->order)))
API_LEAF_FN(letter_type, struct outlet_letter, api_write_text(out, oms_str_of(p->type)))
API_LEAF_FN(letter_reason, struct outlet_letter, api_write_text(out, oms_str_of(p->reason)))
API_LEAF_FN(letter_attempts, struct outlet_letter, api_write_int(out, p->tries))
API_LEAF_FN(letter_since, struct outlet_letter, api_write_instant(out, p->since))
API_LEAF_FN(try_cursor, struct outlet_try, p->at.commit &&write_place(out, p->at))
API_LEAF_FN(try_type, struct outlet_try, api_write_text(out, oms_str_of(p->type)))
API_LEAF_FN(try_attempt, struct outlet_try, api_write_int(out, p->attempt))
API_LEAF_FN(try_status, struct outlet_try, p->status &&api_write_int(out, p->status))
API_LEAF_FN(try_delivered, struct outlet_try, api_write_bool(out, !p->reason[0]))
API_LEAF_FN(try_error, struct outlet_try, write_error(out, p->reason))
API_LEAF_FN(try_duration, struct outlet_try, api_write_int(out, p->duration_ms))
API_LEAF_FN(try_time, struct outlet_try, api_write_instant(out, p->time))

static const struct gql_binding bindings[] = {
    API_LEAF("WebhookEndpoint.endpointId", endpoint_id),
    API_LEAF("WebhookEndpoint.url", endpoint_url),
    API_LEAF("WebhookEndpoint.description", endpoint_description),
    API_LEAF("WebhookEndpoint.filter", endpoint_filter),
    API_LEAF("WebhookEndpoint.enabled", endpoint_enabled),
    API_LEAF("WebhookEndpoint.state", endpoint_state),
    API_LEAF("WebhookEndpoint.gone", endpoint_gone),
    API_LEAF("WebhookEndpoint.createdAt", endpoint_created),
    API_LEAF("WebhookEndpoint.updatedAt", endpoint_updated),
    API_LEAF("WebhookEndpoint.previousSecretUntil", endpoint_old_secret),
    API_LEAF("WebhookEndpoint.position", endpoint_position),
    API_LEAF("WebhookEndpoint.pending", endpoint_pending),
    API_LEAF("WebhookEndpoint.restsUntil", endpoint_rests),
    API_LEAF("WebhookEndpoint.delivered", endpoint_delivered),
    API_LEAF("WebhookEndpoint.lastSuccessAt", endpoint_success),
    API_LEAF("WebhookEndpoint.lastErrorAt", endpoint_error_at),
    API_LEAF("WebhookEndpoint.lastError", endpoint_error),
    API_LEAF("WebhookEndpoint.deadLetterCount", endpoint_letters),
    API_LIST("WebhookEndpoint.deadLetters", list_letters),
    API_LIST("WebhookEndpoint.deliveries", list_tries),
    API_LEAF("WebhookDeadLetter.cursor", letter_cursor),
    API_LEAF("WebhookDeadLetter.orderId", letter_order),
    API_LEAF("WebhookDeadLetter.type", letter_type),
    API_LEAF("WebhookDeadLetter.reason", letter_reason),
    API_LEAF("WebhookDeadLetter.attempts", letter_attempts),
    API_LEAF("WebhookDeadLetter.at", letter_since),
    API_LEAF("WebhookDelivery.cursor", try_cursor),
    API_LEAF("WebhookDelivery.type", try_type),
    API_LEAF("WebhookDelivery.attempt", try_attempt),
    API_LEAF("WebhookDelivery.status", try_status),
    API_LEAF("WebhookDelivery.delivered", try_delivered),
    API_LEAF("WebhookDelivery.error", try_error),
    API_LEAF("WebhookDelivery.durationMs", try_duration),
    API_LEAF("WebhookDelivery.at", try_time),
};

void api_bind_endpoint_types(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
