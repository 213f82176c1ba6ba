/*
 * A plan: what one operation writes and asks, laid out so that execution only walks arrays.
 *
 * Per place in the response and object type there is one gql_plan_object: its fields after merging and
 * fragments, as an array of steps. A step knows the bytes in front of its value (`{"key":`, `,"key":`, with
 * constant
 * __typename members folded in), its resolver, its coerced arguments and where its value's own plan is.
 * Fields that @skip or @include leave out are not there: a plan holds for one assignment of the variables
 * that these directives ask (the mask), and gql_bind picks or makes the plan of the mask.
 *
 * Immutable once made. Plans are layered: an object's children are one level deeper, so needs, depth and size
 * are known without search, and a hostile document is refused by the limits below.
 */
#ifndef GQL_PLAN_H
#define GQL_PLAN_H

#include "http/graphql/ast.h"
#include "http/graphql/types.h"
#include "runtime/base/limits.h"

#define GQL_NO_SLOT UINT32_MAX

struct gql_plan_object;

struct gql_plan_choice { /* the plans of the objects that an interface or union may be */
    const char *(*type_of)(struct gql_exec *x, const void *value);
    const struct gql_type *abstract;
    uint32_t count;
    const struct gql_plan_object **objects;
};

enum gql_meta { GQL_META_NONE, GQL_META_TYPENAME, GQL_META_SCHEMA, GQL_META_TYPE };

struct gql_step {
    const char *lead; /* bytes before the value */
    uint32_t lead_len;
    uint8_t kind;       /* enum gql_resolver_kind; roots have that of their type */
    uint8_t list_depth; /* lists around the objects; 0 for leaves */
    uint8_t nullable;   /* bit n: the value inside n lists may be null */
    uint8_t meta;       /* enum gql_meta, of roots */
    union {
        bool (*leaf)(struct gql_exec *x, const void *parent, struct oms_buf *out);
        const void *(*object)(struct gql_exec *x, const void *parent);
        bool (*list)(struct gql_exec *x, const void *parent, struct gql_list *out);
    } resolve;
    const struct gql_plan_object *object; /* of a concrete type */
    const struct gql_plan_choice *choice; /* of an abstract one */
    const struct oms_value *args;         /* constant arguments, an object; NULL without any */
    uint32_t slot;                        /* of arguments with variables, else GQL_NO_SLOT */
    uint32_t at;                          /* in the document */
    struct oms_str key;
    const struct gql_field *field;
};

struct gql_cost { /* see cost.h */
    uint64_t fixed, item;
};

struct gql_plan_object {
    const struct gql_type *type;
    struct gql_step *steps;
    uint32_t count;
    uint32_t tail_len;
    const char *tail;              /* bytes after the last value: `}` */
    unsigned needs;                /* gql_field_flags of all below */
    const struct gql_lit *refused; /* the variable in @skip or @include that was null, which an error must
                                      tell when the object is executed; NULL: none */
    uint32_t cost_slot;            /* GQL_NO_SLOT: its cost depends on no variable */
    struct gql_cost cost;
    struct gql_plan_object *cost_next; /* the next one up that depends on variables */
};

/* In a mask, beside false and true. */
#define GQL_MASK_NULL    2
#define GQL_MASK_PROBLEM "Variable \"$%.*s\" decides @skip or @include and must not be null."

/* Arguments that are coerced per request. */
struct gql_plan_slot {
    const struct gql_field *field;
    const struct gql_arg *args;
    uint32_t at;
};

struct gql_plan {
    struct gql_plan *next;  /* of the operation's variants */
    struct oms_arena arena; /* of a kept plan; one for a single request lives in the request's arena */
    unsigned char
        *mask; /* a byte per variable that @skip/@include ask: gql_operation_ast.mask_count of them */
    const struct gql_plan_object *root; /* its steps are the root fields; lead and tail are not used */
    struct gql_root *roots;             /* as gql_request_root shows them, where arguments are constant */
    const struct gql_plan_slot *slots;
    uint32_t slot_count;
    uint32_t varying_count; /* objects whose cost depends on variables, from the bottom up */
    struct gql_plan_object *varying, *varying_last;
    uint64_t cost; /* where none does */
};

/*
 * Makes the plan of `operation` with `mask`; mask NULL includes everything and numbers the variables that
 * directives ask (gql_variable.mask_index). The document is validated. On OMS_LIMIT an error is added.
 * `arena` NULL: a plan to keep, freed by gql_plan_destroy; else the plan lives there, and the caller has made
 * sure of gql_plan_room of the operation's plan.
 */
OMS_MUST_USE enum oms_status gql_plan_create(const struct gql_schema *schema, struct gql_document *document,
                                             struct gql_operation_ast *operation, const unsigned char *mask,
                                             struct oms_arena *arena, struct gql_plan **out,
                                             struct gql_errors *errors);
/* Bytes that an arena must have left for any mask's plan, where `plan` is the one that includes everything.
 */
size_t gql_plan_room(const struct gql_plan *plan);
void gql_plan_destroy(struct gql_plan *plan);

/* The needs of everything below a step. */
unsigned gql_step_needs(const struct gql_step *step);

#endif
