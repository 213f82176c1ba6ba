/*
 * From a map's text to instructions. The tree is walked with an explicit stack, which also gives every
 * message its place ("order.destination.city"). Everything is checked here, so that writing a row can only
 * fail on the row.
 */
#include "http/import/import_map.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "actors/money.h"
#include "http/import/import_map_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

#define MAP_BYTES_MAX (1u << 20)

struct frame {
    const struct oms_value *value;
    size_t next;   /* child */
    unsigned node; /* of the container; the root has none */
};

/* The state of one compilation. */
struct compiler {
    struct import_map *map;
    struct import_option options[IMPORT_MAP_OPTIONS_MAX]; /* defaults of the map, then what the user gave */
    size_t option_count;
    const char *section; /* "order", "line" */
    struct frame stack[IMPORT_MAP_DEPTH_MAX];
    unsigned depth;
    struct oms_error *error;
};

/* ---- messages ---- */

/* "order.destination.city"; list items have no name of their own. */
static const char *place(const struct compiler *compiler, char out[256])
{
    size_t len = (size_t)snprintf(out, 256, "%s", compiler->section ? compiler->section : "the map");

    for (unsigned i = 0; i < compiler->depth && len < 200; i++) {
        const struct frame *frame = &compiler->stack[i];
        if (frame->value->kind != OMS_VALUE_OBJECT || frame->next == 0)
            continue;
        struct oms_str name = frame->value->object.fields[frame->next - 1].name;
        if (name.len > 40)
            name.len = 40;
        len += (size_t)snprintf(out + len, 256 - len, ".%.*s", OMS_STR_ARG(name));
    }
    return out;
}

static enum oms_status refuse(const struct compiler *compiler, const char *format, ...) OMS_PRINTF(2, 3);

static enum oms_status refuse(const struct compiler *compiler, const char *format, ...)
{
    char message[320], where[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return oms_error_set(compiler->error, OMS_INVALID, "map %.60s: %.160s: %.260s", compiler->map->name,
                         place(compiler, where), message);
}

/* ---- leaves ---- */

static enum oms_status add_column(struct compiler *compiler, const struct oms_value *value, unsigned *out)
{
    struct import_map *map = compiler->map;

