/*
 * What the parser makes of a text: operations and fragments, or type system definitions.
 *
 * Everything lives in the arena that the parser was given and borrows names from the source. Lists are linked
 * in source order. `at` is a byte offset in the source; lines and columns are worked out only when an error
 * needs them. Members under "found by validation" are NULL until the document was validated; after that it is
 * immutable.
 */
#ifndef GQL_AST_H
#define GQL_AST_H

#include "http/graphql/graphql.h"
#include "http/graphql/map.h"

struct gql_type;
struct gql_field;
struct gql_typeref;
struct gql_directive;

/* ---- values (section 2.9) ---- */

enum gql_lit_kind {
    GQL_LIT_VARIABLE,
    GQL_LIT_INT,
    GQL_LIT_FLOAT,
    GQL_LIT_STRING,
    GQL_LIT_BOOL,
    GQL_LIT_NULL,
    GQL_LIT_ENUM,
    GQL_LIT_LIST,
    GQL_LIT_OBJECT,
};

struct gql_lit_field;

struct gql_lit {
    struct gql_lit *next; /* the next item of a list */
    enum gql_lit_kind kind;
    bool boolean;
    bool has_variable; /* it is one or holds one */
    uint32_t at;
    uint32_t count;      /* items or fields */
    struct oms_str text; /* variable's name, number as written, decoded string, enum value */
    struct gql_lit *items;
    struct gql_lit_field *fields;
};

struct gql_lit_field {
    struct gql_lit_field *next;
    struct oms_str name;
    uint32_t at;
    struct gql_lit *value;
};

/* ---- shared by documents and definitions ---- */

struct gql_arg {
    struct gql_arg *next;
    struct oms_str name;
    uint32_t at;
    struct gql_lit *value;
};

struct gql_applied { /* a directive where it is used */
    struct gql_applied *next;
    struct oms_str name;
    uint32_t at;
    struct gql_arg *args;
};

struct gql_ast_type {
    struct oms_str name;     /* absent for a list */
    struct gql_ast_type *of; /* the item type of a list */
    bool non_null;
    uint32_t at;
};

/* ---- executable definitions ---- */

struct gql_selection;
struct gql_fragment;

struct gql_set { /* a selection set */
    struct gql_selection *first;
    uint32_t id; /* from 0, unique in the document */
    uint32_t at;
};

enum gql_selection_kind { GQL_SELECT_FIELD, GQL_SELECT_SPREAD, GQL_SELECT_INLINE };

struct gql_selection {
    struct gql_selection *next;
    enum gql_selection_kind kind;
    uint32_t at;
    uint32_t name_at;
    struct oms_str name; /* of the field, of the fragment, or of the type condition (absent: none) */
    struct oms_str key;  /* a field's response name */
    struct gql_arg *args;
    struct gql_applied *directives;
    struct gql_set *set; /* NULL for a leaf field and a spread */
    /* found by validation */
    const struct gql_type *parent; /* the type that a field is selected on */
    const struct gql_field *field;
    const struct gql_type *condition; /* of an inline fragment; NULL without one */
    struct gql_fragment *fragment;    /* of a spread */
    bool conditional;                 /* carries @skip or @include */
};

struct gql_variable {
    struct gql_variable *next;
    struct oms_str name;
    uint32_t at; /* of its description, if it has one */
    uint32_t name_at;
    struct gql_ast_type *type;
    struct gql_lit *initial; /* the default value, NULL without one */
    struct gql_applied *directives;
    /* found by validation and planning */
    const struct gql_typeref *resolved;
    const struct oms_value *initial_value; /* coerced */
    uint32_t index;                        /* in the operation */
    uint32_t mask_index; /* position + 1 among those that @skip/@include ask; 0: not asked */
    bool used;
};

/* A variable where it stands in a definition, with what its place expects (section 5.8.5). */
struct gql_usage {
    struct gql_usage *next;
    struct oms_str name;
    uint32_t at;
    const struct gql_typeref *type; /* NULL inside a custom scalar's literal */
    bool has_default;
    bool one_of;
};

