/*
 * From a map's text to instructions. The tree is walked with an explicit stack, which also gives every
 * message its place ("order.destination.city"). Everything is checked here, so that writing a row can only
 * fail on the row.
 */
#include <stdarg.h>
#include <stdio.h>

#include "actors/money.h"
#include "http/import/import_map_impl.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/value.h"

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
    map->columns[map->column_count] =
        (struct import_column){.name = value->text, .bound = IMPORT_COLUMN_UNBOUND};
    *out = map->column_count++;
    return OMS_OK;
}

/* One column's name, or a list of them, behind those that the node has. */
static enum oms_status add_columns(struct compiler *compiler, struct import_node *node,
                                   const struct oms_value *value)
{
    size_t count = value && value->kind == OMS_VALUE_LIST ? value->list.count : 1;
    enum oms_status status = OMS_OK;

    if (count == 0 || node->column_count + count > IMPORT_NODE_COLUMNS_MAX)
        return refuse(compiler, "expected 1 to %d columns", IMPORT_NODE_COLUMNS_MAX);
    for (size_t i = 0; i < count && status == OMS_OK; i++) {
        const struct oms_value *name = value && value->kind == OMS_VALUE_LIST ? &value->list.items[i] : value;
        status = add_column(compiler, name, &node->columns[node->column_count]);
        node->column_count += status == OMS_OK;
    }
    return status;
}

static const char *option_value(const struct compiler *compiler, struct oms_str name)
{
    for (size_t i = 0; i < compiler->option_count; i++)
        if (oms_str_eq_c(name, compiler->options[i].name))
            return compiler->options[i].value;
    return NULL;
}

/* JSON of a constant, in the map's arena. */
static enum oms_status make_constant(struct compiler *compiler, const struct oms_value *value,
                                     struct oms_str *out)
{
    struct oms_buf json;

    oms_buf_init(&json, IMPORT_MAP_BYTES_MAX);
    oms_value_write_json(value, &json);
    *out = oms_str_copy(&compiler->map->arena, oms_buf_str(&json));
    oms_buf_fini(&json);
    return oms_str_present(*out) ? OMS_OK : refuse(compiler, "the map is too large");
}

static enum oms_status find_option(const struct compiler *compiler, const struct oms_value *name,
                                   const char **out)
{
    *out = name && name->kind == OMS_VALUE_STRING ? option_value(compiler, name->text) : NULL;
    return *out ? OMS_OK : refuse(compiler, "$option must name one of the map's options");
}

/* A text, or {"$option": name}. */
static enum oms_status read_text(const struct compiler *compiler, const struct oms_value *value,
                                 struct oms_str *out)
{
    const char *option;

    if (value->kind == OMS_VALUE_STRING) {
        *out = value->text;
        return OMS_OK;
    }
    if (value->kind != OMS_VALUE_OBJECT || value->object.count != 1)
        return refuse(compiler, "expected a text or {\"$option\": name}");
    enum oms_status status = find_option(compiler, oms_value_get(value, "$option"), &option);
    if (status == OMS_OK)
        *out = oms_str_of(option);
    return status;
}

static enum oms_status set_constant(struct compiler *compiler, struct import_node *node,
                                    const struct oms_value *value)
{
    node->op = IMPORT_OP_CONST;
    return make_constant(compiler, value, &node->text);
}

static enum oms_status set_option(struct compiler *compiler, struct import_node *node,
                                  const struct oms_value *name)
{
    const char *found;
    enum oms_status status = find_option(compiler, name, &found);

    if (status != OMS_OK)
        return status;
    struct oms_value text = {.kind = OMS_VALUE_STRING, .text = oms_str_of(found)};
    return set_constant(compiler, node, &text);
}

/* ---- conditions ---- */

static enum oms_status set_values(struct compiler *compiler, struct import_condition *condition,
                                  const struct oms_value *list)
{
    if (list->kind != OMS_VALUE_LIST || list->list.count == 0 || list->list.count > IMPORT_MAP_WORDS_MAX)
        return refuse(compiler, "expected a list of 1 to %d texts", IMPORT_MAP_WORDS_MAX);
    condition->values = oms_arena_calloc(&compiler->map->arena, list->list.count, sizeof(*condition->values));
    if (!condition->values)
        return refuse(compiler, "the map is too large");
    for (size_t i = 0; i < list->list.count; i++) {
        if (list->list.items[i].kind != OMS_VALUE_STRING)
            return refuse(compiler, "expected a list of texts");
        condition->values[condition->value_count++] = list->list.items[i].text;
    }
    return OMS_OK;
}

