/*
 * The loop: read a piece of the file, queue the orders that it completes, keep the client full, draw
 * progress. The queue holds at most what one piece of the file makes, so memory does not grow with the file.
 */
#include "http/import/import_command.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/import/import_report.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

#define READ_BYTES      (64u << 10)
#define EXIT_INCOMPLETE 1
#define EXIT_USAGE      2
#define EXIT_REFUSED    3

struct arguments {
    const char *tenant, *map, *url, *token, *data, *results, *ca_file, *file;
    struct import_option options[IMPORT_MAP_OPTIONS_MAX];
    size_t option_count;
    unsigned batch, in_flight, retry_s;
    bool dry_run, quiet, stop_on_error, conflict_on_existing;
};

/* An order on its way. */
struct job {
    struct job *next;
    struct oms_str ref, input;
    size_t row_count;
    struct import_row_place rows[]; /* then ref and input */
};

struct import {
    struct arguments arguments;
    struct import_map *map;
    struct import_orders *orders;
    struct import_client *client; /* NULL in a dry run */
    struct import_report report;
    struct job *first, *last;
    int fd;
    bool at_end;   /* nothing more is read */
    bool complete; /* the whole file has been read */
    bool stopping; /* --on-error stop met an error: nothing new is sent */
};

static const char usage[] =
    "usage: liteoms import --tenant T [--map NAME|FILE] [options] FILE\n"
    "\n"
    "Places the orders of FILE (CSV, or JSON Lines; - is standard input) on a running server. It can be "
    "repeated:\n"
    "an order that is there already is not made twice.\n"
    "\n"
    "  --tenant T                the tenant whose orders they are\n"
    "  --map NAME|FILE           how columns become an order: superstore, jsonl, or a map file\n"
    "                            (normally jsonl for a FILE in .jsonl or .ndjson, else superstore)\n"
    "  --currency C, --vendor V  options of the map superstore: USD, superstore\n"
    "  --option NAME=VALUE       any option of a map\n"
    "  --url URL                 the server: http://127.0.0.1:8080\n"
    "  --token T                 bearer token; or in LITEOMS_TOKEN. Without one, on the server's own host,\n"
    "                            the development token of --data\n"
    "  --data DIR                the server's data folder, for the development token\n"
    "  --ca FILE                 trust the certificates in FILE (PEM)\n"
    "  --dry-run                 read and map everything, send nothing\n"
    "  --on-existing skip|conflict\n"
    "                            an order that is there with other content: left as it is (normal), or "
    "refused\n"
    "  --on-error skip|stop      after a refused row: go on (normal), or stop\n"
    "  --results FILE            write what became of each row, as CSV\n"
    "  --batch N                 orders of a request, 1 to 200 (50)\n"
    "  --in-flight N             requests on their way at once, 1 to 256 (4)\n"
    "  --retry SECONDS           how long to try again when the server does not answer (60)\n"
    "  --quiet                   no progress\n"
    "\n"
    "Exit status: 0 all placed or there already; 1 not run or not finished; 2 wrong usage; 3 some rows "
    "refused.\n";

/* ---- arguments ---- */

enum {
    OPT_TENANT = 256,
    OPT_MAP,
    OPT_CURRENCY,
    OPT_VENDOR,
    OPT_OPTION,
    OPT_URL,
    OPT_TOKEN,
    OPT_DATA,
    OPT_CA,
    OPT_DRY_RUN,
    OPT_ON_EXISTING,
    OPT_ON_ERROR,
    OPT_RESULTS,
    OPT_BATCH,
    OPT_IN_FLIGHT,
    OPT_RETRY,
    OPT_QUIET,
    OPT_HELP,
};

static const struct option long_options[] = {
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"map", required_argument, NULL, OPT_MAP},
    {"currency", required_argument, NULL, OPT_CURRENCY},
    {"vendor", required_argument, NULL, OPT_VENDOR},
    {"option", required_argument, NULL, OPT_OPTION},
    {"url", required_argument, NULL, OPT_URL},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"data", required_argument, NULL, OPT_DATA},
    {"ca", required_argument, NULL, OPT_CA},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"on-existing", required_argument, NULL, OPT_ON_EXISTING},
    {"on-error", required_argument, NULL, OPT_ON_ERROR},
    {"results", required_argument, NULL, OPT_RESULTS},
    {"batch", required_argument, NULL, OPT_BATCH},
    {"in-flight", required_argument, NULL, OPT_IN_FLIGHT},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int wrong(const char *format, const char *detail)
{
    fputs("liteoms import: ", stderr);
    fprintf(stderr, format, detail);
    fputs("\nTry 'liteoms import --help'.\n", stderr);
    return EXIT_USAGE;
}

