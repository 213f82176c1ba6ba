/* 32 hex digits and a newline, mode 0600, written to a temporary name, synced, renamed. See store_key.h. */
#include "http/store_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/encoding.h"
#include "runtime/base/prng.h"

#define KEY_TEXT 33

static enum oms_status failed(struct oms_error *error, const char *path, const char *what)
{
    return oms_error_set(error, OMS_IO, "the store's key '%s' cannot be %s: %s", path, what, strerror(errno));
}

static enum oms_status sync_folder(const char *folder, struct oms_error *error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        enum oms_status status = failed(error, folder, "made durable");
        if (fd >= 0)
            close(fd);
        return status;
    }
    close(fd);
    return OMS_OK;
}

static enum oms_status make(const char *folder, const char *path, struct oms_error *error)
{
    char temporary[4096 + 64], text[KEY_TEXT];
    unsigned char secret[16];
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    oms_random_bytes(secret, sizeof(secret));
    oms_hex_encode(secret, sizeof(secret), text);
    text[KEY_TEXT - 1] = '\n';
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(error, temporary, "made");
    bool written = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
    close(fd);
    if (!written || rename(temporary, path) != 0)
        return failed(error, temporary, "written");
    return sync_folder(folder, error);
}

enum oms_status http_store_key_load(const char *folder, bool may_make, struct oms_hash_key *out,
                                    struct oms_error *error)
{
    char path[4096 + 32], text[KEY_TEXT + 1];
    snprintf(path, sizeof(path), "%s/%s", folder, HTTP_STORE_KEY_FILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !may_make)
        return oms_error_set(
            error, OMS_CORRUPT,
            "the store's key '%s' is missing although there are orders: restore it from a backup", path);
    if (fd < 0 && errno == ENOENT) {
        enum oms_status status = make(folder, path, error);
        if (status != OMS_OK)
            return status;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return failed(error, path, "read");
    ssize_t len = read(fd, text, sizeof(text));
    close(fd);
    if (len != KEY_TEXT || text[KEY_TEXT - 1] != '\n' ||
        oms_hex_decode(oms_str_make(text, KEY_TEXT - 1), out, sizeof(*out)) != OMS_OK)
        return oms_error_set(error, OMS_CORRUPT,
                             "the store's key '%s' is not one that liteoms wrote: restore it from a backup",
                             path);
    return OMS_OK;
}
