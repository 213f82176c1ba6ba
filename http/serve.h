/*
 * A running server: every part made, wired and ended in the right order. `liteoms serve` is this with flags.
 */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "http/config.h"

/*
 * Serves until SIGTERM or SIGINT, then drains. Prints "liteoms: ready on URL" on standard output when it
 * accepts, and in development mode a token and how to place an order. Returns the process's exit status: 0
 * after a drain, 1 when it could not start (one line on standard error says why) or had to stop because a
 * write failed. Called once, on the main thread.
 */
int http_serve(const struct http_config *config);

#endif
