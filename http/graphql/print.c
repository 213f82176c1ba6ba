/*
 * A schema as SDL, so that clients' tools can take it from the program. What is built in is left out; of the
 * directives applied in the source those with a meaning for clients stay (@deprecated, @specifiedBy, @oneOf).
 * Parsing the output gives the same schema.
 */
#include "http/graphql/print.h"

#include "http/graphql/types.h"
#include "runtime/base/json.h"

/* ---- values ---- */

static void gql_print_scalar_literal(const struct gql_lit *lit, struct oms_buf *out)
{
    if (lit->kind == GQL_LIT_STRING) {
        oms_json_write_string(out, lit->text); /* JSON's escapes are GraphQL's */
        return;
    }
    if (lit->kind == GQL_LIT_VARIABLE)
        oms_buf_append_char(out, '$');
    oms_buf_append_str(out, lit->text);
}

/* Recursion is bounded by the parser's nesting limit. */
void gql_print_literal(const struct gql_lit *lit, struct oms_buf *out)
{
    if (lit->kind == GQL_LIT_LIST) {
        oms_buf_append_char(out, '[');
        for (const struct gql_lit *item = lit->items; item; item = item->next) {
            gql_print_literal(item, out);
            if (item->next)
                oms_buf_append_lit(out, ", ");
        }
        oms_buf_append_char(out, ']');
    } else if (lit->kind == GQL_LIT_OBJECT) {
        oms_buf_append_str(out, lit->fields ? OMS_STR("{ ") : OMS_STR("{"));
        for (const struct gql_lit_field *field = lit->fields; field; field = field->next) {
            oms_buf_append_str(out, field->name);
            oms_buf_append_lit(out, ": ");
            gql_print_literal(field->value, out);
            oms_buf_append_str(out, field->next ? OMS_STR(", ") : OMS_STR(" "));
        }
        oms_buf_append_char(out, '}');
    } else {
        gql_print_scalar_literal(lit, out);
    }
}

/* ---- descriptions ---- */

/* Whether a block string can hold the text as it is. */
static bool gql_fits_block(struct oms_str text)
{
    static const char blank[] = " \t\n";

    if (text.len == 0 || strchr(blank, text.data[0]) || strchr(blank, text.data[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 && c != '\t' && c != '\n')
            return false;
    }
    return true;
}

static void gql_print_block_line(struct oms_str text, size_t from, size_t to, struct oms_buf *out)
{
    for (size_t i = from; i < to;) {
        if (to - i >= 3 && memcmp(text.data + i, "\"\"\"", 3) == 0) {
            oms_buf_append_lit(out, "\\\"\"\"");
            i += 3;
        } else {
            oms_buf_append_char(out, text.data[i++]);
        }
    }
}

static void gql_print_description(struct oms_str text, const char *indent, struct oms_buf *out)
{
    if (!oms_str_present(text))
        return;
    oms_buf_append_str(out, oms_str_of(indent));
    if (!gql_fits_block(text)) {
        oms_json_write_string(out, text);
        oms_buf_append_char(out, '\n');
        return;
    }
    oms_buf_append_lit(out, "\"\"\"\n");
    for (size_t at = 0; at < text.len;) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t to = end ? (size_t)(end - text.data) : text.len;
        if (to > at)
            oms_buf_append_str(out, oms_str_of(indent));
        gql_print_block_line(text, at, to, out);
        oms_buf_append_char(out, '\n');
        at = to + 1;
    }
    oms_buf_append_str(out, oms_str_of(indent));
    oms_buf_append_lit(out, "\"\"\"\n");
}

static void gql_print_deprecated(bool deprecated, struct oms_str reason, struct oms_buf *out)
{
    if (!deprecated)
        return;
    oms_buf_append_lit(out, " @deprecated");
    if (!oms_str_eq_c(reason, "No longer supported")) {
        oms_buf_append_lit(out, "(reason: ");
        oms_json_write_string(out, reason);
        oms_buf_append_char(out, ')');
    }
}

/* ---- members ---- */

static void gql_print_input(const struct gql_input *input, struct oms_buf *out)
{
    oms_buf_append_str(out, input->name);
    oms_buf_append_lit(out, ": ");
    gql_typeref_write(input->type, out);
    if (input->initial) {
        oms_buf_append_lit(out, " = ");
        oms_buf_append_str(out, input->initial_text);
    }
    gql_print_deprecated(input->deprecated, input->reason, out);
}

/* On one line, or a line each when one of them is described. */
static void gql_print_args(const struct gql_input *args, uint32_t count, const char *indent,
                           struct oms_buf *out)
{
    bool described = false;

    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        described |= oms_str_present(args[i].description);
    oms_buf_append_str(out, described ? OMS_STR("(\n") : OMS_STR("("));
    for (uint32_t i = 0; i < count; i++) {
        if (described) {
            gql_print_description(args[i].description, indent[0] ? "    " : "  ", out);
            oms_buf_append_str(out, oms_str_of(indent[0] ? "    " : "  "));
        }
        gql_print_input(&args[i], out);
        if (described)
            oms_buf_append_char(out, '\n');
        else if (i + 1 < count)
            oms_buf_append_lit(out, ", ");
    }
    if (described)
        oms_buf_append_str(out, oms_str_of(indent));
    oms_buf_append_char(out, ')');
}

