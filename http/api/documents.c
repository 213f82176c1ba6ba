/*
 * A document that is in the plan cache costs a comparison, whatever is configured: with an allow-list only
 * what it has comes in there. Hashing is for what is not in the cache, and for clients that send a hash.
 */
#include "http/api/documents.h"

static bool refuse_unlisted(struct api_problem *problem)
{
    return api_problem(problem, 403, "PERSISTED_QUERY_REQUIRED",
                       "Only documents of the operator's allow-list run here, and this is none of them");
}

/* Apart from get_by_text, which is on the way of every request. */
static __attribute__((noinline)) bool get_new(struct api_documents *documents, struct oms_str text,
                                              struct gql_prepared **out, struct api_problem *problem)
{
    if (documents->allow_list) {
        struct http_digest digest = http_digest_of(text);
        if (!oms_str_present(allow_list_get(documents->allow_list, &digest)))
            return refuse_unlisted(problem);
    }
    if (gql_prepare(documents->schema, text, out, problem->errors) != OMS_OK)
        return false;
    plan_cache_put(documents->plans, text, *out);
    return true;
}

static inline bool get_by_text(struct api_documents *documents, struct oms_str text,
                               struct gql_prepared **out, struct api_problem *problem)
{
    *out = plan_cache_get(documents->plans, text);
    return *out || get_new(documents, text, out, problem);
}

/* ---- by hash ---- */

/* extensions.persistedQuery: { version: 1, sha256Hash: "…" }. */
static bool read_hash(const struct oms_value *persisted, struct http_digest *digest,
                      struct api_problem *problem)
{
    const struct oms_value *version = oms_value_get_set(persisted, "version");
    const struct oms_value *hash = oms_value_get_set(persisted, "sha256Hash");
    if (!version || version->kind != OMS_VALUE_NUMBER || !oms_str_eq_c(version->text, "1"))
        return api_problem(problem, 400, "BAD_USER_INPUT",
                           "Unsupported version of extensions.persistedQuery: it must be 1");
    return (hash && hash->kind == OMS_VALUE_STRING && http_digest_parse(hash->text, digest)) ||
           api_problem(problem, 400, "BAD_USER_INPUT",
                       "extensions.persistedQuery.sha256Hash must be a SHA-256 in 64 hexadecimal digits");
}

/* The text of a hash that came alone. */
static bool find_text(struct api_documents *documents, const struct http_digest *digest, struct oms_str *text,
                      struct api_problem *problem)
{
    if (documents->allow_list) {
        *text = allow_list_get(documents->allow_list, digest);
        return oms_str_present(*text) || refuse_unlisted(problem);
    }
    *text = persisted_get(&documents->persisted, digest);
    /* 200 whatever the media type: clients of this protocol look into no other answer for it. */
    return oms_str_present(*text) ||
           api_problem(problem, 200, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
}

static __attribute__((noinline)) bool get_by_hash(struct api_documents *documents, struct api_params *params,
                                                  const struct oms_value *persisted,
                                                  struct gql_prepared **out, struct api_problem *problem)
{
    struct http_digest digest, actual;
    if (!documents->allow_list && !documents->persisted.count_max && !oms_str_present(params->query))
        return api_problem(problem, 200, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported");
    if (!read_hash(persisted, &digest, problem))
        return false;
    if (!oms_str_present(params->query))
        return find_text(documents, &digest, &params->query, problem) &&
               get_by_text(documents, params->query, out, problem);
    actual = http_digest_of(params->query);
    if (!http_digest_eq(&digest, &actual))
        return api_problem(problem, 400, "BAD_USER_INPUT",
                           "provided sha does not match query: the document's SHA-256 is another one");
    if (!get_by_text(documents, params->query, out, problem))
        return false;
    if (!documents->allow_list)
        persisted_put(&documents->persisted, &digest, params->query);
    return true;
}

/* The operator's own document: it runs, and stays out of the cache, where others would find it. */
static __attribute__((noinline)) bool get_unlisted(struct api_documents *documents, struct oms_str text,
                                                   struct gql_prepared **out, struct api_problem *problem)
{
    *out = plan_cache_get(documents->plans, text);
    return *out || gql_prepare(documents->schema, text, out, problem->errors) == OMS_OK;
}

bool api_documents_get(struct api_documents *documents, struct api_params *params, struct gql_prepared **out,
                       struct api_problem *problem)
{
    const struct oms_value *persisted;
    if (params->any_document && documents->allow_list && oms_str_present(params->query))
        return get_unlisted(documents, params->query, out, problem);
    if (!params->extensions || !(persisted = oms_value_get_set(params->extensions, "persistedQuery")))
        return get_by_text(documents, params->query, out, problem);
    return get_by_hash(documents, params, persisted, out, problem);
}
