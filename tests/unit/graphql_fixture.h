/*
 * A small shop for the tests of the GraphQL engine: a schema with an interface that implements another, a
 * union, a
 * @oneOf input, nested lists, defaults and a custom scalar, and data in which some values are missing or
 * fail.
 */
#ifndef GRAPHQL_FIXTURE_H
#define GRAPHQL_FIXTURE_H

#include "http/graphql/graphql.h"
#include "runtime/base/buf.h"

extern const char gqf_sdl[];

struct gqf {
    struct gql_schema *schema;
    struct oms_arena arena; /* of one request; cleared by the next gqf_run */
    struct oms_buf out;     /* the last response */
    unsigned resolved;      /* leaf resolvers of books and toys called by the last run */
};

/* The shop's schema; aborts when it is refused. */
void gqf_init(struct gqf *f);
void gqf_fini(struct gqf *f);
/* The one shop of a test program, and cmocka's group set-up and tear-down that open and close it. */
extern struct gqf gqf_shop;
int gqf_set_up(void **state);
int gqf_tear_down(void **state);
/* The bindings of the shop, to make other schemas of. */
struct gql_schema_config gqf_config(const char *sdl);
/*
 * Prepares, binds, executes all roots and responds. variables is JSON or NULL, operation a name or NULL. The
 * text lives until the next call.
 */
const char *gqf_run(struct gqf *f, const char *document, const char *variables, const char *operation);
/* The same for any schema and any bytes; used by the fuzzer too. */
void gqf_run_bytes(struct gqf *f, struct oms_str document, struct oms_str variables,
                   struct oms_str operation);
/* Values for gql_execute: a toy with a next one, and a shelf. */
const void *gqf_toy(void);
const void *gqf_shelf(void);
/* Two books: one with a next one, and that. */
const void *const *gqf_books(void);
/* Executes a bound request. */
void gqf_execute(struct gqf *f, const struct gql_request *request, struct gql_errors *errors);
/* The error messages of preparing `document`, joined by '\n'; "" when it is valid. Lives until the next call.
 */
const char *gqf_problems(struct gqf *f, const char *document);
/* What the first definition of the SDL is refused with; "" when it is accepted. Static storage. */
const char *gqf_schema_problem(const char *sdl);

#endif
