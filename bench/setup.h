/* What the benchmarks' drivers share: sizes from the environment, pauses, and data folders. */
#ifndef BENCH_SETUP_H
#define BENCH_SETUP_H

/* The variable, or `normal` where it is unset or empty. */
double setup_number(const char *name, double normal);
const char *setup_text(const char *name, const char *normal);
void setup_sleep_ms(long ms);
/* The folder with all that is in it; nothing when there is none. */
void setup_remove_folder(const char *path);

/* exec wants char *, and does not write to it. */
#define SETUP_ARGUMENT(text) ((char *)(uintptr_t)(text))

#endif
