/* POST /import: what an upload is to do, from its JSON. The map is kept as text with the options and the
 * source filled in, so that a later version's ready map changes nothing in an upload that is under way. */
#include <stdio.h>

#include "http/import/import_map_impl.h"
#include "http/upload/upload_impl.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

/* "format, map, …" in the order of the documentation. */
static const char *const names[] = {"format",  "map",        "options", "source",
                                    "onError", "onExisting", "dryRun",  "length"};

enum oms_status upload_map_make(const struct upload_terms *terms, struct import_map **out,
                                struct oms_error *error)
{
    return import_map_parse("map", terms->map, NULL, 0, out, error);
}

/* ---- reading the request ---- */

struct reading {
    struct upload_ask *ask;
    const struct oms_value *root;
};

static bool wrong(struct upload_ask *ask, const char *field, const char *expected)
{
    upload_ask_fail(ask, 400, "BAD_REQUEST", "\"%s\": expected %s", field, expected);
    return false;
}

/* One of two words; absent is the first. */
static bool read_word(struct reading *in, const char *name, const char *first, const char *second,
                      bool *is_second)
{
    const struct oms_value *value = oms_value_get_set(in->root, name);
    char expected[64];

    *is_second = value && value->kind == OMS_VALUE_STRING && oms_str_eq_c(value->text, second);
    if (!value || *is_second || (value->kind == OMS_VALUE_STRING && oms_str_eq_c(value->text, first)))
        return true;
    snprintf(expected, sizeof(expected), "\"%s\" or \"%s\"", first, second);
    return wrong(in->ask, name, expected);
}

static bool read_flag(struct reading *in, const char *name, bool *out)
{
    const struct oms_value *value = oms_value_get_set(in->root, name);

    *out = value && value->kind == OMS_VALUE_BOOL && value->boolean;
    return !value || value->kind == OMS_VALUE_BOOL || wrong(in->ask, name, "true or false");
}

static bool read_length(struct reading *in, uint64_t *out)
{
    const struct oms_value *value = oms_value_get_set(in->root, "length");
    int64_t number = 0;

    if (!value)
        return true;
    bool fits = value->kind == OMS_VALUE_NUMBER && oms_str_to_i64(value->text, &number) == OMS_OK &&
                number > 0 && (uint64_t)number <= OMS_UPLOAD_BYTES_MAX;
    *out = (uint64_t)number;
    return fits || wrong(in->ask, "length", "the file's bytes, 1 to 4294967296");
}

static bool check_names(struct reading *in)
{
    for (size_t i = 0; i < in->root->object.count; i++) {
        struct oms_str name = in->root->object.fields[i].name;
        bool known = false;
        for (size_t n = 0; n < OMS_COUNT_OF(names); n++)
            known = known || oms_str_eq_c(name, names[n]);
        if (known)
            continue;
        const char *near = oms_str_nearest(name, names, OMS_COUNT_OF(names));
        upload_ask_fail(in->ask, 400, "BAD_REQUEST", "\"%.*s\" is unknown%s%s%s",
                        name.len > 60 ? 60 : (int)name.len, name.data, near ? ": did you mean \"" : "",
                        near ? near : "", near ? "\"?" : "");
        return false;
    }
    return true;
}

/* ---- the map ---- */

static bool unknown_map(struct upload_ask *ask)
{
    char ready[160] = "";

    for (unsigned i = 0; import_map_ready_name(i); i++)
        snprintf(ready + strlen(ready), sizeof(ready) - strlen(ready), "%s%s", i ? ", " : "",
                 import_map_ready_name(i));
    upload_ask_fail(ask, 400, "BAD_REQUEST", "\"map\": expected a map or the name of a ready one: %s", ready);
    return false;
}

/* The map's value, before options and source. */
static bool find_map(struct reading *in, struct oms_value *out)
{
    const struct oms_value *map = oms_value_get_set(in->root, "map");
    const struct oms_value *format = oms_value_get_set(in->root, "format");
    struct oms_arena *arena = &in->ask->arena;
    struct oms_json_error json_error;
    bool lines = format && format->kind == OMS_VALUE_STRING && oms_str_eq_c(format->text, "jsonl");
    struct oms_str name = map && map->kind == OMS_VALUE_STRING ? map->text : OMS_STR("jsonl");

    if (!map && !lines)
        return unknown_map(in->ask);
    if (map && map->kind == OMS_VALUE_OBJECT) {
        *out = *map;
        in->ask->terms.map_name = OMS_STR_NONE;
        return true;
    }
    struct oms_str copy = oms_str_copy(arena, name);
    struct oms_str text = map && map->kind != OMS_VALUE_STRING ? OMS_STR_NONE
                          : copy.data                          ? import_map_ready(copy.data)
                                                               : OMS_STR_NONE;
    in->ask->terms.map_name = copy;
    return (oms_str_present(text) && oms_json_parse(text, 32, arena, out, &json_error) == OMS_OK) ||
           unknown_map(in->ask);
}

/* Sets a member of an object, in a copy of its fields. */
static bool set_member(struct oms_arena *arena, struct oms_value *object, const char *name,
                       struct oms_value value)
{
    size_t count = object->object.count;
    struct oms_field *fields = oms_arena_calloc(arena, count + 1, sizeof(*fields));

    if (!fields)
        return false;
    if (count)
        memcpy(fields, object->object.fields, count * sizeof(*fields));
    size_t at = 0;
    while (at < count && !oms_str_eq_c(fields[at].name, name))
        at++;
    fields[at] = (struct oms_field){oms_str_of(name), value};
    object->object.fields = fields;
    object->object.count = count + (at == count);
    return true;
}

