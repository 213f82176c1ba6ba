/*
 * The commands' arguments, the documents that they send, and what they print. Each verb is a row of a table:
 * a mutation, or a list. See manage.h.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/manage/manage_client.h"
#include "http/manage/manage_table.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define TEXTS_MAX 256

#define TENANT_FIELDS                                                                                        \
    "tenantId status statusReason statusChangedBy statusChangedAt createdAt defaultCurrency corsOrigins "    \
    "limits { requestsPerSecond openOrders streams storedEvents } "                                          \
    "usage { openOrders storedEvents streams requestsLastMinute webhooksWaiting apiKeys }"
#define KEY_FIELDS                                                                                           \
    "apiKeyId name prefix status permissions scope { customerId vendorId } createdAt createdBy expiresAt "   \
    "revokedAt revokedBy lastUsedAt"

static const char usage_tenant[] =
    "usage: liteoms tenant list [--status ACTIVE|SUSPENDED|REMOVED]\n"
    "       liteoms tenant show NAME\n"
    "       liteoms tenant create NAME [--currency C] [--origin O ...] [--limit L=N ...]\n"
    "       liteoms tenant update NAME [--currency C] [--origin O ...] [--limit L=N ...]\n"
    "       liteoms tenant suspend NAME [--reason TEXT]\n"
    "       liteoms tenant activate NAME [--reason TEXT]\n"
    "       liteoms tenant remove NAME --confirm NAME [--reason TEXT]\n"
    "\n"
    "  --currency C         the currency of orders that name none (ISO 4217)\n"
    "  --origin O           a web page's origin that may call; may be given several times\n"
    "  --limit L=N          requests_per_second, open_orders, streams or stored_events; 0: none\n"
    "  --reason TEXT        why, for people\n"
    "  --data DIR           the server's data folder (default: liteoms-data, or the configuration's)\n"
    "  --config FILE        the server's configuration; needed when no server runs and the configuration "
    "names a\n"
    "                       master key\n"
    "  --json               the answer as JSON\n"
    "\n"
    "Works on the host of the server, for the user that it runs as, without a token; also when no server "
    "runs on\n"
    "the data folder. Exit status: 0 done; 1 refused or not possible; 2 wrong usage. docs/tenants.md has "
    "more.\n";

static const char usage_key[] =
    "usage: liteoms apikey list --tenant T\n"
    "       liteoms apikey create --tenant T --name N --permission P [--permission P ...] [OPTIONS]\n"
    "       liteoms apikey revoke --tenant T ID\n"
    "\n"
    "  --tenant T           the tenant (default: the configuration's single_tenant)\n"
    "  --name N             what the key is for\n"
    "  --permission P       what it may do, such as get_order; may be given several times\n"
    "  --customer C         only on orders of this customer\n"
    "  --vendor V           only on the lines of this vendor\n"
    "  --expires INSTANT    from when on it does not work any more (RFC 3339)\n"
    "  --data DIR           the server's data folder (default: liteoms-data, or the configuration's)\n"
    "  --config FILE        the server's configuration\n"
    "  --json               the answer as JSON\n"
    "\n"
    "`create` prints the key's text, this once: the server keeps a hash of it only. Exit status as for "
    "tenant.\n";

/* ---- arguments ---- */

enum {
    OPT_STATUS = 1,
    OPT_CURRENCY,
    OPT_ORIGIN,
    OPT_LIMIT,
    OPT_REASON,
    OPT_CONFIRM,
    OPT_TENANT,
    OPT_NAME,
    OPT_PERMISSION,
    OPT_CUSTOMER,
    OPT_VENDOR,
    OPT_EXPIRES,
    OPT_DATA,
    OPT_CONFIG,
    OPT_JSON,
    OPT_HELP
};

struct texts {
    const char *items[TEXTS_MAX];
    size_t count;
};

struct arguments {
    const char *usage, *verb, *target; /* target: the tenant's name, or the key's id */
    const char *status, *currency, *reason, *confirm, *tenant, *name, *customer, *vendor, *expires, *data,
        *config;
    struct texts origins, limits, permissions;
    bool json;
};

