/* See export_command.h. One transfer at a time; records are told apart here, so that a cut answer leaves no
 * half of one. */
#include "http/export/export_command.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define EXIT_INCOMPLETE 1
#define EXIT_USAGE      2
#define PENDING_MAX     (96u << 20) /* records without a cursor behind them; the server writes less */
#define CURSOR_MAX      512
#define BACKOFF_MS_MAX  5000

struct arguments {
    const char *tenant, *format, *customer, *email, *stage, *from, *to, *after, *output, *url, *token, *data,
        *ca_file;
    int64_t retry_s;
    bool quiet;
};

struct export_run {
    struct arguments arguments;
    bool csv;
    bool customer; /* all that is held of one: a document, written when it is whole */
    int fd;
    char *resume; /* the name of FILE.resume; NULL: to standard output */
    CURL *easy;
    struct curl_slist *headers;
    struct oms_buf pending;   /* whole records behind the last cursor, and a part of one */
    size_t record;            /* where in it the last, unfinished record begins */
    size_t looked;            /* so much of it was looked at */
    bool quoted;              /* within a quoted cell */
    struct oms_buf refusal;   /* the body of an answer that is not 200 */
    char cursor[CURSOR_MAX];  /* behind what was written; "" before the first */
    uint64_t written, orders; /* bytes of the output; orders that this run wrote */
    uint64_t uncounted;       /* orders that are pending */
    int64_t progress_ms, saved_ms, began_ms;
    bool moved;        /* the cursor, in this run */
    bool ended;        /* JSON Lines: the last line came */
    char trouble[256]; /* why it does not go on: for the user */
    char curl_trouble[CURL_ERROR_SIZE];
};

static const char usage[] =
    "usage: liteoms export --tenant T [OPTIONS]\n"
    "\n"
    "Writes the tenant's orders, oldest first, as they are when it begins. A lost connection is gone on "
    "with; a run that\n"
    "was ended goes on when it is started again with the same -o FILE.\n"
    "\n"
    "  --format jsonl|csv        a line per order (normal), or a row per line item\n"
    "  --customer ID             instead all that is held of this customer, as one JSON document\n"
    "  --email ADDRESS           the same of the customer with this e-mail address\n"
    "  -o, --output FILE         where to; standard output without\n"
    "  --stage A,B               only orders in these stages\n"
    "  --placed-from INSTANT     only those placed at or after it (RFC 3339)\n"
    "  --placed-to INSTANT       only those placed before it\n"
    "  --after CURSOR            go on behind a cursor\n"
    "  --url URL                 the server (http://127.0.0.1:8080)\n"
    "  --token TOKEN             a bearer token with the permission export_orders; or LITEOMS_TOKEN\n"
    "  --data DIR                the data folder whose development token is used when none is given\n"
    "  --ca FILE                 trust these certificates (PEM)\n"
    "  --retry SECONDS           how long to try again when nothing comes (60)\n"
    "  --quiet                   no progress\n"
    "\n"
    "Exit status: 0 everything is written; 1 not; 2 wrong usage.\n";

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- output ---- */

static bool write_all(struct export_run *run, const char *data, size_t len)
{
    while (len) {
        ssize_t put = write(run->fd, data, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            snprintf(run->trouble, sizeof(run->trouble), "%s: %s",
                     run->arguments.output ? run->arguments.output : "standard output", strerror(errno));
            return false;
        }
        data += put;
        len -= (size_t)put;
        run->written += (uint64_t)put;
    }
    return true;
}

/* "<bytes> <cursor>": replaced as a whole, so that it is never half of two. */
static void save_resume(struct export_run *run)
{
    char name[4096];
    if (!run->resume || !*run->cursor ||
        snprintf(name, sizeof(name), "%s.new", run->resume) >= (int)sizeof(name))
        return;
    FILE *file = fopen(name, "we");
    if (!file)
        return;
    bool fine = fprintf(file, "%" PRIu64 " %s\n", run->written, run->cursor) > 0;
    fine = fclose(file) == 0 && fine;
    if (fine)
        (void)rename(name, run->resume);
    run->saved_ms = now_ms();
}

