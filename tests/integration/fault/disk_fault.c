/*
 * A disk that fails on demand: preloaded before libc, it stands between the program and the writes of the files
 * that a pattern names, and does nothing until a trigger file appears.
 *
 *   LITEOMS_FAULT_FILES    shell pattern over the absolute path (fnmatch(3))
 *   LITEOMS_FAULT_TRIGGER  the file that arms it
 *   LITEOMS_FAULT          sync    the write reaches the disk, the sync after it fails with EIO
 *                          lost    the write seems to succeed and is dropped, the sync after it fails
 *                          torn    like lost, but the first half of the bytes gets there
 *                          ENOSPC, EIO  the write fails; then the syncs as well
 *
 * It is armed by a write, never between a write and its sync, so that a mode means the same in each run; and it
 * stays armed: an error of a disk does not heal. The real work is done by system calls and not by the next library,
 * so it works beneath a sanitizer's own interceptors too.
 */
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool armed;

static bool is_meant(int fd)
{
    char link[64], path[PATH_MAX];
    const char *pattern = getenv("LITEOMS_FAULT_FILES");
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = pattern ? readlink(link, path, sizeof(path) - 1) : -1;
    if (len < 0)
        return false;
    path[len] = '\0';
    return fnmatch(pattern, path, 0) == 0;
}

static const char *mode(void)
{
    const char *name = getenv("LITEOMS_FAULT");
    return name ? name : "sync";
}

/* The errno with which a write fails, or 0; *let_through: how many of its bytes get to the file. */
static int fault_of_write(int fd, size_t size, size_t *let_through)
{
    int saved = errno;
    const char *trigger = getenv("LITEOMS_FAULT_TRIGGER");
    int result = 0;
    *let_through = size;
    /* Only this little work before the trigger exists, and none for descriptors that are no files of ours. */
    if (trigger && (atomic_load(&armed) || syscall(SYS_access, trigger, F_OK) == 0) && is_meant(fd)) {
        atomic_store(&armed, true);
        if (strcmp(mode(), "lost") == 0)
            *let_through = 0;
        else if (strcmp(mode(), "torn") == 0)
            *let_through = size / 2;
        else if (strcmp(mode(), "ENOSPC") == 0)
            result = ENOSPC;
        else if (strcmp(mode(), "EIO") == 0)
            result = EIO;
    }
    errno = saved;
    return result;
}

static int sync_file(int fd, long call)
{
    if (atomic_load(&armed) && is_meant(fd)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

ssize_t write(int fd, const void *data, size_t size)
{
    size_t let_through;
    int fault = fault_of_write(fd, size, &let_through);
    if (fault) {
        errno = fault;
        return -1;
    }
    if (let_through == size)
        return syscall(SYS_write, fd, data, size);
    if (let_through && syscall(SYS_write, fd, data, let_through) < 0)
        return -1;
    return (ssize_t)size;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    size_t let_through;
    int fault = fault_of_write(fd, size, &let_through);
    if (fault) {
        errno = fault;
        return -1;
    }
    if (let_through == size)
        return syscall(SYS_pwrite64, fd, data, size, offset);
    if (let_through && syscall(SYS_pwrite64, fd, data, let_through, offset) < 0)
        return -1;
    return (ssize_t)size;
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}
