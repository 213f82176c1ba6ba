/* See manage_client.h. */
#include "http/manage/manage_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define ANSWER_BYTES_MAX (4u << 20)
#define TIMEOUT_S        60

/* ---- a server of our own ---- */

/* In the new process. */
static int serve(const struct http_config *config, const struct manage_environment *environment, int out,
                 pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* it is for this command and nobody else */
    if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0)
        return 1;
    close(out);
    oms_log_set_level(OMS_LOG_ERROR);
    return environment->serve(config);
}

/* Waits for "liteoms: ready on …" or the end of the server. */
static bool wait_ready(int in)
{
    static const char ready[] = "liteoms: ready on ";
    char text[1024];
    size_t len = 0;
    while (len < sizeof(text) - 1) {
        ssize_t got = read(in, text + len, sizeof(text) - 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        len += (size_t)got;
        text[len] = '\0';
        const char *at = strstr(text, ready);
        if (at && strchr(at, '\n'))
            return true;
    }
    return false;
}

static void trim(struct http_config *config, const char *data)
{
    config->data = oms_str_of(data);
    config->listen = OMS_STR("127.0.0.1:0");
    config->tls_cert = config->tls_key = OMS_STR_NONE;
    config->shards = 1;
    config->dev = config->graphiql = false;
    config->graphiql_given = config->host_only = true;
    config->issuer_count = config->tenant_count = config->webhook_count = 0;
    memset(&config->nats, 0, sizeof(config->nats)); /* nothing is told to others, or taken from them */
    config->single_tenant = OMS_STR_NONE;
    config->graphql.allow_list = NULL;
}

static enum oms_status start_own(struct manage_client *client, struct http_config *config,
                                 const struct manage_environment *environment, struct oms_error *error)
{
    int ends[2];
    pid_t parent = getpid();
    if (access(client->data, F_OK) != 0)
        return oms_error_set(error, OMS_NOT_FOUND, "there is no data folder '%s'", client->data);
    trim(config, client->data);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return oms_error_set(error, OMS_IO, "no pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        exit(serve(config, environment, ends[1], parent));
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return oms_error_set(error, OMS_IO, "no process: %s", strerror(errno));
    }
    client->own = child;
    bool ready = wait_ready(ends[0]);
    close(ends[0]);
    if (!ready)
        return oms_error_set(error, OMS_IO,
                             "no server runs on '%s' that can be asked, and none could be started",
                             client->data);
    return http_host_issuer_read(client->data, &client->access, error);
}

/* ---- asking ---- */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct oms_buf *answer = context;
    oms_buf_append(answer, data, size * count);
    return answer->overflow ? 0 : size * count;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "host:alice": who did it, for the record. */
static struct oms_str subject(char text[80])
{
    const struct passwd *user = getpwuid(getuid());
    int len = user ? snprintf(text, 80, "host:%.64s", user->pw_name)
                   : snprintf(text, 80, "host:%lu", (unsigned long)getuid());
    return oms_str_make(text, (size_t)len);
}

static struct curl_slist *make_headers(const struct manage_client *client, struct oms_error *error)
{
    struct curl_slist *headers = NULL;
    struct oms_buf line;
    char who[80];
    oms_buf_init(&line, OMS_TOKEN_BYTES_MAX + 64);
    oms_buf_append_lit(&line, "Authorization: Bearer ");
    if (http_host_issuer_mint(&client->access, subject(who), wall_ms(), &line, error) == OMS_OK) {
        oms_buf_append_char(&line, '\0');
        headers = curl_slist_append(headers, line.data);
        headers = curl_slist_append(headers, "Content-Type: application/json");
    }
    oms_buf_fini(&line);
    return headers;
}

/* Posts the body; OMS_NOT_FOUND when nobody listens there. */
static enum oms_status post(struct manage_client *client, const struct oms_buf *body, long *status,
                            struct oms_error *error)
{
    char url[sizeof(client->access.url) + 16], trouble[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = make_headers(client, error);
    if (!headers)
        return OMS_INVALID;
    CURL *easy = curl_easy_init();
    OMS_ASSERT(easy);
    snprintf(url, sizeof(url), "%s/graphql", client->access.url);
    oms_buf_reset(&client->answer);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body->len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &client->answer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, trouble);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "liteoms-manage/" LITEOMS_VERSION);
    if (client->access.tls_cert[0]) {
        /* The server's own certificate is the authority; its name is that of the outside. */
        curl_easy_setopt(easy, CURLOPT_CAINFO, client->access.tls_cert);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    if (code == CURLE_OK)
        return OMS_OK;
    return oms_error_set(error, code == CURLE_COULDNT_CONNECT ? OMS_NOT_FOUND : OMS_IO,
                         "the server at %s does not answer: %s", client->access.url,
                         trouble[0] ? trouble : curl_easy_strerror(code));
}

static enum oms_status read_answer(const struct manage_client *client, long status, struct oms_arena *arena,
                                   const struct oms_value **data, struct oms_error *error)
{
    struct oms_value *answer = OMS_ARENA_NEW(arena, struct oms_value);
    struct oms_json_error fault;
    if (!answer ||
        oms_json_parse(oms_buf_str(&client->answer), OMS_JSON_DEPTH_MAX, arena, answer, &fault) != OMS_OK)
        return oms_error_set(error, OMS_IO, "what listens at %s is no server of ours (status %ld)",
                             client->access.url, status);
    const struct oms_value *errors = oms_value_get_set(answer, "errors");
    *data = oms_value_get_set(answer, "data");
    if (errors && errors->kind == OMS_VALUE_LIST && errors->list.count) {
        const struct oms_value *message = oms_value_get_set(&errors->list.items[0], "message");
        return oms_error_set(error, OMS_DENIED, "%.*s",
                             OMS_STR_ARG(message ? message->text : OMS_STR("the server refused")));
    }
    return *data ? OMS_OK : oms_error_set(error, OMS_IO, "the server answered nothing (status %ld)", status);
}

enum oms_status manage_client_ask(struct manage_client *client, const char *document,
                                  struct oms_str variables, struct oms_arena *arena,
                                  const struct oms_value **data, struct oms_error *error)
{
    struct oms_buf body;
    long status = 0;
    oms_buf_init(&body, OMS_BODY_BYTES_MAX);
    oms_buf_append_lit(&body, "{\"query\":");
    oms_json_write_string(&body, oms_str_of(document));
    oms_buf_append_lit(&body, ",\"variables\":");
    oms_buf_append_str(&body, variables);
    oms_buf_append_char(&body, '}');
    enum oms_status result = body.overflow ? oms_error_set(error, OMS_LIMIT, "the request is too large")
                                           : post(client, &body, &status, error);
    oms_buf_fini(&body);
    return result == OMS_OK ? read_answer(client, status, arena, data, error) : result;
}

/* ---- life ---- */

/* Whether the server that wrote the file is there: after a crash the file stays. */
static enum oms_status probe(struct manage_client *client, struct oms_error *error)
{
    const struct oms_value *data;
    struct oms_arena arena;
    oms_arena_init(&arena, 4096, 1u << 20);
    enum oms_status status = manage_client_ask(client, "{ __typename }", OMS_STR("{}"), &arena, &data, error);
    oms_arena_fini(&arena);
    return status;
}

enum oms_status manage_client_open(struct manage_client *client, struct http_config *config,
                                   const struct manage_environment *environment, struct oms_error *error)
{
    OMS_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    oms_buf_init(&client->answer, ANSWER_BYTES_MAX);
    enum oms_status status = http_host_issuer_read(client->data, &client->access, error);
    if (status == OMS_OK && probe(client, error) == OMS_OK)
        return OMS_OK;
    /* The file is of a server that crashed: then nobody has the folder's lock. */
    return status == OMS_OK || status == OMS_NOT_FOUND ? start_own(client, config, environment, error)
                                                       : status;
}

bool manage_client_close(struct manage_client *client)
{
    int status = 0;
    if (client->own) {
        kill(client->own, SIGTERM);
        while (waitpid(client->own, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    explicit_bzero(&client->access, sizeof(client->access));
    oms_buf_fini(&client->answer);
    curl_global_cleanup();
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
