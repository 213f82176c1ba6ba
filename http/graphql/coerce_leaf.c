/*
 * Scalars and enums. The built-in scalars are those of section 3.5; others ask their binding, and accept
 * anything without one. Numbers keep their text except Int.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/graphql/coerce.h"
#include "http/graphql/errors.h"
#include "runtime/base/assert.h"

#define GQL_NUMBER_TEXT_MAX                                                                                  \
    400 /* digits that we look at; the longest finite double needs 309 before its point */

struct oms_value gql_literal_leaf(const struct gql_lit *lit)
{
    struct oms_value value = {.kind = OMS_VALUE_NULL};

    switch (lit->kind) {
    case GQL_LIT_INT:
    case GQL_LIT_FLOAT:
        value.kind = OMS_VALUE_NUMBER;
        value.text = lit->text;
        break;
    case GQL_LIT_STRING:
        value.kind = OMS_VALUE_STRING;
        value.text = lit->text;
        break;
    case GQL_LIT_BOOL:
        value.kind = OMS_VALUE_BOOL;
        value.boolean = lit->boolean;
        break;
    case GQL_LIT_ENUM:
        value.kind = OMS_VALUE_ENUM;
        value.text = lit->text;
        break;
    case GQL_LIT_NULL:
        break;
    case GQL_LIT_VARIABLE:
    case GQL_LIT_LIST:
    case GQL_LIT_OBJECT:
        OMS_UNREACHABLE();
    }
    return value;
}

/* At most 40 bytes of `text`, not cutting a character. */
static int gql_cut(struct oms_str text)
{
    size_t len = text.len < 40 ? text.len : 40;

    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    return (int)len;
}

static bool gql_leaf_error(char message[GQL_COERCION_MESSAGE_SIZE], struct oms_str want,
                           const struct oms_value *value)
{
    static const char *const words[] = {
        [OMS_VALUE_NULL] = "null", [OMS_VALUE_LIST] = "a list", [OMS_VALUE_OBJECT] = "an object"};
    int want_len = (int)(want.len < 80 ? want.len : 80);

    switch (value->kind) {
    case OMS_VALUE_BOOL:
        snprintf(message, GQL_COERCION_MESSAGE_SIZE, "Expected %.*s, found %s.", want_len, want.data,
                 value->boolean ? "true" : "false");
        break;
    case OMS_VALUE_INT:
        snprintf(message, GQL_COERCION_MESSAGE_SIZE, "Expected %.*s, found %lld.", want_len, want.data,
                 (long long)value->integer);
        break;
    case OMS_VALUE_STRING:
        snprintf(message, GQL_COERCION_MESSAGE_SIZE, "Expected %.*s, found \"%.*s\".", want_len, want.data,
                 gql_cut(value->text), value->text.data);
        break;
    case OMS_VALUE_NUMBER:
    case OMS_VALUE_ENUM:
        snprintf(message, GQL_COERCION_MESSAGE_SIZE, "Expected %.*s, found %.*s.", want_len, want.data,
                 gql_cut(value->text), value->text.data);
        break;
    case OMS_VALUE_NULL:
    case OMS_VALUE_LIST:
    case OMS_VALUE_OBJECT:
        snprintf(message, GQL_COERCION_MESSAGE_SIZE, "Expected %.*s, found %s.", want_len, want.data,
                 words[value->kind]);
        break;
    }
    return false;
}

/* The number as a double; false when it is none, or not finite. */
static bool gql_to_double(struct oms_str text, double *out)
{
    char buffer[GQL_NUMBER_TEXT_MAX + 1];

    if (text.len == 0 || text.len > GQL_NUMBER_TEXT_MAX)
        return false;
    memcpy(buffer, text.data, text.len);
    buffer[text.len] = '\0';
    *out = strtod(buffer, NULL);
    return isfinite(*out);
}

/* A whole number of any size as a number token; JSON may write it as 1.0 or 1e3, a literal may not. */
static bool gql_to_whole(const struct oms_value *value, bool literal, int64_t *out)
{
    double number;

    if (value->kind == OMS_VALUE_INT) {
        *out = value->integer;
        return true;
    }
    if (value->kind != OMS_VALUE_NUMBER)
        return false;
    if (oms_str_to_i64(value->text, out) == OMS_OK)
        return true;
    if (literal || !gql_to_double(value->text, &number) || trunc(number) != number || fabs(number) > 9e15)
        return false;
    *out = (int64_t)number;
    return true;
}

static bool gql_coerce_int(struct oms_value *value, bool literal, char message[GQL_COERCION_MESSAGE_SIZE])
{
    int64_t number;

    if (!gql_to_whole(value, literal, &number) || number < INT32_MIN || number > INT32_MAX)
        return gql_leaf_error(message, OMS_STR("an Int (a whole number of 32 bits)"), value);
    *value = (struct oms_value){.kind = OMS_VALUE_INT, .integer = number};
    return true;
}

