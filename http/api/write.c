/* Values as JSON, for all resolvers. See resolve.h. */
#include "actors/money.h"
#include "http/api/resolve.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"

void api_bindings_add(struct api_bindings *bindings, const struct gql_binding *items, size_t count)
{
    if (bindings->count + count > bindings->cap) {
        bindings->cap = (bindings->count + count) * 2;
        bindings->items = oms_reallocarray(bindings->items, bindings->cap, sizeof(*items));
    }
    memcpy(bindings->items + bindings->count, items, count * sizeof(*items));
    bindings->count += count;
}

struct api_scene *api_scene_of(const struct gql_exec *x)
{
    return gql_exec_host(x);
}

bool api_write_text(struct oms_buf *out, struct oms_str text)
{
    if (!oms_str_present(text))
        return false;
    oms_json_write_string(out, text);
    return true;
}

bool api_write_instant(struct oms_buf *out, int64_t ms)
{
    return ms && api_write_time(out, ms);
}

bool api_write_time(struct oms_buf *out, int64_t ms)
{
    char text[OMS_DATETIME_TEXT_SIZE + 2];
    text[0] = '"';
    size_t len = oms_datetime_format(ms, text + 1);
    text[len + 1] = '"';
    oms_buf_append(out, text, len + 2);
    return true;
}

bool api_write_name(struct oms_buf *out, const char *name)
{
    if (!name)
        return false;
    size_t len = strlen(name);
    if (oms_buf_reserve(out, len + 2)) {
        char *at = out->data + out->len;
        at[0] = '"';
        memcpy(at + 1, name, len);
        at[len + 1] = '"';
        out->len += len + 2;
    }
    return true;
}

bool api_write_currency(struct oms_buf *out, uint16_t currency)
{
    char code[4];
    if (currency == MONEY_CURRENCY_NONE)
        return false;
    money_currency_text(currency, code);
    return api_write_name(out, code);
}

bool api_write_bool(struct oms_buf *out, bool value)
{
    if (value)
        oms_buf_append_lit(out, "true");
    else
        oms_buf_append_lit(out, "false");
    return true;
}

bool api_write_int(struct oms_buf *out, int64_t value)
{
    oms_buf_append_i64(out, value);
    return true;
}

bool api_write_version(struct oms_buf *out, int64_t version)
{
    if (version)
        return api_write_int(out, version);
    oms_buf_append_lit(out, "null");
    return true;
}

bool api_write_permissions(struct oms_buf *out, uint64_t permissions)
{
    const char *separator = "";
    oms_buf_append_char(out, '[');
    for (unsigned i = 0; i < PERMISSION_COUNT; i++) {
        if (!(permissions & PERMISSION_BIT(i)))
            continue;
        oms_buf_append(out, separator, strlen(separator));
        api_write_name(out, permission_name((enum permission)i));
        separator = ",";
    }
    oms_buf_append_char(out, ']');
    return true;
}

bool api_write_scope(struct oms_buf *out, const struct permission_scope *scope)
{
    if (scope->kind == PERMISSION_SCOPE_TENANT) {
        oms_buf_append_lit(out, "null");
        return true;
    }
    oms_buf_appendf(out, "{\"%s\":", scope->kind == PERMISSION_SCOPE_CUSTOMER ? "customer_id" : "vendor_id");
    oms_json_write_string(out, scope->value);
    oms_buf_append_char(out, '}');
    return true;
}

bool api_write_part_id(struct oms_buf *out, const char *prefix, uint32_t number)
{
    char text[ORDER_PART_ID_SIZE];
    order_part_id(prefix, number, text);
    return api_write_name(out, text);
}

bool api_write_raw(struct oms_buf *out, struct oms_str json)
{
    if (!oms_str_present(json))
        return false;
    oms_buf_append_str(out, json);
    return true;
}

const struct api_money *api_money(struct gql_exec *x, int64_t amount, uint16_t currency)
{
    struct api_money *money = OMS_ARENA_NEW(gql_exec_arena(x), struct api_money);
    if (!money) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return NULL;
    }
    money->amount = amount;
    money->currency = currency;
    return money;
}

const struct api_part *api_part(struct gql_exec *x, const struct api_order *of, const void *part)
{
    struct api_part *value = OMS_ARENA_NEW(gql_exec_arena(x), struct api_part);
    if (!value) {
        gql_fail(x, "INTERNAL", "The answer is too large");
        return NULL;
    }
    value->of = of;
    value->part = part;
    return value;
}