static int wrong(const struct arguments *arguments, const char *format, const char *detail)
{
    fputs("liteoms: ", stderr);
    fprintf(stderr, format, detail);
    fprintf(stderr, "\n\n%s", arguments->usage);
    return EXIT_USAGE;
}

static const struct option options[] = {{"status", required_argument, NULL, OPT_STATUS},
                                        {"currency", required_argument, NULL, OPT_CURRENCY},
                                        {"origin", required_argument, NULL, OPT_ORIGIN},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"reason", required_argument, NULL, OPT_REASON},
                                        {"confirm", required_argument, NULL, OPT_CONFIRM},
                                        {"tenant", required_argument, NULL, OPT_TENANT},
                                        {"name", required_argument, NULL, OPT_NAME},
                                        {"permission", required_argument, NULL, OPT_PERMISSION},
                                        {"customer", required_argument, NULL, OPT_CUSTOMER},
                                        {"vendor", required_argument, NULL, OPT_VENDOR},
                                        {"expires", required_argument, NULL, OPT_EXPIRES},
                                        {"data", required_argument, NULL, OPT_DATA},
                                        {"config", required_argument, NULL, OPT_CONFIG},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"help", no_argument, NULL, OPT_HELP},
                                        {NULL, 0, NULL, 0}};

static const char **text_option(struct arguments *arguments, int option)
{
    switch (option) {
    case OPT_STATUS:
        return &arguments->status;
    case OPT_CURRENCY:
        return &arguments->currency;
    case OPT_REASON:
        return &arguments->reason;
    case OPT_CONFIRM:
        return &arguments->confirm;
    case OPT_TENANT:
        return &arguments->tenant;
    case OPT_NAME:
        return &arguments->name;
    case OPT_CUSTOMER:
        return &arguments->customer;
    case OPT_VENDOR:
        return &arguments->vendor;
    case OPT_EXPIRES:
        return &arguments->expires;
    case OPT_DATA:
        return &arguments->data;
    case OPT_CONFIG:
        return &arguments->config;
    default:
        return NULL;
    }
}

static struct texts *list_option(struct arguments *arguments, int option)
{
    return option == OPT_ORIGIN       ? &arguments->origins
           : option == OPT_LIMIT      ? &arguments->limits
           : option == OPT_PERMISSION ? &arguments->permissions
                                      : NULL;
}

/* −1: go on. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int option;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        const char **text = text_option(arguments, option);
        struct texts *list = list_option(arguments, option);
        if (text) {
            *text = optarg;
        } else if (list && list->count < TEXTS_MAX) {
            list->items[list->count++] = optarg;
        } else if (option == OPT_JSON) {
            arguments->json = true;
        } else if (option == OPT_HELP) {
            fputs(arguments->usage, stdout);
            return EXIT_FINE;
        } else {
            return wrong(arguments,
                         option == ':' ? "option '%s' needs a value" : "option '%s' is not understood here",
                         argv[optind - 1]);
        }
    }
    if (optind < argc)
        arguments->verb = argv[optind++];
    if (optind < argc)
        arguments->target = argv[optind++];
    if (optind < argc)
        return wrong(arguments, "'%s' is one argument too many", argv[optind]);
    return arguments->verb ? -1 : wrong(arguments, "%s", "say what to do");
}

/* ---- the input of a mutation, as JSON ---- */

static void put_text(struct oms_buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    oms_buf_appendf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
    oms_json_write_string(out, oms_str_of(value));
}

static void put_list(struct oms_buf *out, const char *name, const struct texts *texts)
{
    if (!texts->count)
        return;
    oms_buf_appendf(out, "%s\"%s\":[", out->data[out->len - 1] == '{' ? "" : ",", name);
    for (size_t i = 0; i < texts->count; i++) {
        if (i)
            oms_buf_append_char(out, ',');
        oms_json_write_string(out, oms_str_of(texts->items[i]));
    }
    oms_buf_append_char(out, ']');
}