static bool add_option(struct arguments *arguments, const char *name, const char *value)
{
    if (arguments->option_count == IMPORT_MAP_OPTIONS_MAX)
        return false;
    arguments->options[arguments->option_count++] = (struct import_option){name, value};
    return true;
}

/* NAME=VALUE is cut in place. */
static bool add_option_text(struct arguments *arguments, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals || equals == text)
        return false;
    *equals = '\0';
    return add_option(arguments, text, equals + 1);
}

static bool read_number(const char *text, unsigned min, unsigned max, unsigned *out)
{
    int64_t value;

    if (oms_str_to_i64(oms_str_of(text), &value) != OMS_OK || value < min || value > max)
        return false;
    *out = (unsigned)value;
    return true;
}

/* One of two words; true: the second. */
static bool read_word(const char *text, const char *first, const char *second, bool *out)
{
    *out = strcmp(text, second) == 0;
    return *out || strcmp(text, first) == 0;
}

/* Returns an exit status, or -1 to go on. */
static int take_option(struct arguments *arguments, int option, char *value)
{
    switch (option) {
    case OPT_TENANT:
        arguments->tenant = value;
        return -1;
    case OPT_MAP:
        arguments->map = value;
        return -1;
    case OPT_CURRENCY:
        return add_option(arguments, "currency", value) ? -1 : wrong("too many options%s", "");
    case OPT_VENDOR:
        return add_option(arguments, "vendor", value) ? -1 : wrong("too many options%s", "");
    case OPT_OPTION:
        return add_option_text(arguments, value) ? -1 : wrong("--option %s: expected NAME=VALUE", value);
    case OPT_URL:
        arguments->url = value;
        return -1;
    case OPT_TOKEN:
        arguments->token = value;
        return -1;
    case OPT_DATA:
        arguments->data = value;
        return -1;
    case OPT_CA:
        arguments->ca_file = value;
        return -1;
    case OPT_DRY_RUN:
        arguments->dry_run = true;
        return -1;
    case OPT_ON_EXISTING:
        return read_word(value, "skip", "conflict", &arguments->conflict_on_existing)
                   ? -1
                   : wrong("--on-existing %s: expected skip or conflict", value);
    case OPT_ON_ERROR:
        return read_word(value, "skip", "stop", &arguments->stop_on_error)
                   ? -1
                   : wrong("--on-error %s: expected skip or stop", value);
    case OPT_RESULTS:
        arguments->results = value;
        return -1;
    case OPT_BATCH:
        return read_number(value, 1, IMPORT_BATCH_MAX, &arguments->batch)
                   ? -1
                   : wrong("--batch %s: expected 1 to 200", value);
    case OPT_IN_FLIGHT:
        return read_number(value, 1, IMPORT_IN_FLIGHT_MAX, &arguments->in_flight)
                   ? -1
                   : wrong("--in-flight %s: expected 1 to 256", value);
    case OPT_RETRY:
        return read_number(value, 1, 86400, &arguments->retry_s)
                   ? -1
                   : wrong("--retry %s: expected 1 to 86400", value);
    case OPT_QUIET:
        arguments->quiet = true;
        return -1;
    case OPT_HELP:
        fputs(usage, stdout);
        return 0;
    default:
        fputs("Try 'liteoms import --help'.\n", stderr);
        return EXIT_USAGE;
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int status = take_option(arguments, option, optarg);
        if (status >= 0)
            return status;
    }
    if (argc - optind != 1)
        return wrong(argc == optind ? "which file?%s" : "one file at a time%s", "");
    arguments->file = argv[optind];
    if (!arguments->tenant && !arguments->dry_run)
        return wrong("--tenant is missing%s", "");
    if (!arguments->map)
        arguments->map = ends_with(arguments->file, ".jsonl") || ends_with(arguments->file, ".ndjson")
                             ? "jsonl"
                             : "superstore";
    return -1;
}

