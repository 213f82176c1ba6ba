/* See field_map.h. Maps nest as deep as they were written, at most DEPTH_MAX: the functions that call
 * themselves go as deep and no deeper, whatever a payload is like. */
#include "http/webhook/field_map.h"

#include <stdio.h>

#include "actors/refusal.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define DEPTH_MAX    10
#define SEGMENTS_MAX 16
#define PATHS_MAX    16
#define FIELDS_MAX   128

struct segment {
    struct oms_str name; /* absent: an index */
    size_t index;
};

struct path {
    bool from_root; /* "$$" */
    unsigned count;
    struct segment *segments;
};

enum node_kind { NODE_PATHS, NODE_VALUE, NODE_OBJECT, NODE_EACH };
enum node_form { FORM_AS_IS, FORM_TEXT, FORM_INTEGER, FORM_WORD };

struct node_field;

struct field_map {
    enum node_kind kind;
    enum node_form form;
    struct path *paths; /* PATHS: the first that leads somewhere; EACH: one */
    size_t path_count;
    const struct oms_value *value; /* VALUE */
    const struct oms_value *words, *other;
    const struct oms_value *fallback; /* "default" */
    struct node_field *fields;        /* OBJECT */
    size_t field_count;
    struct field_map *item; /* EACH */
};

struct node_field {
    struct oms_str name;
    struct field_map node;
};

struct compiling {
    struct oms_arena *arena;
    struct oms_error *error;
    char place[200]; /* of what is being compiled: "lineItems.item.productSku" */
    size_t place_len;
    bool in_each;
};

static enum oms_status fault(struct compiling *compiling, const char *what)
{
    return oms_error_set(compiling->error, OMS_INVALID, "'%.*s' %s",
                         compiling->place_len ? (int)compiling->place_len : 3,
                         compiling->place_len ? compiling->place : "map", what);
}

static enum oms_status no_room(struct compiling *compiling)
{
    return oms_error_set(compiling->error, OMS_LIMIT, "the map is too large");
}

/* ---- paths ---- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (unsigned char)c >= 0x80;
}

/* ".name", "[3]" or "['any name']"; moves `at` behind it. */
static bool read_segment(struct oms_str text, size_t *at, struct segment *out)
{
    size_t start;

    *out = (struct segment){0};
    if (text.data[*at] == '.') {
        for (start = ++*at; *at < text.len && name_char(text.data[*at]); ++*at)
            continue;
        out->name = oms_str_make(text.data + start, *at - start);
        return out->name.len > 0;
    }
    if (text.data[(*at)++] != '[' || *at >= text.len)
        return false;
    if (text.data[*at] == '\'') {
        start = ++*at;
        const char *end = memchr(text.data + start, '\'', text.len - start);
        if (!end || (size_t)(end - text.data) + 1 >= text.len || end[1] != ']')
            return false;
        out->name = oms_str_make(text.data + start, (size_t)(end - text.data) - start);
        *at = (size_t)(end - text.data) + 2;
        return out->name.len > 0;
    }
    for (start = *at; *at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at)
        out->index = out->index * 10 + (size_t)(text.data[*at] - '0');
    return *at > start && *at - start <= 6 && *at < text.len && text.data[(*at)++] == ']';
}

/* Fills segments[SEGMENTS_MAX]. */
static bool read_path(struct oms_str text, struct path *out)
{
    size_t at = 1;

    out->count = 0;
    if (text.len == 0 || text.data[0] != '$')
        return false;
    out->from_root = text.len > 1 && text.data[1] == '$';
    for (at += out->from_root; at < text.len;)
        if (out->count == SEGMENTS_MAX || !read_segment(text, &at, &out->segments[out->count++]))
            return false;
    return true;
}

static const struct oms_value *member(const struct oms_value *object, struct oms_str name)
{
    if (object->kind != OMS_VALUE_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->object.count; i++)
        if (oms_str_eq(object->object.fields[i].name, name))
            return &object->object.fields[i].value;
    return NULL;
}

static const struct oms_value *follow(const struct path *path, const struct oms_value *from)
{
    for (unsigned i = 0; from && i < path->count; i++) {
        const struct segment *segment = &path->segments[i];

        if (oms_str_present(segment->name))
            from = member(from, segment->name);
        else
            from = from->kind == OMS_VALUE_LIST && segment->index < from->list.count
                       ? &from->list.items[segment->index]
                       : NULL;
    }
    return from && from->kind != OMS_VALUE_NULL ? from : NULL;
}

const struct oms_value *field_map_at(const struct oms_value *payload, const char *path)
{
    struct segment segments[SEGMENTS_MAX];
    struct path read = {.segments = segments};

    return read_path(oms_str_of(path), &read) ? follow(&read, payload) : NULL;
}

/* ---- compiling ---- */

