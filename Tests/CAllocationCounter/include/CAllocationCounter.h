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

/// What was counted on a thread.
typedef struct {
    /// How many times memory was asked for.
    uint64_t allocations;
    /// How many references were taken, those to instances that live for ever and those that weak references give included.
    /// None, where nobody tells of them.
    uint64_t retains;
    /// How many references were given back.
    uint64_t releases;
} operation_counts;

/// Sets what the calling thread has counted to zero. It does not count before it is told to.
void operation_counter_reset(void);

/// Counts what the calling thread does from here on, in addition to what was counted before.
void operation_counter_resume(void);

/// Stops counting, until ``operation_counter_resume``.
void operation_counter_pause(void);

/// What the calling thread has counted.
operation_counts operation_counter_read(void);

/// Tells that references were taken. For whoever stands in for the functions of the runtime.
void operation_counter_note_retains(uint64_t number);

/// Tells that references were given back.
void operation_counter_note_releases(uint64_t number);

#endif
