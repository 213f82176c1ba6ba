/* Refusal codes and lists; see refusal.h. */
#include "actors/refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static const char *const code_names[REFUSAL_CODE_COUNT] = {
    [REFUSAL_NONE] = "NONE",
    [REFUSAL_NOT_FOUND] = "NOT_FOUND",
    [REFUSAL_FORBIDDEN] = "FORBIDDEN",
    [REFUSAL_INVALID] = "INVALID",
    [REFUSAL_REQUIRED] = "REQUIRED",
    [REFUSAL_CONFLICT] = "CONFLICT",
    [REFUSAL_DUPLICATE] = "DUPLICATE",
    [REFUSAL_WRONG_STAGE] = "WRONG_STAGE",
    [REFUSAL_ON_HOLD] = "ON_HOLD",
    [REFUSAL_STEP_PENDING] = "STEP_PENDING",
    [REFUSAL_UNEXPECTED_STEP] = "UNEXPECTED_STEP",
    [REFUSAL_NOT_ASSIGNED_REVIEWER] = "NOT_ASSIGNED_REVIEWER",
    [REFUSAL_QUANTITY_EXCEEDED] = "QUANTITY_EXCEEDED",
    [REFUSAL_AMBIGUOUS_LINE] = "AMBIGUOUS_LINE",
    [REFUSAL_CURRENCY_MISMATCH] = "CURRENCY_MISMATCH",
    [REFUSAL_TOTALS_MISMATCH] = "TOTALS_MISMATCH",
    [REFUSAL_PAYMENT_OUTSTANDING] = "PAYMENT_OUTSTANDING",
    [REFUSAL_RETURN_WINDOW_EXPIRED] = "RETURN_WINDOW_EXPIRED",
    [REFUSAL_NOT_RETURNABLE] = "NOT_RETURNABLE",
    [REFUSAL_PARTIAL_RETURN_NOT_ALLOWED] = "PARTIAL_RETURN_NOT_ALLOWED",
    [REFUSAL_REFUND_EXCEEDED] = "REFUND_EXCEEDED",
    [REFUSAL_IDEMPOTENCY_MISMATCH] = "IDEMPOTENCY_MISMATCH",
    [REFUSAL_NON_CONTIGUOUS] = "NON_CONTIGUOUS",
    [REFUSAL_LIMIT_EXCEEDED] = "LIMIT_EXCEEDED",
    [REFUSAL_TENANT_SUSPENDED] = "TENANT_SUSPENDED",
    [REFUSAL_BUSY] = "BUSY",
    [REFUSAL_OUTCOME_UNKNOWN] = "OUTCOME_UNKNOWN",
};

const char *refusal_code_name(enum refusal_code code)
{
    OMS_ASSERT((unsigned)code < REFUSAL_CODE_COUNT);
    return code_names[code];
}

static struct oms_str format_in_arena(struct oms_arena *arena, const char *format, va_list args)
{
    va_list again;
    char *text;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    OMS_ASSERT(len >= 0);
    text = oms_arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return OMS_STR_NONE;
    vsnprintf(text, (size_t)len + 1, format, args);
    return oms_str_make(text, (size_t)len);
}

/* Doubles the array; the old one stays behind in the arena, which is short-lived. */
static bool grow(struct refusal_list *list)
{
    size_t cap = list->cap * 2;
    struct refusal *items;

    if (list->count < list->cap)
        return true;
    items = oms_arena_calloc(list->arena, cap, sizeof *items);
    if (!items)
        return false;
    memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->cap = cap;
    return true;
}

bool refusal_add(struct refusal_list *list, enum refusal_code code, struct oms_str field, const char *format,
                 ...)
{
    struct refusal *refusal;
    va_list args;

    OMS_ASSERT(code > REFUSAL_NONE && code < REFUSAL_CODE_COUNT);
    if (list->count >= OMS_REFUSALS_MAX || !grow(list))
        return false;
    refusal = &list->items[list->count++];
    refusal->code = code;
    refusal->field = field;
    va_start(args, format);
    refusal->message = format_in_arena(list->arena, format, args);
    va_end(args);
    if (!oms_str_present(refusal->message))
        refusal->message = OMS_STR("the command is too large to say more");
    return false;
}

struct oms_str refusal_field(struct refusal_list *list, const char *format, ...)
{
    struct oms_str field;
    va_list args;

    va_start(args, format);
    field = format_in_arena(list->arena, format, args);
    va_end(args);
    return field;
}