static enum oms_status compile(struct compiling *compiling, const struct oms_value *source, unsigned depth,
                               struct field_map *out);

static size_t enter(struct compiling *compiling, struct oms_str name)
{
    size_t before = compiling->place_len;
    size_t room = sizeof(compiling->place) - before;

    if (name.len + 1 < room) {
        if (before)
            compiling->place[compiling->place_len++] = '.';
        memcpy(compiling->place + compiling->place_len, name.data, name.len);
        compiling->place_len += name.len;
    }
    return before;
}

static enum oms_status compile_path(struct compiling *compiling, const struct oms_value *source,
                                    struct path *out)
{
    struct segment segments[SEGMENTS_MAX];
    struct path read = {.segments = segments};

    if (source->kind != OMS_VALUE_STRING || !read_path(source->text, &read))
        return fault(compiling,
                     "must be a path into the payload, such as $.customer.email or $.lines[0].sku");
    if (read.from_root && !compiling->in_each)
        return fault(compiling, "begins with $$, which means something within an $each only");
    *out = read;
    out->segments = oms_arena_calloc(compiling->arena, read.count + 1, sizeof(segments[0]));
    if (!out->segments)
        return no_room(compiling);
    memcpy(out->segments, segments, read.count * sizeof(segments[0]));
    return OMS_OK;
}

/* One path, or a list of them. */
static enum oms_status compile_paths(struct compiling *compiling, const struct oms_value *source,
                                     struct field_map *out)
{
    bool is_list = source->kind == OMS_VALUE_LIST;
    const struct oms_value *items = is_list ? source->list.items : source;
    size_t count = is_list ? source->list.count : 1;
    enum oms_status status = OMS_OK;

    if (count == 0 || count > PATHS_MAX)
        return fault(compiling, "must name 1 to 16 paths");
    out->kind = NODE_PATHS;
    out->paths = oms_arena_calloc(compiling->arena, count, sizeof(out->paths[0]));
    out->path_count = count;
    if (!out->paths)
        return no_room(compiling);
    for (size_t i = 0; status == OMS_OK && i < count; i++)
        status = compile_path(compiling, &items[i], &out->paths[i]);
    return status;
}

static enum oms_status compile_each(struct compiling *compiling, const struct oms_value *source,
                                    unsigned depth, struct field_map *out)
{
    const struct oms_value *item = oms_value_get(source, "item");
    enum oms_status status = compile_paths(compiling, &source->object.fields[0].value, out);

    if (status != OMS_OK)
        return status;
    if (compiling->in_each)
        return fault(compiling, "is an $each within another, which is not done");
    if (!item)
        return fault(compiling, "needs an \"item\": the map of each item");
    out->kind = NODE_EACH;
    out->item = OMS_ARENA_NEW(compiling->arena, struct field_map);
    if (!out->item)
        return no_room(compiling);
    size_t before = enter(compiling, OMS_STR("item"));
    compiling->in_each = true;
    status = compile(compiling, item, depth + 1, out->item);
    compiling->in_each = false;
    compiling->place_len = before;
    return status;
}

static enum oms_status compile_word(struct compiling *compiling, const struct oms_value *source,
                                    struct field_map *out)
{
    out->form = FORM_WORD;
    out->words = oms_value_get(source, "words");
    out->other = oms_value_get(source, "else");
    if (!out->words || out->words->kind != OMS_VALUE_OBJECT)
        return fault(compiling, "needs \"words\": an object from their words to ours");
    return compile_paths(compiling, &source->object.fields[0].value, out);
}

/* Refuses what stands beside a directive and means nothing there. */
static enum oms_status check_beside(struct compiling *compiling, const struct oms_value *source,
                                    struct oms_str directive)
{
    static const char *const beside[][2] = {
        {"item", "$each"}, {"words", "$word"}, {"else", "$word"}, {"default", NULL}};

    for (size_t i = 1; i < source->object.count; i++) {
        bool known = false;

        for (size_t k = 0; k < OMS_COUNT_OF(beside); k++)
            known = known || (oms_str_eq_c(source->object.fields[i].name, beside[k][0]) &&
                              (!beside[k][1] || oms_str_eq_c(directive, beside[k][1])));
        if (!known)
            return fault(compiling, "has a key that its directive does not know");
    }
    return OMS_OK;
}

