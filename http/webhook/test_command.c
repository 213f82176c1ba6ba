/* See test_command.h. A client of the running server: it knows the schemes, and nothing of what the server
 * does. */
#include "http/webhook/test_command.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "http/webhook/topic.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define URL_DEFAULT "http://127.0.0.1:8080"
#define TIMEOUT_S   30L
#define ANSWER_MAX  (1u << 20)
#define SECRET_MAX  256

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char help[] =
    "usage: liteoms webhook test --provider P --topic T [OPTIONS]\n"
    "\n"
    "  --provider P         wss, github, standard, shopify, easypost or stripe\n"
    "  --topic T            tenant_create_order, orders/create, orders/paid, orders/cancelled,\n"
    "                       fulfillments/update or shipment_tracker\n"
    "  --tenant T           whose webhook it is; without it: the operator's shipment_tracker\n"
    "  --secret S           the secret to sign with (or LITEOMS_WEBHOOK_SECRET, which other users do not "
    "see)\n"
    "  --secret-file FILE   its first line is the secret\n"
    "  --url URL            the server (default: " URL_DEFAULT ")\n"
    "  --ref R              the order or tracking reference in the sample (default: one that is new)\n"
    "  --body FILE          send this instead of a sample; '-': standard input\n"
    "  --ca FILE            certificate to trust, in PEM\n"
    "  --print              show the signed request and send nothing\n"
    "\n"
    "Signs as the provider does, with the time of now, and prints the answer. Exit status 0: 2xx.\n";

struct flags {
    const char *provider, *topic, *tenant, *secret, *secret_file, *url, *ref, *body, *ca;
    bool print;
};

static int usage(const char *format, const char *detail)
{
    fprintf(stderr, "liteoms: ");
    fprintf(stderr, format, detail);
    fprintf(stderr, "\n\n%s", help);
    return EXIT_USAGE;
}

static int fail(const char *format, const char *detail)
{
    fprintf(stderr, "liteoms: ");
    fprintf(stderr, format, detail);
    fprintf(stderr, "\n");
    return EXIT_FAILED;
}

/* EXIT_FINE to go on; -1 after the help was shown. */
static int read_flags(int argc, char **argv, struct flags *flags)
{
    static const struct option options[] = {{"provider", required_argument, NULL, 'p'},
                                            {"topic", required_argument, NULL, 't'},
                                            {"tenant", required_argument, NULL, 'T'},
                                            {"secret", required_argument, NULL, 's'},
                                            {"secret-file", required_argument, NULL, 'f'},
                                            {"url", required_argument, NULL, 'u'},
                                            {"ref", required_argument, NULL, 'r'},
                                            {"body", required_argument, NULL, 'b'},
                                            {"ca", required_argument, NULL, 'c'},
                                            {"print", no_argument, NULL, 'P'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        const char **places[] = {
            ['p'] = &flags->provider, ['t'] = &flags->topic,       ['T'] = &flags->tenant,
            ['s'] = &flags->secret,   ['f'] = &flags->secret_file, ['u'] = &flags->url,
            ['r'] = &flags->ref,      ['b'] = &flags->body,        ['c'] = &flags->ca};
        if (option == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (option == '?' || option == ':')
            return usage(option == '?' ? "unknown option '%s'" : "option '%s' needs a value",
                         argv[optind - 1]);
        if (option == 'P')
            flags->print = true;
        else
            *places[option] = optarg;
    }
    return optind < argc ? usage("'%s' is one argument too many", argv[optind]) : EXIT_FINE;
}

/* ---- the request ---- */

struct request {
    const struct webhook_provider *provider;
    const struct webhook_topic *topic;
    char secret[SECRET_MAX + 1];
    struct oms_buf path, url, body, headers, answer;
};

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int read_secret(const struct flags *flags, struct request *request)
{
    const char *secret = flags->secret ? flags->secret : getenv("LITEOMS_WEBHOOK_SECRET");

    if (flags->secret_file) {
        FILE *file = fopen(flags->secret_file, "re");
        if (!file || !fgets(request->secret, sizeof(request->secret), file)) {
            if (file)
                fclose(file);
            return fail("cannot read a secret from '%s'", flags->secret_file);
        }
        fclose(file);
        request->secret[strcspn(request->secret, "\r\n")] = '\0';
    } else if (secret) {
        if (strlen(secret) > SECRET_MAX)
            return fail("%s", "the secret is too long");
        snprintf(request->secret, sizeof(request->secret), "%s", secret);
    } else {
        return usage("%s", "--secret, --secret-file or LITEOMS_WEBHOOK_SECRET is required");
    }
    return webhook_secret_valid(request->provider, oms_str_of(request->secret))
               ? EXIT_FINE
               : fail("the secret is none for '%s' (standard takes whsec_ and base64)", flags->provider);
}

static int read_body(const struct flags *flags, struct oms_str tag, struct request *request)
{
    char chunk[4096];
    size_t len;

    if (!flags->body) {
        webhook_sample(request->provider, request->topic, oms_str_of(flags->tenant), tag, wall_ms(),
                       &request->body);
        return EXIT_FINE;
    }
    FILE *file = strcmp(flags->body, "-") == 0 ? stdin : fopen(flags->body, "re");
    if (!file)
        return fail("cannot read '%s'", flags->body);
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0)
        oms_buf_append(&request->body, chunk, len);
    if (file != stdin)
        fclose(file);
    return request->body.overflow ? fail("'%s' is larger than a webhook may be", flags->body) : EXIT_FINE;
}

static void make_path(const struct flags *flags, struct request *request)
{
    size_t url_len = strlen(flags->url);

    if (flags->tenant)
        oms_buf_appendf(&request->path, "/webhook/%s/%s/%s", flags->provider, flags->tenant, flags->topic);
    else
        oms_buf_appendf(&request->path, "/webhook/%s/shipment_tracker", flags->provider);
    while (url_len && flags->url[url_len - 1] == '/')
        url_len--;
    oms_buf_append(&request->url, flags->url, url_len);
    oms_buf_append_str(&request->url, oms_buf_str(&request->path));
    oms_buf_append_char(&request->url, '\0');
}

static int make_request(const struct flags *flags, struct request *request)
{
    char tag[64];

    request->provider = webhook_provider_find(oms_str_of(flags->provider));
    request->topic = webhook_topic_find(oms_str_of(flags->topic));
    if (!request->provider)
        return usage("there is no provider '%s'", flags->provider);
    if (!request->topic)
        return usage("there is no topic '%s'", flags->topic);
    if (!flags->tenant && request->topic->action != WEBHOOK_TRACK)
        return usage("'%s' needs --tenant", flags->topic);
    snprintf(tag, sizeof(tag), "TEST-%lld-%d", (long long)wall_ms(), (int)getpid());
    struct oms_str ref = oms_str_of(flags->ref ? flags->ref : tag);
    int status = read_secret(flags, request);
    if (status == EXIT_FINE)
        status = read_body(flags, ref, request);
    if (status != EXIT_FINE)
        return status;
    make_path(flags, request);
    oms_buf_append_lit(&request->headers, "Content-Type: application/json\r\n");
    return webhook_sign(request->provider, oms_str_of(request->secret), OMS_STR("POST"),
                        oms_buf_str(&request->path), oms_buf_str(&request->body), oms_str_of(tag), wall_ms(),
                        &request->headers)
               ? EXIT_FINE
               : fail("%s", "the request is too large");
}

/* ---- sending ---- */

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
    oms_buf_append(context, data, size * count);
    return size * count;
}

