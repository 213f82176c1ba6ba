/*
 * The file is made under another name and linked to its own, which fails when somebody was faster: then
 * theirs is read. So two first uses at once agree on one secret, and a crash leaves none half written.
 */
#include "http/auth/dev_issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/json.h"
#include "runtime/base/prng.h"

#define SECRET_BYTES 32
#define SECRET_CHARS (2 * SECRET_BYTES)
#define PATH_SIZE    4096

static enum oms_status failed(struct oms_error *error, const char *what, const char *path)
{
    int number = errno;
    return oms_error_set(error, number == EACCES ? OMS_DENIED : OMS_IO, "cannot %s '%s': %s", what, path,
                         strerror(number));
}

static enum oms_status write_secret(const char *path, struct oms_error *error)
{
    unsigned char secret[SECRET_BYTES];
    char text[SECRET_CHARS + 1], made[PATH_SIZE + 32];
    oms_random_bytes(secret, sizeof(secret));
    oms_hex_encode(secret, sizeof(secret), text);
    text[SECRET_CHARS] = '\n';
    snprintf(made, sizeof(made), "%s.new-%ld", path, (long)getpid());
    unlink(made); /* of a process with our number that crashed here */
    int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(error, "make the development issuer's secret", made);
    bool written = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
    enum oms_status status = written ? OMS_OK : failed(error, "write the development issuer's secret", made);
    close(fd);
    if (written && link(made, path) != 0 && errno != EEXIST)
        status = failed(error, "make the development issuer's secret", path);
    unlink(made);
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, sizeof(text));
    return status;
}

/* OMS_NOT_FOUND when there is no file. */
static enum oms_status read_secret(const char *path, char text[SECRET_CHARS + 2], struct oms_error *error)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return OMS_NOT_FOUND;
    if (fd < 0)
        return failed(error, "read the development issuer's secret", path);
    ssize_t len = fstat(fd, &info) == 0 ? read(fd, text, SECRET_CHARS + 2) : -1;
    close(fd);
    if (len < 0)
        return failed(error, "read the development issuer's secret", path);
    if (info.st_mode & 077)
        return oms_error_set(
            error, OMS_DENIED,
            "the development issuer's secret '%s' is readable by others; run: chmod 600 '%s'", path, path);
    unsigned char secret[SECRET_BYTES];
    bool valid = len == SECRET_CHARS + 1 && text[SECRET_CHARS] == '\n' &&
                 oms_hex_decode(oms_str_make(text, SECRET_CHARS), secret, sizeof(secret)) == OMS_OK;
    explicit_bzero(secret, sizeof(secret));
    if (!valid)
        return oms_error_set(error, OMS_CORRUPT,
                             "'%s' is not a development issuer's secret; remove it to get a new one", path);
    return OMS_OK;
}

static void fill_issuer(struct http_issuer *out, struct oms_str secret)
{
    static const struct oms_str audience = {HTTP_DEV_ISSUER_AUDIENCE, sizeof(HTTP_DEV_ISSUER_AUDIENCE) - 1};
    *out = (struct http_issuer){
        .issuer = OMS_STR(HTTP_DEV_ISSUER_NAME),
        .audiences = &audience,
        .audience_count = 1,
        .algorithms = 1u << HTTP_ALG_HS256,
        .keys = {{.kind = HTTP_KEY_HMAC, .material = secret}},
        .key_count = 1,
        .any_tenant = true,
        .any_role = true,
        .is_operator = true,
    };
    http_issuer_default_claims(out);
}

enum oms_status http_dev_issuer_load(const char *data_folder, struct oms_arena *arena,
                                     struct http_issuer *out, struct oms_error *error)
{
    char path[PATH_SIZE], text[SECRET_CHARS + 2];
    int len = snprintf(path, sizeof(path), "%s/%s", data_folder, HTTP_DEV_ISSUER_FILE);
    if (len < 0 || (size_t)len >= sizeof(path))
        return oms_error_set(error, OMS_INVALID, "the name of the data folder is too long");
    enum oms_status status = read_secret(path, text, error);
    if (status == OMS_NOT_FOUND) {
        status = write_secret(path, error);
        if (status == OMS_OK)
            status = read_secret(path, text, error);
        if (status == OMS_NOT_FOUND)
            status = oms_error_set(error, OMS_IO, "'%s' vanished while it was being made", path);
    }
    if (status != OMS_OK)
        return status;
    struct oms_str secret = oms_str_copy(arena, oms_str_make(text, SECRET_CHARS));
    explicit_bzero(text, sizeof(text));
    OMS_ASSERT(oms_str_present(secret));
    fill_issuer(out, secret);
    return OMS_OK;
}

static void append_claim(struct oms_buf *json, const char *name, struct oms_str value)
{
    if (!value.len)
        return;
    oms_buf_appendf(json, ",\"%s\":", name);
    oms_json_write_string(json, value);
}

static void write_claims(const struct http_issuer *issuer, const struct http_dev_token *token,
                         struct oms_buf *json)
{
    int64_t now_s = token->now_ms / 1000;
    oms_buf_append_lit(json, "{\"iss\":");
    oms_json_write_string(json, issuer->issuer);
    append_claim(json, "aud", issuer->audiences[0]);
    append_claim(json, "sub", token->subject);
    append_claim(json, "tenant_id", token->tenant);
    append_claim(json, "vendor_id", token->vendor_id);
    append_claim(json, "customer_id", token->customer_id);
    oms_buf_appendf(json, ",\"iat\":%lld,\"exp\":%lld,\"roles\":[", (long long)now_s,
                    (long long)(now_s + token->ttl_s));
    for (size_t i = 0; i < token->role_count; i++) {
        if (i)
            oms_buf_append_char(json, ',');
        oms_json_write_string(json, token->roles[i]);
    }
    oms_buf_append_lit(json, "]}");
    oms_buf_append_char(json, '\0');
}

enum oms_status http_dev_issuer_mint(const struct http_issuer *issuer, const struct http_dev_token *token,
                                     struct oms_buf *out, struct oms_error *error)
{
    const struct http_issuer_key *key = &issuer->keys[0];
    if (!token->subject.len)
        return oms_error_set(error, OMS_INVALID, "a token needs a subject");
    if (token->ttl_s <= 0)
        return oms_error_set(error, OMS_INVALID, "a token must live for at least a second");
    OMS_ASSERT(issuer->key_count == 1 && key->kind == HTTP_KEY_HMAC);
    struct oms_buf json;
    jwt_t *jwt = NULL;
    oms_buf_init(&json, 1u << 20);
    write_claims(issuer, token, &json);
    char *text = NULL;
    if (!json.overflow && jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, json.data) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key->material.data, (int)key->material.len) ==
            0)
        text = jwt_encode_str(jwt);
    jwt_free(jwt);
    oms_buf_fini(&json);
    if (!text)
        return oms_error_set(error, OMS_INVALID, "the token could not be made: are all names valid UTF-8?");
    oms_buf_append(out, text, strlen(text));
    free(text); /* libjwt's, from malloc */
    return OMS_OK;
}