    if (!value || value->kind != OMS_VALUE_STRING || value->text.len == 0)
        return refuse(compiler, "expected a column's name");
    for (unsigned i = 0; i < map->column_count; i++) {
        if (oms_str_eq(map->columns[i].name, value->text)) {
            *out = i;
            return OMS_OK;
        }
    }
    if (map->column_count == IMPORT_MAP_COLUMNS_MAX)
        return refuse(compiler, "more than %d columns", IMPORT_MAP_COLUMNS_MAX);
    map->columns[map->column_count] = (struct import_column){value->text, IMPORT_COLUMN_UNBOUND};
    *out = map->column_count++;
    return OMS_OK;
}

static const char *option_value(const struct compiler *compiler, struct oms_str name)
{
    for (size_t i = 0; i < compiler->option_count; i++)
        if (oms_str_eq_c(name, compiler->options[i].name))
            return compiler->options[i].value;
    return NULL;
}

/* JSON of a constant, in the map's arena. */
static enum oms_status set_constant(struct compiler *compiler, struct import_node *node,
                                    const struct oms_value *value)
{
    struct oms_buf json;

    oms_buf_init(&json, MAP_BYTES_MAX);
    oms_value_write_json(value, &json);
    node->op = IMPORT_OP_CONST;
    node->text = oms_str_copy(&compiler->map->arena, oms_buf_str(&json));
    oms_buf_fini(&json);
    return oms_str_present(node->text) ? OMS_OK : refuse(compiler, "the map is too large");
}

static enum oms_status set_option(struct compiler *compiler, struct import_node *node,
                                  const struct oms_value *name)
{
    const char *found = name->kind == OMS_VALUE_STRING ? option_value(compiler, name->text) : NULL;

    if (!found)
        return refuse(compiler, "$option must name one of the map's options");
    struct oms_value text = {.kind = OMS_VALUE_STRING, .text = oms_str_of(found)};
    return set_constant(compiler, node, &text);
}

static bool date_format_valid(const char *format)
{
    unsigned years = 0, months = 0, days = 0;

    for (const char *at = format; *at;) {
        size_t run = strspn(at, (char[]){*at, '\0'});
        years += *at == 'Y';
        months += *at == 'M';
        days += *at == 'D';
        if ((*at == 'Y' && run != 4) || ((*at == 'M' || *at == 'D') && run > 2))
            return false;
        if (*at >= '0' && *at <= '9')
            return false;
        at += run;
    }
    return years == 1 && months == 1 && days == 1;
}

static enum oms_status set_date(struct compiler *compiler, struct import_node *node,
                                const struct oms_value *leaf)
{
    const struct oms_value *format = oms_value_get_set(leaf, "format");
    const struct oms_value *as = oms_value_get_set(leaf, "as");

    node->op = IMPORT_OP_DATE;
    if (as && as->kind == OMS_VALUE_STRING && oms_str_eq_c(as->text, "day"))
        node->op = IMPORT_OP_DAY;
    else if (as && (as->kind != OMS_VALUE_STRING || !oms_str_eq_c(as->text, "instant")))
        return refuse(compiler, "\"as\" must be \"instant\" or \"day\"");
    node->format = "YYYY-MM-DD";
    if (format && format->kind == OMS_VALUE_STRING)
        node->format = oms_str_copy(&compiler->map->arena, format->text).data;
    if (!node->format || (format && format->kind != OMS_VALUE_STRING) || !date_format_valid(node->format))
        return refuse(compiler, "\"format\" must have YYYY, M or MM, and D or DD, such as \"M/D/YYYY\"");
    return add_column(compiler, oms_value_get(leaf, "$date"), &node->columns[0]);
}

static enum oms_status set_price(struct compiler *compiler, struct import_node *node,
                                 const struct oms_value *inputs)
{
    static const char *const names[] = {"net", "discount", "quantity"};

    if (!option_value(compiler, OMS_STR("currency")))
        return refuse(compiler, "prices need the option \"currency\" in the map");
    if (inputs->kind != OMS_VALUE_OBJECT || inputs->object.count != 3)
        return refuse(compiler, "expected the columns of \"net\", \"discount\" and \"quantity\"");
    for (unsigned i = 0; i < 3; i++) {
        enum oms_status status = add_column(compiler, oms_value_get(inputs, names[i]), &node->columns[i]);
        if (status != OMS_OK)
            return status;
    }
    return OMS_OK;
}

static const struct operation {
    const char *name;
    enum import_op op;
    const char *extras; /* the other keys that may stand beside it */
} operations[] = {
    {"$text", IMPORT_OP_TEXT, "prefix required"},
    {"$date", IMPORT_OP_DATE, "format as prefix required"},
    {"$integer", IMPORT_OP_INTEGER, "required"},
    {"$decimal", IMPORT_OP_DECIMAL, "required"},
    {"$boolean", IMPORT_OP_BOOLEAN, "required"},
    {"$const", IMPORT_OP_CONST, ""},
    {"$option", IMPORT_OP_CONST, ""},
    {"$unitPrice", IMPORT_OP_UNIT_PRICE, ""},
    {"$lineDiscount", IMPORT_OP_LINE_DISCOUNT, ""},
};

static enum oms_status check_extras(const struct compiler *compiler, const struct oms_value *leaf,
                                    const struct operation *operation)
{
    for (size_t i = 0; i < leaf->object.count; i++) {
        struct oms_str key = leaf->object.fields[i].name;
        const char *found = memmem(operation->extras, strlen(operation->extras), key.data, key.len);
        bool whole = found && (found == operation->extras || found[-1] == ' ') &&
                     (found[key.len] == '\0' || found[key.len] == ' ');
        if (!oms_str_eq_c(key, operation->name) && !whole)
            return refuse(compiler, "\"%.*s\" does not go with %s", OMS_STR_ARG(key), operation->name);
    }
    return OMS_OK;
}

static enum oms_status set_leaf(struct compiler *compiler, struct import_node *node,
                                const struct oms_value *leaf, const struct operation *operation)
{
    const struct oms_value *argument = oms_value_get(leaf, operation->name);
    const struct oms_value *prefix = oms_value_get_set(leaf, "prefix");
    const struct oms_value *required = oms_value_get_set(leaf, "required");
    enum oms_status status = check_extras(compiler, leaf, operation);

    if (status != OMS_OK)
        return status;
    if ((prefix && prefix->kind != OMS_VALUE_STRING) || (required && required->kind != OMS_VALUE_BOOL))
        return refuse(compiler, "\"prefix\" must be text, \"required\" true or false");
    node->op = operation->op;
    node->prefix = prefix ? prefix->text : OMS_STR_NONE;
    node->required = required && required->boolean;
    if (strcmp(operation->name, "$option") == 0)
        return set_option(compiler, node, argument);
    if (operation->op == IMPORT_OP_CONST)
        return set_constant(compiler, node, argument);
    if (operation->op == IMPORT_OP_DATE)
        return set_date(compiler, node, leaf);
    if (operation->op == IMPORT_OP_UNIT_PRICE || operation->op == IMPORT_OP_LINE_DISCOUNT)
        return set_price(compiler, node, argument);
    return add_column(compiler, argument, &node->columns[0]);
}

/* The operation that an object holds; NULL: it is an object of the template. OMS_INVALID: a '$' that is none.
 */
static enum oms_status find_operation(const struct compiler *compiler, const struct oms_value *value,
                                      const struct operation **out)
{
    *out = NULL;
    for (size_t i = 0; i < value->object.count; i++) {
        struct oms_str key = value->object.fields[i].name;
        if (key.len == 0 || key.data[0] != '$')
            continue;
        for (unsigned o = 0; o < OMS_COUNT_OF(operations); o++)
            if (oms_str_eq_c(key, operations[o].name))
                *out = &operations[o];
        if (!*out)
            return refuse(compiler, "there is no operation %.*s", OMS_STR_ARG(key));
        return OMS_OK;
    }
    return OMS_OK;
}

/* ---- templates ---- */

/* Adds one value; a container is pushed. */
static enum oms_status add_value(struct compiler *compiler, struct import_template *template,
                                 struct oms_str name, const struct oms_value *value)
{
    const struct operation *operation = NULL;