static bool gql_coerce_id(struct oms_value *value, struct oms_arena *arena,
                          char message[GQL_COERCION_MESSAGE_SIZE])
{
    char digits[24];
    int len;

    if (value->kind == OMS_VALUE_STRING)
        return true;
    if (value->kind == OMS_VALUE_INT) {
        len = snprintf(digits, sizeof(digits), "%lld", (long long)value->integer);
        value->text = oms_str_copy(arena, oms_str_make(digits, (size_t)len));
    } else if (value->kind != OMS_VALUE_NUMBER || memchr(value->text.data, '.', value->text.len) ||
               memchr(value->text.data, 'e', value->text.len) ||
               memchr(value->text.data, 'E', value->text.len)) {
        return gql_leaf_error(message, OMS_STR("an ID (text or a whole number)"), value);
    }
    value->kind = OMS_VALUE_STRING;
    return oms_str_present(value->text);
}

static bool gql_coerce_builtin(enum gql_scalar scalar, struct oms_value *value, bool literal,
                               struct oms_arena *arena, char message[GQL_COERCION_MESSAGE_SIZE])
{
    double number;

    switch (scalar) {
    case GQL_SCALAR_INT:
        return gql_coerce_int(value, literal, message);
    case GQL_SCALAR_FLOAT:
        if (value->kind == OMS_VALUE_INT ||
            (value->kind == OMS_VALUE_NUMBER && gql_to_double(value->text, &number)))
            return true;
        return gql_leaf_error(message, OMS_STR("a Float (a finite number)"), value);
    case GQL_SCALAR_STRING:
        return value->kind == OMS_VALUE_STRING || gql_leaf_error(message, OMS_STR("a String"), value);
    case GQL_SCALAR_BOOLEAN:
        return value->kind == OMS_VALUE_BOOL || gql_leaf_error(message, OMS_STR("a Boolean"), value);
    case GQL_SCALAR_ID:
        return gql_coerce_id(value, arena, message);
    case GQL_SCALAR_CUSTOM:
        break;
    }
    return true;
}

static bool gql_coerce_enum(const struct gql_type *type, struct oms_value *value, bool literal,
                            char message[GQL_COERCION_MESSAGE_SIZE])
{
    const struct gql_enum_value *known = NULL;
    struct oms_str text = OMS_STR_NONE;
    char want[128];

    if (value->kind == OMS_VALUE_ENUM || (!literal && value->kind == OMS_VALUE_STRING))
        known = gql_type_value(type, value->text);
    if (known) {
        *value = (struct oms_value){.kind = OMS_VALUE_ENUM, .text = known->name};
        return true;
    }
    snprintf(want, sizeof(want), "a value of the enum %.*s", GQL_NAME(type->name));
    gql_leaf_error(message, oms_str_of(want), value);
    if (value->kind == OMS_VALUE_BOOL)
        text = value->boolean ? OMS_STR("true") : OMS_STR("false");
    else if (value->kind == OMS_VALUE_ENUM || value->kind == OMS_VALUE_STRING ||
             value->kind == OMS_VALUE_NUMBER)
        text = value->text;
    if (oms_str_present(text)) {
        struct gql_hint hint =
            gql_did_you_mean(NULL, text, type->value_count, gql_value_name_at, type->values);
        size_t len = strlen(message);
        snprintf(message + len, GQL_COERCION_MESSAGE_SIZE - len, "%s", hint.text);
    }
    return false;
}

bool gql_coerce_leaf(const struct gql_type *type, struct oms_value *value, bool literal,
                     struct oms_arena *arena, char message[GQL_COERCION_MESSAGE_SIZE])
{
    struct oms_str text = OMS_STR_NONE;

    message[0] = '\0';
    if (type->kind == GQL_KIND_ENUM)
        return gql_coerce_enum(type, value, literal, message);
    if (!gql_coerce_builtin(type->scalar, value, literal, arena, message))
        return false;
    if (!type->scalar_binding || type->scalar_binding->coerce(value, arena, &text))
        return true;
    if (oms_str_present(text)) {
        size_t len = text.len < 300 ? text.len : 300;
        while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xC0) == 0x80)
            len--;
        snprintf(message, GQL_COERCION_MESSAGE_SIZE, "%.*s", (int)len, text.data);
    } else {
        char want[128];
        snprintf(want, sizeof(want), "a %.*s", GQL_NAME(type->name));
        gql_leaf_error(message, oms_str_of(want), value);
    }
    return false;
}
