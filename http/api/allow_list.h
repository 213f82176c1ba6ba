/*
 * The operator's list of documents that may run. Read-only once made, so all shards share it; a document is
 * found by its SHA-256, whether a client sent that or the text.
 */
#ifndef API_ALLOW_LIST_H
#define API_ALLOW_LIST_H

#include "http/digest.h"
#include "http/graphql/graphql.h"

struct allow_list;

/*
 * Of an object SHA-256 in hex → document, whose hashes are right; borrows the documents. OMS_INVALID names a
 * document that the schema refuses, and why.
 */
OMS_MUST_USE enum oms_status allow_list_create(const struct oms_value *object,
                                               const struct gql_schema *schema, struct allow_list **out,
                                               struct oms_error *error);
/* NULL is allowed. */
void allow_list_destroy(struct allow_list *list);
/* The document, or absent when it is not in the list. */
struct oms_str allow_list_get(const struct allow_list *list, const struct http_digest *digest);

#endif