/* ---- jobs ---- */

static struct job *make_job(const struct import_order *order)
{
    size_t rows = order->row_count * sizeof(struct import_row_place);
    struct job *job = oms_malloc(sizeof(*job) + rows + order->ref.len + order->input.len);
    char *text = (char *)job->rows + rows;

    job->next = NULL;
    job->row_count = order->row_count;
    memcpy(job->rows, order->rows, rows);
    memcpy(text, order->ref.data, order->ref.len);
    job->ref = oms_str_make(text, order->ref.len);
    text += order->ref.len;
    memcpy(text, order->input.data, order->input.len);
    job->input = oms_str_make(text, order->input.len);
    return job;
}

static void on_answered(void *context, void *job_pointer, const struct import_answer *given)
{
    struct import *import = context;
    struct job *job = job_pointer;
    struct import_answer answer = *given;

    if (answer.outcome == IMPORT_EXISTING_OTHER && import->arguments.conflict_on_existing)
        answer.outcome = IMPORT_REFUSED;
    import_report_order(&import->report, job->ref, job->rows, job->row_count, &answer);
    if (answer.outcome == IMPORT_REFUSED && import->arguments.stop_on_error)
        import->stopping = true;
    oms_free(job);
}

static void on_abandoned(void *context, void *job)
{
    struct import *import = context;
    import->report.unanswered++;
    oms_free(job);
}

static bool on_order(void *context, const struct import_order *order)
{
    struct import *import = context;

    if (!import->client) {
        struct import_answer answer = {.outcome = IMPORT_CREATED};
        import_report_order(&import->report, order->ref, order->rows, order->row_count, &answer);
        return true;
    }
    struct job *job = make_job(order);
    if (import->last)
        import->last->next = job;
    else
        import->first = job;
    import->last = job;
    return true;
}

static bool on_refused(void *context, const struct import_refusal *refusal)
{
    struct import *import = context;

    import_report_refusal(&import->report, refusal);
    if (import->arguments.stop_on_error && !refusal->skipped)
        import->stopping = true;
    return !import->stopping;
}

static struct job *take_job(struct import *import)
{
    struct job *job = import->first;

    import->first = job->next;
    if (!import->first)
        import->last = NULL;
    return job;
}

/* ---- the loop ---- */

/* Reads a piece. Sets at_end at the file's end, or when the sink stopped. */
static enum oms_status read_piece(struct import *import, char *buffer, struct oms_error *error)
{
    ssize_t got = read(import->fd, buffer, READ_BYTES);
    enum oms_status status;

    if (got < 0 && errno == EINTR)
        return OMS_OK;
    if (got < 0)
        return oms_error_set(error, OMS_IO, "%s: %s", import->arguments.file, strerror(errno));
    import->report.read += (uint64_t)got;
    status =
        got ? import_orders_feed(import->orders, buffer, (size_t)got) : import_orders_finish(import->orders);
    import->at_end = got == 0 || status != OMS_OK;
    import->complete = got == 0 && status == OMS_OK;
    if (status == OMS_INVALID)
        return oms_error_set(error, OMS_INVALID, "%s: %s", import->arguments.file,
                             import_orders_error(import->orders));
    return OMS_OK;
}

static enum oms_status run(struct import *import, struct oms_error *error)
{
    char *buffer = oms_malloc(READ_BYTES);
    enum oms_status status = OMS_OK;

    while (status == OMS_OK) {
        while (import->client && !import->stopping && import->first && import_client_room(import->client)) {
            struct job *job = take_job(import);
            import_client_submit(import->client, job->input, job);
        }
        bool more = !import->at_end && !import->stopping;
        unsigned in_flight = import->client ? import_client_in_flight(import->client) : 0;
        if (!more && in_flight == 0 && (!import->first || import->stopping))
            break;
        if (more && !import->first)
            status = read_piece(import, buffer, error);
        if (status == OMS_OK && import->client && in_flight > 0)
            status = import_client_step(import->client, import->first || !more ? 100 : 0, error);
        import_report_tick(&import->report, import->client ? import_client_retries(import->client) : 0,
                           import->client ? import_client_trouble(import->client) : "");
    }
    oms_free(buffer);
    return status;
}

