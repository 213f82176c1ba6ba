/* Maps as their users see them: loaded from a file or a ready text, bound to a header; see import_map.h. */
#include "http/import/import_map.h"

#include <errno.h>
#include <stdio.h>

#include "http/import/import_map_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

enum oms_status import_map_parse(const char *name, struct oms_str text, const struct import_option *options,
                                 size_t option_count, struct import_map **out, struct oms_error *error)
{
    struct import_map *map = oms_calloc(1, sizeof(*map));
    struct oms_json_error json_error;
    struct oms_value root;

    oms_arena_init(&map->arena, 16384, 8 * IMPORT_MAP_BYTES_MAX);
    oms_buf_init(&map->text, IMPORT_MAP_BYTES_MAX);
    oms_buf_append_str(&map->text, text);
    map->name = name;
    enum oms_status status = map->text.overflow ? OMS_LIMIT : OMS_OK;
    if (status != OMS_OK)
        (void)oms_error_set(error, status, "map %s: larger than 1 MiB", name);
    if (status == OMS_OK) {
        status = oms_json_parse(oms_buf_str(&map->text), 32, &map->arena, &root, &json_error);
        if (status != OMS_OK)
            (void)oms_error_set(error, status, "map %s: line %u, column %u: %s", name, json_error.line,
                                json_error.column, json_error.message);
    }
    if (status == OMS_OK)
        status = import_map_compile(map, &root, options, option_count, error);
    if (status == OMS_OK && map->arena.exhausted)
        status = oms_error_set(error, OMS_LIMIT, "map %s: too large", name);
    if (status != OMS_OK) {
        import_map_destroy(map);
        return status;
    }
    *out = map;
    return OMS_OK;
}

static enum oms_status read_file(const char *path, struct oms_buf *out, struct oms_error *error)
{
    char chunk[16384];
    size_t got;
    FILE *file = fopen(path, "rbe");

    if (!file && errno == ENOENT) {
        char names[128] = "";
        for (unsigned i = 0; import_map_ready_name(i); i++)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ", " : "",
                     import_map_ready_name(i));
        return oms_error_set(error, OMS_NOT_FOUND, "no map \"%s\": neither a file nor a ready map (%s)", path,
                             names);
    }
    if (!file)
        return oms_error_set(error, OMS_IO, "map %s: %s", path, strerror(errno));
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0 && !out->overflow)
        oms_buf_append(out, chunk, got);
    enum oms_status status = OMS_OK;
    if (ferror(file))
        status = oms_error_set(error, OMS_IO, "map %s: %s", path, strerror(errno));
    else if (out->overflow)
        status = oms_error_set(error, OMS_LIMIT, "map %s: larger than 1 MiB", path);
    (void)fclose(file);
    return status;
}

enum oms_status import_map_load(const char *name_or_file, const struct import_option *options,
                                size_t option_count, struct import_map **out, struct oms_error *error)
{
    struct oms_str text = import_map_ready(name_or_file);
    struct oms_buf file;

    if (oms_str_present(text))
        return import_map_parse(name_or_file, text, options, option_count, out, error);
    oms_buf_init(&file, IMPORT_MAP_BYTES_MAX);
    enum oms_status status = read_file(name_or_file, &file, error);
    if (status == OMS_OK)
        status = import_map_parse(name_or_file, oms_str_make(file.data ? file.data : "", file.len), options,
                                  option_count, out, error);
    oms_buf_fini(&file);
    return status;
}

void import_map_destroy(struct import_map *map)
{
    if (!map)
        return;
    oms_arena_fini(&map->arena);
    oms_buf_fini(&map->text);
    oms_free(map);
}

/* ---- what it says ---- */

const char *import_map_name(const struct import_map *map)
{
    return map->name;
}

char import_map_delimiter(const struct import_map *map)
{
    return map->delimiter;
}

bool import_map_is_json_lines(const struct import_map *map)
{
    return map->json_lines;
}

static void note_order_column(struct import_map *map, unsigned column)
{
    size_t bound = map->columns[column].bound;

    if (bound == IMPORT_COLUMN_UNBOUND)
        return;
    for (size_t i = 0; i < map->order_column_count; i++)
        if (map->order_columns[i] == bound)
            return;
    map->order_columns[map->order_column_count++] = bound;
}

/* What a row of the order is asked for, beyond what belongs to its own line. */
static void note_order_columns(struct import_map *map, const struct import_template *template, bool all)
{
    for (unsigned i = 0; i < template->count; i++) {
        const struct import_node *node = &template->nodes[i];
        for (unsigned c = 0; c < node->column_count && (all || node->of_order); c++)
            note_order_column(map, node->columns[c]);
        for (unsigned c = 0; c < node->when.count && all; c++) {
            const struct import_condition *condition = &map->conditions[node->when.first + c];
            if (!condition->known)
                note_order_column(map, condition->column);
        }
    }
}

static enum oms_status bind_column(struct import_column *column, const struct oms_str *header, size_t count,
                                   const char *map_name, struct oms_error *error)
{
    const char *names[64];
    char text[64][64];
    size_t name_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (oms_str_eq(header[i], column->name)) {
            column->bound = i;
            return OMS_OK;
        }
        if (name_count < 64 && header[i].len < 64) {
            memcpy(text[name_count], header[i].data, header[i].len);
            text[name_count][header[i].len] = '\0';
            names[name_count] = text[name_count];
            name_count++;
        }
    }
    column->bound = IMPORT_COLUMN_UNBOUND;
    if (column->optional)
        return OMS_OK;
    const char *near = oms_str_nearest(column->name, names, name_count);
    return oms_error_set(error, OMS_INVALID, "the file has no column \"%.*s\", which the map %s needs%s%s%s",
                         OMS_STR_ARG(column->name), map_name, near ? " (it has \"" : "", near ? near : "",
                         near ? "\")" : "");
}

enum oms_status import_map_bind(struct import_map *map, const struct oms_str *header, size_t count,
                                struct oms_error *error)
{
    for (unsigned i = 0; i < map->column_count; i++) {
        enum oms_status status = bind_column(&map->columns[i], header, count, map->name, error);
        if (status != OMS_OK)
            return status;
    }
    map->order_column_count = 0;
    note_order_columns(map, &map->order, true);
    note_order_columns(map, &map->line, false);
    return OMS_OK;
}

bool import_map_first_row_only(const struct import_map *map)
{
    return map->first_row;
}

const char *import_map_skips(const struct import_map *map, const struct oms_str *fields)
{
    for (unsigned i = 0; i < map->skip_count; i++)
        if (import_conditions_hold(map, &map->skips[i].when, fields))
            return map->skips[i].because;
    return NULL;
}

size_t import_map_group_column(const struct import_map *map)
{
    return map->columns[map->group].bound;
}

size_t import_map_order_columns(const struct import_map *map, const size_t **columns)
{
    *columns = map->order_columns;
    return map->order_column_count;
}

struct oms_str import_map_column_name(const struct import_map *map, size_t column)
{
    for (unsigned i = 0; i < map->column_count; i++)
        if (map->columns[i].bound == column)
            return map->columns[i].name;
    return OMS_STR_NONE;
}