struct gql_spread_ref {
    struct gql_spread_ref *next;
    struct gql_fragment *fragment;
    uint32_t at;
};

/* What validation gathers over one operation or fragment, without following its spreads. */
struct gql_scope {
    struct gql_usage *usages;
    struct gql_usage **usages_end;
    struct gql_spread_ref *spreads;
    struct gql_spread_ref **spreads_end;
};

struct gql_plan;

struct gql_operation_ast {
    struct gql_operation_ast *next;
    enum gql_operation kind;
    struct oms_str name; /* absent when anonymous */
    uint32_t at;         /* of its description, if it has one */
    uint32_t name_at;
    struct gql_variable *variables;
    uint32_t variable_count;
    struct gql_applied *directives;
    struct gql_set *set;
    /* found by validation and planning */
    const struct gql_type *root;
    struct gql_map by_name; /* variables */
    struct gql_scope scope;
    uint32_t mask_count;       /* variables that @skip/@include ask */
    struct gql_plan *plan;     /* with everything included */
    struct gql_plan *variants; /* kept plans of masks, newest first */
    uint32_t variant_count;
};

struct gql_fragment {
    struct gql_fragment *next;
    struct oms_str name;
    uint32_t at; /* of its description, if it has one */
    uint32_t name_at;
    struct oms_str on;
    uint32_t on_at;
    struct gql_applied *directives;
    struct gql_set *set;
    /* found by validation */
    const struct gql_type *condition;
    struct gql_scope scope;
    bool used;
    uint32_t stamp; /* of the walk that saw it last: a visited set without memory */
    uint32_t state; /* of the search for cycles */
};

/* ---- type system definitions (section 3) ---- */

enum gql_def_kind {
    GQL_DEF_SCHEMA,
    GQL_DEF_SCALAR,
    GQL_DEF_OBJECT,
    GQL_DEF_INTERFACE,
    GQL_DEF_UNION,
    GQL_DEF_ENUM,
    GQL_DEF_INPUT,
    GQL_DEF_DIRECTIVE,
};

struct gql_name_ref {
    struct gql_name_ref *next;
    struct oms_str name;
    uint32_t at;
    enum gql_operation operation; /* in a schema definition */
};

struct gql_input_def { /* an argument or an input field */
    struct gql_input_def *next;
    struct oms_str name, description;
    uint32_t at;
    struct gql_ast_type *type;
    struct gql_lit *initial;
    struct gql_applied *directives;
};

struct gql_field_def {
    struct gql_field_def *next;
    struct oms_str name, description;
    uint32_t at;
    struct gql_input_def *args;
    struct gql_ast_type *type;
    struct gql_applied *directives;
};

struct gql_value_def {
    struct gql_value_def *next;
    struct oms_str name, description;
    uint32_t at;
    struct gql_applied *directives;
};

struct gql_def {
    struct gql_def *next;
    enum gql_def_kind kind;
    bool extends;
    struct oms_str name, description;
    uint32_t at;
    struct gql_applied *directives;
    struct gql_name_ref *names;   /* interfaces, union members or root types */
    struct gql_field_def *fields; /* object, interface */
    struct gql_input_def *inputs; /* input object's fields, directive's arguments */
    struct gql_value_def *values; /* enum */
    uint32_t locations;           /* directive: 1 << enum gql_location */
    bool repeatable;
};

struct gql_document {
    struct oms_str source;
    struct gql_operation_ast *operations;
    struct gql_fragment *fragments;
    struct gql_def *definitions;
    uint32_t operation_count, fragment_count, set_count, alias_count, token_count;
    struct gql_map fragments_by_name; /* found by validation */
    uint32_t stamp;                   /* the newest of gql_fragment.stamp */
    uint32_t merge_visits; /* fields that validate_merge.c looked at: what overlapping fields cost */
};

#endif
