/* See graphql_settings.h. */
#include "http/graphql_settings.h"

#include <errno.h>
#include <stdio.h>

#include "http/digest.h"
#include "runtime/base/arena.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define ALLOW_LIST_BYTES_MAX (16u << 20)
#define ALLOW_LIST_DEPTH     2

const char *const http_graphql_setting_keys[] = {
    "introspection", "allow_list",          "persisted_queries",    "batch_max", "cost_max", "cost_bucket",
    "cost_restore",  "subject_cost_bucket", "subject_cost_restore", NULL};

void http_graphql_settings_init(struct http_graphql_settings *settings)
{
    *settings = (struct http_graphql_settings){
        .persisted_queries = OMS_GQL_PERSISTED_MAX,
        .cost_max = OMS_GQL_COST_MAX,
    };
}

/* ---- the allow-list ---- */

/* The file's text in the arena; absent after a fault. */
static struct oms_str read_file(struct http_settings *settings, const char *name, struct oms_arena *arena)
{
    FILE *stream = fopen(name, "re");
    if (!stream) {
        http_settings_fault(settings, "allow_list", "cannot be read: '%s': %s", name, strerror(errno));
        return OMS_STR_NONE;
    }
    char *data = oms_arena_alloc(arena, ALLOW_LIST_BYTES_MAX);
    size_t len = data ? fread(data, 1, ALLOW_LIST_BYTES_MAX, stream) : ALLOW_LIST_BYTES_MAX;
    bool failed = ferror(stream) != 0;
    fclose(stream);
    if (failed)
        http_settings_fault(settings, "allow_list", "cannot be read: '%s' is not a file", name);
    else if (len == ALLOW_LIST_BYTES_MAX)
        http_settings_fault(settings, "allow_list", "is too large: '%s' has more than %u bytes", name,
                            ALLOW_LIST_BYTES_MAX);
    else
        return oms_str_make(data, len);
    return OMS_STR_NONE;
}

/* Every hash is that of its document: a list made by hand, or by a tool with another hash, is noticed here
 * and not by the first client. */
static void check_list(struct http_settings *settings, const struct oms_value *list)
{
    for (size_t i = 0; i < list->object.count; i++) {
        const struct oms_field *field = &list->object.fields[i];
        struct http_digest named, actual;
        if (!http_digest_parse(field->name, &named)) {
            http_settings_fault(settings, "allow_list",
                                "has the key '%.*s', which is no SHA-256 in 64 hexadecimal digits",
                                field->name.len > 80 ? 80 : (int)field->name.len, field->name.data);
            return;
        }
        if (field->value.kind != OMS_VALUE_STRING) {
            http_settings_fault(settings, "allow_list", "has no document, a text, for %.*s",
                                OMS_STR_ARG(field->name));
            return;
        }
        actual = http_digest_of(field->value.text);
        if (!http_digest_eq(&named, &actual)) {
            http_settings_fault(settings, "allow_list", "names a document %.*s, which is not its SHA-256",
                                OMS_STR_ARG(field->name));
            return;
        }
    }
}

static void read_allow_list(struct http_settings *settings, const char *folder, struct oms_arena *arena,
                            struct http_graphql_settings *out)
{
    struct oms_str name = OMS_STR_NONE, text;
    struct oms_json_error fault;
    struct oms_value *list = OMS_ARENA_NEW(arena, struct oms_value);
    char path[4096];
    http_settings_text(settings, "allow_list", &name);
    if (!oms_str_present(name) || !list)
        return;
    bool absolute = name.data[0] == '/' || !folder[0];
    if (snprintf(path, sizeof(path), "%s%s%.*s", absolute ? "" : folder, absolute ? "" : "/",
                 OMS_STR_ARG(name)) >= (int)sizeof(path)) {
        http_settings_fault(settings, "allow_list", "is too long a file name");
        return;
    }
    text = read_file(settings, path, arena);
    if (!oms_str_present(text))
        return;
    if (oms_json_parse(text, ALLOW_LIST_DEPTH, arena, list, &fault) != OMS_OK)
        http_settings_fault(settings, "allow_list", "is no JSON: '%s', line %u, column %u: %s", path,
                            fault.line, fault.column, fault.message);
    else if (list->kind != OMS_VALUE_OBJECT || list->object.count == 0)
        http_settings_fault(settings, "allow_list",
                            "must be an object of documents by their SHA-256, with at least one: '%s'", path);
    else
        check_list(settings, list);
    out->allow_list_file = oms_str_copy(arena, oms_str_of(path));
    out->allow_list = list;
}

/* ---- budgets ---- */

static void read_budget(struct http_settings *settings, const char *bucket, const char *restore,
                        struct http_budget *budget)
{
    http_settings_u64(settings, bucket, 0, HTTP_BUDGET_CAPACITY_MAX, &budget->capacity);
    http_settings_u64(settings, restore, 0, HTTP_BUDGET_CAPACITY_MAX, &budget->restore);
    if (!settings->failed && budget->capacity && !budget->restore)
        http_settings_fault(settings, restore,
                            "is required with '%s': a bucket that nothing refills would end "
                            "all requests",
                            bucket);
    if (!settings->failed && budget->restore && !budget->capacity)
        http_settings_fault(settings, bucket, "is required with '%s'", restore);
}

void http_graphql_settings_read(struct http_settings *top, const char *folder, struct oms_arena *arena,
                                struct http_graphql_settings *out)
{
    const struct oms_value *value = http_settings_get(top, "graphql");
    struct http_settings settings;
    bool introspection = !out->introspection_off;
    size_t count = 0;
    if (!value)
        return;
    while (http_graphql_setting_keys[count])
        count++;
    http_settings_begin(&settings, value, "graphql", top->error);
    http_settings_only(&settings, http_graphql_setting_keys, count);
    http_settings_bool(&settings, "introspection", &introspection);
    out->introspection_off = !introspection;
    http_settings_unsigned(&settings, "persisted_queries", 0, 1u << 20, &out->persisted_queries);
    http_settings_unsigned(&settings, "batch_max", 0, HTTP_GRAPHQL_BATCH_MAX, &out->batch_max);
    http_settings_u64(&settings, "cost_max", 0, HTTP_BUDGET_CAPACITY_MAX, &out->cost_max);
    read_budget(&settings, "cost_bucket", "cost_restore", &out->tenant_cost);
    read_budget(&settings, "subject_cost_bucket", "subject_cost_restore", &out->subject_cost);
    if (!settings.failed)
        read_allow_list(&settings, folder, arena, out);
    top->failed = settings.failed;
}
