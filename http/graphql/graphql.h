/*
 * The GraphQL engine: one schema, documents prepared once, executed straight to JSON bytes.
 *
 * It knows no order and no socket: a host gives it SDL, bindings and values, and gets bytes. It is ours, not
 * a library, because it is the hot path: a document is parsed, validated and planned once, and its plan is
 * executed where the data lives, by other threads than the one that prepared it.
 *
 * Life of a request (September 2025 specification, section 6):
 * - gql_prepare: document text → gql_prepared (parse, validate, plan); cached by the host, immutable, counted
 * - gql_bind: prepared + operationName + variables → gql_request in the request's arena (variables coerced)
 * - for each root field, in order: the host finds the data (perhaps on another thread) and calls
 * - gql_execute: root field + value → bytes of the field's value, appended to a buffer, and its errors
 * - gql_respond: all roots' bytes → {"data":{…},"errors":[…]}
 *
 * Threads: a gql_schema and a gql_prepared are immutable and may be read by any thread; only the thread that
 * prepared a document binds, holds and releases it. A gql_request is built by one thread and read by any
 * after that.
 */
#ifndef GQL_GRAPHQL_H
#define GQL_GRAPHQL_H

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/value.h"

struct gql_schema;
struct gql_prepared;
struct gql_request;
struct gql_exec;

/* ---- errors ------------------------------------------------------------------------------------------- */

/* One entry of "errors" (section 7.1.2). Text lives in the list's arena. */
struct gql_error {
    struct oms_str message;
    const char *code; /* extensions.code: GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, BAD_USER_INPUT,
                         LIMIT_EXCEEDED, INTERNAL, or the host's; static */
    unsigned line, column;           /* from 1; 0 when there is no place */
    unsigned also_line, also_column; /* a second place, as of the other of two fields in conflict; 0: none */
    struct oms_str path;       /* a JSON array text such as ["order","lines",0]; absent when there is none */
    struct oms_str extensions; /* further members of extensions as JSON `"k":v,"l":w`; absent when none */
};

struct gql_errors {
    struct oms_arena *arena;
    struct gql_error *items;
    size_t count, cap;
    bool truncated; /* there were more than OMS_GQL_ERRORS_MAX */
};

void gql_errors_init(struct gql_errors *errors, struct oms_arena *arena);
/* Adds an error; message is formatted into the arena. Returns it for filling in place and path; NULL when
 * full. */
struct gql_error *gql_errors_add(struct gql_errors *errors, const char *code, const char *format, ...)
    OMS_PRINTF(3, 4);

/* ---- schema and bindings ------------------------------------------------------------------------------- */

/*
 * A list of objects for the engine to walk. `item` is called with 0 … count-1 in order; NULL is a null item.
 * In a list of lists the items are const struct gql_list pointers, read at once.
 */
struct gql_list {
    size_t count;
    const void *(*item)(struct gql_exec *x, const void *context, size_t index);
    const void *context;
};

enum gql_resolver_kind {
    GQL_ROOT,   /* a field of Query, Mutation or Subscription: the host dispatches it, `host` says how */
    GQL_LEAF,   /* scalars, enums and lists of them: writes JSON, or returns false for null */
    GQL_OBJECT, /* an object, interface or union: returns the child value, or NULL for null */
    GQL_LIST,   /* a list of those: fills gql_list, or returns false for null */
    GQL_PARTS,  /* instead of GQL_LIST, for a list whose objects were executed before, one by one and perhaps
                   elsewhere, by gql_execute_part: writes their JSON as a GQL_LEAF does, with `leaf` */
};

/* Work that a field needs beyond its parent value; the plan tells the union over a root field's selection. */
enum gql_field_flags {
    GQL_NEEDS_STORE = 1u << 0, /* its resolver reads the store: execute where blocking is allowed */
};

/*
 * The resolver of "Type.field". Resolvers get the parent value; arguments by gql_arg_*; the host's own
 * context by gql_exec_host. They run on whatever thread executes the request and own nothing that they
 * return.
 */
