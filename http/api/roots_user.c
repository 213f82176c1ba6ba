/*
 * What is stored of users' authorizations, read and changed (actors/user.h): updateUserAuthorization,
 * removeUserAuthorization, userAuthorization and userAuthorizations.
 *
 * One user is read from the shard's own copy. The list is walked in the read pool, in the order of the stored
 * keys, which are hashes: a page costs what it shows, and no shard is held up by a tenant's many users.
 */
#include <stdio.h>

#include "http/api/pages.h"
#include "http/api/roots_tenant.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "storage/keys.h"

#define CURSOR_SIZE (1 + 2 * sizeof((struct rt_address){0}.key))

static const struct oms_value *argument(const struct api_task *task, const char *name)
{
    return oms_value_get_set(task->field->args, name);
}

/* ---- changes ---- */

struct user_payload {
    struct api_tenant_payload shared; /* first: see there */
    const struct user_version *user;  /* NULL: none, or not told */
    bool changed;
};

struct user_task {
    struct api_tenant_task own;
    struct user_call call;
    struct user_update update;
};

static void answer(struct api_tenant_task *own)
{
    struct user_task *u = OMS_CONTAINER_OF(own, struct user_task, own);
    struct api_task *task = own->task;
    struct user_payload payload = {.changed = !task->refusals.count && u->call.outcome == USER_CHANGED};
    api_tenant_payload_init(own, &payload.shared);
    if (task->scene.access && access_unscoped(task->scene.access, PERMISSION_MANAGE_ACCESS) &&
        oms_str_present(u->update.user))
        payload.user = actors_user(task->request->as->shard, task->tenant->number, u->update.user);
    if (payload.user && payload.user->removed)
        payload.user = NULL;
    api_task_execute(task, &payload);
    api_task_finish(task);
}

static void returned(struct rt_shard *shard, struct rt_message *message)
{
    struct user_task *u = OMS_CONTAINER_OF(message, struct user_task, call.message);
    (void)shard;
    user_call_refuse(&u->call, &u->own.task->refusals);
    user_call_fini(&u->call);
    answer(&u->own);
}

static struct user_task *take(struct api_task *task)
{
    struct user_task *u = OMS_ARENA_NEW(&task->call.arena, struct user_task);
    if (!u) {
        api_task_fail(task, "INTERNAL", "The answer is too large");
        return NULL;
    }
    memset(u, 0, sizeof(*u));
    u->own.answer = answer;
    u->update.user = OMS_STR_NONE;
    u->call.outcome = USER_SAME;
    return u;
}

static void send(struct user_task *u)
{
    struct api_task *task = u->own.task;
    if (task->tenant->status != TENANT_ACTIVE)
        refusal_add(&task->refusals, REFUSAL_TENANT_SUSPENDED, REFUSAL_NO_FIELD,
                    "The tenant is suspended: it can be read but not changed");
    if (task->refusals.count) {
        answer(&u->own);
        return;
    }
    u->update.origin = WORKFLOW_API;
    user_call_init(&u->call);
    u->call.tenant = task->tenant->number;
    u->call.update = &u->update;
    u->call.message.on_return = returned;
    user_call_send(task->request->as->shard, &u->call);
}

static void start_update(struct api_task *task)
{
    struct user_task *u = take(task);
    if (!u || !api_tenant_begin(&u->own, task, PERMISSION_MANAGE_ACCESS))
        return;
    user_update_parse(argument(task, "input"), &task->call.arena, &u->update, &task->refusals);
    send(u);
}

static void start_remove(struct api_task *task)
{
    struct user_task *u = take(task);
    if (!u || !api_tenant_begin(&u->own, task, PERMISSION_MANAGE_ACCESS))
        return;
    user_remove_parse(argument(task, "input"), &u->update, &task->refusals);
    send(u);
}

/* ---- one user ---- */

static void set_scene(struct api_task *task)
{
    task->scene = (struct api_scene){.tenant = task->tenant,
                                     .principal = &task->principal,
                                     .now_ms = rt_now_ms(task->request->as->api->config.host),
                                     .api = task->request->as->api,
                                     .arena = &task->call.arena};
}

static bool begin_query(struct api_task *task)
{
    const struct oms_value *tenant = argument(task, "tenantId");
    if (!api_task_tenant(task, tenant ? tenant->text : OMS_STR_NONE))
        return false;
    if (api_tenant_may(task, PERMISSION_MANAGE_ACCESS))
        return true;
    api_task_fail(task, "FORBIDDEN", "This needs the permission manage_access");
    return false;
}