static void show_progress(struct export_run *run)
{
    int64_t now = now_ms();
    if (now - run->saved_ms >= 1000)
        save_resume(run);
    if (run->arguments.quiet || !isatty(STDERR_FILENO) || now - run->progress_ms < 200)
        return;
    run->progress_ms = now;
    double seconds = (double)(now - run->began_ms) / 1000 + 0.001;
    fprintf(stderr, "\r%" PRIu64 " orders, %.1f MB, %.0f orders/s ", run->orders, (double)run->written / 1e6,
            (double)run->orders / seconds);
}

/* Everything up to `end` of what is pending stands in front of the cursor: it counts. */
static bool take(struct export_run *run, size_t end, struct oms_str cursor)
{
    struct oms_buf *pending = &run->pending;
    if (cursor.len >= sizeof(run->cursor) || !write_all(run, pending->data, end))
        return false;
    memcpy(run->cursor, cursor.data, cursor.len);
    run->cursor[cursor.len] = '\0';
    run->moved = true;
    run->orders += run->uncounted;
    run->uncounted = 0;
    return true;
}

static void drop(struct export_run *run, size_t end)
{
    struct oms_buf *pending = &run->pending;
    memmove(pending->data, pending->data + end, pending->len - end);
    pending->len -= end;
    run->record = 0;
    run->looked -= end;
}

/* ---- records ---- */

/* The text between `{"cursor":"` and the next quote: cursors need no escapes. */
static bool take_line(struct export_run *run, struct oms_str line, size_t begin, size_t end)
{
    static const char head[] = "{\"cursor\":\"", last[] = "{\"end\":true";
    struct oms_str cursor;
    if (line.len > sizeof(last) && memcmp(line.data, last, sizeof(last) - 1) == 0) {
        run->ended = true;
    } else if (line.len > sizeof(head) && memcmp(line.data, head, sizeof(head) - 1) == 0) {
        cursor = oms_str_make(line.data + sizeof(head) - 1, line.len - sizeof(head) + 1);
        const char *quote = memchr(cursor.data, '"', cursor.len);
        cursor.len = quote ? (size_t)(quote - cursor.data) : 0;
        if (!take(run, begin, cursor))
            return false;
    } else {
        run->uncounted++;
        run->record = end;
        return true;
    }
    drop(run, end); /* neither is a part of the output */
    return true;
}

/* The last cell of an order's last row is its cursor. */
static bool take_row(struct export_run *run, struct oms_str row, size_t end)
{
    const char *comma = memrchr(row.data, ',', row.len);
    size_t from = comma ? (size_t)(comma - row.data) + 1 : row.len, to = row.len;
    while (to > from && (row.data[to - 1] == '\n' || row.data[to - 1] == '\r'))
        to--;
    struct oms_str cursor = oms_str_make(row.data + from, to - from);
    run->record = end;
    if (!cursor.len || oms_str_eq_c(cursor, "cursor"))
        return true;
    run->uncounted++;
    if (!take(run, end, cursor))
        return false;
    drop(run, end);
    return true;
}

static bool take_records(struct export_run *run)
{
    while (run->looked < run->pending.len) {
        char c = run->pending.data[run->looked++];
        if (run->csv && c == '"')
            run->quoted = !run->quoted;
        if (c != '\n' || run->quoted)
            continue;
        size_t begin = run->record, end = run->looked;
        struct oms_str record = oms_str_make(run->pending.data + begin, end - begin);
        if (run->csv ? !take_row(run, record, end) : !take_line(run, record, begin, end))
            return false;
    }
    return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct export_run *run = context;
    long status = 0;
    curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
    struct oms_buf *to = status == 200 ? &run->pending : &run->refusal;
    oms_buf_append(to, data, size * count);
    if (to->overflow)
        return status == 200 ? 0 : size * count;
    bool fine = status != 200 || run->customer || take_records(run);
    show_progress(run);
    return fine ? size * count : 0;
}

/* ---- one request ---- */

static void put_parameter(struct export_run *run, struct oms_buf *url, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    char *escaped = curl_easy_escape(run->easy, value, 0);
    OMS_ASSERT(escaped);
    oms_buf_appendf(url, "%c%s=%s", memchr(url->data, '?', url->len) ? '&' : '?', name, escaped);
    curl_free(escaped);
}