/* { "column" or "option", and "in" or "not" with a list }; a column alone: it is not empty. */
static enum oms_status set_condition(struct compiler *compiler, const struct oms_value *value,
                                     struct import_condition *out)
{
    const struct oms_value *column = oms_value_get_set(value, "column");
    const struct oms_value *option = oms_value_get_set(value, "option");
    const struct oms_value *in = oms_value_get_set(value, "in"), *not = oms_value_get_set(value, "not");
    unsigned keys = (column != NULL) + (option != NULL) + (in != NULL) + (not != NULL);
    const char *told = NULL;
    enum oms_status status;

    *out = (struct import_condition){.negated = not != NULL, .any = !in && !not };
    if (value->kind != OMS_VALUE_OBJECT || value->object.count != keys || !column == !option ||
        (in && not ) || (option && out->any))
        return refuse(compiler, "a condition is {\"column\": name} or {\"option\": name} with \"in\" or "
                                "\"not\" and a list of texts");
    if (!out->any && (status = set_values(compiler, out, in ? in : not )) != OMS_OK)
        return status;
    if (column)
        return add_column(compiler, column, &out->column);
    status = find_option(compiler, option, &told);
    out->known = true;
    for (unsigned i = 0; status == OMS_OK && i < out->value_count; i++)
        out->holds = out->holds || oms_str_eq_nocase(out->values[i], oms_str_of(told));
    out->holds = out->holds != out->negated;
    return status;
}

/* One, or a list of which all must hold. */
static enum oms_status set_conditions(struct compiler *compiler, const struct oms_value *value,
                                      struct import_conditions *out)
{
    struct import_map *map = compiler->map;
    size_t count = value->kind == OMS_VALUE_LIST ? value->list.count : 1;
    enum oms_status status = OMS_OK;

    out->first = map->condition_count;
    if (count == 0 || map->condition_count + count > IMPORT_MAP_CONDITIONS_MAX)
        return refuse(compiler, "expected a condition, and at most %d in the whole map",
                      IMPORT_MAP_CONDITIONS_MAX);
    for (size_t i = 0; i < count && status == OMS_OK; i++) {
        struct import_condition *condition = &map->conditions[map->condition_count++];
        out->count++;
        status =
            set_condition(compiler, value->kind == OMS_VALUE_LIST ? &value->list.items[i] : value, condition);
    }
    return status;
}

/* ---- operations ---- */

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
    return add_columns(compiler, node, oms_value_get(leaf, "$date"));
}

static enum oms_status set_instant(struct compiler *compiler, struct import_node *node,
                                   const struct oms_value *leaf)
{
    const struct oms_value *offset = oms_value_get_set(leaf, "offset");
    struct oms_str text = OMS_STR("Z");
    enum oms_status status = offset ? read_text(compiler, offset, &text) : OMS_OK;

    if (status != OMS_OK)
        return status;
    if (!import_offset_parse(text, &node->offset_minutes))
        return refuse(compiler, "\"%.*s\" is no offset from UTC, such as \"+02:00\"",
                      text.len > 40 ? 40 : (int)text.len, text.data);
    return add_columns(compiler, node, oms_value_get(leaf, "$instant"));
}

static enum oms_status set_word(struct compiler *compiler, struct import_node *node,
                                const struct oms_value *leaf)
{
    const struct oms_value *words = oms_value_get_set(leaf, "words");
    enum oms_status status = OMS_OK;

    if (!words || words->kind != OMS_VALUE_OBJECT || words->object.count == 0 ||
        words->object.count > IMPORT_MAP_WORDS_MAX)
        return refuse(compiler, "\"words\" must be an object of 1 to %d words", IMPORT_MAP_WORDS_MAX);
    struct import_word *own = oms_arena_calloc(&compiler->map->arena, words->object.count, sizeof(*own));
    if (!own)
        return refuse(compiler, "the map is too large");
    node->words = own;
    for (size_t i = 0; i < words->object.count && status == OMS_OK; i++) {
        const struct oms_field *field = &words->object.fields[i];
        own[i].word = field->name;
        if (field->value.kind != OMS_VALUE_NULL)
            status = make_constant(compiler, &field->value, &own[i].json);
        node->word_count++;
    }
    return status == OMS_OK ? add_columns(compiler, node, oms_value_get(leaf, "$word")) : status;
}

static enum oms_status set_sum(struct compiler *compiler, struct import_node *node,
                               const struct oms_value *leaf)
{
    const struct oms_value *less = oms_value_get_set(leaf, "less"), *by = oms_value_get_set(leaf, "by");
    enum oms_status status = add_columns(compiler, node, oms_value_get(leaf, "$sum"));

    node->added = node->column_count;
    if (status == OMS_OK && less)
        status = add_columns(compiler, node, less);
    node->divided = by != NULL;
    if (status == OMS_OK && by)
        status = by->kind == OMS_VALUE_STRING ? add_columns(compiler, node, by)
                                              : refuse(compiler, "\"by\" must be a column's name");
    return status;
}