static void start_one(struct api_task *task)
{
    if (!begin_query(task))
        return;
    const struct user_version *user =
        actors_user(task->request->as->shard, task->tenant->number, argument(task, "user")->text);
    set_scene(task);
    api_task_execute(task, user && !user->removed ? user : NULL);
    api_task_finish(task);
}

/* ---- the list ---- */

struct user_row {
    struct user_version *user;
    char cursor[CURSOR_SIZE];
};

/* Value of UserAuthorizationConnection. */
struct user_page {
    struct user_row *rows;
    size_t count, first;
    struct rt_address from;
    bool after; /* `from` itself is not shown */
    struct api_page_info info;
};

static struct oms_str cursor_of(const struct user_row *row)
{
    return oms_str_make(row->cursor, sizeof(row->cursor));
}

/* False at the end of the page, or with a status. */
static bool take_row(struct user_page *page, struct oms_str key, struct oms_str value, uint32_t tenant,
                     enum oms_status *status)
{
    struct rt_address at;
    struct user_version *user;
    store_address_read((const unsigned char *)key.data, &at);
    if (at.tenant != tenant || at.kind != RT_ACTOR_USER)
        return false;
    if (page->after && memcmp(at.key, page->from.key, sizeof(at.key)) == 0)
        return true;
    *status = user_version_decode(value, tenant, &user);
    if (*status != OMS_OK)
        return false;
    if (user->removed) {
        user_version_release(user);
        return true;
    }
    if (page->count == page->first) {
        user_version_release(user);
        page->info.has_next = true;
        return false;
    }
    struct user_row *row = &page->rows[page->count++];
    row->user = user;
    row->cursor[0] = 'u';
    oms_hex_encode(at.key, sizeof(at.key), row->cursor + 1);
    return true;
}

static enum oms_status walk(struct api_task *task, struct user_page *page)
{
    const struct api_scene *scene = &task->scene;
    struct store_iter *iter =
        scene->engine->ops->iter_open(scene->view, STORE_STATE, OMS_STR(""), OMS_STR_NONE);
    unsigned char seek[STORE_ADDRESS_KEY_SIZE];
    enum oms_status status = OMS_OK;
    struct oms_str key, value;
    store_address_key(&page->from, seek);
    scene->engine->ops->iter_seek(iter, oms_str_make(seek, sizeof(seek)));
    while (scene->engine->ops->iter_item(iter, &key, &value, &status) && key.len == STORE_ADDRESS_KEY_SIZE &&
           api_scene_charge(&task->scene, 1) && take_row(page, key, value, task->tenant->number, &status))
        scene->engine->ops->iter_next(iter);
    scene->engine->ops->iter_close(iter);
    return status;
}

/* In the read pool. */
static void run_list(struct api_task *task)
{
    const struct oms_value *after = argument(task, "after"), *first = argument(task, "first");
    struct user_page page = {.first = first ? (size_t)first->integer : OMS_PAGE_SIZE_DEFAULT,
                             .from = {.tenant = task->tenant->number, .kind = RT_ACTOR_USER},
                             .after = after != NULL};
    if (!access_unscoped(task->scene.access, PERMISSION_MANAGE_ACCESS)) {
        api_task_fault(task, "FORBIDDEN", "This needs the permission manage_access");
        return;
    }
    if (after)
        OMS_ASSERT(oms_hex_decode(oms_str_make(after->text.data + 1, after->text.len - 1), page.from.key,
                                  sizeof(page.from.key)) == OMS_OK); /* start_list has looked */
    page.info.has_previous = page.after;
    page.rows = oms_arena_calloc(&task->call.arena, page.first, sizeof(page.rows[0]));
    if (!page.rows || walk(task, &page) != OMS_OK) {
        api_task_fault(task, "INTERNAL", "The store cannot be read");
    } else {
        if (page.count) {
            page.info.start = cursor_of(&page.rows[0]);
            page.info.end = cursor_of(&page.rows[page.count - 1]);
        }
        api_task_execute(task, &page);
    }
    for (size_t i = 0; page.rows && i < page.count; i++)
        user_version_release(page.rows[i].user);
}

static void start_list(struct api_task *task)
{
    const struct oms_value *after = argument(task, "after"), *first = argument(task, "first");
    unsigned char key[sizeof((struct rt_address){0}.key)];
    if (!begin_query(task))
        return;
    if (first && (first->integer < 1 || first->integer > OMS_PAGE_SIZE_MAX)) {
        api_task_fail(task, "BAD_USER_INPUT", "\"first\" is 1 to %d", OMS_PAGE_SIZE_MAX);
        return;
    }
    if (after && (after->text.len != CURSOR_SIZE || after->text.data[0] != 'u' ||
                  oms_hex_decode(oms_str_make(after->text.data + 1, after->text.len - 1), key, sizeof(key)) !=
                      OMS_OK)) {
        api_task_fail(task, "BAD_USER_INPUT", "\"after\" is no cursor of this list");
        return;
    }
    set_scene(task);
    task->run = run_list;
    api_task_read(task);
}

