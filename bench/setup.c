/* Sizes, pauses and folders of the drivers. See setup.h. */
#include "bench/setup.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double setup_number(const char *name, double normal)
{
    const char *text = getenv(name);
    return text && *text ? strtod(text, NULL) : normal;
}

const char *setup_text(const char *name, const char *normal)
{
    const char *text = getenv(name);
    return text && *text ? text : normal;
}

void setup_sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

void setup_remove_folder(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
