/* A sorted array. See allow_list.h. */
#include "http/api/allow_list.h"

#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

struct item {
    struct http_digest digest;
    struct oms_str document;
};

struct allow_list {
    size_t count;
    struct item items[];
};

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct item *)a)->digest.bytes, ((const struct item *)b)->digest.bytes,
                  HTTP_DIGEST_BYTES);
}

/* A list that the schema has outgrown is an operator's mistake: said at the start, not to a client. */
static enum oms_status check(const struct oms_field *field, const struct gql_schema *schema,
                             struct oms_error *error)
{
    struct oms_arena arena;
    struct gql_errors errors;
    struct gql_prepared *prepared;
    enum oms_status status;
    oms_arena_init(&arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    gql_errors_init(&errors, &arena);
    status = gql_prepare(schema, field->value.text, &prepared, &errors);
    if (status == OMS_OK)
        gql_prepared_release(prepared);
    else
        oms_error_set(error, OMS_INVALID, "'graphql.allow_list': the document %.*s cannot run: %.*s",
                      OMS_STR_ARG(field->name), errors.count ? (int)errors.items[0].message.len : 0,
                      errors.count ? errors.items[0].message.data : "");
    oms_arena_fini(&arena);
    return status == OMS_OK ? OMS_OK : OMS_INVALID;
}

enum oms_status allow_list_create(const struct oms_value *object, const struct gql_schema *schema,
                                  struct allow_list **out, struct oms_error *error)
{
    size_t count = object->object.count;
    struct allow_list *list = oms_calloc(1, sizeof(*list) + count * sizeof(list->items[0]));
    for (; list->count < count; list->count++) {
        const struct oms_field *field = &object->object.fields[list->count];
        struct item *item = &list->items[list->count];
        bool named = http_digest_parse(field->name, &item->digest);
        OMS_ASSERT(named); /* the configuration has looked */
        item->document = field->value.text;
        if (check(field, schema, error) != OMS_OK) {
            allow_list_destroy(list);
            return OMS_INVALID;
        }
    }
    qsort(list->items, count, sizeof(list->items[0]), compare);
    *out = list;
    return OMS_OK;
}

void allow_list_destroy(struct allow_list *list)
{
    oms_free(list);
}

struct oms_str allow_list_get(const struct allow_list *list, const struct http_digest *digest)
{
    const struct item wanted = {*digest, OMS_STR_NONE};
    const struct item *found = bsearch(&wanted, list->items, list->count, sizeof(list->items[0]), compare);
    return found ? found->document : OMS_STR_NONE;
}
