/*
 * See import_snapshot.h. A snapshot of the tenant is one file and one mutation. Users are many: they are read
 * by the same reader as the server's (actors/user.h), so that a bad row is told without the server, and sent
 * some at a time in one document, each with an answer of its own.
 */
#include "http/import/import_snapshot.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/user.h"
#include "http/import/import_csv.h"
#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"

#define FILE_BYTES_MAX  (256u << 20)
#define ARENA_BYTES_MAX (1u << 30)
#define USERS_A_REQUEST 20
#define TRIES           8
#define EXIT_INCOMPLETE 1
#define EXIT_USAGE      2
#define EXIT_REFUSED    3

static const char usage_text[] =
    "usage: liteoms import --kind KIND --tenant T [options] FILE\n"
    "\n"
    "Takes a snapshot from FILE (- is standard input) on a running server. It can be repeated: what is "
    "there\n"
    "already is not changed again.\n"
    "\n"
    "  --kind workflow           JSON: { \"workflow\": {...}, \"version\": 7 }\n"
    "  --kind rolemap            JSON: { \"rows\": [...], \"version\": 12 }\n"
    "  --kind fulfillment        JSON: { \"warehouses\": [...], \"carriers\": [...], \"version\": 3 }\n"
    "  --kind authorizations     JSON: a list of { \"user\", \"roles\", \"grants\", \"version\" }; or JSON "
    "Lines of\n"
    "                            these; or CSV with the columns user, role, permission, scope (such as\n"
    "                            customer_id=C-1) and version: all rows of a user are one\n"
    "  --tenant T                the tenant\n"
    "  --url URL                 the server: http://127.0.0.1:8080\n"
    "  --token T                 bearer token; or in LITEOMS_TOKEN. Without one, on the server's own host,\n"
    "                            the development token of --data\n"
    "  --data DIR                the server's data folder, for the development token\n"
    "  --ca FILE                 trust the certificates in FILE (PEM)\n"
    "  --dry-run                 authorizations: read everything, send nothing; the others: ask the server\n"
    "                            for the faults\n"
    "\n"
    "Exit status: 0 all is there; 1 not run or not finished; 2 wrong usage; 3 some rows refused.\n";

struct run {
    const char *kind, *tenant, *url, *token, *data, *ca_file, *file;
    bool dry_run;
    char own_token[OMS_TOKEN_BYTES_MAX];
    CURL *curl;
    struct curl_slist *headers;
    struct oms_arena arena;
    struct oms_buf text, request, answer;
    struct oms_error error;
    uint64_t changed, same, refused;
    struct import_input *inputs; /* users that wait for their request */
    size_t input_count;
};

struct import_input {
    uint64_t row;
    struct user_update update;
};

/* ---- the server ---- */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct oms_buf *answer = context;

    oms_buf_append(answer, data, size * count);
    return answer->overflow ? 0 : size * count;
}

static enum oms_status connect_server(struct run *run, const struct import_environment *environment)
{
    char line[OMS_TOKEN_BYTES_MAX + 64];

    if (!run->token || !*run->token) {
        if (!environment->development_token)
            return oms_error_set(&run->error, OMS_DENIED, "no token: give one by --token or LITEOMS_TOKEN");
        enum oms_status status =
            environment->development_token(run->data ? run->data : environment->data_default, run->tenant,
                                           run->own_token, sizeof(run->own_token), &run->error);
        if (status != OMS_OK)
            return status;
        run->token = run->own_token;
    }
    run->curl = curl_easy_init();
    OMS_ASSERT(run->curl);
    snprintf(line, sizeof(line), "Authorization: Bearer %s", run->token);
    run->headers = curl_slist_append(NULL, line);
    snprintf(line, sizeof(line), "X-Tenant-Id: %s", run->tenant);
    run->headers = curl_slist_append(run->headers, line);
    run->headers = curl_slist_append(run->headers, "Content-Type: application/json");
    return OMS_OK;
}