static struct curl_slist *header_list(struct oms_str headers)
{
    struct curl_slist *list = NULL;

    while (headers.len) {
        const char *end = memchr(headers.data, '\r', headers.len);
        size_t len = (size_t)(end - headers.data);
        char *line = oms_str_dup(oms_str_make(headers.data, len));
        list = curl_slist_append(list, line);
        oms_free(line);
        headers = oms_str_make(end + 2, headers.len - len - 2);
    }
    return list;
}

static int send_request(const struct flags *flags, struct request *request)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = header_list(oms_buf_str(&request->headers));
    char trouble[CURL_ERROR_SIZE] = "";
    long status = 0;

    OMS_ASSERT(curl && headers);
    curl_easy_setopt(curl, CURLOPT_URL, request->url.data);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data ? request->body.data : "");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &request->answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, trouble);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "liteoms/" LITEOMS_VERSION);
    if (flags->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, flags->ca);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        return fail("no answer: %s", trouble[0] ? trouble : curl_easy_strerror(code));
    printf("%ld\n%.*s\n", status, (int)request->answer.len, request->answer.data ? request->answer.data : "");
    return status >= 200 && status < 300 ? EXIT_FINE : EXIT_FAILED;
}

static int test(const struct flags *flags)
{
    struct request request = {0};

    oms_buf_init(&request.path, 1024);
    oms_buf_init(&request.url, 4096);
    oms_buf_init(&request.body, OMS_BODY_BYTES_MAX);
    oms_buf_init(&request.headers, 16384);
    oms_buf_init(&request.answer, ANSWER_MAX);
    int status = make_request(flags, &request);
    if (status == EXIT_FINE && flags->print)
        printf("POST %s\r\n%.*s\r\n%.*s\n", request.url.data, OMS_STR_ARG(oms_buf_str(&request.headers)),
               OMS_STR_ARG(oms_buf_str(&request.body)));
    else if (status == EXIT_FINE)
        status = send_request(flags, &request);
    oms_buf_fini(&request.path);
    oms_buf_fini(&request.url);
    oms_buf_fini(&request.body);
    oms_buf_fini(&request.headers);
    oms_buf_fini(&request.answer);
    return status;
}

int webhook_command_main(int argc, char **argv)
{
    struct flags flags = {.url = URL_DEFAULT};

    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return EXIT_FINE;
    }
    if (argc < 2 || strcmp(argv[1], "test") != 0)
        return usage("%s", "webhook knows one thing to do: test");
    int status = read_flags(argc - 1, argv + 1, &flags);
    if (status != EXIT_FINE)
        return status < 0 ? EXIT_FINE : status;
    if (!flags.provider || !flags.topic)
        return usage("%s", "--provider and --topic are required");
    return test(&flags);
}
