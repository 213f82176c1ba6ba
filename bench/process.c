#include "bench/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/load.h"

#define READY_NS (120ull * 1000000000ull)
#define STOP_NS  (60ull * 1000000000ull)

static enum oms_status spawn(char *const argv[], const char *log, pid_t *pid, int *out_fd,
                             struct oms_error *error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return oms_error_set(error, OMS_IO, "pipe: %s", strerror(errno));
    *pid = fork();
    if (*pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return oms_error_set(error, OMS_IO, "fork: %s", strerror(errno));
    }
    if (*pid == 0) {
        int file = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        if (file >= 0)
            dup2(file, STDERR_FILENO);
        execv(argv[0], argv);
        fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    *out_fd = ends[0];
    return OMS_OK;
}

static const char *find_ready(const char *text)
{
    const char *at = strstr(text, "ready on http");
    return at && strchr(at, '\n') ? at : NULL;
}

static uint16_t port_of(const char *url)
{
    const char *end = strchr(url, '\n');
    const char *at = end;

    while (at > url && *at != ':')
        at--;
    return (uint16_t)strtoul(at + 1, NULL, 10);
}

enum oms_status process_start(char *const argv[], const char *log, struct process *out,
                              struct oms_error *error)
{
    char text[16384];
    size_t len = 0;
    uint64_t begin = load_now_ns();
    enum oms_status status = spawn(argv, log, &out->pid, &out->out_fd, error);

    if (status != OMS_OK)
        return status;
    while (load_now_ns() - begin < READY_NS && len < sizeof(text) - 1) {
        struct pollfd wait = {.fd = out->out_fd, .events = POLLIN};
        if (poll(&wait, 1, 1000) <= 0)
            continue;
        ssize_t got = read(out->out_fd, text + len, sizeof(text) - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        text[len] = '\0';
        const char *ready = find_ready(text);
        if (ready) {
            out->ready_s = (double)(load_now_ns() - begin) / 1e9;
            out->port = port_of(ready);
            return OMS_OK;
        }
    }
    process_kill(out);
    return oms_error_set(error, OMS_IO, "%s did not become ready; see %s", argv[0], log);
}

static void drain_output(struct process *process)
{
    if (process->out_fd >= 0)
        close(process->out_fd);
    process->out_fd = -1;
}

int process_stop(struct process *process)
{
    uint64_t begin = load_now_ns();
    int status;

    if (process->pid <= 0)
        return -1;
    kill(process->pid, SIGTERM);
    while (load_now_ns() - begin < STOP_NS) {
        struct timespec pause = {0, 2000000};
        if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
            process->pid = 0;
            drain_output(process);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        nanosleep(&pause, NULL);
    }
    process_kill(process);
    return -1;
}

void process_kill(struct process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    process->pid = 0;
    drain_output(process);
}

static uint64_t status_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static bool slurp(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out, size - 1);

    if (fd >= 0)
        close(fd);
    out[len > 0 ? len : 0] = '\0';
    return len > 0;
}

uint64_t process_rss(const struct process *process, uint64_t *anonymous)
{
    char path[64], text[8192];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process->pid);
    if (!slurp(path, text, sizeof(text)))
        return 0;
    if (anonymous)
        *anonymous = status_kib(text, "RssAnon:") << 10;
    return status_kib(text, "VmRSS:") << 10;
}

double process_cpu_s(const struct process *process)
{
    char path[64], text[4096];
    unsigned long long user = 0, system_time = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process->pid);
    if (!slurp(path, text, sizeof(text)))
        return 0;
    const char *at = strrchr(text, ')');
    if (!at ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system_time) != 2)
        return 0;
    return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

enum oms_status process_line(char *const argv[], char *line, size_t size, struct oms_error *error)
{
    pid_t pid = -1;
    int fd = -1, wait_status = 0;
    size_t len = 0;
    enum oms_status status = spawn(argv, NULL, &pid, &fd, error);

    if (status != OMS_OK)
        return status;
    for (;;) {
        char byte;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || byte == '\n')
            break;
        if (len < size - 1)
            line[len++] = byte;
    }
    line[len] = '\0';
    close(fd);
    waitpid(pid, &wait_status, 0);
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0 || len == 0)
        return oms_error_set(error, OMS_IO, "%s %s failed", argv[0], argv[1]);
    return OMS_OK;
}