struct gql_binding {
    const char *field; /* "Order.stage" */
    enum gql_resolver_kind kind;
    unsigned flags; /* gql_field_flags */
    union {
        const void *host; /* GQL_ROOT: the host's descriptor, not NULL, handed back by gql_root */
        bool (*leaf)(struct gql_exec *x, const void *parent, struct oms_buf *out);
        const void *(*object)(struct gql_exec *x, const void *parent);
        bool (*list)(struct gql_exec *x, const void *parent, struct gql_list *out);
    } resolve;
};

/* Says of a value of the interface or union `abstract` which object type it is ("Order"). */
struct gql_type_binding {
    const char *abstract; /* "Node" */
    const char *(*type_of)(struct gql_exec *x, const void *value);
};

/*
 * Checks a string or number literal or variable of a custom scalar and writes its canonical value in place
 * (for example a DateTime stays text, but must parse). Returns false with a message for the client.
 */
struct gql_scalar_binding {
    const char *scalar; /* "DateTime" */
    bool (*coerce)(struct oms_value *value, struct oms_arena *arena, struct oms_str *message);
};

struct gql_schema_config {
    struct oms_str sdl;
    const struct gql_binding *bindings;
    size_t binding_count;
    const struct gql_type_binding *types;
    size_t type_count;
    const struct gql_scalar_binding *scalars;
    size_t scalar_count;
};

/*
 * Parses the SDL with the engine's own parser, checks it (section 3), and binds every field of every object
 * type. A missing, extra or ill-typed binding is an error that names it. SDL and bindings are copied; what
 * these point to (names, functions, host descriptors) stays the host's. Freed by gql_schema_destroy after
 * everything prepared from it.
 */
OMS_MUST_USE enum oms_status gql_schema_create(const struct gql_schema_config *config,
                                               struct gql_schema **out, struct oms_error *error);
void gql_schema_destroy(struct gql_schema *schema);

/* ---- documents ------------------------------------------------------------------------------------------
 */

/*
 * Parses, validates (section 5) and plans. On failure returns OMS_INVALID or OMS_LIMIT with `errors` filled.
 * Limits: bytes, tokens, depth, aliases, root fields (limits.h). Works in time linear in the document but for
 * overlapping fields and expanded fragments, whose work is bounded (OMS_LIMIT over it).
 */
OMS_MUST_USE enum oms_status gql_prepare(const struct gql_schema *schema, struct oms_str document,
                                         struct gql_prepared **out, struct gql_errors *errors);
/* Bytes that the prepared document holds or may come to hold, for a bounded cache; always the same number. */
size_t gql_prepared_bytes(const struct gql_prepared *prepared);
void gql_prepared_hold(struct gql_prepared *prepared);
void gql_prepared_release(struct gql_prepared *prepared);

enum gql_operation { GQL_QUERY, GQL_MUTATION, GQL_SUBSCRIPTION };

/*
 * Selects the operation (operation_name may be absent when there is one) and coerces the variables
 * (section 6.1.2). `variables` may be NULL. The request lives in `arena`, borrows `prepared` and `variables`,
 * and evaluates
 * @skip/@include of all fields here. Failure: OMS_INVALID with `errors`, or OMS_LIMIT when `arena` is
 * exhausted.
 */
OMS_MUST_USE enum oms_status gql_bind(struct gql_prepared *prepared, struct oms_str operation_name,
                                      const struct oms_value *variables, struct oms_arena *arena,
                                      struct gql_request **out, struct gql_errors *errors);

enum gql_operation gql_request_operation(const struct gql_request *request);
/* The operation's name; absent for an anonymous one. */
struct oms_str gql_request_operation_name(const struct gql_request *request);

/* One root field after merging, in response order. */
struct gql_root {
    struct oms_str response_key;
    struct oms_str field; /* "getOrder" */
    const void *host;     /* its binding's; NULL for fields that need no host, which go to gql_execute_meta:
                             __typename, __schema, __type, and those whose arguments were refused because a
                             variable was null or absent where a value is required (section 6.4.1) */
    const struct oms_value *args; /* an object, never NULL: coerced, defaults applied, schema order, absent
                                     ones left out */
    unsigned needs;               /* union of gql_field_flags over its selection */
    unsigned line, column;
};

