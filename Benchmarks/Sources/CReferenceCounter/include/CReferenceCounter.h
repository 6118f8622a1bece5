// Part of Moqingbird, Media over QUIC for Swift. Apache-2.0.

#ifndef CREFERENCECOUNTER_H
#define CREFERENCECOUNTER_H

#include <stdbool.h>

/// Whether references are counted in a program that this is linked into: with the Swift runtime as a shared library of Linux.
bool reference_counter_is_available(void);

#endif