/* "open_orders=50" → "openOrders":50; false for another text. */
static bool put_limit(struct oms_buf *out, const char *text)
{
    static const struct {
        const char *name, *input;
    } limits[] = {{"requests_per_second", "requestsPerSecond"},
                  {"open_orders", "openOrders"},
                  {"streams", "streams"},
                  {"stored_events", "storedEvents"}};
    const char *is = strchr(text, '=');
    int64_t number;
    for (size_t i = 0; is && i < OMS_COUNT_OF(limits); i++) {
        if (!oms_str_eq_c(oms_str_make(text, (size_t)(is - text)), limits[i].name))
            continue;
        if (oms_str_to_i64(oms_str_of(is + 1), &number) != OMS_OK || number < 0 || number > INT32_MAX)
            return false;
        oms_buf_appendf(out, "%s\"%s\":%" PRId64, out->data[out->len - 1] == '{' ? "" : ",", limits[i].input,
                        number);
        return true;
    }
    return false;
}

/* A usage fault, or −1. */
static int put_limits(const struct arguments *arguments, struct oms_buf *out)
{
    if (!arguments->limits.count)
        return -1;
    oms_buf_append_lit(out, ",\"limits\":{");
    for (size_t i = 0; i < arguments->limits.count; i++)
        if (!put_limit(out, arguments->limits.items[i]))
            return wrong(
                arguments,
                "--limit '%s': expected requests_per_second=N, open_orders=N, streams=N or stored_events=N, "
                "with N from 0 to 2147483647",
                arguments->limits.items[i]);
    oms_buf_append_char(out, '}');
    return -1;
}

/* ---- printing ---- */

static const struct manage_column tenant_columns[] = {{"NAME", "tenantId"},
                                                      {"STATUS", "status"},
                                                      {"OPEN ORDERS", "usage.openOrders"},
                                                      {"EVENTS", "usage.storedEvents"},
                                                      {"STREAMS", "usage.streams"},
                                                      {"CREATED", "createdAt"},
                                                      {"REASON", "statusReason"}};
static const struct manage_column tenant_record[] = {
    {"name", "tenantId"},
    {"status", "status"},
    {"reason", "statusReason"},
    {"changed by", "statusChangedBy"},
    {"changed at", "statusChangedAt"},
    {"created at", "createdAt"},
    {"currency", "defaultCurrency"},
    {"origins", "corsOrigins"},
    {"limit requests_per_second", "limits.requestsPerSecond"},
    {"limit open_orders", "limits.openOrders"},
    {"limit streams", "limits.streams"},
    {"limit stored_events", "limits.storedEvents"},
    {"open orders", "usage.openOrders"},
    {"stored events", "usage.storedEvents"},
    {"streams", "usage.streams"},
    {"requests last minute", "usage.requestsLastMinute"},
    {"webhooks waiting", "usage.webhooksWaiting"},
    {"API keys", "usage.apiKeys"}};
static const struct manage_column key_columns[] = {{"ID", "apiKeyId"},
                                                   {"NAME", "name"},
                                                   {"STATUS", "status"},
                                                   {"EXPIRES", "expiresAt"},
                                                   {"LAST USED", "lastUsedAt"},
                                                   {"CREATED BY", "createdBy"},
                                                   {"PERMISSIONS", "permissions"}};

/* The refusals of a payload, one a line; false when there are none. */
static bool print_refusals(const struct oms_value *payload)
{
    const struct oms_value *errors = oms_value_get_set(payload, "userErrors");
    if (!errors || errors->kind != OMS_VALUE_LIST)
        return false;
    for (size_t i = 0; i < errors->list.count; i++) {
        const struct oms_value *message = oms_value_get_set(&errors->list.items[i], "message");
        const struct oms_value *code = oms_value_get_set(&errors->list.items[i], "code");
        if (message && code)
            fprintf(stderr, "liteoms: %.*s (%.*s)\n", OMS_STR_ARG(message->text), OMS_STR_ARG(code->text));
    }
    return errors->list.count > 0;
}

