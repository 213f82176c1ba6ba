/* The response object (section 7.1): data when the request was executed, errors when there are any. */
#include "http/graphql/graphql.h"
#include "http/graphql/request.h"
#include "runtime/base/json.h"

static void gql_respond_place(struct oms_buf *out, unsigned line, unsigned column)
{
    oms_buf_append_lit(out, "{\"line\":");
    oms_buf_append_u64(out, line);
    oms_buf_append_lit(out, ",\"column\":");
    oms_buf_append_u64(out, column);
    oms_buf_append_char(out, '}');
}

static void gql_respond_error(const struct gql_error *error, struct oms_buf *out)
{
    oms_buf_append_lit(out, "{\"message\":");
    oms_json_write_string(out, error->message);
    if (error->line) {
        oms_buf_append_lit(out, ",\"locations\":[");
        gql_respond_place(out, error->line, error->column);
        if (error->also_line) {
            oms_buf_append_char(out, ',');
            gql_respond_place(out, error->also_line, error->also_column);
        }
        oms_buf_append_char(out, ']');
    }
    if (oms_str_present(error->path)) {
        oms_buf_append_lit(out, ",\"path\":");
        oms_buf_append_str(out, error->path);
    }
    oms_buf_append_lit(out, ",\"extensions\":{\"code\":");
    oms_json_write_string(out, oms_str_of(error->code));
    if (error->extensions.len > 0) {
        oms_buf_append_char(out, ',');
        oms_buf_append_str(out, error->extensions);
    }
    oms_buf_append_lit(out, "}}");
}

static void gql_respond_data(const struct gql_request *request, const struct gql_root_result *results,
                             struct oms_buf *out)
{
    size_t count = gql_request_root_count(request);

    oms_buf_append_lit(out, "\"data\":");
    for (size_t i = 0; i < count; i++) {
        if (results[i].outcome == GQL_ROOT_NULL) {
            oms_buf_append_lit(out, "null");
            return;
        }
    }
    oms_buf_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            oms_buf_append_char(out, ',');
        oms_buf_append_char(out, '"');
        oms_buf_append_str(out, gql_request_root(request, i)->response_key);
        oms_buf_append_lit(out, "\":");
        oms_buf_append_str(out, results[i].json);
    }
    oms_buf_append_char(out, '}');
}

void gql_respond(const struct gql_request *request, const struct gql_root_result *results,
                 const struct gql_errors *errors, struct oms_buf *out)
{
    bool has_data = request && results;

    oms_buf_append_char(out, '{');
    if (has_data)
        gql_respond_data(request, results, out);
    if (errors->count > 0 || !has_data) {
        if (has_data)
            oms_buf_append_char(out, ',');
        oms_buf_append_lit(out, "\"errors\":[");
        if (errors->count == 0) /* the list had no room for any */
            oms_buf_append_lit(
                out, "{\"message\":\"The request failed.\",\"extensions\":{\"code\":\"INTERNAL\"}}");
        for (size_t i = 0; i < errors->count; i++) {
            if (i > 0)
                oms_buf_append_char(out, ',');
            gql_respond_error(&errors->items[i], out);
        }
        oms_buf_append_char(out, ']');
    }
    oms_buf_append_char(out, '}');
}
