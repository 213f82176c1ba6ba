/*
 * A domain refusal: why a command was not done, as a value with a code, an input path and a sentence.
 *
 * A refusal changes nothing and can be many (every bad field of an input at once). The codes are the API's
 * UserErrorCode (their names are fixed); numbers may be stored, so new codes go to the end.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include "runtime/base/str.h"

enum refusal_code {
    REFUSAL_NONE = 0,
    REFUSAL_NOT_FOUND,
    REFUSAL_FORBIDDEN,
    REFUSAL_INVALID,
    REFUSAL_REQUIRED,
    REFUSAL_CONFLICT,
    REFUSAL_DUPLICATE,
    REFUSAL_WRONG_STAGE,
    REFUSAL_ON_HOLD,
    REFUSAL_STEP_PENDING,
    REFUSAL_UNEXPECTED_STEP,
    REFUSAL_NOT_ASSIGNED_REVIEWER,
    REFUSAL_QUANTITY_EXCEEDED,
    REFUSAL_AMBIGUOUS_LINE,
    REFUSAL_CURRENCY_MISMATCH,
    REFUSAL_TOTALS_MISMATCH,
    REFUSAL_PAYMENT_OUTSTANDING,
    REFUSAL_RETURN_WINDOW_EXPIRED,
    REFUSAL_NOT_RETURNABLE,
    REFUSAL_PARTIAL_RETURN_NOT_ALLOWED,
    REFUSAL_REFUND_EXCEEDED,
    REFUSAL_IDEMPOTENCY_MISMATCH,
    REFUSAL_NON_CONTIGUOUS,
    REFUSAL_LIMIT_EXCEEDED,
    REFUSAL_TENANT_SUSPENDED,
    REFUSAL_BUSY,
    REFUSAL_OUTCOME_UNKNOWN,
    REFUSAL_CODE_COUNT
};

/* "WRONG_STAGE"; static storage. */
const char *refusal_code_name(enum refusal_code code);

struct refusal {
    enum refusal_code code;
    /*
     * The input field, its parts joined by dots and list indexes from 0: "lineItems.0.orderQuantity". Without
     * the argument's name ("input"). Absent when the refusal is about no field.
     */
    struct oms_str field;
    struct oms_str message; /* a sentence for a person, UTF-8, with a full stop left out */
};

#define REFUSALS_INLINE 4

/*
 * Refusals in the order found; text lives in `arena`. The first few need no memory, so that an exhausted
 * arena never turns a refusal into consent. Do not copy the struct: `items` may point into it.
 */
struct refusal_list {
    struct oms_arena *arena;
    struct refusal *items;
    size_t count;
    size_t cap;
    struct refusal first[REFUSALS_INLINE];
};

static inline void refusal_list_init(struct refusal_list *list, struct oms_arena *arena)
{
    list->arena = arena;
    list->items = list->first;
    list->count = 0;
    list->cap = REFUSALS_INLINE;
}

/*
 * Appends a refusal. `field` is borrowed and must live as long as the arena (a literal, or refusal_field's
 * result); the message is formatted into the arena (an exhausted one leaves a static sentence). Over
 * OMS_REFUSALS_MAX, or without memory for more than the inline ones, it is dropped. Returns false, so that a
 * check can end in one statement.
 */
bool refusal_add(struct refusal_list *list, enum refusal_code code, struct oms_str field, const char *format,
                 ...) OMS_PRINTF(4, 5);

/* A formatted path in the arena: refusal_field(list, "lineItems.%zu.productSku", i). */
struct oms_str refusal_field(struct refusal_list *list, const char *format, ...) OMS_PRINTF(2, 3);

/* A path that is a literal. */
#define REFUSAL_FIELD(literal) OMS_STR(literal)
#define REFUSAL_NO_FIELD       OMS_STR_NONE

#endif
