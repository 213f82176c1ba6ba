/* make_superstore FILE [ORDERS [SEED]]: the file for import tests where the real one is absent. */
#include <stdlib.h>

#include "tests/integration/superstore_file.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: make_superstore FILE [ORDERS [SEED]]\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "we");
    if (!file) {
        perror(argv[1]);
        return 1;
    }
    long rows = superstore_write(file, argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200,
                                 argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    if (fclose(file) != 0 || rows < 0) {
        perror(argv[1]);
        return 1;
    }
    printf("%ld rows\n", rows);
    return 0;
}