static enum oms_status set_equals(struct compiler *compiler, struct import_node *node,
                                  const struct oms_value *leaf)
{
    const struct oms_value *to = oms_value_get_set(leaf, "to");
    enum oms_status status = add_columns(compiler, node, oms_value_get(leaf, "$equals"));

    node->added = node->column_count;
    return status == OMS_OK ? add_columns(compiler, node, to) : status;
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
        enum oms_status status = add_columns(compiler, node, oms_value_get(inputs, names[i]));
        if (status != OMS_OK || node->column_count != i + 1)
            return status != OMS_OK ? status : refuse(compiler, "\"%s\" must be one column", names[i]);
    }
    return OMS_OK;
}

static const struct operation {
    const char *name;
    enum import_op op;
    const char *extras; /* the other keys that may stand beside it */
} operations[] = {
    {"$text", IMPORT_OP_TEXT, "prefix required else strip"},
    {"$first", IMPORT_OP_TEXT, "prefix required else strip"},
    {"$order", IMPORT_OP_TEXT, "prefix required else strip"},
    {"$date", IMPORT_OP_DATE, "format as prefix required"},
    {"$instant", IMPORT_OP_INSTANT, "offset required"},
    {"$word", IMPORT_OP_WORD, "words required else"},
    {"$sum", IMPORT_OP_SUM, "less by required"},
    {"$equals", IMPORT_OP_EQUALS, "to"},
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

/* What may stand beside an operation. */
static enum oms_status set_extras(struct compiler *compiler, struct import_node *node,
                                  const struct oms_value *leaf)
{
    const struct oms_value *prefix = oms_value_get_set(leaf, "prefix"),
                           *strip = oms_value_get_set(leaf, "strip");
    const struct oms_value *required = oms_value_get_set(leaf, "required");
    const struct oms_value *otherwise = oms_value_get_set(leaf, "else");
    struct oms_value text = {.kind = OMS_VALUE_STRING};

    if ((prefix && prefix->kind != OMS_VALUE_STRING) || (strip && strip->kind != OMS_VALUE_STRING) ||
        (required && required->kind != OMS_VALUE_BOOL))
        return refuse(compiler, "\"prefix\" and \"strip\" must be text, \"required\" true or false");
    node->prefix = prefix ? prefix->text : OMS_STR_NONE;
    node->strip = strip ? strip->text : OMS_STR_NONE;
    node->required = required && required->boolean;
    if (!otherwise)
        return OMS_OK;
    enum oms_status status = read_text(compiler, otherwise, &text.text);
    return status == OMS_OK ? make_constant(compiler, &text, &node->text) : status;
}

static enum oms_status set_columns(struct compiler *compiler, struct import_node *node,
                                   const struct operation *operation, const struct oms_value *argument)
{
    bool list = argument->kind == OMS_VALUE_LIST;

    if (list != (strcmp(operation->name, "$first") == 0))
        return refuse(compiler,
                      list ? "%s takes one column; {\"$first\": [...]} takes several"
                           : "%s takes a list of columns",
                      operation->name);
    node->of_order = strcmp(operation->name, "$order") == 0;
    if (node->of_order && strcmp(compiler->section, "line") != 0)
        return refuse(compiler, "$order belongs into \"line\": it is a column of the order's first row");
    return add_columns(compiler, node, argument);
}

static enum oms_status set_leaf(struct compiler *compiler, struct import_node *node,
                                const struct oms_value *leaf, const struct operation *operation)
{
    const struct oms_value *argument = oms_value_get(leaf, operation->name);
    enum oms_status status = check_extras(compiler, leaf, operation);

    if (status == OMS_OK)
        status = set_extras(compiler, node, leaf);
    if (status != OMS_OK)
        return status;
    node->op = operation->op;
    switch (operation->op) {
    case IMPORT_OP_CONST:
        return strcmp(operation->name, "$option") == 0 ? set_option(compiler, node, argument)
                                                       : set_constant(compiler, node, argument);
    case IMPORT_OP_DATE:
        return set_date(compiler, node, leaf);
    case IMPORT_OP_INSTANT:
        return set_instant(compiler, node, leaf);
    case IMPORT_OP_WORD:
        return set_word(compiler, node, leaf);
    case IMPORT_OP_SUM:
        return set_sum(compiler, node, leaf);
    case IMPORT_OP_EQUALS:
        return set_equals(compiler, node, leaf);
    case IMPORT_OP_UNIT_PRICE:
    case IMPORT_OP_LINE_DISCOUNT:
        return set_price(compiler, node, argument);
    default:
        return set_columns(compiler, node, operation, argument);
    }
}

/* The operation that an object holds; NULL: it is an object of the template. OMS_INVALID: a '$' that is none.
 */
static enum oms_status find_operation(const struct compiler *compiler, const struct oms_value *value,
                                      const struct operation **out)
{
    *out = NULL;
    for (size_t i = 0; i < value->object.count; i++) {
        struct oms_str key = value->object.fields[i].name;
        if (key.len == 0 || key.data[0] != '$' || oms_str_eq_c(key, "$when"))
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
        return add_columns(compiler, node, value);
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
    const struct oms_value *when = oms_value_get_set(value, "$when");
    enum oms_status status = when ? set_conditions(compiler, when, &node->when) : OMS_OK;
    compiler->stack[compiler->depth++] = (struct frame){value, 0, index};
    return status;
}

/* A member of an object of the template; its condition has been read with the object. */
static enum oms_status add_member(struct compiler *compiler, struct import_template *template,
                                  const struct frame *frame, const struct oms_field *field)
{
    if (!oms_str_eq_c(field->name, "$when"))
        return add_value(compiler, template, field->name, &field->value);
    if (frame->node == UINT32_MAX)
        return refuse(compiler,
                      "\"$when\" belongs into an object inside; whole orders are left out by \"skip\"");
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
            status = add_member(compiler, template, frame, &frame->value->object.fields[child]);
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
    static const char *const keys[] = {"name", "format", "delimiter", "options",  "group", "order",
                                       "line", "about",  "rows",      "optional", "skip"};

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

/* "rows": whether every row of an order has the order's columns, or only the first. */
static enum oms_status take_rows(struct compiler *compiler, const struct oms_value *rows)
{
    if (!rows)
        return OMS_OK;
    compiler->map->first_row = rows->kind == OMS_VALUE_STRING && oms_str_eq_c(rows->text, "first");
    if (!compiler->map->first_row && (rows->kind != OMS_VALUE_STRING || !oms_str_eq_c(rows->text, "all")))
        return refuse(compiler, "\"rows\" must be \"all\" or \"first\": which rows have the order's columns");
    return OMS_OK;
}

/* "optional": columns that a file may lack. */
static enum oms_status take_optional(struct compiler *compiler, const struct oms_value *names)
{
    struct import_map *map = compiler->map;

    if (!names)
        return OMS_OK;
    if (names->kind != OMS_VALUE_LIST)
        return refuse(compiler, "\"optional\" must be a list of columns");
    for (size_t i = 0; i < names->list.count; i++) {
        unsigned c = 0;
        while (c < map->column_count && (names->list.items[i].kind != OMS_VALUE_STRING ||
                                         !oms_str_eq(map->columns[c].name, names->list.items[i].text)))
            c++;
        if (c == map->column_count || c == map->group)
            return refuse(compiler,
                          "\"optional\" must name columns that the map uses, and not that of \"group\"");
        map->columns[c].optional = true;
    }
    return OMS_OK;
}

/* "skip": [{ "when": conditions, "because": text }]. */
static enum oms_status take_skips(struct compiler *compiler, const struct oms_value *rules)
{
    struct import_map *map = compiler->map;
    enum oms_status status = OMS_OK;

    compiler->section = rules ? "skip" : NULL;
    if (rules && (rules->kind != OMS_VALUE_LIST || rules->list.count > IMPORT_MAP_SKIPS_MAX))
        return refuse(compiler, "must be a list of at most %d rules", IMPORT_MAP_SKIPS_MAX);
    for (size_t i = 0; rules && i < rules->list.count && status == OMS_OK; i++) {
        const struct oms_value *rule = &rules->list.items[i];
        const struct oms_value *when = oms_value_get_set(rule, "when");
        const struct oms_value *because = oms_value_get_set(rule, "because");
        if (!when || !because || because->kind != OMS_VALUE_STRING || rule->object.count != 2)
            return refuse(compiler, "a rule is {\"when\": condition, \"because\": text}");
        struct import_skip *skip = &map->skips[map->skip_count++];
        skip->because = oms_str_copy(&map->arena, because->text).data;
        status = skip->because ? set_conditions(compiler, when, &skip->when)
                               : refuse(compiler, "the map is too large");
    }
    if (status == OMS_OK)
        compiler->section = NULL;
    return status;
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
        compiler->section = NULL;
    }
    if (status == OMS_OK)
        status = take_skips(compiler, oms_value_get_set(root, "skip"));
    if (status == OMS_OK)
        status = take_rows(compiler, oms_value_get_set(root, "rows"));
    return status == OMS_OK ? take_optional(compiler, oms_value_get_set(root, "optional")) : status;
}

enum oms_status import_map_compile(struct import_map *map, const struct oms_value *root,
                                   const struct import_option *options, size_t option_count,
                                   struct oms_error *error)
{
    struct compiler *compiler = oms_calloc(1, sizeof(*compiler));

    *compiler = (struct compiler){.map = map, .error = error};
    enum oms_status status = compile(compiler, root, options, option_count);
    oms_free(compiler);
    return status;
}