    if (template->count == IMPORT_MAP_NODES_MAX)
        return refuse(compiler, "more than %d fields", IMPORT_MAP_NODES_MAX);
    unsigned index = template->count++;
    struct import_node *node = &template->nodes[index];
    *node = (struct import_node){.op = IMPORT_OP_TEXT, .name = name, .end = index + 1};
    if (value->kind == OMS_VALUE_STRING)
        return add_column(compiler, value, &node->columns[0]);
    if (value->kind != OMS_VALUE_OBJECT && value->kind != OMS_VALUE_LIST)
        return refuse(compiler,
                      "expected a column's name, an object or a list (a fixed value is {\"$const\": …})");
    if (value->kind == OMS_VALUE_OBJECT) {
        enum oms_status status = find_operation(compiler, value, &operation);
        if (status != OMS_OK)
            return status;
        if (operation)
            return set_leaf(compiler, node, value, operation);
    }
    if (compiler->depth == IMPORT_MAP_DEPTH_MAX)
        return refuse(compiler, "nested deeper than %d", IMPORT_MAP_DEPTH_MAX);
    node->op = value->kind == OMS_VALUE_OBJECT ? IMPORT_OP_OBJECT : IMPORT_OP_LIST;
    compiler->stack[compiler->depth++] = (struct frame){value, 0, index};
    return OMS_OK;
}

static enum oms_status compile_template(struct compiler *compiler, const char *section,
                                        const struct oms_value *root, struct import_template *template)
{
    enum oms_status status = OMS_OK;

    compiler->section = section;
    compiler->depth = 0;
    if (!root || root->kind != OMS_VALUE_OBJECT)
        return refuse(compiler, "must be an object");
    compiler->stack[compiler->depth++] = (struct frame){root, 0, UINT32_MAX};
    while (compiler->depth > 0 && status == OMS_OK) {
        struct frame *frame = &compiler->stack[compiler->depth - 1];
        bool object = frame->value->kind == OMS_VALUE_OBJECT;
        size_t count = object ? frame->value->object.count : frame->value->list.count;
        if (frame->next == count) {
            if (frame->node != UINT32_MAX)
                template->nodes[frame->node].end = template->count;
            compiler->depth--;
            continue;
        }
        size_t child = frame->next++;
        if (object)
            status = add_value(compiler, template, frame->value->object.fields[child].name,
                               &frame->value->object.fields[child].value);
        else
            status = add_value(compiler, template, OMS_STR_NONE, &frame->value->list.items[child]);
    }
    if (status == OMS_OK)
        compiler->section = NULL;
    return status;
}

static enum oms_status compile_order(struct compiler *compiler, const struct oms_value *order)
{
    struct import_map *map = compiler->map;
    enum oms_status status = compile_template(compiler, "order", order, &map->order);