static void set_url(struct export_run *run)
{
    const struct arguments *arguments = &run->arguments;
    struct oms_buf url;
    size_t len = strlen(arguments->url);
    oms_buf_init(&url, 16384);
    while (len && arguments->url[len - 1] == '/')
        len--;
    oms_buf_appendf(&url, "%.*s/export/%s", (int)len, arguments->url,
                    run->customer ? "customer.json"
                    : run->csv    ? "orders.csv"
                                  : "orders.jsonl");
    put_parameter(run, &url, "customerId", arguments->customer);
    put_parameter(run, &url, "email", arguments->email);
    put_parameter(run, &url, "stage", arguments->stage);
    put_parameter(run, &url, "placedFrom", arguments->from);
    put_parameter(run, &url, "placedTo", arguments->to);
    put_parameter(run, &url, "after", run->cursor);
    oms_buf_append_char(&url, '\0');
    OMS_ASSERT(!url.overflow);
    curl_easy_setopt(run->easy, CURLOPT_URL, url.data);
    oms_buf_fini(&url);
}

enum outcome { DONE, AGAIN, FAILED };

/* What the server says; else the status. */
static void note_refusal(struct export_run *run, long status)
{
    struct oms_arena arena;
    struct oms_value root;
    struct oms_json_error json_error;
    snprintf(run->trouble, sizeof(run->trouble), "status %ld", status);
    oms_arena_init(&arena, 4096, 1u << 20);
    if (run->refusal.len &&
        oms_json_parse(oms_buf_str(&run->refusal), 16, &arena, &root, &json_error) == OMS_OK &&
        root.kind == OMS_VALUE_OBJECT) {
        const struct oms_value *errors = oms_value_get_set(&root, "errors");
        const struct oms_value *first =
            errors && errors->kind == OMS_VALUE_LIST && errors->list.count ? &errors->list.items[0] : NULL;
        const struct oms_value *message =
            first && first->kind == OMS_VALUE_OBJECT ? oms_value_get_set(first, "message") : NULL;
        if (message && message->kind == OMS_VALUE_STRING)
            snprintf(run->trouble, sizeof(run->trouble), "%.*s", OMS_STR_ARG(message->text));
    }
    oms_arena_fini(&arena);
}

/* The document's end: `…],"orderCount":3}`. */
static bool is_whole(struct export_run *run)
{
    static const char key[] = "\n],\"orderCount\":";
    size_t tail = run->pending.len < 64 ? run->pending.len : 64;
    const char *from = run->pending.data + run->pending.len - tail;
    const char *found = tail ? memmem(from, tail, key, sizeof(key) - 1) : NULL;
    if (!found || from[tail - 1] != '\n' || from[tail - 2] != '}')
        return false;
    run->orders = strtoull(found + sizeof(key) - 1, NULL, 10);
    return true;
}

static enum outcome request(struct export_run *run, curl_off_t *retry_after_s)
{
    long status = 0;
    set_url(run);
    oms_buf_reset(&run->pending);
    oms_buf_reset(&run->refusal);
    run->record = run->looked = 0;
    run->uncounted = 0;
    run->quoted = run->ended = false;
    run->trouble[0] = run->curl_trouble[0] = '\0';
    CURLcode result = curl_easy_perform(run->easy);
    curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(run->easy, CURLINFO_RETRY_AFTER, retry_after_s);
    if (result == CURLE_WRITE_ERROR) {
        if (!run->trouble[0])
            snprintf(run->trouble, sizeof(run->trouble), "an answer that is no LiteOMS's");
        return FAILED;
    }
    if (result != CURLE_OK) {
        snprintf(run->trouble, sizeof(run->trouble), "%s",
                 run->curl_trouble[0] ? run->curl_trouble : curl_easy_strerror(result));
        return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE ? FAILED
                                                                                              : AGAIN;
    }
    if (status != 200) {
        note_refusal(run, status);
        return status == 429 || status >= 500 ? AGAIN : FAILED;
    }
    if (run->customer ? !is_whole(run) : !run->csv && !run->ended) {
        snprintf(run->trouble, sizeof(run->trouble), "the answer ended before its end");
        return AGAIN;
    }
    /* What has no cursor behind it: the head of a table without rows. */
    return !run->pending.len || write_all(run, run->pending.data, run->pending.len) ? DONE : FAILED;
}

