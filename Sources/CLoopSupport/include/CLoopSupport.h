// What the packet loop needs of the operating system and Swift does not import.
#ifndef MOQINGBIRD_CLOOP_SUPPORT_H
#define MOQINGBIRD_CLOOP_SUPPORT_H

/// Names the calling thread as debuggers and /proc show it (at most 15 bytes are kept).
void cls_set_thread_name(const char *name);

#endif