size_t gql_request_root_count(const struct gql_request *request);
const struct gql_root *gql_request_root(const struct gql_request *request, size_t index);
/*
 * What the request asks, in objects (see cost.h), with its variables. Looks at the request only where a
 * variable gives a page's size; then it needs a little of `arena`, and an exhausted one makes the cost the
 * highest there is.
 */
uint64_t gql_request_cost(const struct gql_request *request, struct oms_arena *arena);
/* True when the root's selection contains `path`, dotted response-independent field names: "nodes.events". */
bool gql_root_selects(const struct gql_request *request, size_t index, const char *path);

/* ---- execution -------------------------------------------------------------------------------------------
 */

enum gql_outcome {
    GQL_DATA,       /* the field's value was appended */
    GQL_FIELD_NULL, /* `null` was appended: no value, or an error below that the field's type allows */
    GQL_ROOT_NULL,  /* an error reached a non-null root field: nothing appended, "data" becomes null */
};

/*
 * Executes root field `index` on `value` (for GQL_ROOT fields of object type the object; for lists a
 * gql_list; for leaf types a struct oms_str with ready JSON; NULL is null) and appends the JSON of its value.
 * Thread-safe over one request as long as out and errors differ. `host` is handed to resolvers. Null
 * propagation as section 6.4.4.
 */
enum gql_outcome gql_execute(const struct gql_request *request, size_t index, const void *value, void *host,
                             struct oms_buf *out, struct gql_errors *errors);
/* Executes a root whose host is NULL. */
enum gql_outcome gql_execute_meta(const struct gql_request *request, size_t index, struct oms_buf *out,
                                  struct gql_errors *errors);

/*
 * The root field failed before it had a value (its data could not be reached): adds the error with the
 * field's place and path. Appends null, or appends nothing and returns GQL_ROOT_NULL when the field's type
 * allows no null.
 */
enum gql_outcome gql_execute_failed(const struct gql_request *request, size_t index, const char *code,
                                    const char *message, struct oms_buf *out, struct gql_errors *errors);

/*
 * A root field that answers with a list whose objects live in different places: each is executed where it
 * lives, then the root with a GQL_PARTS resolver that joins their JSON. `field` is a field of the root's
 * object type whose type is a list of objects; a document can ask it more than once, by aliases:
 * gql_part_count times.
 *
 * Appends the JSON of object `item` of the list as selection `part` asks for it; its errors have the paths
 * that they would have in a whole execution. GQL_ROOT_NULL: nothing was appended, since there is no value and
 * an item must not be null. Thread-safe like gql_execute.
 */
size_t gql_part_count(const struct gql_request *request, size_t index, const char *field);
enum gql_outcome gql_execute_part(const struct gql_request *request, size_t index, const char *field,
                                  size_t part, size_t item, const void *value, void *host,
                                  struct oms_buf *out, struct gql_errors *errors);
/* Which of the selections a GQL_PARTS resolver writes. */
size_t gql_exec_part(const struct gql_exec *x);

struct gql_root_result {
    enum gql_outcome outcome;
    struct oms_str json;
};

/* Appends the whole response object; `results` has a value per root, NULL for a request that failed before
 * execution (then there is no "data"). Errors come first-to-last as added. */
void gql_respond(const struct gql_request *request, const struct gql_root_result *results,
                 const struct gql_errors *errors, struct oms_buf *out);

/* ---- for resolvers ----------------------------------------------------------------------------------------
 */

void *gql_exec_host(const struct gql_exec *x);
/* Scratch memory: the arena of the errors given to gql_execute, so it lives at least as long as the
 * execution. */
struct oms_arena *gql_exec_arena(struct gql_exec *x);
/* The current field's coerced argument, NULL when absent (null given is a NULL kind value). */
const struct oms_value *gql_arg(const struct gql_exec *x, const char *name);
/* Reports an error at the current field; the resolver then returns null. */
void gql_fail(struct gql_exec *x, const char *code, const char *format, ...) OMS_PRINTF(3, 4);

/* The schema as SDL text, descriptions included; `liteoms schema` prints it. */
void gql_schema_print(const struct gql_schema *schema, struct oms_buf *out);

#endif