/* ---- the loop ---- */

static void pause_ms(int64_t ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* Again and again, as long as something comes. */
static enum outcome run_all(struct export_run *run)
{
    int64_t since = now_ms(), wait = 100;
    for (;;) {
        uint64_t before = run->written;
        curl_off_t retry_after_s = 0;
        enum outcome outcome = request(run, &retry_after_s);
        if (outcome != AGAIN)
            return outcome;
        if (run->written != before) {
            since = now_ms();
            wait = 100;
        }
        if (now_ms() - since >= run->arguments.retry_s * 1000)
            return FAILED;
        int64_t pause = retry_after_s * 1000 > wait ? (int64_t)retry_after_s * 1000 : wait;
        pause_ms(pause < 60000 ? pause : 60000);
        wait = wait * 2 < BACKOFF_MS_MAX ? wait * 2 : BACKOFF_MS_MAX;
    }
}

/* ---- setting up ---- */

/* Where an earlier run ended: the bytes that count, and the cursor. */
static bool read_resume(struct export_run *run)
{
    char text[CURSOR_MAX + 32];
    FILE *file = fopen(run->resume, "re");
    if (!file)
        return false;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    char *end;
    unsigned long long bytes = strtoull(text, &end, 10);
    size_t cursor_len = *end == ' ' ? strcspn(end + 1, "\n") : 0;
    if (!cursor_len || cursor_len >= sizeof(run->cursor))
        return false;
    run->written = bytes;
    memcpy(run->cursor, end + 1, cursor_len);
    run->cursor[cursor_len] = '\0';
    return true;
}

static enum oms_status open_output(struct export_run *run, struct oms_error *error)
{
    const char *name = run->arguments.output;
    struct stat info;
    if (run->arguments.after) {
        if (strlen(run->arguments.after) >= sizeof(run->cursor))
            return oms_error_set(error, OMS_INVALID, "--after is no cursor");
        strcpy(run->cursor, run->arguments.after);
    }
    if (!name) {
        run->fd = STDOUT_FILENO;
        return OMS_OK;
    }
    size_t size = strlen(name) + sizeof(".resume");
    if (!run->customer) {
        run->resume = oms_malloc(size);
        snprintf(run->resume, size, "%s.resume", name);
    }
    bool goes_on = run->resume && !run->arguments.after && read_resume(run);
    run->fd =
        open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (goes_on || run->arguments.after ? 0 : O_TRUNC), 0600);
    if (run->fd < 0 || fstat(run->fd, &info) < 0)
        return oms_error_set(error, OMS_IO, "%s: %s", name, strerror(errno));
    if (run->arguments.after)
        run->written = (uint64_t)info.st_size; /* behind what is there */
    if (goes_on && (uint64_t)info.st_size < run->written)
        return oms_error_set(error, OMS_IO, "%s is shorter than %s says: remove the latter to begin anew",
                             name, run->resume);
    if (S_ISREG(info.st_mode) &&
        (ftruncate(run->fd, (off_t)run->written) < 0 || lseek(run->fd, (off_t)run->written, SEEK_SET) < 0))
        return oms_error_set(error, OMS_IO, "%s: %s", name, strerror(errno));
    if (goes_on && !run->arguments.quiet)
        fprintf(stderr, "liteoms export: %s goes on behind %" PRIu64 " bytes\n", name, run->written);
    return OMS_OK;
}

static enum oms_status add_header(struct export_run *run, const char *head, const char *value,
                                  struct oms_error *error)
{
    struct oms_buf line;
    if (strpbrk(value, "\r\n") || strlen(value) > OMS_TOKEN_BYTES_MAX)
        return oms_error_set(error, OMS_INVALID,
                             "the token or the tenant cannot be sent: too long, or a line's end");
    oms_buf_init(&line, OMS_TOKEN_BYTES_MAX + 256);
    oms_buf_appendf(&line, "%s%s", head, value);
    oms_buf_append_char(&line, '\0');
    run->headers = curl_slist_append(run->headers, line.data);
    oms_buf_fini(&line);
    return OMS_OK;
}