/* "source" is the map's name, which orders get that name none. */
static bool fill_source(struct reading *in, struct oms_value *map)
{
    const struct oms_value *source = oms_value_get_set(in->root, "source");

    if (!source)
        return true;
    if (source->kind != OMS_VALUE_STRING || !source->text.len || source->text.len > OMS_ID_BYTES_MAX)
        return wrong(in->ask, "source", "a text of 1 to 128 bytes");
    return set_member(&in->ask->arena, map, "name", *source);
}

/* What the request says of the map's options becomes their default. */
static bool fill_options(struct reading *in, struct oms_value *map)
{
    const struct oms_value *given = oms_value_get_set(in->root, "options");
    const struct oms_value *has = oms_value_get_set(map, "options");
    struct oms_value options =
        has && has->kind == OMS_VALUE_OBJECT ? *has : (struct oms_value){.kind = OMS_VALUE_OBJECT};

    if (!given)
        return true;
    if (given->kind != OMS_VALUE_OBJECT)
        return wrong(in->ask, "options", "an object of texts");
    for (size_t i = 0; i < given->object.count; i++) {
        const struct oms_field *option = &given->object.fields[i];
        struct oms_str name = oms_str_copy(&in->ask->arena, option->name);
        if (option->value.kind != OMS_VALUE_STRING || !name.data)
            return wrong(in->ask, "options", "an object of texts");
        if (!oms_value_get(&options, name.data)) {
            upload_ask_fail(in->ask, 400, "BAD_REQUEST", "\"options\": the map has no option \"%.60s\"",
                            name.data);
            return false;
        }
        if (!set_member(&in->ask->arena, &options, name.data, option->value))
            return wrong(in->ask, "options", "fewer");
    }
    return set_member(&in->ask->arena, map, "options", options);
}

static bool read_map(struct reading *in)
{
    struct upload_ask *ask = in->ask;
    const struct oms_value *format = oms_value_get_set(in->root, "format");
    struct import_map *map;
    struct oms_value value = {.kind = OMS_VALUE_NULL};
    struct oms_error error;
    struct oms_buf text;

    if (!find_map(in, &value) || !fill_source(in, &value) || !fill_options(in, &value))
        return false;
    oms_buf_init(&text, OMS_UPLOAD_MAP_BYTES_MAX);
    oms_value_write_json(&value, &text);
    bool fits = !text.overflow;
    if (fits)
        ask->terms.map = oms_str_copy(&ask->arena, oms_buf_str(&text));
    oms_buf_fini(&text);
    if (!fits || !oms_str_present(ask->terms.map))
        return wrong(ask, "map", "at most 64 KiB");
    if (upload_map_make(&ask->terms, &map, &error) != OMS_OK) {
        upload_ask_fail(ask, 400, "BAD_REQUEST", "%.300s", error.message);
        return false;
    }
    bool lines = import_map_is_json_lines(map);
    bool named_lines = format && oms_str_eq_c(format->text, "jsonl");
    import_map_destroy(map);
    return !format || lines == named_lines ||
           wrong(ask, "format", lines ? "\"jsonl\" with this map" : "\"csv\" with this map");
}

/* False with the answer set. */
static bool read_request(struct upload_ask *ask, struct oms_value *root)
{
    struct reading in = {ask, root};
    struct oms_json_error json_error;
    bool lines;

    if (oms_json_parse(ask->body, 32, &ask->arena, root, &json_error) != OMS_OK) {
        upload_ask_fail(ask, 400, "BAD_REQUEST", "The body: line %u, column %u: %s", json_error.line,
                        json_error.column, json_error.message);
        return false;
    }
    if (root->kind != OMS_VALUE_OBJECT) {
        upload_ask_fail(ask, 400, "BAD_REQUEST", "The body is a JSON object: {\"map\": \"superstore\"}");
        return false;
    }
    return check_names(&in) && read_word(&in, "format", "csv", "jsonl", &lines) &&
           read_word(&in, "onError", "skip", "stop", &ask->terms.stop_on_error) &&
           read_word(&in, "onExisting", "skip", "conflict", &ask->terms.conflict_on_existing) &&
           read_flag(&in, "dryRun", &ask->terms.dry_run) && read_length(&in, &ask->terms.length) &&
           read_map(&in);
}

void upload_create(struct upload_ask *ask)
{
    struct rt_host *host = ask->uploads->config.host;
    struct oms_value root = {.kind = OMS_VALUE_NULL};

    oms_buf_reset(&ask->out); /* the list that was counted */
    if (ask->count >= OMS_UPLOADS_TENANT_MAX) {
        upload_ask_fail(ask, 429, "LIMIT_EXCEEDED",
                        "The tenant has %zu uploads: delete some (GET /import lists them)", ask->count);
        ask->retry_s = 60;
    } else if (read_request(ask, &root)) {
        uint64_t high = rt_random(host), low = rt_random(host);
        unsigned char id[UPLOAD_ID_SIZE];
        memcpy(id, &high, 8);
        memcpy(id + 8, &low, 8);
        if (ask->has_length)
            ask->terms.length = ask->length;
        ask->terms.subject = ask->principal.subject;
        upload_address(ask->address.tenant, id, &ask->address);
        upload_ask_send(ask);
        return;
    }
    upload_ask_answer(ask);
}
