/*
 * The simulator's program: runs seeds and says which one fails and how to repeat it.
 *
 *   sim                     seeds 1 … 200 (or LITEOMS_SIM_SEEDS of them)
 *   sim --seed 17 --trace   one seed, a line for everything that happens
 *   sim --check-trace       one seed is one trace; different seeds are different ones
 *   sim --mutation NAME     a store that is broken on purpose: some seed must fail
 *
 * A run over many seeds also demands that everything the workload can meet was met, since a simulator that
 * exercises nothing passes always.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/assert.h"
#include "runtime/base/log.h"
#include "tests/sim/world.h"

#define SEEDS_DEFAULT   200
#define STEPS_DEFAULT   300
#define COVERAGE_SEEDS  150 /* from so many on, all must have happened */
#define TRACES_COMPARED 6
#define EXIT_CAUGHT     3

struct arguments {
    struct sim_options options;
    uint64_t seeds;
    bool one, check_trace;
};

/* ---- a death in the middle ---- */

/* Given by sanitizers; absent in a plain build. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static char repeat_line[256];

static void on_death(void)
{
    ssize_t written = write(STDERR_FILENO, repeat_line, strlen(repeat_line));
    (void)written;
}

static void on_abort(int signal_number)
{
    on_death();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void prepare_for_death(const char *program, const struct sim_options *options)
{
    snprintf(repeat_line, sizeof(repeat_line),
             "seed %" PRIu64 "; repeat: %s --seed %" PRIu64 " --steps %u --trace\n", options->seed, program,
             options->seed, options->steps);
    signal(SIGABRT, on_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(on_death);
}

/* ---- what must have been met ---- */

struct met {
    const char *what;
    uint64_t count;
};

static bool all_met(const struct sim_counts *c, const struct model_counts *m)
{
    const struct met rows[] = {
        {"operations", c->operations},
        {"accepted", m->accepted},
        {"replayed", m->replayed},
        {"orders that exist", m->exists},
        {"reads", m->reads},
        {"orders hidden from a caller", m->hidden},
        {"copies", c->copies},
        {"store reads", c->store_reads},
        {"rows of lists", c->listed},
        {"events of feeds", c->feed_events},
        {"holds expired", m->expired},
        {"steps overdue", m->due},
        {"tenant changes", c->tenant_changes},
        {"loads through the pool", c->loads_pool},
        {"unknown outcomes", c->unknown},
        {"refused as busy", c->busy},
        {"refused without space", c->no_space},
        {"calls lost in a crash", c->dropped},
        {"crashes", c->crashes},
        {"store failures", c->failures},
        {"clean restarts", c->clean_restarts},
        {"units replayed", c->recovered_units},
        {"unacknowledged, kept by a crash", m->recovered_pending},
        {"unacknowledged, lost by a crash", m->lost_pending},
        {"NOT_FOUND", m->refused[REFUSAL_NOT_FOUND]},
        {"FORBIDDEN", m->refused[REFUSAL_FORBIDDEN]},
        {"INVALID", m->refused[REFUSAL_INVALID]},
        {"CONFLICT", m->refused[REFUSAL_CONFLICT]},
        {"DUPLICATE", m->refused[REFUSAL_DUPLICATE]},
        {"WRONG_STAGE", m->refused[REFUSAL_WRONG_STAGE]},
        {"ON_HOLD", m->refused[REFUSAL_ON_HOLD]},
        {"QUANTITY_EXCEEDED", m->refused[REFUSAL_QUANTITY_EXCEEDED]},
        {"PAYMENT_OUTSTANDING", m->refused[REFUSAL_PAYMENT_OUTSTANDING]},
        {"REFUND_EXCEEDED", m->refused[REFUSAL_REFUND_EXCEEDED]},
        {"IDEMPOTENCY_MISMATCH", m->refused[REFUSAL_IDEMPOTENCY_MISMATCH]},
        {"STEP_PENDING", m->refused[REFUSAL_STEP_PENDING]},
        {"UNEXPECTED_STEP", m->refused[REFUSAL_UNEXPECTED_STEP]},
        {"NOT_ASSIGNED_REVIEWER", m->refused[REFUSAL_NOT_ASSIGNED_REVIEWER]},
        {"NOT_RETURNABLE", m->refused[REFUSAL_NOT_RETURNABLE]},
        {"TENANT_SUSPENDED", m->refused[REFUSAL_TENANT_SUSPENDED]},
    };
    bool all = true;
    for (size_t i = 0; i < OMS_COUNT_OF(rows); i++) {
        printf("  %-32s %10" PRIu64 "%s\n", rows[i].what, rows[i].count, rows[i].count ? "" : "  <- never");
        all = all && rows[i].count;
    }
    for (unsigned type = 1; type < ORDER_COMMAND_COUNT; type++) {
        if (type == ORDER_COMMAND_EXPIRE_HOLD || type == ORDER_COMMAND_STEP_DUE ||
            type == ORDER_COMMAND_MIGRATE_WORKFLOW)
            continue; /* timers' own and a tenant's: no person sends them to an order */
        const char *name = order_command_info((enum order_command_type)type)->mutation;
        printf("  accepted: %-22s %10" PRIu64 "%s\n", name, m->accepted_of[type],
               m->accepted_of[type] ? "" : "  <- never");
        all = all && m->accepted_of[type];
    }
    return all;
}

/* Both structures are nothing but counters. */
static void add_counts(void *sum, const void *more, size_t size)
{
    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        ((uint64_t *)sum)[i] += ((const uint64_t *)more)[i];
}

/* ---- modes ---- */

static bool run_one(const char *program, const struct sim_options *options, struct sim_result *result)
{
    prepare_for_death(program, options);
    sim_run(options, result);
    if (!result->failed)
        return true;
    printf("FAILED seed %" PRIu64 ": %s\n%s", options->seed, result->failure, repeat_line);
    return false;
}

