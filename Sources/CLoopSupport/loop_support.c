#include "CLoopSupport.h"

#include <pthread.h>
#include <string.h>

void cls_set_thread_name(const char *name) {
    char kept[16];
    strncpy(kept, name, sizeof(kept) - 1);
    kept[sizeof(kept) - 1] = 0;
#if defined(__APPLE__)
    pthread_setname_np(kept);
#else
    pthread_setname_np(pthread_self(), kept);
#endif
}
