/*
 * "Did you mean …?": the names that a misspelt one may have been, nearest first, five at most.
 *
 * Nearness and order are those that clients know from graphql-js (its tests are our oracle): edits of
 * letters, neighbours changed over count once, capitals hardly count, and two fifths of the word may be
 * wrong. Distances are dear and a hostile document could ask for thousands: only the first errors of a list
 * get hints.
 */
#ifndef GQL_HINT_H
#define GQL_HINT_H

#include "http/graphql/graphql.h"

struct gql_hint {
    char text[640]; /* " Did you mean "a", "b", or "c"?", or empty */
};

/*
 * The hint for `word`. `name_of` gives candidate i of `count`, absent for one that must not be named.
 * `errors` is the list that the hint's error will go to; NULL when it goes to none.
 */
struct gql_hint gql_did_you_mean(const struct gql_errors *errors, struct oms_str word, size_t count,
                                 struct oms_str (*name_of)(const void *context, size_t i),
                                 const void *context);
/* Whether an error that is added now may have a hint. */
bool gql_hint_wanted(const struct gql_errors *errors);
/* The hint that names `names` (the first five) in their order; `lead` stands before them ("" or "to use ").
 */
struct gql_hint gql_hint_of(const char *lead, const struct oms_str *names, size_t count);
/* Order of names where digits in them count as numbers: <0, 0, >0. */
int gql_natural_compare(struct oms_str a, struct oms_str b);

#endif