static int print_payload(const struct arguments *arguments, const struct oms_value *data)
{
    const struct oms_value *payload = data->object.count ? &data->object.fields[0].value : NULL;
    if (!payload || print_refusals(payload))
        return EXIT_FAILED;
    const struct oms_value *tenant = oms_value_get_set(payload, "tenant");
    const struct oms_value *key = oms_value_get_set(payload, "key");
    const struct oms_value *about = oms_value_get_set(payload, "apiKey");
    if (arguments->json)
        manage_json_print(stdout, payload);
    else if (tenant)
        manage_record_print(stdout, tenant, tenant_record, OMS_COUNT_OF(tenant_record));
    else if (key)
        printf("%.*s\n", OMS_STR_ARG(key->text));
    else if (about)
        manage_record_print(stdout, about, key_columns, OMS_COUNT_OF(key_columns));
    return EXIT_FINE;
}

/* ---- verbs ---- */

struct run {
    struct arguments arguments;
    struct manage_client client;
    struct http_config config;
    struct oms_arena arena;
    struct oms_error error;
};

static int failed(const struct run *run)
{
    fprintf(stderr, "liteoms: %s\n", run->error.message);
    return EXIT_FAILED;
}

static int ask(struct run *run, const char *document, struct oms_str variables, const struct oms_value **data)
{
    return manage_client_ask(&run->client, document, variables, &run->arena, data, &run->error) == OMS_OK
               ? EXIT_FINE
               : failed(run);
}

/* { "input": … } → a mutation, and its payload. */
static int mutate(struct run *run, const char *name, const char *select, struct oms_buf *variables)
{
    const struct oms_value *data;
    char document[2048];
    oms_buf_append_lit(variables, "}}");
    snprintf(document, sizeof(document),
             "mutation($input: %c%sInput!) { %s(input: $input) { userErrors { code message } %s } }",
             name[0] - 'a' + 'A', name + 1, name, select);
    int status = ask(run, document, oms_buf_str(variables), &data);
    return status == EXIT_FINE ? print_payload(&run->arguments, data) : status;
}

/* One page; `first` is the list's. */
static void print_tenants(const struct arguments *arguments, const struct oms_value *nodes, bool first)
{
    if (!arguments->json) {
        manage_table_print(stdout, nodes, tenant_columns, OMS_COUNT_OF(tenant_columns), first);
        return;
    }
    for (size_t i = 0; i < nodes->list.count; i++) {
        fputs(first && i == 0 ? "[" : ",", stdout);
        manage_json_print(stdout, &nodes->list.items[i]);
    }
    if (first && !nodes->list.count)
        fputs("[", stdout);
}

static int tenant_list(struct run *run, struct oms_buf *variables)
{
    static const char document[] =
        "query($after: String, $status: TenantStatus) { tenants(first: 200, after: $after, status: $status) "
        "{ nodes { " TENANT_FIELDS " } pageInfo { hasNextPage endCursor } } }";
    const struct oms_value *data;
    char after[64] = "";
    for (bool first = true, more = true; more; first = false) {
        oms_buf_reset(variables);
        oms_buf_append_char(variables, '{');
        put_text(variables, "status", run->arguments.status);
        put_text(variables, "after", after[0] ? after : NULL);
        oms_buf_append_char(variables, '}');
        oms_arena_reset(&run->arena); /* of the page before */
        int status = ask(run, document, oms_buf_str(variables), &data);
        if (status != EXIT_FINE)
            return status;
        const struct oms_value *page = oms_value_get_set(data, "tenants");
        const struct oms_value *info = oms_value_get_set(page, "pageInfo");
        const struct oms_value *next = oms_value_get_set(info, "hasNextPage");
        const struct oms_value *end = oms_value_get_set(info, "endCursor");
        print_tenants(&run->arguments, oms_value_get_set(page, "nodes"), first);
        more = next && next->boolean && end;
        if (more)
            snprintf(after, sizeof(after), "%.*s", OMS_STR_ARG(end->text));
    }
    if (run->arguments.json)
        fputs("]\n", stdout);
    return EXIT_FINE;
}

