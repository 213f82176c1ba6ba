/* See tenant_snapshot.h. */
#include "actors/tenant_snapshot.h"

#include "actors/tenant_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

/* ---- versions ---- */

bool tenant_snapshot_version(const struct oms_value *value, int64_t *out, struct refusal_list *refusals)
{
    int64_t number = 0;

    *out = 0;
    if (!value || value->kind == OMS_VALUE_NULL)
        return true;
    if (value->kind == OMS_VALUE_INT)
        number = value->integer;
    else if ((value->kind != OMS_VALUE_NUMBER && value->kind != OMS_VALUE_STRING) ||
             oms_str_to_i64(value->text, &number) != OMS_OK)
        number = 0;
    *out = number;
    return number >= 1 || refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("version"),
                                      "version must be a whole number of at least 1");
}

bool tenant_snapshot_check(const struct tenant_source *now, struct tenant_snapshot *snapshot, bool same,
                           const char *field, struct refusal_list *refusals)
{
    if (!snapshot->version || !now->version || snapshot->version > now->version)
        return true;
    snapshot->older = snapshot->version < now->version;
    if (snapshot->older)
        return refusal_add(refusals, REFUSAL_CONFLICT, oms_str_of(field),
                           "Version %lld of the source is here already, %lld is older",
                           (long long)now->version, (long long)snapshot->version);
    return same || refusal_add(refusals, REFUSAL_CONFLICT, oms_str_of(field),
                               "Version %lld of the source is here already, with other content",
                               (long long)now->version);
}

void tenant_source_set(struct tenant_source *source, const struct tenant_snapshot *snapshot)
{
    source->origin = snapshot->origin;
    source->updated_at = snapshot->now_ms;
    if (snapshot->version)
        source->version = snapshot->version;
}

/* ---- the rolemap ---- */

static bool is_operator(struct oms_str role)
{
    return oms_str_eq_c(role, "operator");
}

/* The operator's own rows are the server's matter: no rolemap from elsewhere gives or takes them. */
static bool keep_operator(struct permission_rows *rows, const struct permission_table *now,
                          struct refusal_list *refusals)
{
    for (size_t i = 0; i < rows->count; i++)
        if (is_operator(rows->items[i].holder))
            return refusal_add(refusals, REFUSAL_INVALID, refusal_field(refusals, "rows.%zu.role", i),
                               "The role operator is the server's: leave its rows out");
    for (size_t i = 0; i < now->role_count; i++)
        if (is_operator(now->roles[i].holder) &&
            permission_rows_add(rows, now->roles[i].holder, now->roles[i].permissions, now->roles[i].scope) !=
                OMS_OK)
            return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("rows"), "There are too many");
    return true;
}

/* Otherwise the tenant would have locked itself out of its own access. */
static bool somebody_manages(const struct permission_table *table, struct refusal_list *refusals)
{
    for (size_t i = 0; i < table->role_count; i++)
        if (!is_operator(table->roles[i].holder) && table->roles[i].scope.kind == PERMISSION_SCOPE_TENANT &&
            (table->roles[i].permissions & PERMISSION_BIT(PERMISSION_MANAGE_ACCESS)))
            return true;
    return refusal_add(refusals, REFUSAL_INVALID, REFUSAL_FIELD("rows"),
                       "No role would have manage_access without a scope: nobody of the tenant could change "
                       "its access again");
}

static bool roles_same(const struct permission_table *a, const struct permission_table *b)
{
    if (a->role_count != b->role_count)
        return false;
    for (size_t i = 0; i < a->role_count; i++) {
        const struct permission_rule *x = &a->roles[i], *y = &b->roles[i];

        if (!oms_str_eq(x->holder, y->holder) || x->permissions != y->permissions ||
            x->scope.kind != y->scope.kind ||
            (x->scope.kind != PERMISSION_SCOPE_TENANT && !oms_str_eq(x->scope.value, y->scope.value)))
            return false;
    }
    return true;
}

/* The rows as a table of their own; only its roles are set. */
static bool build(struct tenant_version *wanted, const struct oms_value *list, struct permission_table *out,
                  struct refusal_list *refusals)
{
    struct permission_rows rows, none;
    struct oms_error error = {.message = ""};
    enum oms_status status;

    permission_rows_init(&rows, &wanted->arena);
    permission_rows_init(&none, &wanted->arena);
    status = permission_rows_parse(&rows, list, "role", &error);
    if (status != OMS_OK)
        return refusal_add(refusals, status == OMS_LIMIT ? REFUSAL_LIMIT_EXCEEDED : REFUSAL_INVALID,
                           REFUSAL_FIELD("rows"), "%s", error.message);
    if (!keep_operator(&rows, &wanted->permissions, refusals))
        return false;
    permission_table_build(&rows, &none, out);
    if (!tenant_grants_bounded(out->roles, out->role_count))
        return refusal_add(refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_FIELD("rows"),
                           "A role has at most %d scopes", OMS_TENANT_GRANTS_MAX);
    return somebody_manages(out, refusals);
}