/* ---- resolvers ---- */

static const void *row_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct user_page *)context)->rows[index];
}

static const void *user_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return ((const struct user_page *)context)->rows[index].user;
}

static bool page_edges(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct user_page *)parent)->count, row_at, parent};
    return true;
}

static bool page_nodes(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct user_page *)parent)->count, user_at, parent};
    return true;
}

static const void *page_info(struct gql_exec *x, const void *parent)
{
    (void)x;
    return &((const struct user_page *)parent)->info;
}

static const void *edge_node(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct user_row *)parent)->user;
}

static const void *payload_user(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct user_payload *)parent)->user;
}

static const void *rule_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return &((const struct user_version *)context)->rules[index];
}

static bool user_grants(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){((const struct user_version *)parent)->rule_count, rule_at, parent};
    return true;
}

static bool write_roles(struct oms_buf *out, const struct user_version *user)
{
    oms_buf_append_char(out, '[');
    for (size_t i = 0; i < user->role_count; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, user->roles[i]);
    }
    oms_buf_append_char(out, ']');
    return true;
}

API_LEAF_FN(payload_changed, struct user_payload, api_write_bool(out, p->changed))
API_LEAF_FN(edge_cursor, struct user_row, api_write_text(out, cursor_of(p)))
API_LEAF_FN(user_name, struct user_version, api_write_text(out, p->user))
API_LEAF_FN(user_roles, struct user_version, write_roles(out, p))
API_LEAF_FN(user_source, struct user_version, api_write_name(out, workflow_origin_name(p->origin)))
API_LEAF_FN(user_source_version, struct user_version, api_write_version(out, p->source_version))
API_LEAF_FN(user_roles_at, struct user_version, api_write_instant(out, p->roles_at))
API_LEAF_FN(user_updated_at, struct user_version, api_write_instant(out, p->updated_at))
API_LEAF_FN(grant_permissions, struct permission_rule, api_write_permissions(out, p->permissions))
API_LEAF_FN(grant_scope, struct permission_rule, api_write_scope(out, &p->scope))

static const struct api_root_op op_update = {start_update, ORDER_COMMAND_NONE},
                                op_remove = {start_remove, ORDER_COMMAND_NONE},
                                op_one = {start_one, ORDER_COMMAND_NONE},
                                op_list = {start_list, ORDER_COMMAND_NONE};

static const struct gql_binding bindings[] = {
    {"Mutation.updateUserAuthorization", GQL_ROOT, 0, {.host = &op_update}},
    {"Mutation.removeUserAuthorization", GQL_ROOT, 0, {.host = &op_remove}},
    {"Query.userAuthorization", GQL_ROOT, 0, {.host = &op_one}},
    {"Query.userAuthorizations", GQL_ROOT, 0, {.host = &op_list}},
    API_LEAF("UpdateUserAuthorizationPayload.changed", payload_changed),
    API_OBJECT("UpdateUserAuthorizationPayload.userAuthorization", payload_user),
    API_LEAF("RemoveUserAuthorizationPayload.changed", payload_changed),
    API_LIST("UserAuthorizationConnection.nodes", page_nodes),
    API_LIST("UserAuthorizationConnection.edges", page_edges),
    API_OBJECT("UserAuthorizationConnection.pageInfo", page_info),
    API_LEAF("UserAuthorizationEdge.cursor", edge_cursor),
    API_OBJECT("UserAuthorizationEdge.node", edge_node),
    API_LEAF("UserAuthorization.user", user_name),
    API_LEAF("UserAuthorization.roles", user_roles),
    API_LIST("UserAuthorization.grants", user_grants),
    API_LEAF("UserAuthorization.source", user_source),
    API_LEAF("UserAuthorization.sourceVersion", user_source_version),
    API_LEAF("UserAuthorization.rolesAt", user_roles_at),
    API_LEAF("UserAuthorization.updatedAt", user_updated_at),
    API_LEAF("UserGrant.permissions", grant_permissions),
    API_LEAF("UserGrant.scope", grant_scope),
};

void api_bind_users(struct api_bindings *to)
{
    api_bindings_add(to, bindings, OMS_COUNT_OF(bindings));
}