static int tenant_show(struct run *run, struct oms_buf *variables)
{
    const struct oms_value *data;
    put_text(variables, "id", run->arguments.target);
    oms_buf_append_char(variables, '}');
    int status = ask(run, "query($id: ID) { tenant(tenantId: $id) { " TENANT_FIELDS " } }",
                     oms_buf_str(variables), &data);
    if (status != EXIT_FINE)
        return status;
    if (run->arguments.json)
        manage_json_print(stdout, oms_value_get_set(data, "tenant"));
    else
        manage_record_print(stdout, oms_value_get_set(data, "tenant"), tenant_record,
                            OMS_COUNT_OF(tenant_record));
    return EXIT_FINE;
}

static int tenant_set(struct run *run, struct oms_buf *variables, const char *mutation,
                      const char *name_field)
{
    const struct arguments *arguments = &run->arguments;
    oms_buf_append_lit(variables, "\"input\":{");
    put_text(variables, name_field, arguments->target);
    put_text(variables, "currency", arguments->currency);
    put_list(variables, "corsOrigins", &arguments->origins);
    int status = put_limits(arguments, variables);
    return status >= 0 ? status : mutate(run, mutation, "tenant { " TENANT_FIELDS " }", variables);
}

static int tenant_create(struct run *run, struct oms_buf *variables)
{
    return tenant_set(run, variables, "createTenant", "name");
}

static int tenant_update(struct run *run, struct oms_buf *variables)
{
    return tenant_set(run, variables, "updateTenant", "tenantId");
}

static int tenant_status(struct run *run, struct oms_buf *variables, const char *mutation)
{
    oms_buf_append_lit(variables, "\"input\":{");
    put_text(variables, "tenantId", run->arguments.target);
    put_text(variables, "confirm", run->arguments.confirm);
    put_text(variables, "reason", run->arguments.reason);
    return mutate(run, mutation, "tenant { " TENANT_FIELDS " }", variables);
}

static int tenant_suspend(struct run *run, struct oms_buf *variables)
{
    return tenant_status(run, variables, "suspendTenant");
}

static int tenant_activate(struct run *run, struct oms_buf *variables)
{
    return tenant_status(run, variables, "activateTenant");
}

static int tenant_remove(struct run *run, struct oms_buf *variables)
{
    if (!run->arguments.confirm)
        return wrong(&run->arguments, "%s", "say the tenant's name once more by --confirm NAME");
    return tenant_status(run, variables, "removeTenant");
}

static int key_list(struct run *run, struct oms_buf *variables)
{
    const struct oms_value *data;
    put_text(variables, "tenant", run->arguments.tenant);
    oms_buf_append_char(variables, '}');
    int status = ask(run, "query($tenant: ID) { apiKeys(tenantId: $tenant) { " KEY_FIELDS " } }",
                     oms_buf_str(variables), &data);
    if (status != EXIT_FINE)
        return status;
    if (run->arguments.json)
        manage_json_print(stdout, oms_value_get_set(data, "apiKeys"));
    else
        manage_table_print(stdout, oms_value_get_set(data, "apiKeys"), key_columns, OMS_COUNT_OF(key_columns),
                           true);
    return EXIT_FINE;
}

static int key_create(struct run *run, struct oms_buf *variables)
{
    const struct arguments *arguments = &run->arguments;
    if (!arguments->name || !arguments->permissions.count)
        return wrong(arguments, "%s", "--name and --permission are required");
    oms_buf_append_lit(variables, "\"input\":{");
    put_text(variables, "tenantId", arguments->tenant);
    put_text(variables, "name", arguments->name);
    put_list(variables, "permissions", &arguments->permissions);
    put_text(variables, "expiresAt", arguments->expires);
    if (arguments->customer || arguments->vendor) {
        oms_buf_append_lit(variables, ",\"scope\":{");
        put_text(variables, "customerId", arguments->customer);
        put_text(variables, "vendorId", arguments->vendor);
        oms_buf_append_char(variables, '}');
    }
    return mutate(run, "createApiKey", "key apiKey { " KEY_FIELDS " }", variables);
}

