/* See key_file.h. */
#include "http/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/prng.h"

#define TEXT_MAX (2 * HTTP_KEY_FILE_BYTES_MAX + 1)

static enum oms_status failed(const struct http_key_file *file, const char *path, const char *did,
                              struct oms_error *error)
{
    return oms_error_set(error, OMS_IO, "%s '%s' cannot be %s: %s", file->what, path, did, strerror(errno));
}

/* The folder that names the file. */
static enum oms_status sync_folder(const struct http_key_file *file, struct oms_error *error)
{
    char folder[4096 + 64];
    snprintf(folder, sizeof(folder), "%s", file->path);
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash)
        *slash = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    enum oms_status status = synced ? OMS_OK : failed(file, folder, "made durable", error);
    if (fd >= 0)
        close(fd);
    return status;
}

static enum oms_status make(const struct http_key_file *file, struct oms_error *error)
{
    char temporary[4096 + 64], text[TEXT_MAX];
    unsigned char secret[HTTP_KEY_FILE_BYTES_MAX];
    size_t len = 2 * file->size + 1;
    snprintf(temporary, sizeof(temporary), "%s.new", file->path);
    oms_random_bytes(secret, file->size);
    oms_hex_encode(secret, file->size, text);
    text[len - 1] = '\n';
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(file, temporary, "made", error);
    bool written = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    close(fd);
    if (!written || rename(temporary, file->path) != 0)
        return failed(file, temporary, "written", error);
    return sync_folder(file, error);
}

enum oms_status http_key_file_load(const struct http_key_file *file, bool may_make, void *out,
                                   struct oms_error *error)
{
    char text[TEXT_MAX + 1];
    size_t len = 2 * file->size + 1;
    OMS_ASSERT(file->size <= HTTP_KEY_FILE_BYTES_MAX);
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !may_make)
        return oms_error_set(error, OMS_CORRUPT, "%s '%s' is missing although %s: restore it from a backup",
                             file->what, file->path, file->missing);
    if (fd < 0 && errno == ENOENT) {
        enum oms_status status = make(file, error);
        if (status != OMS_OK)
            return status;
        fd = open(file->path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return failed(file, file->path, "read", error);
    ssize_t got = read(fd, text, len + 1);
    close(fd);
    if (got != (ssize_t)len || text[len - 1] != '\n' ||
        oms_hex_decode(oms_str_make(text, len - 1), out, file->size) != OMS_OK)
        return oms_error_set(error, OMS_CORRUPT,
                             "%s '%s' is not one that liteoms wrote: restore it from a backup", file->what,
                             file->path);
    return OMS_OK;
}
