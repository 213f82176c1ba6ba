/*
 * The program: its commands and their flags. What a command does lives in the folders; here it is chosen and
 * wired.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/system.h"
#include "http/api/api.h"
#include "http/auth/dev_issuer.h"
#include "http/config.h"
#include "http/export/export_command.h"
#include "http/import/import_command.h"
#include "http/import/import_snapshot.h"
#include "http/manage/manage.h"
#include "http/privacy/master_key.h"
#include "http/serve.h"
#include "http/webhook/test_command.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "storage/scratch.h"
#include "storage/store.h"

/* Read by jemalloc where it is linked: memory that was freed goes back to the system also when nobody
 * allocates. */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true";

#define DATA_DEFAULT   "liteoms-data"
#define LISTEN_DEFAULT "127.0.0.1:8080"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- help ---- */

static const char help_top[] =
    "liteoms " LITEOMS_VERSION " - orders of many merchants behind one GraphQL endpoint\n"
    "\n"
    "usage: liteoms COMMAND [OPTIONS]\n"
    "\n"
    "  serve     run the server\n"
    "  token     print a token of the development issuer\n"
    "  import    place the orders of a file on a running server; or workflows, access (--kind)\n"
    "  export    write the orders of a tenant to a file\n"
    "  tenant    create, suspend, remove and list tenants, on the server's host\n"
    "  apikey    create, revoke and list API keys of a tenant, on the server's host\n"
    "  webhook   send a signed sample of a webhook to a running server\n"
    "  verify    check a data folder against a full rebuild from its log\n"
    "  schema    print the GraphQL schema\n"
    "\n"
    "  liteoms COMMAND --help explains a command; liteoms --version prints the version.\n"
    "  The manual: man liteoms. The configuration: docs/configuration.md.\n";

static const char help_serve[] =
    "usage: liteoms serve [OPTIONS]\n"
    "\n"
    "  --dev                development: the issuer of `liteoms token` is trusted, any web page may call, "
    "and there\n"
    "                       is a tenant `demo` with sample orders\n"
    "  --data DIR           where the orders are kept (default: " DATA_DEFAULT ")\n"
    "  --listen ADDR:PORT   where to listen (default: " LISTEN_DEFAULT "; port 0: any free one)\n"
    "  --tls-cert FILE      certificate chain in PEM; with --tls-key: HTTPS with HTTP/2 by ALPN\n"
    "  --tls-key FILE       its private key in PEM\n"
    "  --shards N           threads that own orders (default: by the machine's cores)\n"
    "  --config FILE        settings in JSON (docs/configuration.md); flags win over it\n"
    "\n"
    "Prints `liteoms: ready on URL` when it accepts. SIGTERM and SIGINT drain it. Log lines go to standard "
    "error.\n";

static const char help_token[] =
    "usage: liteoms token --tenant T --sub S --role R [--role R ...] [OPTIONS]\n"
    "\n"
    "  --tenant T           the tenant that the token is for\n"
    "  --sub S              the subject: who it is\n"
    "  --role R             a role: customer, vendor, staff, admin, operator; may be given several times\n"
    "  --vendor V           the claim vendor_id\n"
    "  --customer C         the claim customer_id\n"
    "  --ttl SECONDS        how long it is valid (default: 3600)\n"
    "  --data DIR           the server's data folder (default: " DATA_DEFAULT ")\n"
    "\n"
    "Only a server that runs with --dev on the same data folder accepts it.\n";

static const char help_verify[] =
    "usage: liteoms verify [--data DIR] [--master-key FILE]\n"
    "\n"
    "Rebuilds every index, list and state from the log in a scratch folder and "
    "compares them with what is stored.\n"
    "  --master-key FILE    where the configuration's `privacy.master_key_file` is "
    "(default: master.key in DIR)\n"
    "\n"
    "The server must not be running on the folder. Exit status 0: they are "
    "equal; 1: they differ or cannot be read.\n";

static int usage(const char *help, const char *format, const char *detail)
{
    fprintf(stderr, "liteoms: ");
    fprintf(stderr, format, detail);
    fprintf(stderr, "\n\n%s", help);
    return EXIT_USAGE;
}

static int fail(const struct oms_error *error)
{
    fprintf(stderr, "liteoms: %s\n", error->message);
    return EXIT_FAILED;
}

