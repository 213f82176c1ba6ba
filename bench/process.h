/* A server under test: started as a program of its own, watched by /proc, stopped by its pid. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/status.h"

struct process {
    pid_t pid;
    uint16_t port;  /* from its ready line */
    double ready_s; /* from exec to that line */
    int out_fd;
};

/*
 * Runs argv (argv[0] is the path) with its standard error in the file `log`, and waits up to 120 s for a line
 * with "ready on http://…:PORT". The child dies with this process.
 */
OMS_MUST_USE enum oms_status process_start(char *const argv[], const char *log, struct process *out,
                                           struct oms_error *error);
/* SIGTERM and wait, SIGKILL after 60 s; returns the exit status, or -1 when it had to be killed. */
int process_stop(struct process *process);
/* SIGKILL and wait. */
void process_kill(struct process *process);
/* Resident bytes: all, and the anonymous ones; 0 when the process has gone. */
uint64_t process_rss(const struct process *process, uint64_t *anonymous);
/* Processor seconds used so far. */
double process_cpu_s(const struct process *process);
/* Runs argv to its end and puts the first line of its standard output (without newline) into `line`. */
OMS_MUST_USE enum oms_status process_line(char *const argv[], char *line, size_t size,
                                          struct oms_error *error);

#endif
