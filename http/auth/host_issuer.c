/* See host_issuer.h. The file is made under another name and renamed, so that nobody reads half of one. */
#include "http/auth/host_issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/auth/dev_issuer.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/json.h"
#include "runtime/base/prng.h"

#define PATH_SIZE      4096
#define FILE_BYTES_MAX 16384

static void fill_issuer(const struct http_host_access *access, struct http_issuer *out)
{
    static const struct oms_str audience = {HTTP_HOST_ISSUER_AUDIENCE, sizeof(HTTP_HOST_ISSUER_AUDIENCE) - 1};
    static const struct oms_str role = {"operator", 8};
    *out = (struct http_issuer){
        .issuer = OMS_STR(HTTP_HOST_ISSUER_NAME),
        .audiences = &audience,
        .audience_count = 1,
        .algorithms = 1u << HTTP_ALG_HS256,
        .keys = {{.kind = HTTP_KEY_HMAC, .material = oms_str_make(access->secret, HTTP_HOST_SECRET_SIZE)}},
        .key_count = 1,
        .any_tenant = true,
        .roles = &role,
        .role_count = 1,
        .is_operator = true,
    };
    http_issuer_default_claims(out);
}

void http_host_issuer_make(struct http_host_access *access, struct http_issuer *out)
{
    unsigned char secret[HTTP_HOST_SECRET_SIZE / 2];
    memset(access, 0, sizeof(*access));
    oms_random_bytes(secret, sizeof(secret));
    oms_hex_encode(secret, sizeof(secret), access->secret);
    explicit_bzero(secret, sizeof(secret));
    fill_issuer(access, out);
}

static enum oms_status failed(struct oms_error *error, const char *what, const char *path)
{
    int number = errno;
    return oms_error_set(error, number == EACCES ? OMS_DENIED : OMS_IO, "cannot %s '%s': %s", what, path,
                         strerror(number));
}

static void write_json(const struct http_host_access *access, struct oms_buf *out)
{
    oms_buf_append_lit(out, "{\"url\":");
    oms_json_write_string(out, oms_str_of(access->url));
    oms_buf_append_lit(out, ",\"secret\":");
    oms_json_write_string(out, oms_str_of(access->secret));
    oms_buf_append_lit(out, ",\"tls_cert\":");
    oms_json_write_string(out, oms_str_of(access->tls_cert));
    oms_buf_append_lit(out, "}\n");
}

enum oms_status http_host_issuer_publish(const struct http_host_access *access, const char *data_folder,
                                         struct oms_error *error)
{
    char path[PATH_SIZE], made[PATH_SIZE + 8];
    struct oms_buf json;
    snprintf(path, sizeof(path), "%s/%s", data_folder, HTTP_HOST_ISSUER_FILE);
    snprintf(made, sizeof(made), "%s.new", path);
    unlink(made); /* of a server that crashed here; the folder is ours alone */
    int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(error, "make", made);
    oms_buf_init(&json, FILE_BYTES_MAX);
    write_json(access, &json);
    bool written = !json.overflow && write(fd, json.data, json.len) == (ssize_t)json.len;
    enum oms_status status = written ? OMS_OK : failed(error, "write", made);
    close(fd);
    if (written && rename(made, path) != 0)
        status = failed(error, "make", path);
    if (status != OMS_OK)
        unlink(made);
    explicit_bzero(json.data, json.len);
    oms_buf_fini(&json);
    return status;
}

void http_host_issuer_withdraw(const char *data_folder)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", data_folder, HTTP_HOST_ISSUER_FILE);
    unlink(path);
}

/* ---- the client ---- */

static bool take(const struct oms_value *file, const char *name, char *out, size_t size)
{
    const struct oms_value *value = oms_value_get_set(file, name);
    if (!value || value->kind != OMS_VALUE_STRING || value->text.len >= size)
        return false;
    memcpy(out, value->text.data, value->text.len);
    out[value->text.len] = '\0';
    return true;
}

static enum oms_status parse(struct oms_str text, const char *path, struct http_host_access *out,
                             struct oms_error *error)
{
    struct oms_json_error fault;
    struct oms_arena arena;
    struct oms_value file;
    oms_arena_init(&arena, 4096, 1u << 20);
    bool fine = oms_json_parse(text, 4, &arena, &file, &fault) == OMS_OK && file.kind == OMS_VALUE_OBJECT &&
                take(&file, "url", out->url, sizeof(out->url)) &&
                take(&file, "secret", out->secret, sizeof(out->secret)) &&
                take(&file, "tls_cert", out->tls_cert, sizeof(out->tls_cert)) &&
                strlen(out->secret) == HTTP_HOST_SECRET_SIZE;
    oms_arena_fini(&arena);
    return fine ? OMS_OK : oms_error_set(error, OMS_CORRUPT, "'%s' is not what a server writes", path);
}

enum oms_status http_host_issuer_read(const char *data_folder, struct http_host_access *out,
                                      struct oms_error *error)
{
    char path[PATH_SIZE], text[FILE_BYTES_MAX];
    struct stat info;
    memset(out, 0, sizeof(*out));
    snprintf(path, sizeof(path), "%s/%s", data_folder, HTTP_HOST_ISSUER_FILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return oms_error_set(error, OMS_NOT_FOUND, "no server runs on '%s'", data_folder);
    if (fd < 0)
        return failed(error, "read", path);
    ssize_t len = fstat(fd, &info) == 0 ? read(fd, text, sizeof(text)) : -1;
    close(fd);
    if (len < 0)
        return failed(error, "read", path);
    if (info.st_mode & 077)
        return oms_error_set(error, OMS_DENIED, "'%s' is readable by others; run: chmod 600 '%s'", path,
                             path);
    enum oms_status status = parse(oms_str_make(text, (size_t)len), path, out, error);
    explicit_bzero(text, sizeof(text));
    return status;
}

enum oms_status http_host_issuer_mint(const struct http_host_access *access, struct oms_str subject,
                                      int64_t now_ms, struct oms_buf *out, struct oms_error *error)
{
    static const struct oms_str role = {"operator", 8};
    const struct http_dev_token token = {.subject = subject,
                                         .roles = &role,
                                         .role_count = 1,
                                         .now_ms = now_ms,
                                         .ttl_s = HTTP_HOST_TOKEN_TTL_S};
    struct http_issuer issuer;
    fill_issuer(access, &issuer);
    return http_dev_issuer_mint(&issuer, &token, out, error);
}
