/* See call.h. */
#include "http/outhook/call.h"

#include "runtime/base/alloc.h"

void outhook_call_fini(struct outhook_call *call)
{
    oms_free(call->view.letters);
    oms_free(call->view.tries);
    call->view.letters = NULL;
    call->view.tries = NULL;
}