/* getopt_long with one voice for its faults; the option's value, '?' after a fault was told, -1 at the end.
 */
static int next_option(int argc, char **argv, const struct option *options, const char *help)
{
    opterr = 0;
    int option = getopt_long(argc, argv, ":", options, NULL);
    if (option == '?')
        usage(help, "unknown option '%s'", argv[optind - 1]);
    else if (option == ':')
        usage(help, "option '%s' needs a value", argv[optind - 1]);
    else if (option == -1 && optind < argc)
        return usage(help, "'%s' is one argument too many", argv[optind]), '?';
    return option == ':' ? '?' : option;
}

static bool parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
    return oms_str_to_i64(oms_str_of(text), out) == OMS_OK && *out >= min && *out <= max;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- serve ---- */

/* A default that leaves a core for the committer, the materialiser and the kernel. */
static unsigned default_shards(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned shards = cores > 2 ? (unsigned)cores - 1 : 1;
    return shards > OMS_SHARDS_MAX ? OMS_SHARDS_MAX : shards;
}

/* What the flags say, laid over the configuration after it is read. */
struct serve_flags {
    const char *config, *data, *listen, *cert, *key;
    int64_t shards;
    bool dev;
};

static int serve_flags_parse(int argc, char **argv, struct serve_flags *flags)
{
    static const struct option options[] = {{"dev", no_argument, NULL, 'd'},
                                            {"data", required_argument, NULL, 'D'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"tls-cert", required_argument, NULL, 'c'},
                                            {"tls-key", required_argument, NULL, 'k'},
                                            {"shards", required_argument, NULL, 's'},
                                            {"config", required_argument, NULL, 'C'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = next_option(argc, argv, options, help_serve)) != -1) {
        switch (option) {
        case 'd':
            flags->dev = true;
            break;
        case 'D':
            flags->data = optarg;
            break;
        case 'l':
            flags->listen = optarg;
            break;
        case 'c':
            flags->cert = optarg;
            break;
        case 'k':
            flags->key = optarg;
            break;
        case 's':
            if (!parse_number(optarg, 1, OMS_SHARDS_MAX, &flags->shards))
                return usage(help_serve, "--shards '%s' is not a number from 1 to 64", optarg);
            break;
        case 'C':
            flags->config = optarg;
            break;
        case 'h':
            fputs(help_serve, stdout);
            exit(EXIT_FINE);
        default:
            return EXIT_USAGE;
        }
    }
    return EXIT_FINE;
}

static void serve_flags_apply(const struct serve_flags *flags, struct http_config *config)
{
    config->dev = config->dev || flags->dev;
    if (flags->data || !oms_str_present(config->data))
        config->data = oms_str_of(flags->data ? flags->data : DATA_DEFAULT);
    if (flags->listen || !oms_str_present(config->listen))
        config->listen = oms_str_of(flags->listen ? flags->listen : LISTEN_DEFAULT);
    if (flags->cert)
        config->tls_cert = oms_str_of(flags->cert);
    if (flags->key)
        config->tls_key = oms_str_of(flags->key);
    if (flags->shards)
        config->shards = (unsigned)flags->shards;
    if (!config->shards)
        config->shards = default_shards();
}

static int command_serve(int argc, char **argv)
{
    struct serve_flags flags = {0};
    struct http_config config;
    struct oms_error error;
    int status = serve_flags_parse(argc, argv, &flags);
    if (status != EXIT_FINE)
        return status;
    http_config_init(&config);
    if (flags.config && http_config_load(&config, flags.config, &error) != OMS_OK) {
        http_config_fini(&config);
        return fail(&error);
    }
    serve_flags_apply(&flags, &config);
    if (oms_str_present(config.tls_cert) != oms_str_present(config.tls_key)) {
        http_config_fini(&config);
        return usage(help_serve, "%s", "a TLS certificate and its key go together: --tls-cert and --tls-key");
    }
    oms_log_set_level(config.log_level);
    status = http_serve(&config);
    http_config_fini(&config);
    return status;
}

/* ---- token ---- */

/* Mints a token with the secret of the data folder; appended to `out`. */
static enum oms_status mint(const char *data, const struct http_dev_token *token, struct oms_buf *out,
                            struct oms_error *error)
{
    struct http_issuer issuer;
    struct oms_arena arena;
    oms_arena_init(&arena, 4096, 1u << 20);
    enum oms_status status = http_dev_issuer_load(data, &arena, &issuer, error);
    if (status == OMS_OK)
        status = http_dev_issuer_mint(&issuer, token, out, error);
    oms_arena_fini(&arena);
    return status;
}