static void gql_print_fields(const struct gql_type *type, struct oms_buf *out)
{
    oms_buf_append_lit(out, " {\n");
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gql_field *field = &type->fields[i];
        gql_print_description(field->description, "  ", out);
        oms_buf_append_lit(out, "  ");
        oms_buf_append_str(out, field->name);
        gql_print_args(field->args, field->arg_count, "  ", out);
        oms_buf_append_lit(out, ": ");
        gql_typeref_write(field->type, out);
        gql_print_deprecated(field->deprecated, field->reason, out);
        oms_buf_append_char(out, '\n');
    }
    oms_buf_append_lit(out, "}\n");
}

static void gql_print_input_fields(const struct gql_type *type, struct oms_buf *out)
{
    oms_buf_append_str(out, type->one_of ? OMS_STR(" @oneOf {\n") : OMS_STR(" {\n"));
    for (uint32_t i = 0; i < type->input_count; i++) {
        gql_print_description(type->inputs[i].description, "  ", out);
        oms_buf_append_lit(out, "  ");
        gql_print_input(&type->inputs[i], out);
        oms_buf_append_char(out, '\n');
    }
    oms_buf_append_lit(out, "}\n");
}

static void gql_print_values(const struct gql_type *type, struct oms_buf *out)
{
    oms_buf_append_lit(out, " {\n");
    for (uint32_t i = 0; i < type->value_count; i++) {
        gql_print_description(type->values[i].description, "  ", out);
        oms_buf_append_lit(out, "  ");
        oms_buf_append_str(out, type->values[i].name);
        gql_print_deprecated(type->values[i].deprecated, type->values[i].reason, out);
        oms_buf_append_char(out, '\n');
    }
    oms_buf_append_lit(out, "}\n");
}

static void gql_print_names(const char *before, const char *between, const struct gql_type *const *types,
                            uint32_t count, struct oms_buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        oms_buf_append_str(out, oms_str_of(i ? between : before));
        oms_buf_append_str(out, types[i]->name);
    }
}

/* ---- definitions ---- */

static void gql_print_type(const struct gql_type *type, struct oms_buf *out)
{
    static const char *const words[] = {"scalar ", "type ", "interface ", "union ", "enum ", "input "};

    gql_print_description(type->description, "", out);
    oms_buf_append_str(out, oms_str_of(words[type->kind]));
    oms_buf_append_str(out, type->name);
    switch (type->kind) {
    case GQL_KIND_OBJECT:
    case GQL_KIND_INTERFACE:
        gql_print_names(" implements ", " & ", type->interfaces, type->interface_count, out);
        gql_print_fields(type, out);
        break;
    case GQL_KIND_UNION:
        gql_print_names(" = ", " | ", type->possible, type->possible_count, out);
        oms_buf_append_char(out, '\n');
        break;
    case GQL_KIND_ENUM:
        gql_print_values(type, out);
        break;
    case GQL_KIND_INPUT:
        gql_print_input_fields(type, out);
        break;
    case GQL_KIND_SCALAR:
    case GQL_KIND_LIST:
    case GQL_KIND_NON_NULL:
        if (oms_str_present(type->specified_by)) {
            oms_buf_append_lit(out, " @specifiedBy(url: ");
            oms_json_write_string(out, type->specified_by);
            oms_buf_append_char(out, ')');
        }
        oms_buf_append_char(out, '\n');
        break;
    }
}

static void gql_print_directive(const struct gql_directive *directive, struct oms_buf *out)
{
    const char *separator = " on ";

    gql_print_description(directive->description, "", out);
    oms_buf_append_lit(out, "directive @");
    oms_buf_append_str(out, directive->name);
    gql_print_args(directive->args, directive->arg_count, "", out);
    if (directive->repeatable)
        oms_buf_append_lit(out, " repeatable");
    for (int i = 0; i < GQL_LOCATION_COUNT; i++) {
        if (!(directive->locations >> i & 1))
            continue;
        oms_buf_append_str(out, oms_str_of(separator));
        oms_buf_append_str(out, oms_str_of(gql_location_name((enum gql_location)i)));
        separator = " | ";
    }
    oms_buf_append_char(out, '\n');
}

static void gql_print_roots(const struct gql_schema *schema, struct oms_buf *out)
{
    gql_print_description(schema->description, "", out);
    oms_buf_append_lit(out, "schema {\n");
    for (int i = 0; i < 3; i++) {
        if (!schema->roots[i])
            continue;
        oms_buf_append_lit(out, "  ");
        oms_buf_append_str(out, oms_str_of(gql_operation_word((enum gql_operation)i)));
        oms_buf_append_lit(out, ": ");
        oms_buf_append_str(out, schema->roots[i]->name);
        oms_buf_append_char(out, '\n');
    }
    oms_buf_append_lit(out, "}\n");
}

void gql_schema_print(const struct gql_schema *schema, struct oms_buf *out)
{
    gql_print_roots(schema, out);
    for (uint32_t i = 0; i < schema->directive_count; i++) {
        if (schema->directives[i]->builtin)
            continue;
        oms_buf_append_char(out, '\n');
        gql_print_directive(schema->directives[i], out);
    }
    for (uint32_t i = 0; i < schema->type_count; i++) {
        if (schema->types[i]->builtin)
            continue;
        oms_buf_append_char(out, '\n');
        gql_print_type(schema->types[i], out);
    }
}