static enum oms_status compile_directive(struct compiling *compiling, const struct oms_value *source,
                                         unsigned depth, struct field_map *out)
{
    const struct oms_field *first = &source->object.fields[0];
    enum oms_status status = check_beside(compiling, source, first->name);

    if (status != OMS_OK)
        return status;
    out->fallback = oms_value_get_set(source, "default");
    if (oms_str_eq_c(first->name, "$each"))
        return compile_each(compiling, source, depth, out);
    if (oms_str_eq_c(first->name, "$word"))
        return compile_word(compiling, source, out);
    if (oms_str_eq_c(first->name, "$value")) {
        out->kind = NODE_VALUE;
        out->value = &first->value;
        return OMS_OK;
    }
    if (oms_str_eq_c(first->name, "$text"))
        out->form = FORM_TEXT;
    else if (oms_str_eq_c(first->name, "$integer"))
        out->form = FORM_INTEGER;
    else if (!oms_str_eq_c(first->name, "$first"))
        return fault(compiling, "has an unknown directive; there are $first, $text, $integer, $value, $word "
                                "and $each");
    return compile_paths(compiling, &first->value, out);
}

static enum oms_status compile_object(struct compiling *compiling, const struct oms_value *source,
                                      unsigned depth, struct field_map *out)
{
    enum oms_status status = OMS_OK;

    if (source->object.count > FIELDS_MAX)
        return fault(compiling, "has too many fields");
    out->kind = NODE_OBJECT;
    out->field_count = source->object.count;
    out->fields = oms_arena_calloc(compiling->arena, out->field_count + 1, sizeof(out->fields[0]));
    if (!out->fields)
        return no_room(compiling);
    for (size_t i = 0; status == OMS_OK && i < out->field_count; i++) {
        size_t before = enter(compiling, source->object.fields[i].name);

        out->fields[i].name = source->object.fields[i].name;
        status = compile(compiling, &source->object.fields[i].value, depth + 1, &out->fields[i].node);
        if (status == OMS_OK)
            compiling->place_len = before;
    }
    return status;
}

static enum oms_status compile(struct compiling *compiling, const struct oms_value *source, unsigned depth,
                               struct field_map *out)
{
    if (depth > DEPTH_MAX)
        return fault(compiling, "is nested too deep");
    if (source->kind == OMS_VALUE_STRING)
        return compile_paths(compiling, source, out);
    if (source->kind != OMS_VALUE_OBJECT)
        return fault(compiling, "must be a path, a directive or an object of them");
    if (source->object.count && source->object.fields[0].name.len &&
        source->object.fields[0].name.data[0] == '$')
        return compile_directive(compiling, source, depth, out);
    return compile_object(compiling, source, depth, out);
}

enum oms_status field_map_compile(const struct oms_value *source, struct oms_arena *arena,
                                  const struct field_map **out, struct oms_error *error)
{
    struct compiling compiling = {.arena = arena, .error = error};
    struct field_map *map = OMS_ARENA_NEW(arena, struct field_map);

    *out = map;
    if (!map)
        return no_room(&compiling);
    if (source->kind != OMS_VALUE_OBJECT)
        return fault(&compiling, "must be an object in the shape of the input");
    return compile(&compiling, source, 0, map);
}

/* ---- applying ---- */

struct applying {
    const struct oms_value *root;
    struct oms_arena *arena;
    struct refusal_list *refusals;
    size_t made;
    bool failed;
    char place[200]; /* of what is being made: "lineItems.0.productSku" */
    size_t place_len;
};

static bool refuse(struct applying *applying, const char *what)
{
    struct oms_str place = oms_str_make(applying->place, applying->place_len);

    applying->failed = true;
    return refusal_add(applying->refusals, REFUSAL_INVALID, oms_str_copy(applying->arena, place), "%s", what);
}

static bool spend(struct applying *applying, size_t count)
{
    applying->made += count;
    if (applying->made <= OMS_WEBHOOK_VALUES_MAX)
        return true;
    if (!applying->failed)
        refusal_add(applying->refusals, REFUSAL_LIMIT_EXCEEDED, REFUSAL_NO_FIELD,
                    "The payload has more in it than a webhook may bring");
    applying->failed = true;
    return false;
}

/* Steps into a part; the caller sets place_len back to what it was. */
static size_t at(struct applying *applying, struct oms_str name)
{
    size_t before = applying->place_len;

    if (name.len + 1 < sizeof(applying->place) - before) {
        if (before)
            applying->place[applying->place_len++] = '.';
        memcpy(applying->place + applying->place_len, name.data, name.len);
        applying->place_len += name.len;
    }
    return before;
}

static const struct oms_value *find(const struct field_map *map, const struct applying *applying,
                                    const struct oms_value *from)
{
    const struct oms_value *found = NULL;

    for (size_t i = 0; !found && i < map->path_count; i++)
        found = follow(&map->paths[i], map->paths[i].from_root ? applying->root : from);
    return found;
}

static bool as_text(struct applying *applying, const struct oms_value *value, struct oms_value *out)
{
    out->kind = OMS_VALUE_STRING;
    if (value->kind == OMS_VALUE_STRING || value->kind == OMS_VALUE_NUMBER)
        out->text = value->text;
    else if (value->kind == OMS_VALUE_BOOL)
        out->text = value->boolean ? OMS_STR("true") : OMS_STR("false");
    else
        return refuse(applying, "must be a text, a number or a boolean in the payload");
    return true;
}