static int key_revoke(struct run *run, struct oms_buf *variables)
{
    oms_buf_append_lit(variables, "\"input\":{");
    put_text(variables, "tenantId", run->arguments.tenant);
    put_text(variables, "apiKeyId", run->arguments.target);
    return mutate(run, "revokeApiKey", "apiKey { " KEY_FIELDS " }", variables);
}

struct verb {
    const char *name;
    bool has_target;
    int (*run)(struct run *run, struct oms_buf *variables);
};

/* ---- all of it ---- */

static const struct verb *find_verb(const struct verb *verbs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* The data folder, and what the configuration says of keys. */
static enum oms_status configure(struct run *run, const struct manage_environment *environment)
{
    struct arguments *arguments = &run->arguments;
    enum oms_status status = OMS_OK;
    http_config_init(&run->config);
    if (arguments->config)
        status = http_config_load(&run->config, arguments->config, &run->error);
    run->client.data = arguments->data                     ? arguments->data
                       : oms_str_present(run->config.data) ? run->config.data.data
                                                           : environment->data_default;
    if (status == OMS_OK && !arguments->tenant && oms_str_present(run->config.single_tenant))
        arguments->tenant = oms_str_copy(&run->arena, run->config.single_tenant).data;
    return status;
}

static int run_verb(struct run *run, const struct verb *verb, const struct manage_environment *environment)
{
    struct oms_buf variables;
    int status = EXIT_FAILED;
    oms_buf_init(&variables, OMS_BODY_BYTES_MAX);
    oms_buf_append_char(&variables, '{');
    if (manage_client_open(&run->client, &run->config, environment, &run->error) == OMS_OK)
        status = verb->run(run, &variables);
    else
        (void)failed(run);
    if (!manage_client_close(&run->client) && status == EXIT_FINE) {
        fprintf(stderr, "liteoms: the server of this command did not end well\n");
        status = EXIT_FAILED;
    }
    oms_buf_fini(&variables);
    return status;
}

static int manage_main(int argc, char **argv, const char *usage, const struct verb *verbs, size_t count,
                       bool needs_tenant, const struct manage_environment *environment)
{
    struct run run = {.arguments = {.usage = usage}};
    int status = read_arguments(argc, argv, &run.arguments);
    if (status >= 0)
        return status;
    const struct verb *verb = find_verb(verbs, count, run.arguments.verb);
    if (!verb)
        return wrong(&run.arguments, "'%s' is nothing that can be done", run.arguments.verb);
    if (verb->has_target != (run.arguments.target != NULL))
        return wrong(&run.arguments, verb->has_target ? "%s what? Name it" : "%s takes no name", verb->name);
    oms_arena_init(&run.arena, 16384, OMS_REQUEST_ARENA_BYTES_MAX);
    if (configure(&run, environment) != OMS_OK)
        status = failed(&run);
    else if (needs_tenant && !run.arguments.tenant)
        status = wrong(&run.arguments, "%s", "--tenant is required");
    else
        status = run_verb(&run, verb, environment);
    http_config_fini(&run.config);
    oms_arena_fini(&run.arena);
    return status;
}

int manage_tenant_main(int argc, char **argv, const struct manage_environment *environment)
{
    static const struct verb verbs[] = {
        {"list", false, tenant_list},      {"show", true, tenant_show},
        {"create", true, tenant_create},   {"update", true, tenant_update},
        {"suspend", true, tenant_suspend}, {"activate", true, tenant_activate},
        {"remove", true, tenant_remove}};
    return manage_main(argc, argv, usage_tenant, verbs, OMS_COUNT_OF(verbs), false, environment);
}

int manage_api_key_main(int argc, char **argv, const struct manage_environment *environment)
{
    static const struct verb verbs[] = {
        {"list", false, key_list}, {"create", false, key_create}, {"revoke", true, key_revoke}};
    return manage_main(argc, argv, usage_key, verbs, OMS_COUNT_OF(verbs), true, environment);
}