static int print_token(const char *data, const struct http_dev_token *token)
{
    struct oms_buf out;
    struct oms_error error;
    oms_buf_init(&out, OMS_TOKEN_BYTES_MAX);
    enum oms_status status = mint(data, token, &out, &error);
    if (status == OMS_OK)
        printf("%.*s\n", (int)out.len, out.data);
    oms_buf_fini(&out);
    return status == OMS_OK ? EXIT_FINE : fail(&error);
}

static int command_token(int argc, char **argv)
{
    static const struct option options[] = {{"tenant", required_argument, NULL, 't'},
                                            {"sub", required_argument, NULL, 's'},
                                            {"role", required_argument, NULL, 'r'},
                                            {"vendor", required_argument, NULL, 'v'},
                                            {"customer", required_argument, NULL, 'c'},
                                            {"ttl", required_argument, NULL, 'T'},
                                            {"data", required_argument, NULL, 'D'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct oms_str roles[OMS_PRINCIPAL_ROLES_MAX];
    struct http_dev_token token = {.roles = roles, .now_ms = wall_ms(), .ttl_s = 3600};
    const char *data = DATA_DEFAULT;
    int option;
    while ((option = next_option(argc, argv, options, help_token)) != -1) {
        switch (option) {
        case 't':
            token.tenant = oms_str_of(optarg);
            break;
        case 's':
            token.subject = oms_str_of(optarg);
            break;
        case 'r':
            if (token.role_count == OMS_COUNT_OF(roles))
                return usage(help_token, "%s", "a token has at most 32 roles");
            roles[token.role_count++] = oms_str_of(optarg);
            break;
        case 'v':
            token.vendor_id = oms_str_of(optarg);
            break;
        case 'c':
            token.customer_id = oms_str_of(optarg);
            break;
        case 'T':
            if (!parse_number(optarg, 1, INT32_MAX, &token.ttl_s))
                return usage(help_token, "--ttl '%s' is not a number of seconds", optarg);
            break;
        case 'D':
            data = optarg;
            break;
        case 'h':
            fputs(help_token, stdout);
            return EXIT_FINE;
        default:
            return EXIT_USAGE;
        }
    }
    if (!oms_str_present(token.tenant) || !oms_str_present(token.subject) || token.role_count == 0)
        return usage(help_token, "%s", "--tenant, --sub and --role are required");
    return print_token(data, &token);
}

/* ---- import and export ---- */

#define CLIENT_TOKEN_TTL_S (24 * 3600)

static enum oms_status client_token(const char *data, const char *tenant, const char *subject, char *out,
                                    size_t size, struct oms_error *error)
{
    struct oms_str role = OMS_STR("admin");
    struct http_dev_token token = {.tenant = oms_str_of(tenant),
                                   .subject = oms_str_of(subject),
                                   .roles = &role,
                                   .role_count = 1,
                                   .now_ms = wall_ms(),
                                   .ttl_s = CLIENT_TOKEN_TTL_S};
    struct oms_buf text;
    oms_buf_init(&text, size - 1);
    enum oms_status status = mint(data, &token, &text, error);
    if (status == OMS_OK && text.overflow)
        status = oms_error_set(error, OMS_LIMIT, "the token is too long");
    if (status == OMS_OK) {
        memcpy(out, text.data, text.len);
        out[text.len] = '\0';
    }
    oms_buf_fini(&text);
    return status;
}

static enum oms_status import_token(const char *data, const char *tenant, char *out, size_t size,
                                    struct oms_error *error)
{
    return client_token(data, tenant, "import", out, size, error);
}

static enum oms_status export_token(const char *data, const char *tenant, char *out, size_t size,
                                    struct oms_error *error)
{
    return client_token(data, tenant, "export", out, size, error);
}

static int command_export(int argc, char **argv)
{
    const struct export_environment environment = {.data_default = DATA_DEFAULT,
                                                   .development_token = export_token};
    return export_main(argc, argv, &environment);
}

static int command_import(int argc, char **argv)
{
    const struct import_environment environment = {.data_default = DATA_DEFAULT,
                                                   .development_token = import_token};
    if (import_snapshot_asked(argc, argv))
        return import_snapshot_main(argc, argv, &environment);
    return import_main(argc, argv, &environment);
}

/* ---- tenant and apikey ---- */

static const struct manage_environment manage_environment = {.data_default = DATA_DEFAULT,
                                                             .serve = http_serve};

static int command_tenant(int argc, char **argv)
{
    return manage_tenant_main(argc, argv, &manage_environment);
}

static int command_api_key(int argc, char **argv)
{
    return manage_api_key_main(argc, argv, &manage_environment);
}

/* ---- verify ---- */

static void verify_progress(void *context, uint64_t units)
{
    (void)context;
    fprintf(stderr, "\rliteoms: %llu units of work folded", (unsigned long long)units);
    fflush(stderr);
}

static int verify(const char *data, const char *master_key)
{
    struct store_rocksdb_config config = {.folder = data};
    struct store_engine *engine, *scratch;
    struct store_vault *vault;
    struct store_verify_report report;
    struct store_projector projector = actors_projector();
    struct oms_error error;
    char folder[4096];
    if (access(data, F_OK) != 0) {
        fprintf(stderr, "liteoms: there is no data folder '%s'\n", data);
        return EXIT_FAILED;
    }
    if (store_rocksdb_open(&config, &engine, &error) != OMS_OK)
        return fail(&error);
    if (http_master_key_open(data, master_key, NULL, engine, &vault, &error) != OMS_OK) {
        engine->ops->close(engine, false);
        store_vault_destroy(vault);
        return fail(&error);
    }
    snprintf(folder, sizeof(folder), "%s/verify.tmp", data);
    enum oms_status status = store_scratch_open(folder, &scratch, &error);
    if (status == OMS_OK) {
        status = store_verify(engine, scratch, &projector, isatty(STDERR_FILENO) ? verify_progress : NULL,
                              NULL, &report, &error);
        store_scratch_close(folder, scratch);
    }
    engine->ops->close(engine, false);
    store_vault_destroy(vault);
    if (isatty(STDERR_FILENO))
        fputc('\n', stderr);
    if (status != OMS_OK)
        return fail(&error);
    printf("%llu units of work, %llu actors, %llu keys compared, %llu differences\n",
           (unsigned long long)report.units, (unsigned long long)report.actors,
           (unsigned long long)report.keys_compared, (unsigned long long)report.differences);
    if (report.differences)
        fprintf(stderr, "liteoms: %s\n", report.first_difference);
    return report.differences ? EXIT_FAILED : EXIT_FINE;
}

static int command_verify(int argc, char **argv)
{
    static const struct option options[] = {{"data", required_argument, NULL, 'D'},
                                            {"master-key", required_argument, NULL, 'm'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *data = DATA_DEFAULT, *master_key = NULL;
    int option;
    while ((option = next_option(argc, argv, options, help_verify)) != -1) {
        if (option == 'D') {
            data = optarg;
        } else if (option == 'm') {
            master_key = optarg;
        } else if (option == 'h') {
            fputs(help_verify, stdout);
            return EXIT_FINE;
        } else {
            return EXIT_USAGE;
        }
    }
    return verify(data, master_key);
}

/* ---- choosing ---- */

static int command_schema(int argc, char **argv)
{
    struct oms_str text = api_schema_text();
    (void)argc;
    (void)argv;
    return fwrite(text.data, 1, text.len, stdout) == text.len ? EXIT_FINE : EXIT_FAILED;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", command_serve},   {"token", command_token},          {"import", command_import},
    {"export", command_export}, {"webhook", webhook_command_main}, {"verify", command_verify},
    {"tenant", command_tenant}, {"apikey", command_api_key},       {"schema", command_schema},
};

static int unknown_command(const char *name)
{
    const char *names[OMS_COUNT_OF(commands)];
    for (size_t i = 0; i < OMS_COUNT_OF(commands); i++)
        names[i] = commands[i].name;
    const char *nearest = oms_str_nearest(oms_str_of(name), names, OMS_COUNT_OF(names));
    fprintf(stderr, "liteoms: there is no command '%s'", name);
    if (nearest)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fprintf(stderr, "\n\n%s", help_top);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(help_top, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(help_top, stdout);
        return EXIT_FINE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("liteoms " LITEOMS_VERSION);
        return EXIT_FINE;
    }
    for (size_t i = 0; i < OMS_COUNT_OF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
