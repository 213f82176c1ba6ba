/*
 * Validation (section 5). One walk over each operation and fragment finds definitions for everything that is
 * named and checks what can be seen in place; it gathers spreads and variable usages per definition. The
 * rules over several definitions (cycles, variables, one subscription root, overlapping fields) then work on
 * what was gathered.
 *
 *   validate.c             the order of things
 *   validate_operations.c  5.2     validate_fields.c     5.3, 5.5.2.3 (the walk)
 *   validate_merge.c       5.3.2   validate_arguments.c  5.4
 *   validate_fragments.c   5.5     validate_values.c     5.6
 *   validate_directives.c  5.7     validate_variables.c  5.8
 *   validate_limits.c      limits.h: aliases, introspection depth
 *
 * Recursion follows the nesting of one definition's text, which the parser bounded.
 */
#ifndef GQL_VALIDATE_H
#define GQL_VALIDATE_H

#include "http/graphql/ast.h"
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/types.h"

struct gql_validator {
    const struct gql_schema *schema;
    struct gql_document *document; /* NULL while a schema is checked */
    struct oms_str source;
    struct oms_arena *arena;   /* lives as long as the document */
    struct oms_arena *scratch; /* until validation ends; what scopes gathered lives there too */
    struct gql_errors *errors;
    struct gql_scope *scope; /* of the definition being walked; NULL: constants only */
    bool failed;             /* by an error, even one that the full list did not take */
    bool limited;            /* a limit was reached: OMS_LIMIT */
};

#define GQL_VALIDATE_ERROR(v, at, ...)                                                                       \
    ((v)->failed = true, gql_error_at((v)->errors, GQL_CODE_VALIDATE, (v)->source, (at), __VA_ARGS__))
/* A limit of ours, not a rule. */
#define GQL_VALIDATE_LIMIT(v, at, ...)                                                                       \
    ((v)->failed = (v)->limited = true,                                                                      \
     gql_error_at((v)->errors, GQL_CODE_LIMIT, (v)->source, (at), __VA_ARGS__))

/* Nothing more can be reported: no need to look on. */
static inline bool gql_validate_enough(const struct gql_validator *v)
{
    return v->errors->truncated;
}

/* Validates and annotates. OMS_INVALID or OMS_LIMIT with errors. */
OMS_MUST_USE enum oms_status gql_validate(const struct gql_schema *schema, struct gql_document *document,
                                          struct oms_arena *arena, struct gql_errors *errors);

/* ---- the rules ---- */

void gql_validate_operations(struct gql_validator *v);
/* After the walk: every subscription has one root field, not an introspection field. */
void gql_validate_subscriptions(struct gql_validator *v);
/* Names of fragments and their types. */
void gql_validate_fragment_names(struct gql_validator *v);
/* After the walk: cycles and unused fragments. */
void gql_validate_fragment_use(struct gql_validator *v);
/* Walks a selection set on `parent`; NULL when the type is unknown, which an error told: then only what needs
 * no type is looked at, so that one fault does not bring others (an unused variable, an unused fragment). */
void gql_validate_set(struct gql_validator *v, struct gql_set *set, const struct gql_type *parent);
/* `what` names the field or directive in messages. */
void gql_validate_args(struct gql_validator *v, const struct gql_input *inputs, uint32_t count,
                       const struct gql_arg *args, uint32_t at, const char *what);
/* Arguments of an unknown field or directive. */
void gql_validate_untyped_args(struct gql_validator *v, const struct gql_arg *args, const char *what);
/* The literal at a place of `type`; has_default and one_of describe the place. */
void gql_validate_value(struct gql_validator *v, const struct gql_lit *lit, const struct gql_typeref *type,
                        bool has_default, bool one_of);
/* A literal of any shape at a place without a type: only uniqueness of fields and the variables in it. */
void gql_validate_untyped(struct gql_validator *v, const struct gql_lit *lit);
void gql_validate_directives(struct gql_validator *v, const struct gql_applied *applied,
                             enum gql_location location);
/* Types, names and defaults of an operation's variables. */
void gql_validate_variable_defs(struct gql_validator *v, struct gql_operation_ast *operation);
/* After the walk: all uses defined, all used, all usages allowed. */
void gql_validate_variable_use(struct gql_validator *v);
void gql_validate_merge(struct gql_validator *v);
void gql_validate_limits(struct gql_validator *v);

/* Calls `visit` for `scope` and, once each, for every fragment that it reaches. */
void gql_each_reached(struct gql_validator *v, struct gql_scope *scope,
                      void (*visit)(struct gql_validator *v, struct gql_scope *scope, void *context),
                      void *context);

#endif
