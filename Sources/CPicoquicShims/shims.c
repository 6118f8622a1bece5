#include "CPicoquicShims.h"

#include <picoquic.h>

const char *cpq_compiled_version(void) {
    return PICOQUIC_VERSION;
}