static CURLcode post_once(struct run *run, long *status)
{
    char url[2048];
    size_t len = strlen(run->url);
    bool bare = len < 8 || !strchr(run->url + 8, '/');

    snprintf(url, sizeof(url), "%s%s", run->url, bare ? "/graphql" : "");
    oms_buf_reset(&run->answer);
    curl_easy_setopt(run->curl, CURLOPT_URL, url);
    curl_easy_setopt(run->curl, CURLOPT_HTTPHEADER, run->headers);
    curl_easy_setopt(run->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)run->request.len);
    curl_easy_setopt(run->curl, CURLOPT_POSTFIELDS, run->request.data);
    curl_easy_setopt(run->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(run->curl, CURLOPT_WRITEDATA, &run->answer);
    curl_easy_setopt(run->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(run->curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(run->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(run->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(run->curl, CURLOPT_USERAGENT, "liteoms-import/" LITEOMS_VERSION);
    if (run->ca_file)
        curl_easy_setopt(run->curl, CURLOPT_CAINFO, run->ca_file);
    CURLcode code = curl_easy_perform(run->curl);
    curl_easy_getinfo(run->curl, CURLINFO_RESPONSE_CODE, status);
    return code;
}

/* Posts the request until it is answered; the data of the answer. All that is sent may be sent again. */
static enum oms_status ask(struct run *run, struct oms_arena *arena, const struct oms_value **data)
{
    struct oms_value *tree = OMS_ARENA_NEW(arena, struct oms_value);
    struct oms_json_error fault = {0};
    CURLcode code = CURLE_OK;
    long status = 0;

    for (unsigned tried = 0; tried < TRIES; tried++) {
        code = post_once(run, &status);
        if (code == CURLE_OK && status != 429 && status < 500)
            break;
        usleep((useconds_t)(100000u << (tried < 5 ? tried : 5)));
    }
    if (code != CURLE_OK)
        return oms_error_set(&run->error, OMS_IO, "%s does not answer: %s", run->url,
                             curl_easy_strerror(code));
    if (!tree || oms_json_parse(oms_buf_str(&run->answer), OMS_JSON_DEPTH_MAX, arena, tree, &fault) != OMS_OK)
        return oms_error_set(&run->error, OMS_IO, "what listens at %s is no server of ours (status %ld)",
                             run->url, status);
    const struct oms_value *errors = oms_value_get_set(tree, "errors");
    *data = oms_value_get_set(tree, "data");
    if (errors && errors->kind == OMS_VALUE_LIST && errors->list.count) {
        const struct oms_value *message = oms_value_get_set(&errors->list.items[0], "message");
        return oms_error_set(&run->error, OMS_DENIED, "%.*s",
                             OMS_STR_ARG(message ? message->text : OMS_STR("the server refused")));
    }
    return *data ? OMS_OK
                 : oms_error_set(&run->error, OMS_IO, "the server answered nothing (status %ld)", status);
}

/* Tells the errors of a payload, each in a line; whether there were none. */
static bool tell(const char *what, struct oms_str name, const struct oms_value *payload)
{
    const struct oms_value *errors = oms_value_get_set(payload, "userErrors");
    size_t count = errors && errors->kind == OMS_VALUE_LIST ? errors->list.count : 0;

    for (size_t i = 0; i < count; i++) {
        const struct oms_value *code = oms_value_get_set(&errors->list.items[i], "code"),
                               *message = oms_value_get_set(&errors->list.items[i], "message"),
                               *field = oms_value_get_set(&errors->list.items[i], "field");

        fprintf(stderr, "%s%.*s: %.*s ", what, OMS_STR_ARG(name),
                OMS_STR_ARG(code ? code->text : OMS_STR("?")));
        for (size_t k = 1; field && field->kind == OMS_VALUE_LIST && k < field->list.count; k++)
            fprintf(stderr, "%s%.*s", k > 1 ? "." : "", OMS_STR_ARG(field->list.items[k].text));
        fprintf(stderr, ": %.*s\n", OMS_STR_ARG(message ? message->text : OMS_STR("")));
    }
    return count == 0;
}

/* ---- snapshots of the tenant ---- */

static void put_field(struct oms_buf *out, const char *name, const struct oms_value *value)
{
    if (!value)
        return;
    oms_buf_appendf(out, ",\"%s\":", name);
    oms_value_write_json(value, out);
}

static void make_part_request(struct run *run, const struct oms_value *tree)
{
    const struct oms_value *version = oms_value_get_set(tree, "version");
    bool workflow = strcmp(run->kind, "workflow") == 0, rolemap = strcmp(run->kind, "rolemap") == 0;
    const char *name = workflow ? "Workflow" : rolemap ? "Rolemap" : "Fulfillment";
    const struct oms_value *inner = oms_value_get_set(tree, workflow ? "workflow" : "rows");

    oms_buf_reset(&run->request);
    oms_buf_appendf(
        &run->request,
        "{\"query\":\"mutation($i: Update%sInput!) { p: update%s(input: $i) { userErrors { code field "
        "message } } }\",\"variables\":{\"i\":{\"dryRun\":%s",
        name, name, run->dry_run ? "true" : "false");
    if (workflow || rolemap) {
        put_field(&run->request, workflow ? "workflow" : "rows", inner ? inner : tree);
    } else {
        put_field(&run->request, "warehouses", oms_value_get_set(tree, "warehouses"));
        put_field(&run->request, "carriers", oms_value_get_set(tree, "carriers"));
    }
    put_field(&run->request, workflow ? "sourceVersion" : "version", version);
    oms_buf_append_lit(&run->request, "}}}");
}

static enum oms_status send_part(struct run *run)
{
    struct oms_value tree;
    struct oms_json_error fault = {0};
    const struct oms_value *data = NULL;
    enum oms_status status;

    if (oms_json_parse(oms_buf_str(&run->text), OMS_JSON_DEPTH_MAX, &run->arena, &tree, &fault) != OMS_OK)
        return oms_error_set(&run->error, OMS_INVALID, "%s: line %u, column %u: %s", run->file, fault.line,
                             fault.column, fault.message ? fault.message : "too large");
    make_part_request(run, &tree);
    if (run->request.overflow)
        return oms_error_set(&run->error, OMS_LIMIT, "%s: is larger than a request may be", run->file);
    if ((status = ask(run, &run->arena, &data)) != OMS_OK)
        return status;
    if (!tell("", oms_str_of(run->kind), oms_value_get_set(data, "p")))
        run->refused++;
    else
        printf("%s: %s\n", run->kind, run->dry_run ? "no faults" : "taken");
    return OMS_OK;
}

/* ---- users ---- */

static void put_grant(struct oms_buf *out, const struct permission_rule *rule)
{
    const char *separator = "";

    oms_buf_append_lit(out, "{\"permissions\":[");
    for (unsigned p = 0; p < PERMISSION_COUNT; p++)
        if (rule->permissions & PERMISSION_BIT(p)) {
            oms_buf_appendf(out, "%s\"%s\"", separator,
                            rule->permissions == PERMISSION_ALL ? "*" : permission_name((enum permission)p));
            separator = ",";
            if (rule->permissions == PERMISSION_ALL)
                break;
        }
    oms_buf_append_char(out, ']');
    if (rule->scope.kind != PERMISSION_SCOPE_TENANT) {
        oms_buf_appendf(out, ",\"scope\":{\"%s\":",
                        rule->scope.kind == PERMISSION_SCOPE_CUSTOMER ? "customer_id" : "vendor_id");
        oms_json_write_string(out, rule->scope.value);
        oms_buf_append_char(out, '}');
    }
    oms_buf_append_char(out, '}');
}

static void put_user(struct oms_buf *out, const struct user_update *update)
{
    oms_buf_append_lit(out, "{\"user\":");
    oms_json_write_string(out, update->user);
    if (update->has_roles) {
        oms_buf_append_lit(out, ",\"roles\":[");
        for (size_t i = 0; i < update->role_count; i++) {
            if (i)
                oms_buf_append_char(out, ',');
            oms_json_write_string(out, update->roles[i]);
        }
        oms_buf_append_char(out, ']');
    }
    if (update->has_rules) {
        oms_buf_append_lit(out, ",\"grants\":[");
        for (size_t i = 0; i < update->rule_count; i++) {
            if (i)
                oms_buf_append_char(out, ',');
            put_grant(out, &update->rules[i]);
        }
        oms_buf_append_char(out, ']');
    }
    if (update->source_version)
        oms_buf_appendf(out, ",\"version\":%lld", (long long)update->source_version);
    oms_buf_append_char(out, '}');
}

static void make_user_request(struct run *run)
{
    oms_buf_reset(&run->request);
    oms_buf_append_lit(&run->request, "{\"query\":\"mutation(");
    for (size_t i = 0; i < run->input_count; i++)
        oms_buf_appendf(&run->request, "%s$i%zu: UpdateUserAuthorizationInput!", i ? ", " : "", i);
    oms_buf_append_lit(&run->request, ") {");
    for (size_t i = 0; i < run->input_count; i++)
        oms_buf_appendf(
            &run->request,
            " p%zu: updateUserAuthorization(input: $i%zu) { changed userErrors { code field message } }", i,
            i);
    oms_buf_append_lit(&run->request, " }\",\"variables\":{");
    for (size_t i = 0; i < run->input_count; i++) {
        oms_buf_appendf(&run->request, "%s\"i%zu\":", i ? "," : "", i);
        put_user(&run->request, &run->inputs[i].update);
    }
    oms_buf_append_lit(&run->request, "}}");
}

static enum oms_status flush(struct run *run)
{
    const struct oms_value *data = NULL;
    struct oms_arena arena;
    enum oms_status status;

    if (!run->input_count)
        return OMS_OK;
    oms_arena_init(&arena, 16384, 16u << 20);
    make_user_request(run);
    status = run->request.overflow ? oms_error_set(&run->error, OMS_LIMIT, "a request is too large")
                                   : ask(run, &arena, &data);
    for (size_t i = 0; status == OMS_OK && i < run->input_count; i++) {
        char name[32], what[48];
        snprintf(name, sizeof(name), "p%zu", i);
        snprintf(what, sizeof(what), "row %llu: ", (unsigned long long)run->inputs[i].row);
        const struct oms_value *payload = oms_value_get_set(data, name),
                               *changed = oms_value_get_set(payload, "changed");
        if (!tell(what, run->inputs[i].update.user, payload))
            run->refused++;
        else if (changed && changed->boolean)
            run->changed++;
        else
            run->same++;
    }
    run->input_count = 0;
    oms_arena_fini(&arena);
    return status;
}

static enum oms_status take_user(struct run *run, uint64_t row, const struct oms_value *tree)
{
    struct import_input *input = &run->inputs[run->input_count];
    struct refusal_list refusals;

    refusal_list_init(&refusals, &run->arena);
    *input = (struct import_input){.row = row, .update = {.user = OMS_STR_NONE}};
    if (!user_update_parse(tree, &run->arena, &input->update, &refusals)) {
        const struct refusal *first = &refusals.items[0];
        fprintf(stderr, "row %llu: %s %.*s: %.*s\n", (unsigned long long)row, refusal_code_name(first->code),
                OMS_STR_ARG(oms_str_present(first->field) ? first->field : OMS_STR("")),
                OMS_STR_ARG(first->message));
        run->refused++;
        return OMS_OK;
    }
    if (run->dry_run)
        return run->same++, OMS_OK;
    return ++run->input_count < USERS_A_REQUEST ? OMS_OK : flush(run);
}

static enum oms_status take_list(struct run *run)
{
    struct oms_value tree;
    struct oms_json_error fault = {0};
    enum oms_status status = OMS_OK;

    if (oms_json_parse(oms_buf_str(&run->text), OMS_JSON_DEPTH_MAX, &run->arena, &tree, &fault) != OMS_OK)
        return oms_error_set(&run->error, OMS_INVALID, "%s: line %u, column %u: %s", run->file, fault.line,
                             fault.column, fault.message ? fault.message : "too large");
    if (tree.kind != OMS_VALUE_LIST)
        return take_user(run, 1, &tree);
    for (size_t i = 0; status == OMS_OK && i < tree.list.count; i++)
        status = take_user(run, i + 1, &tree.list.items[i]);
    return status;
}

static enum oms_status take_lines(struct run *run)
{
    struct oms_str left = oms_buf_str(&run->text);
    enum oms_status status = OMS_OK;

    for (uint64_t row = 1; status == OMS_OK && left.len; row++) {
        const char *end = memchr(left.data, '\n', left.len);
        size_t len = end ? (size_t)(end - left.data) : left.len;
        struct oms_str line = oms_str_trim(oms_str_make(left.data, len));
        struct oms_value *tree = OMS_ARENA_NEW(&run->arena, struct oms_value);
        struct oms_json_error fault = {0};

        left = end ? oms_str_make(end + 1, left.len - len - 1) : OMS_STR("");
        if (!line.len)
            continue;
        if (!tree || oms_json_parse(line, OMS_JSON_DEPTH_MAX, &run->arena, tree, &fault) != OMS_OK) {
            fprintf(stderr, "row %llu: INVALID : column %u: %s\n", (unsigned long long)row, fault.column,
                    fault.message ? fault.message : "too large");
            run->refused++;
            continue;
        }
        status = take_user(run, row, tree);
    }
    return status;
}

/* ---- users from CSV ---- */

enum { COLUMN_USER, COLUMN_ROLE, COLUMN_PERMISSION, COLUMN_SCOPE, COLUMN_VERSION, COLUMNS };
static const char *const column_names[COLUMNS] = {"user", "role", "permission", "scope", "version"};

struct csv_row {
    uint64_t line;
    struct oms_str fields[COLUMNS];
};

struct csv_rows {
    struct run *run;
    int places[COLUMNS]; /* −1: the file has no such column */
    struct csv_row *items;
    size_t count, cap;
};

static bool on_header(void *context, const struct import_csv_row *header)
{
    struct csv_rows *rows = context;

    for (unsigned c = 0; c < COLUMNS; c++)
        rows->places[c] = -1;
    for (size_t i = 0; i < header->count; i++) {
        unsigned c = 0;

        while (c < COLUMNS && !oms_str_eq_c(header->fields[i], column_names[c]))
            c++;
        if (c == COLUMNS) {
            (void)oms_error_set(
                &rows->run->error, OMS_INVALID,
                "%s: unknown column '%.*s': the columns are user, role, permission, scope, version",
                rows->run->file, OMS_STR_ARG(header->fields[i]));
            return false;
        }
        rows->places[c] = (int)i;
    }
    if (rows->places[COLUMN_USER] < 0)
        (void)oms_error_set(&rows->run->error, OMS_INVALID, "%s: there is no column 'user'", rows->run->file);
    return rows->places[COLUMN_USER] >= 0;
}

static bool on_row(void *context, const struct import_csv_row *row)
{
    struct csv_rows *rows = context;

    if (rows->count == rows->cap) {
        rows->cap = rows->cap ? rows->cap * 2 : 1024;
        rows->items = oms_reallocarray(rows->items, rows->cap, sizeof(rows->items[0]));
    }
    struct csv_row *to = &rows->items[rows->count++];
    *to = (struct csv_row){.line = row->line};
    for (unsigned c = 0; c < COLUMNS; c++)
        to->fields[c] =
            rows->places[c] < 0 ? OMS_STR("") : oms_str_copy(&rows->run->arena, row->fields[rows->places[c]]);
    return !rows->run->arena.exhausted;
}

static bool on_bad(void *context, const struct import_csv_fault *fault)
{
    struct csv_rows *rows = context;

    fprintf(stderr, "row %llu: INVALID : %s\n", (unsigned long long)fault->first_line, fault->message);
    rows->run->refused++;
    return true;
}

static int by_user(const void *a, const void *b)
{
    const struct csv_row *x = a, *y = b;
    int order = oms_str_compare(x->fields[COLUMN_USER], y->fields[COLUMN_USER]);

    return order ? order : x->line < y->line ? -1 : 1;
}

static void put_scope(struct oms_buf *out, struct oms_str scope)
{
    const char *equals = scope.len ? memchr(scope.data, '=', scope.len) : NULL;

    if (!scope.len)
        return;
    oms_buf_append_lit(out, ",\"scope\":");
    if (scope.data[0] == '{') {
        oms_buf_append_str(out, scope);
        return;
    }
    size_t len = equals ? (size_t)(equals - scope.data) : scope.len;
    oms_buf_append_char(out, '{');
    oms_json_write_string(out, oms_str_make(scope.data, len));
    oms_buf_append_char(out, ':');
    oms_json_write_string(out, equals ? oms_str_make(equals + 1, scope.len - len - 1) : OMS_STR(""));
    oms_buf_append_char(out, '}');
}

/* All rows of one user as the JSON that the reader takes. */
static void put_group(struct oms_buf *out, const struct csv_row *rows, size_t count)
{
    struct oms_str version = OMS_STR("");
    const char *separator = "";

    oms_buf_append_lit(out, "{\"user\":");
    oms_json_write_string(out, rows[0].fields[COLUMN_USER]);
    oms_buf_append_lit(out, ",\"roles\":[");
    for (size_t i = 0; i < count; i++) {
        version = rows[i].fields[COLUMN_VERSION].len ? rows[i].fields[COLUMN_VERSION] : version;
        if (!rows[i].fields[COLUMN_ROLE].len)
            continue;
        oms_buf_append(out, separator, strlen(separator));
        oms_json_write_string(out, rows[i].fields[COLUMN_ROLE]);
        separator = ",";
    }
    oms_buf_append_lit(out, "],\"grants\":[");
    separator = "";
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].fields[COLUMN_PERMISSION].len)
            continue;
        oms_buf_append(out, separator, strlen(separator));
        oms_buf_append_lit(out, "{\"permission\":");
        oms_json_write_string(out, rows[i].fields[COLUMN_PERMISSION]);
        put_scope(out, rows[i].fields[COLUMN_SCOPE]);
        oms_buf_append_char(out, '}');
        separator = ",";
    }
    oms_buf_append_char(out, ']');
    if (version.len) {
        oms_buf_append_lit(out, ",\"version\":");
        oms_json_write_string(out, version);
    }
    oms_buf_append_char(out, '}');
}

static enum oms_status take_groups(struct run *run, struct csv_rows *rows)
{
    enum oms_status status = OMS_OK;

    if (rows->count)
        qsort(rows->items, rows->count, sizeof(rows->items[0]), by_user);
    for (size_t i = 0, n; status == OMS_OK && i < rows->count; i += n) {
        struct oms_value *tree = OMS_ARENA_NEW(&run->arena, struct oms_value);
        struct oms_json_error fault = {0};
        struct oms_buf text;

        for (n = 1; i + n < rows->count &&
                    oms_str_eq(rows->items[i].fields[COLUMN_USER], rows->items[i + n].fields[COLUMN_USER]);
             n++)
            continue;
        oms_buf_init(&text, FILE_BYTES_MAX);
        put_group(&text, &rows->items[i], n);
        struct oms_str json = oms_str_copy(&run->arena, oms_buf_str(&text));
        oms_buf_fini(&text);
        if (!tree || oms_json_parse(json, OMS_JSON_DEPTH_MAX, &run->arena, tree, &fault) != OMS_OK) {
            fprintf(stderr, "row %llu: INVALID scope: is neither customer_id=… nor vendor_id=… nor JSON\n",
                    (unsigned long long)rows->items[i].line);
            run->refused++;
            continue;
        }
        status = take_user(run, rows->items[i].line, tree);
    }
    return status;
}

static enum oms_status take_csv(struct run *run)
{
    struct csv_rows rows = {.run = run};
    const struct import_csv_sink sink = {&rows, on_header, on_row, on_bad};
    struct import_csv *csv = import_csv_create(',', &sink);
    enum oms_status status = import_csv_feed(csv, run->text.data, run->text.len);

    if (status == OMS_OK)
        status = import_csv_finish(csv);
    if (status == OMS_INVALID)
        (void)oms_error_set(&run->error, OMS_INVALID, "%s: %s", run->file, import_csv_error(csv));
    else if (status != OMS_OK && !run->error.message[0])
        (void)oms_error_set(&run->error, OMS_LIMIT, "%s: is too large", run->file);
    import_csv_destroy(csv);
    if (status == OMS_OK)
        status = take_groups(run, &rows);
    oms_free(rows.items);
    return status;
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static enum oms_status send_users(struct run *run)
{
    struct oms_str text = oms_str_trim(oms_buf_str(&run->text));
    bool lines = ends_in(run->file, ".jsonl") || ends_in(run->file, ".ndjson");
    enum oms_status status = lines                                    ? take_lines(run)
                             : text.len && strchr("[{", text.data[0]) ? take_list(run)
                                                                      : take_csv(run);

    if (status == OMS_OK)
        status = flush(run);
    printf("authorizations: %llu %s, %llu unchanged, %llu refused\n", (unsigned long long)run->changed,
           "changed", (unsigned long long)run->same, (unsigned long long)run->refused);
    return status;
}

/* ---- arguments ---- */

bool import_snapshot_asked(int argc, char **argv)
{
    for (int i = 1; i < argc && argv[i]; i++) {
        const char *kind = strncmp(argv[i], "--kind=", 7) == 0              ? argv[i] + 7
                           : strcmp(argv[i], "--kind") == 0 && i + 1 < argc ? argv[i + 1]
                                                                            : NULL;
        if (kind)
            return strcmp(kind, "orders") != 0;
    }
    return false;
}

static int wrong(const char *what)
{
    fprintf(stderr, "liteoms import: %s\n%s", what, usage_text);
    return EXIT_USAGE;
}

/* −1: go on. */
static int read_arguments(int argc, char **argv, struct run *run)
{
    static const struct option options[] = {{"kind", required_argument, NULL, 'k'},
                                            {"tenant", required_argument, NULL, 't'},
                                            {"url", required_argument, NULL, 'u'},
                                            {"token", required_argument, NULL, 'T'},
                                            {"data", required_argument, NULL, 'd'},
                                            {"ca", required_argument, NULL, 'c'},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static const char *const kinds[] = {"workflow", "rolemap", "fulfillment", "authorizations"};
    bool known = false;
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char **const places[] = {['k'] = &run->kind,  ['t'] = &run->tenant, ['u'] = &run->url,
                                       ['T'] = &run->token, ['d'] = &run->data,   ['c'] = &run->ca_file};
        if (option == 'h')
            return fputs(usage_text, stdout), 0;
        if (option == 'n')
            run->dry_run = true;
        else if (option == '?')
            return EXIT_USAGE;
        else
            *places[option] = optarg;
    }
    for (size_t i = 0; run->kind && i < OMS_COUNT_OF(kinds); i++)
        known = known || strcmp(run->kind, kinds[i]) == 0;
    if (!known)
        return wrong("--kind is orders, workflow, rolemap, fulfillment or authorizations");
    if (!run->kind || !run->tenant)
        return wrong("--tenant is required");
    if (optind + 1 != argc)
        return wrong("one FILE is required");
    run->file = argv[optind];
    return -1;
}

static enum oms_status read_file(struct run *run)
{
    FILE *file = strcmp(run->file, "-") == 0 ? stdin : fopen(run->file, "re");
    char chunk[65536];
    size_t len;

    if (!file)
        return oms_error_set(&run->error, OMS_IO, "%s: cannot be read", run->file);
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
        oms_buf_append(&run->text, chunk, len);
    bool broken = ferror(file) != 0;
    if (file != stdin)
        fclose(file);
    if (broken)
        return oms_error_set(&run->error, OMS_IO, "%s: cannot be read", run->file);
    return run->text.overflow ? oms_error_set(&run->error, OMS_LIMIT, "%s: is too large", run->file) : OMS_OK;
}

int import_snapshot_main(int argc, char **argv, const struct import_environment *environment)
{
    struct run run = {.url = "http://127.0.0.1:8080", .token = getenv("LITEOMS_TOKEN")};
    int usage_status = read_arguments(argc, argv, &run);

    if (usage_status >= 0)
        return usage_status;
    bool users = strcmp(run.kind, "authorizations") == 0;
    oms_arena_init(&run.arena, 1u << 20, ARENA_BYTES_MAX);
    oms_buf_init(&run.text, FILE_BYTES_MAX);
    oms_buf_init(&run.request, 16u << 20);
    oms_buf_init(&run.answer, 16u << 20);
    run.inputs = oms_calloc(USERS_A_REQUEST, sizeof(run.inputs[0]));
    enum oms_status status = read_file(&run);
    if (status == OMS_OK && !(users && run.dry_run))
        status = connect_server(&run, environment);
    if (status == OMS_OK)
        status = users ? send_users(&run) : send_part(&run);
    curl_slist_free_all(run.headers);
    curl_easy_cleanup(run.curl);
    oms_free(run.inputs);
    oms_buf_fini(&run.answer);
    oms_buf_fini(&run.request);
    oms_buf_fini(&run.text);
    oms_arena_fini(&run.arena);
    if (status != OMS_OK) {
        fprintf(stderr, "liteoms import: %s\n", run.error.message);
        return EXIT_INCOMPLETE;
    }
    return run.refused ? EXIT_REFUSED : 0;
}
