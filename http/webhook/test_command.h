/*
 * `liteoms webhook test`: signs a sample as a provider would, sends it to a server, and prints the answer.
 */
#ifndef WEBHOOK_TEST_COMMAND_H
#define WEBHOOK_TEST_COMMAND_H

/* argv[0] is "webhook". The exit status: 0 for an answer of 2xx, 1 for another or none, 2 for a usage that is
 * none. */
int webhook_command_main(int argc, char **argv);

#endif