bool tenant_version_set_rolemap(struct tenant_version *wanted, const struct oms_value *rows,
                                struct tenant_snapshot *snapshot, struct refusal_list *refusals)
{
    struct permission_table table = {0};
    bool same;

    if (!build(wanted, rows, &table, refusals))
        return false;
    same = roles_same(&wanted->permissions, &table);
    if (!tenant_snapshot_check(&wanted->rolemap_source, snapshot, same, "version", refusals))
        return false;
    if (same && snapshot->version <= wanted->rolemap_source.version)
        return true;
    wanted->permissions.roles = table.roles;
    wanted->permissions.role_count = table.role_count;
    tenant_source_set(&wanted->rolemap_source, snapshot);
    return true;
}

bool tenant_version_copy_rolemap(struct tenant_version *wanted, const struct tenant_version *from)
{
    struct permission_rows rows, none;
    struct permission_table table = {0};

    permission_rows_init(&rows, &wanted->arena);
    permission_rows_init(&none, &wanted->arena);
    for (size_t i = 0; i < from->permissions.role_count; i++) {
        const struct permission_rule *rule = &from->permissions.roles[i];

        if (permission_rows_add(&rows, rule->holder, rule->permissions, rule->scope) != OMS_OK)
            return false;
    }
    permission_table_build(&rows, &none, &table);
    wanted->permissions.roles = table.roles;
    wanted->permissions.role_count = table.role_count;
    wanted->rolemap_source = from->rolemap_source;
    return true;
}

/* ---- fulfillment ---- */

static bool sections_same(const struct fulfillment *a, const struct fulfillment *b,
                          void (*encode)(const struct fulfillment *all, struct oms_buf *out))
{
    struct oms_buf left, right;
    bool same;

    oms_buf_init(&left, OMS_TENANT_STATE_BYTES_MAX);
    oms_buf_init(&right, OMS_TENANT_STATE_BYTES_MAX);
    encode(a, &left);
    encode(b, &right);
    same = !left.overflow && !right.overflow && oms_str_eq(oms_buf_str(&left), oms_buf_str(&right));
    oms_buf_fini(&left);
    oms_buf_fini(&right);
    return same;
}

/* False with CONFLICT; else whether the section is to be replaced. */
static bool check_section(const struct tenant_source *now, struct tenant_snapshot *snapshot, bool same,
                          bool *replaces, struct refusal_list *refusals)
{
    *replaces = !same || snapshot->version > now->version;
    return tenant_snapshot_check(now, snapshot, same, "version", refusals);
}

bool tenant_version_set_fulfillment(struct tenant_version *wanted, const struct oms_value *sections,
                                    struct tenant_snapshot *snapshot, struct refusal_list *refusals)
{
    const struct oms_value *warehouses = oms_value_get_set(sections, "warehouses"),
                           *carriers = oms_value_get_set(sections, "carriers");
    struct fulfillment made = wanted->fulfillment;
    bool new_warehouses = false, new_carriers = false;

    if (!warehouses && !carriers)
        return refusal_add(refusals, REFUSAL_REQUIRED, REFUSAL_FIELD("warehouses"),
                           "warehouses or carriers are required; an empty list takes all of them away");
    if ((warehouses && !fulfillment_read_warehouses(warehouses, &wanted->arena, &made, refusals)) ||
        (carriers && !fulfillment_read_carriers(carriers, &wanted->arena, &made, refusals)))
        return false;
    if (warehouses &&
        !check_section(&wanted->warehouses_source, snapshot,
                       sections_same(&wanted->fulfillment, &made, fulfillment_encode_warehouses),
                       &new_warehouses, refusals))
        return false;
    if (carriers && !check_section(&wanted->carriers_source, snapshot,
                                   sections_same(&wanted->fulfillment, &made, fulfillment_encode_carriers),
                                   &new_carriers, refusals))
        return false;
    if (new_warehouses)
        tenant_source_set(&wanted->warehouses_source, snapshot);
    if (new_carriers)
        tenant_source_set(&wanted->carriers_source, snapshot);
    wanted->fulfillment = made;
    return true;
}

bool tenant_version_copy_fulfillment(struct tenant_version *wanted, const struct tenant_version *from)
{
    struct oms_buf bytes;
    enum oms_status status;

    oms_buf_init(&bytes, OMS_TENANT_STATE_BYTES_MAX);
    fulfillment_encode_warehouses(&from->fulfillment, &bytes);
    fulfillment_encode_carriers(&from->fulfillment, &bytes);
    status = bytes.overflow ? OMS_LIMIT
                            : fulfillment_decode(oms_buf_str(&bytes), &wanted->arena, &wanted->fulfillment);
    oms_buf_fini(&bytes);
    wanted->warehouses_source = from->warehouses_source;
    wanted->carriers_source = from->carriers_source;
    return status == OMS_OK;
}
