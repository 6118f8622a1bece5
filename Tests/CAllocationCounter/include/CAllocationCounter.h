// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#ifndef CALLOCATIONCOUNTER_H
#define CALLOCATIONCOUNTER_H

#include <stdbool.h>
#include <stdint.h>

/// Whether allocations can be counted: not under a sanitizer, which has an allocator of its own, and with glibc only.
bool allocation_counter_is_available(void);

/// Begins to count what the calling thread allocates.
void allocation_counter_begin(void);

/// Stops counting on the calling thread.
/// - Returns: how many times memory was asked for since it began: instances, boxes, buffers of arrays, and what C asks for.
uint64_t allocation_counter_end(void);

#endif