/* ---- setting up ---- */

static enum oms_status open_file(struct import *import, struct oms_error *error)
{
    struct stat info;

    if (strcmp(import->arguments.file, "-") == 0) {
        import->fd = STDIN_FILENO;
        return OMS_OK;
    }
    import->fd = open(import->arguments.file, O_RDONLY | O_CLOEXEC);
    if (import->fd < 0 || fstat(import->fd, &info) < 0)
        return oms_error_set(error, OMS_IO, "%s: %s", import->arguments.file, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return oms_error_set(error, OMS_IO, "%s: is a folder", import->arguments.file);
    import->report.size = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    return OMS_OK;
}

static enum oms_status connect_client(struct import *import, const struct import_environment *environment,
                                      struct oms_error *error)
{
    const struct arguments *arguments = &import->arguments;
    char token[OMS_TOKEN_BYTES_MAX];
    struct import_client_config config = {.url = arguments->url ? arguments->url : "http://127.0.0.1:8080",
                                          .token =
                                              arguments->token ? arguments->token : getenv("LITEOMS_TOKEN"),
                                          .tenant = arguments->tenant,
                                          .ca_file = arguments->ca_file,
                                          .batch = arguments->batch,
                                          .in_flight = arguments->in_flight,
                                          .retry_s = arguments->retry_s};
    struct import_client_sink sink = {import, on_answered, on_abandoned};

    if (!config.token || !*config.token) {
        if (!environment->development_token)
            return oms_error_set(error, OMS_DENIED, "no token: give one by --token or LITEOMS_TOKEN");
        enum oms_status status =
            environment->development_token(arguments->data ? arguments->data : environment->data_default,
                                           arguments->tenant, token, sizeof(token), error);
        if (status != OMS_OK)
            return status;
        config.token = token;
    }
    return import_client_create(&config, &sink, &import->client, error);
}

static enum oms_status set_up(struct import *import, const struct import_environment *environment,
                              struct oms_error *error)
{
    struct arguments *arguments = &import->arguments;
    struct import_orders_sink sink = {import, on_order, on_refused};
    enum oms_status status =
        import_map_load(arguments->map, arguments->options, arguments->option_count, &import->map, error);

    if (status == OMS_OK)
        status = open_file(import, error);
    if (status == OMS_OK && arguments->results)
        status = import_report_results(&import->report, arguments->results, error);
    if (status == OMS_OK && !arguments->dry_run)
        status = connect_client(import, environment, error);
    if (status == OMS_OK)
        import->orders = import_orders_create(import->map, &sink);
    return status;
}

static void tear_down(struct import *import)
{
    while (import->first)
        oms_free(take_job(import));
    import_client_destroy(import->client);
    import_orders_destroy(import->orders);
    import_map_destroy(import->map);
    import_report_fini(&import->report);
    if (import->fd > STDIN_FILENO)
        close(import->fd);
}

int import_main(int argc, char **argv, const struct import_environment *environment)
{
    struct import import = {.fd = -1};
    struct oms_error error = {OMS_OK, ""};
    int usage_status = read_arguments(argc, argv, &import.arguments);

    if (usage_status >= 0)
        return usage_status;
    import_report_init(&import.report, import.arguments.file, 0, import.arguments.dry_run,
                       import.arguments.quiet);
    enum oms_status status = set_up(&import, environment, &error);
    bool ready = status == OMS_OK;
    if (ready)
        status = run(&import, &error);
    bool unfinished = status != OMS_OK || !import.complete || import.first;
    import_client_destroy(import.client); /* counts what has no answer */
    import.client = NULL;
    if (ready)
        import_report_finish(&import.report, unfinished);
    if (import.report.results_broken && status == OMS_OK)
        status = oms_error_set(&error, OMS_IO, "%s: could not be written", import.arguments.results);
    uint64_t refused = import.report.refused;
    tear_down(&import);
    if (status != OMS_OK) {
        fprintf(stderr, "liteoms import: %s\n", error.message);
        return EXIT_INCOMPLETE;
    }
    return refused ? EXIT_REFUSED : 0;
}