static int run_seeds(const char *program, const struct arguments *arguments)
{
    struct sim_options options = arguments->options;
    struct sim_counts counts = {0};
    struct model_counts model = {0};
    struct sim_result result;
    for (uint64_t i = 0; i < arguments->seeds; i++, options.seed++) {
        if (!run_one(program, &options, &result))
            return EXIT_FAILURE;
        add_counts(&counts, &result.counts, sizeof(counts));
        add_counts(&model, &result.model, sizeof(model));
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ", %u operations each, passed", arguments->seeds,
           arguments->options.seed, options.steps);
    printf(arguments->seeds == 1 ? "; trace %016" PRIx64 "\n" : "\n", result.trace);
    if (all_met(&counts, &model) || arguments->seeds < COVERAGE_SEEDS)
        return EXIT_SUCCESS;
    printf("FAILED: the workload no longer meets all of these\n");
    return EXIT_FAILURE;
}

static int check_trace(const char *program, const struct arguments *arguments)
{
    struct sim_options options = arguments->options;
    uint64_t traces[TRACES_COMPARED];
    struct sim_result result;
    for (unsigned i = 0; i < TRACES_COMPARED; i++, options.seed++) {
        if (!run_one(program, &options, &result))
            return EXIT_FAILURE;
        traces[i] = result.trace;
        if (!run_one(program, &options, &result))
            return EXIT_FAILURE;
        if (result.trace != traces[i]) {
            printf("FAILED: seed %" PRIu64 " gives two traces\n", options.seed);
            return EXIT_FAILURE;
        }
        for (unsigned before = 0; before < i; before++)
            if (traces[before] == traces[i]) {
                printf("FAILED: two seeds give one trace\n");
                return EXIT_FAILURE;
            }
    }
    printf("%d seeds, each one trace of its own\n", TRACES_COMPARED);
    return EXIT_SUCCESS;
}

/* In a process of its own, since a broken store may well break an assertion. */
static int run_child(const struct sim_options *options)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct sim_result result;
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0)
            dup2(null, STDERR_FILENO);
        sim_run(options, &result);
        if (result.failed)
            printf("seed %" PRIu64 ": %s\n", options->seed, result.failure);
        fflush(stdout);
        _exit(result.failed ? EXIT_CAUGHT : EXIT_SUCCESS);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_FAILURE;
    if (WIFSIGNALED(status))
        printf("seed %" PRIu64 ": an assertion failed\n", options->seed);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CAUGHT;
}

static int check_mutation(const struct arguments *arguments)
{
    struct sim_options options = arguments->options;
    for (uint64_t i = 0; i < arguments->seeds; i++, options.seed++) {
        int code = run_child(&options);
        if (code != EXIT_SUCCESS && code != EXIT_CAUGHT) {
            printf("FAILED: seed %" PRIu64 " ended with code %d\n", options.seed, code);
            return EXIT_FAILURE;
        }
        if (code == EXIT_CAUGHT) {
            printf("%s: caught by seed %" PRIu64 "\n", sim_mutation_name(options.mutation), options.seed);
            return EXIT_SUCCESS;
        }
    }
    printf("FAILED: %s passes %" PRIu64 " seeds\n", sim_mutation_name(options.mutation), arguments->seeds);
    return EXIT_FAILURE;
}

/* ---- arguments ---- */

static bool parse_mutation(const char *name, enum sim_mutation *out)
{
    for (unsigned i = SIM_MUTATION_NONE + 1; i < SIM_MUTATION_COUNT; i++)
        if (strcmp(name, sim_mutation_name((enum sim_mutation)i)) == 0) {
            *out = (enum sim_mutation)i;
            return true;
        }
    return false;
}

static bool parse_number(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text && text[0] != '-' && *out > 0;
}

static bool parse(int argc, char **argv, struct arguments *out)
{
    const char *seeds = getenv("LITEOMS_SIM_SEEDS");
    *out = (struct arguments){.options = {.seed = 1, .steps = STEPS_DEFAULT}, .seeds = SEEDS_DEFAULT};
    if (seeds && !parse_number(seeds, &out->seeds))
        return false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        uint64_t number = 0;
        bool is_number = parse_number(value, &number);
        if (strcmp(argv[i], "--trace") == 0) {
            out->options.trace = stdout;
            continue;
        }
        if (strcmp(argv[i], "--check-trace") == 0) {
            out->check_trace = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--seed") == 0 && is_number) {
            out->options.seed = number;
            out->one = true;
        } else if (strcmp(argv[i - 1], "--seeds") == 0 && is_number) {
            out->seeds = number;
            out->one = false;
        } else if (strcmp(argv[i - 1], "--steps") == 0 && is_number && number <= UINT32_MAX) {
            out->options.steps = (unsigned)number;
        } else if (strcmp(argv[i - 1], "--mutation") != 0 || !parse_mutation(value, &out->options.mutation)) {
            return false;
        }
    }
    if (out->one)
        out->seeds = 1;
    return true;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (!parse(argc, argv, &arguments)) {
        fprintf(stderr,
                "usage: %s [--seed N] [--seeds N] [--steps N] [--trace] [--check-trace] [--mutation NAME]\n"
                "mutations: ack_before_sync, lose_record, stale_state\n",
                argv[0]);
        return 2;
    }
    oms_log_set_level(arguments.options.trace ? OMS_LOG_INFO : OMS_LOG_OFF);
    if (arguments.check_trace)
        return check_trace(argv[0], &arguments);
    if (arguments.options.mutation != SIM_MUTATION_NONE)
        return check_mutation(&arguments);
    return run_seeds(argv[0], &arguments);
}