static enum oms_status set_token(struct export_run *run, const struct export_environment *environment,
                                 struct oms_error *error)
{
    const struct arguments *arguments = &run->arguments;
    char minted[OMS_TOKEN_BYTES_MAX];
    const char *token = arguments->token ? arguments->token : getenv("LITEOMS_TOKEN");
    if (!token || !*token) {
        enum oms_status status =
            environment->development_token(arguments->data ? arguments->data : environment->data_default,
                                           arguments->tenant, minted, sizeof(minted), error);
        if (status != OMS_OK)
            return status;
        token = minted;
    }
    enum oms_status status = add_header(run, "Authorization: Bearer ", token, error);
    return status == OMS_OK ? add_header(run, "X-Tenant-Id: ", arguments->tenant, error) : status;
}

static void make_easy(struct export_run *run)
{
    run->easy = curl_easy_init();
    OMS_ASSERT(run->easy);
    curl_easy_setopt(run->easy, CURLOPT_HTTPHEADER, run->headers);
    curl_easy_setopt(run->easy, CURLOPT_ERRORBUFFER, run->curl_trouble);
    curl_easy_setopt(run->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(run->easy, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(run->easy, CURLOPT_LOW_SPEED_LIMIT, 1L); /* nothing for half a minute: another try */
    curl_easy_setopt(run->easy, CURLOPT_LOW_SPEED_TIME, 30L);
    curl_easy_setopt(run->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(run->easy, CURLOPT_USERAGENT, "liteoms-export/" LITEOMS_VERSION);
    curl_easy_setopt(run->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(run->easy, CURLOPT_WRITEDATA, run);
    curl_easy_setopt(run->easy, CURLOPT_BUFFERSIZE, 256L << 10);
    if (run->arguments.ca_file)
        curl_easy_setopt(run->easy, CURLOPT_CAINFO, run->arguments.ca_file);
}

/* ---- arguments ---- */

static int wrong(const char *format, const char *detail)
{
    fputs("liteoms export: ", stderr);
    fprintf(stderr, format, detail);
    fputs("\nTry 'liteoms export --help'.\n", stderr);
    return EXIT_USAGE;
}

enum {
    OPT_FORMAT = 256,
    OPT_CUSTOMER,
    OPT_EMAIL,
    OPT_TENANT,
    OPT_STAGE,
    OPT_FROM,
    OPT_TO,
    OPT_AFTER,
    OPT_URL,
    OPT_TOKEN,
    OPT_DATA,
    OPT_CA,
    OPT_RETRY,
    OPT_QUIET,
    OPT_HELP
};

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"customer", required_argument, NULL, OPT_CUSTOMER},
    {"email", required_argument, NULL, OPT_EMAIL},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"stage", required_argument, NULL, OPT_STAGE},
    {"placed-from", required_argument, NULL, OPT_FROM},
    {"placed-to", required_argument, NULL, OPT_TO},
    {"after", required_argument, NULL, OPT_AFTER},
    {"output", required_argument, NULL, 'o'},
    {"url", required_argument, NULL, OPT_URL},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"data", required_argument, NULL, OPT_DATA},
    {"ca", required_argument, NULL, OPT_CA},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* Where a text option goes; NULL: it is none. */
static const char **text_option(struct arguments *arguments, int option)
{
    switch (option) {
    case OPT_FORMAT:
        return &arguments->format;
    case OPT_CUSTOMER:
        return &arguments->customer;
    case OPT_EMAIL:
        return &arguments->email;
    case OPT_TENANT:
        return &arguments->tenant;
    case OPT_STAGE:
        return &arguments->stage;
    case OPT_FROM:
        return &arguments->from;
    case OPT_TO:
        return &arguments->to;
    case OPT_AFTER:
        return &arguments->after;
    case 'o':
        return &arguments->output;
    case OPT_URL:
        return &arguments->url;
    case OPT_TOKEN:
        return &arguments->token;
    case OPT_DATA:
        return &arguments->data;
    case OPT_CA:
        return &arguments->ca_file;
    default:
        return NULL;
    }
}

/* An exit status, or -1 to go on. */
static int read_arguments(int argc, char **argv, struct export_run *run)
{
    struct arguments *arguments = &run->arguments;
    int option;
    *arguments = (struct arguments){.format = "jsonl", .url = "http://127.0.0.1:8080", .retry_s = 60};
    optind = 1;
    while ((option = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
        const char **text = text_option(arguments, option);
        if (text) {
            *text = optarg;
        } else if (option == OPT_RETRY) {
            if (oms_str_to_i64(oms_str_of(optarg), &arguments->retry_s) != OMS_OK || arguments->retry_s < 0 ||
                arguments->retry_s > 86400)
                return wrong("--retry %s: expected 0 to 86400", optarg);
        } else if (option == OPT_QUIET) {
            arguments->quiet = true;
        } else if (option == OPT_HELP) {
            fputs(usage, stdout);
            return 0;
        } else {
            fputs("Try 'liteoms export --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (argc > optind)
        return wrong("'%s' is one argument too many", argv[optind]);
    if (!arguments->tenant)
        return wrong("--tenant is missing%s", "");
    run->customer = arguments->customer || arguments->email;
    if (arguments->customer && arguments->email)
        return wrong("--customer and --email%s: one of them says who it is", "");
    if (run->customer && (arguments->after || strcmp(arguments->format, "jsonl") != 0))
        return wrong("--after and --format%s are of no use for a customer's export", "");
    run->csv = strcmp(arguments->format, "csv") == 0;
    if (!run->csv && strcmp(arguments->format, "jsonl") != 0)
        return wrong("--format %s: expected jsonl or csv", arguments->format);
    return -1;
}

/* ---- all of it ---- */

static void tell_end(struct export_run *run, enum outcome outcome)
{
    if (!run->arguments.quiet && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    if (outcome == DONE) {
        if (run->resume)
            (void)unlink(run->resume);
        if (!run->arguments.quiet)
            fprintf(stderr, "liteoms export: %" PRIu64 " orders, %" PRIu64 " bytes; %.1f s\n", run->orders,
                    run->written, (double)(now_ms() - run->began_ms) / 1000);
        return;
    }
    save_resume(run);
    fprintf(stderr, "liteoms export: %s: %s\n", run->arguments.url, run->trouble);
    if (run->moved && run->resume)
        fprintf(stderr, "the same command goes on from there\n");
    else if (run->moved)
        fprintf(stderr, "--after %s goes on from there\n", run->cursor);
}

int export_main(int argc, char **argv, const struct export_environment *environment)
{
    struct export_run run = {.fd = -1};
    struct oms_error error = {OMS_OK, ""};
    enum outcome outcome = FAILED;
    int usage_status = read_arguments(argc, argv, &run);
    if (usage_status >= 0)
        return usage_status;
    OMS_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    oms_buf_init(&run.pending, PENDING_MAX);
    oms_buf_init(&run.refusal, 64u << 10);
    run.began_ms = run.saved_ms = now_ms();
    enum oms_status status = set_token(&run, environment, &error);
    if (status == OMS_OK)
        status = open_output(&run, &error);
    if (status == OMS_OK) {
        make_easy(&run);
        outcome = run_all(&run);
        tell_end(&run, outcome);
    } else {
        fprintf(stderr, "liteoms export: %s\n", error.message);
    }
    if (run.fd > STDOUT_FILENO && close(run.fd) < 0 && outcome == DONE) {
        fprintf(stderr, "liteoms export: %s: %s\n", run.arguments.output, strerror(errno));
        outcome = FAILED;
    }
    curl_easy_cleanup(run.easy);
    curl_slist_free_all(run.headers);
    oms_buf_fini(&run.pending);
    oms_buf_fini(&run.refusal);
    oms_free(run.resume);
    curl_global_cleanup();
    return outcome == DONE ? 0 : EXIT_INCOMPLETE;
}