    if (status != OMS_OK)
        return status;
    if (!oms_value_get(order, "externalRef"))
        return refuse(compiler, "order needs \"externalRef\": it is what makes an import repeatable");
    if (oms_value_get(order, "lineItems"))
        return refuse(compiler, "order must not have \"lineItems\": they come from \"line\"");
    if (!oms_value_get(order, "source")) {
        if (map->order.count == IMPORT_MAP_NODES_MAX)
            return refuse(compiler, "more than %d fields", IMPORT_MAP_NODES_MAX);
        struct oms_value name = {.kind = OMS_VALUE_STRING, .text = oms_str_of(map->name)};
        struct import_node *node = &map->order.nodes[map->order.count];
        *node = (struct import_node){.name = OMS_STR("source"), .end = map->order.count + 1};
        map->order.count++;
        return set_constant(compiler, node, &name);
    }
    return OMS_OK;
}

/* ---- the rest of a map ---- */

static enum oms_status check_keys(const struct compiler *compiler, const struct oms_value *root)
{
    static const char *const keys[] = {"name",  "format", "delimiter", "options",
                                       "group", "order",  "line",      "about"};

    for (size_t i = 0; i < root->object.count; i++) {
        struct oms_str key = root->object.fields[i].name;
        bool known = false;
        for (unsigned k = 0; k < OMS_COUNT_OF(keys); k++)
            known = known || oms_str_eq_c(key, keys[k]);
        if (!known) {
            const char *near = oms_str_nearest(key, keys, OMS_COUNT_OF(keys));
            return refuse(compiler, "unknown key \"%.*s\"%s%s%s", OMS_STR_ARG(key),
                          near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
    }
    return OMS_OK;
}

/* The map's options with their defaults, overridden by what the user gave. */
static enum oms_status take_options(struct compiler *compiler, const struct oms_value *root,
                                    const struct import_option *given, size_t given_count)
{
    const struct oms_value *options = oms_value_get_set(root, "options");

    if (options && (options->kind != OMS_VALUE_OBJECT || options->object.count > IMPORT_MAP_OPTIONS_MAX))
        return refuse(compiler, "options must be an object of at most %d texts", IMPORT_MAP_OPTIONS_MAX);
    for (size_t i = 0; options && i < options->object.count; i++) {
        const struct oms_field *field = &options->object.fields[i];
        if (field->value.kind != OMS_VALUE_STRING)
            return refuse(compiler, "options.%.*s must be text", OMS_STR_ARG(field->name));
        compiler->options[compiler->option_count++] =
            (struct import_option){oms_str_copy(&compiler->map->arena, field->name).data,
                                   oms_str_copy(&compiler->map->arena, field->value.text).data};
    }
    for (size_t i = 0; i < given_count; i++) {
        size_t at = 0;
        while (at < compiler->option_count && strcmp(compiler->options[at].name, given[i].name) != 0)
            at++;
        if (at == compiler->option_count)
            return refuse(compiler, "it has no option \"%s\"", given[i].name);
        compiler->options[at].value = oms_str_copy(&compiler->map->arena, oms_str_of(given[i].value)).data;
    }
    const char *currency = option_value(compiler, OMS_STR("currency"));
    if (currency) {
        uint16_t code = money_currency_parse(oms_str_of(currency));
        if (code == MONEY_CURRENCY_NONE)
            return refuse(compiler, "\"%s\" is no ISO 4217 currency, such as USD", currency);
        compiler->map->exponent = money_exponent(code);
    }
    return OMS_OK;
}

static enum oms_status take_head(struct compiler *compiler, const struct oms_value *root)
{
    struct import_map *map = compiler->map;
    const struct oms_value *name = oms_value_get_set(root, "name");
    const struct oms_value *format = oms_value_get_set(root, "format");
    const struct oms_value *delimiter = oms_value_get_set(root, "delimiter");

    if (!name || name->kind != OMS_VALUE_STRING || name->text.len == 0 || name->text.len > 100)
        return refuse(compiler, "\"name\" must be a text: it becomes the orders' source");
    map->name = oms_str_copy(&map->arena, name->text).data;
    map->delimiter = ',';
    if (delimiter) {
        if (delimiter->kind != OMS_VALUE_STRING || delimiter->text.len != 1 ||
            delimiter->text.data[0] == '"' || delimiter->text.data[0] == '\n' ||
            delimiter->text.data[0] == '\r')
            return refuse(compiler, "\"delimiter\" must be one character, such as \";\"");
        map->delimiter = delimiter->text.data[0];
    }
    if (format && format->kind == OMS_VALUE_STRING && oms_str_eq_c(format->text, "jsonl"))
        map->json_lines = true;
    else if (format && (format->kind != OMS_VALUE_STRING || !oms_str_eq_c(format->text, "csv")))
        return refuse(compiler, "\"format\" must be \"csv\" or \"jsonl\"");
    return OMS_OK;
}

static enum oms_status compile(struct compiler *compiler, const struct oms_value *root,
                               const struct import_option *options, size_t option_count)
{
    if (root->kind != OMS_VALUE_OBJECT)
        return refuse(compiler, "must be an object");
    enum oms_status status = check_keys(compiler, root);
    if (status == OMS_OK)
        status = take_head(compiler, root);
    if (status == OMS_OK)
        status = take_options(compiler, root, options, option_count);
    if (status != OMS_OK || compiler->map->json_lines)
        return status;
    status = compile_order(compiler, oms_value_get(root, "order"));
    if (status == OMS_OK)
        status = compile_template(compiler, "line", oms_value_get(root, "line"), &compiler->map->line);
    if (status == OMS_OK) {
        compiler->section = "group";
        compiler->depth = 0;
        status = add_column(compiler, oms_value_get(root, "group"), &compiler->map->group);
    }
    return status;
}

enum oms_status import_map_parse(const char *name, struct oms_str text, const struct import_option *options,
                                 size_t option_count, struct import_map **out, struct oms_error *error)
{
    struct import_map *map = oms_calloc(1, sizeof(*map));
    struct compiler *compiler = oms_calloc(1, sizeof(*compiler));
    struct oms_json_error json_error;
    struct oms_value root;

    oms_arena_init(&map->arena, 16384, 8 * MAP_BYTES_MAX);
    oms_buf_init(&map->text, MAP_BYTES_MAX);
    oms_buf_append_str(&map->text, text);
    map->name = name;
    *compiler = (struct compiler){.map = map, .error = error};
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
        status = compile(compiler, &root, options, option_count);
    if (status == OMS_OK && map->arena.exhausted)
        status = oms_error_set(error, OMS_LIMIT, "map %s: too large", name);
    oms_free(compiler);
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
    oms_buf_init(&file, MAP_BYTES_MAX);
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

static unsigned columns_used(enum import_op op)
{
    switch (op) {
    case IMPORT_OP_OBJECT:
    case IMPORT_OP_LIST:
    case IMPORT_OP_CONST:
        return 0;
    case IMPORT_OP_UNIT_PRICE:
    case IMPORT_OP_LINE_DISCOUNT:
        return 3;
    default:
        return 1;
    }
}

static void note_order_column(struct import_map *map, size_t bound)
{
    for (size_t i = 0; i < map->order_column_count; i++)
        if (map->order_columns[i] == bound)
            return;
    map->order_columns[map->order_column_count++] = bound;
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
    for (unsigned i = 0; i < map->order.count; i++) {
        const struct import_node *node = &map->order.nodes[i];
        for (unsigned c = 0; c < columns_used(node->op); c++)
            note_order_column(map, map->columns[node->columns[c]].bound);
    }
    return OMS_OK;
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