static bool as_integer(struct applying *applying, const struct oms_value *value, struct oms_value *out)
{
    int64_t number;

    if ((value->kind != OMS_VALUE_STRING && value->kind != OMS_VALUE_NUMBER) ||
        oms_str_to_i64(value->text, &number) != OMS_OK)
        return refuse(applying, "must be a whole number in the payload");
    *out = (struct oms_value){.kind = OMS_VALUE_INT, .integer = number};
    return true;
}

static bool as_word(struct applying *applying, const struct field_map *map, const struct oms_value *value,
                    struct oms_value *out)
{
    const struct oms_value *ours;
    struct oms_value text;

    if (!as_text(applying, value, &text))
        return false;
    ours = member(map->words, text.text);
    if (!ours)
        ours = map->other;
    if (!ours)
        return refuse(applying, "has a word in the payload that the map does not know");
    *out = *ours;
    return true;
}

/* Whether there is something; `out` is it then. */
static bool take(struct applying *applying, const struct field_map *map, const struct oms_value *from,
                 struct oms_value *out)
{
    const struct oms_value *value = find(map, applying, from);

    if (!value) {
        if (map->fallback)
            *out = *map->fallback;
        return map->fallback != NULL;
    }
    switch (map->form) {
    case FORM_AS_IS:
        *out = *value;
        return true;
    case FORM_TEXT:
        return as_text(applying, value, out);
    case FORM_INTEGER:
        return as_integer(applying, value, out);
    case FORM_WORD:
        return as_word(applying, map, value, out);
    }
    OMS_UNREACHABLE();
}

static bool apply(struct applying *applying, const struct field_map *map, const struct oms_value *from,
                  struct oms_value *out);

static bool apply_each(struct applying *applying, const struct field_map *map, const struct oms_value *from,
                       struct oms_value *out)
{
    const struct oms_value *list = find(map, applying, from);

    if (!list) {
        if (map->fallback)
            *out = *map->fallback;
        return map->fallback != NULL;
    }
    if (list->kind != OMS_VALUE_LIST)
        return refuse(applying, "must be a list in the payload");
    if (!spend(applying, list->list.count))
        return false;
    out->kind = OMS_VALUE_LIST;
    out->list.count = 0;
    out->list.items = oms_arena_calloc(applying->arena, list->list.count + 1, sizeof(struct oms_value));
    if (!out->list.items)
        return spend(applying, OMS_WEBHOOK_VALUES_MAX + 1);
    for (size_t i = 0; i < list->list.count && !applying->failed; i++) {
        char number[24];
        snprintf(number, sizeof(number), "%zu", i);
        size_t before = at(applying, oms_str_of(number));
        if (apply(applying, map->item, &list->list.items[i], &out->list.items[out->list.count]))
            out->list.count++;
        applying->place_len = before;
    }
    return true;
}

static bool apply_object(struct applying *applying, const struct field_map *map, const struct oms_value *from,
                         struct oms_value *out)
{
    if (!spend(applying, map->field_count))
        return false;
    out->kind = OMS_VALUE_OBJECT;
    out->object.count = 0;
    out->object.fields = oms_arena_calloc(applying->arena, map->field_count + 1, sizeof(struct oms_field));
    if (!out->object.fields) {
        spend(applying, OMS_WEBHOOK_VALUES_MAX + 1);
        return false;
    }
    for (size_t i = 0; i < map->field_count && !applying->failed; i++) {
        struct oms_field *field = &out->object.fields[out->object.count];

        size_t before = at(applying, map->fields[i].name);
        field->name = map->fields[i].name;
        if (apply(applying, &map->fields[i].node, from, &field->value))
            out->object.count++;
        applying->place_len = before;
    }
    return out->object.count > 0;
}

static bool apply(struct applying *applying, const struct field_map *map, const struct oms_value *from,
                  struct oms_value *out)
{
    switch (map->kind) {
    case NODE_PATHS:
        return take(applying, map, from, out);
    case NODE_VALUE:
        *out = *map->value;
        return true;
    case NODE_EACH:
        return apply_each(applying, map, from, out);
    case NODE_OBJECT:
        return apply_object(applying, map, from, out);
    }
    OMS_UNREACHABLE();
}

bool field_map_apply(const struct field_map *map, const struct oms_value *payload, struct oms_arena *arena,
                     struct oms_value *out, struct refusal_list *refusals)
{
    struct applying applying = {.root = payload, .arena = arena, .refusals = refusals};

    if (!apply(&applying, map, payload, out) && !applying.failed)
        *out = (struct oms_value){.kind = OMS_VALUE_OBJECT};
    return !applying.failed;
}
